"""What schemathesis loads into its process: authentication, our own check, and the counts.

:mod:`tests.fuzz.api` starts that process and gives it an :class:`Access` file.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import re
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests.auth import AuthBase

from tests.contract.openapi import load

#: The environment variable with the path of the access file.
ACCESS_FILE: Final = "ZEGO_FUZZ_ACCESS"

#: What no refusal may contain: a token, a JWT, or a place in the code.
REVEALING: Final = re.compile(
    r"04AAAA[\w+/]{40}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}|Traceback|File \"|\.py\b|site-packages"
)

#: Only backends may use this route with a bearer.
FOR_BACKENDS: Final = frozenset({"POST /v1/tokens/batch"})
#: The users who have a bearer.
USERS: Final = ("alice", "bob", "auth0|carol")
#: The longest body in bytes, but for a batch.
MAX_BODY: Final = 16 * 1024
#: One request in so many has a bearer or a signature that is refused.
BAD: Final = 8


@dataclass(frozen=True)
class Access:
    """How requests are authenticated.

    :ivar users: values of the header Authorization of users.
    :ivar backends: those of backends, whose requests name the user.
    :ivar bad: those that are refused; ``None`` sends no header.
    :ivar secrets: texts that no response may contain.
    :ivar counts: the file to which the counts are written in the end.
    """

    access_key_id: str
    secret_access_key: str
    region: str
    users: tuple[str, ...]
    backends: tuple[str, ...]
    bad: tuple[str | None, ...]
    secrets: tuple[str, ...]
    counts: str

    def to_json(self) -> str:
        """The text of the access file."""
        return json.dumps(asdict(self))


_access: Final = Access(**json.loads(Path(os.environ[ACCESS_FILE]).read_text(encoding="utf-8")))
_security: Final = load().security
_counts: Final[Counter[tuple[str, int]]] = Counter()


class Authentication(AuthBase):
    """Signs requests to the service routes, and sends one of the bearers to the others.

    The request decides which: so a run with the same seed sends the same. A part of the requests to
    the service routes gets a signature for another body.
    """

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        content = body if isinstance(body, bytes) else str(body).encode()
        route = f"{request.method} {urlsplit(str(request.url)).path}"
        choice = hashlib.sha256(route.encode() + content).digest()
        is_bad = choice[0] % BAD == 0
        if _security.get(route) == "sigv4":
            self._sign(request, content + b" " * is_bad)
        else:
            names_user = _names_user(content) or route in FOR_BACKENDS
            good = _access.backends if names_user else _access.users
            bearers = _access.bad if is_bad else good
            bearer = bearers[choice[1] % len(bearers)]
            if bearer is not None:
                request.headers["authorization"] = bearer
        return request

    @staticmethod
    def _sign(request: requests.PreparedRequest, content: bytes) -> None:
        signed = AWSRequest(str(request.method), str(request.url), data=content)
        key = Credentials(_access.access_key_id, _access.secret_access_key)
        SigV4Auth(key, "execute-api", _access.region).add_auth(signed)
        for name, value in signed.headers.items():
            request.headers[name] = str(value)


def _names_user(content: bytes) -> bool:
    """Whether a body names a user, so that its caller must be a backend."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(body, dict) and "user_id" in body


def nothing_confidential(_context: Any, response: Any, _case: Any) -> None:
    """No response contains a secret or a bearer, and no refusal a token or a place in the code."""
    text = response.content.decode("utf-8", "replace")
    for secret in _access.secrets:
        assert secret not in text, "The response contains a secret or a part of a bearer token."
    if response.status_code >= 400:
        found = [one[:12] for one in REVEALING.findall(text)]
        assert not found, f"The refusal contains {found}."


def other_methods_have_no_route(_context: Any, response: Any, case: Any) -> None:
    """The API has no 405: a path that lacks a method is not found."""
    if f"{case.method.upper()} {case.path}" not in _security:
        assert response.status_code == 404
        assert response.json() == {"message": "Not Found"}


def is_unexplained(_context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Whether a failure is one. It is not if the document says more than its schemas can say."""
    kind, code, route = type(failure).__name__, _code(response), f"{case.method} {case.path}"
    if kind == "MissingHeaderNotRejected" and _security[route] == "sigv4":
        return bool(response.json() != {"message": "Forbidden"})  # from API Gateway
    body = case.body if isinstance(case.body, dict) else {}
    if kind == "RejectedPositiveData":
        if code == "body_too_large":  # each field is within its bounds, the whole is not
            return bool(len(response.request.body) <= MAX_BODY)
        callees = body.get("callees", ())
        return not (code == "invalid_callees" and {body.get("user_id"), *USERS} & {*callees})
    if kind == "AcceptedNegativeData" and case.path.endswith("/batch"):
        # Each request of a batch is refused separately.
        statuses = [one["status"] for one in response.json()["results"]]
        return all(status == 201 for status in statuses)
    return True


def _code(response: Any) -> object:
    """The code of a problem."""
    try:
        document = json.loads(response.content)
    except ValueError:
        return None
    return document.get("code") if isinstance(document, dict) else None


def count(_context: Any, case: Any, response: Any) -> None:
    """Count a response."""
    _counts[f"{case.method.upper()} {case.path}", response.status_code] += 1


def write_counts() -> None:
    """Write the counts: for each route, how often each status came."""
    routes: dict[str, dict[str, int]] = {}
    for (route, status), number in sorted(_counts.items()):
        routes.setdefault(route, {})[str(status)] = number
    Path(_access.counts).write_text(json.dumps(routes), encoding="utf-8")


schemathesis.auth.set_from_requests(Authentication())
schemathesis.check(nothing_confidential)
schemathesis.check(other_methods_have_no_route)
schemathesis.hook("after_call")(count)
schemathesis.hook("filter_failure")(is_unexplained)
atexit.register(write_counts)
