"""Plain HTTP requests to the parts of the stack."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.identity_provider import PASSWORD

TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class HttpAnswer:
    """An answer to a request; header names are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body decoded."""
        return json.loads(self.body)


def post(url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
    """POSTs `body`, and gives any answer, also one of 400 or more."""
    # Only URLs of the stack come here, and no proxy stands between.
    request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            return _read(answer.status, answer)
    except urllib.error.HTTPError as answer:
        with answer:
            return _read(answer.code, answer)


def log_in(identity_provider: str, username: str) -> str:
    """A bearer token of the development identity provider for `username`."""
    form = {"grant_type": "password", "username": username, "password": PASSWORD}
    answer = post(
        f"{identity_provider}/token",
        urllib.parse.urlencode(form).encode(),
        {"content-type": "application/x-www-form-urlencoded"},
    )
    return str(answer.json()["access_token"])


def _read(status: int, answer: Any) -> HttpAnswer:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return HttpAnswer(status, headers, answer.read())
