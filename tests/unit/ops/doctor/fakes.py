"""A fake issuer behind API Gateway, and fake AWS credentials, which tests can change."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local.aws.secrets_manager import APP_ID
from zego import token04
from zego.bounded_http import HttpError, Response
from zego.server_secret import ServerSecret

API: Final = "https://abc123.execute-api.eu-west-1.amazonaws.com"
DEAD_LETTERS: Final = "https://sqs.eu-west-1.amazonaws.com/111122223333/dead-letters"
DIRECT: Final = "https://direct.execute-api.eu-west-1.amazonaws.com"
ORIGIN: Final = "https://calls.example.com"
BEARER: Final = "eyJ.bearer.token"
POLICY: Final = b"[identities.web]\n"
LIFETIME_SECONDS: Final = 7200


class Issuer:
    """Replaces :func:`zego.bounded_http.request` and everything behind it.

    :ivar secret: the secret that seals tokens.
    :ivar responses: by path, the responses to return instead of the normal ones.
    :ivar down: by path, why no response comes.
    :ivar is_old: whether its status lacks what this version added.
    :ivar date: the Date header of every response; ``None``: no header.
    :ivar silent: methods whose responses allow no origin.
    :ivar room_id: the room that tokens are for instead of the requested one.
    :ivar requests: by path, the method and headers of the last request that it let in.
    :ivar bearers: the bearer tokens received, as text after ``Bearer``.
    :ivar signed: the routes of the signed requests received.
    :ivar open: routes that let in callers without proof.
    :ivar forgeable: whether it accepts bearer tokens that no identity provider signed.
    :ivar granted: patterns of user ids and room ids; a request needs one of each.
    :ivar edge: whether CloudFront is in front of it.
    :ivar past_edge: the response to a request that avoids the edge.
    :ivar every_room: whether it grants tokens for every room.
    :ivar opens: the label of the secret with which it opens tokens; ``None``: it opens no token.
    :ivar findings: the findings of its diagnoses.
    :ivar last_verdict: what the watcher noted, with ``fingerprint`` added if that is missing.
    """

    def __init__(self, value: str) -> None:
        self.secret = ServerSecret(APP_ID, value)
        self.responses: dict[str, Response] = {}
        self.down: dict[str, str] = {}
        self.date: str | None = formatdate(time.time())
        self.requests: dict[str, tuple[str, Mapping[str, str]]] = {}
        self.origins = {ORIGIN}
        self.silent: set[str] = set()
        self.allowed = {
            "access-control-allow-methods": "GET,POST",
            "access-control-allow-headers": "authorization,content-type",
        }
        self.stage = "prod"
        self.signing_keys: object = [
            {"identity": "web", "issuer": "i", "jwks_uri": "https://idp/keys", "keys": 2}
        ]
        self.shared_keys: object = [
            {"identity": "app", "secret": "calls/session-key", "keys": 1, "problem": None}
        ]
        self.is_old = False
        self.limits: object = {"denials": 2, "problem": None}
        self.lifetime_seconds = LIFETIME_SECONDS
        self.bearers: list[str] = []
        self.signed: set[str] = set()
        self.open: set[str] = set()
        self.forgeable = False
        self.granted = (r"doctor|bob|alice|doctor_\w+", r"lobby|call_\w+|doctor_\w+")
        self.edge = False
        self.past_edge = json_response(403, {"code": "edge_required"})
        self.every_room = False
        self.opens: str | None = "AWSCURRENT"
        self.findings: list[dict[str, str]] = []
        self.last_verdict: dict[str, str] | None = {"verdict": "accepted"}
        self.token: str | None = None
        self.room_id: str | None = None

    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_seconds: float,
        max_bytes: int,
    ) -> Response:
        assert timeout_seconds < 30
        assert max_bytes < 1 << 20
        path, headers = urlsplit(url).path, headers or {}
        if path in self.down:
            raise HttpError(self.down[path])
        if url.startswith(DIRECT):
            assert path == "/v1/health"
            return self.past_edge
        response = self._stranger(method, path, headers)
        if response is None:
            self.requests[path] = (method, headers)
            response = self.responses.get(path) or self._respond(method, path, body)
        more = {} if self.date is None else {"date": self.date}
        more |= {"x-amz-cf-id": "made-up"} if self.edge else {}
        return Response(
            response.status,
            {**response.headers, **more, **self._cors(method, headers)},
            response.body,
        )

    def problem(self, path: str, status: int, code: str) -> None:
        """Let it refuse requests to a path."""
        self.responses[path] = json_response(status, {"code": code, "title": "x"})

    def _stranger(self, method: str, path: str, headers: Mapping[str, str]) -> Response | None:
        """The refusal of a caller without proof, as docs/openapi.yaml has it."""
        proof = {name.lower(): value for name, value in headers.items()}.get("authorization", "")
        is_bearer = path in {
            *("/v1/tokens", "/v1/tokens/batch", "/v1/calls", "/api/v1/calls/initiate"),
        }
        if method == "OPTIONS" or path == "/v1/health" or f"{method} {path}" in self.open:
            return None
        if not is_bearer:
            if not proof.startswith("AWS4-HMAC-SHA256 "):
                return json_response(403, {"message": "Forbidden"})
            self.signed.add(f"{method} {path}")
            return None
        self.bearers.append(proof.removeprefix("Bearer "))
        if not proof:
            return json_response(401, {"code": "bearer_missing"})
        if self.forgeable or proof == f"Bearer {BEARER}":
            return None
        return json_response(401, {"code": "bearer_unknown_key"})

    def _cors(self, method: str, headers: Mapping[str, str]) -> Mapping[str, str]:
        origin = headers.get("origin")
        if origin is None or origin not in self.origins:
            return {}
        if method in self.silent:
            return self.allowed
        return {"access-control-allow-origin": origin} | self.allowed

    def _respond(self, method: str, path: str, body: bytes | None) -> Response:
        if method == "OPTIONS":
            return Response(204, {}, b"")
        if path == "/v1/health":
            return json_response(200, {"status": "ok", "version": "1.2.3"})
        if path == "/v1/status":
            return json_response(200, self._status())
        asked = json.loads(body or b"{}")
        if path == "/v1/diagnose":
            return json_response(200, self._diagnosis(asked))
        users, rooms = self.granted
        room = asked.get("room_id")
        is_granted = self.every_room if room is None else re.fullmatch(rooms, room)
        if not is_granted or not re.fullmatch(users, asked.get("user_id", "alice")):
            return json_response(403, {"code": "not_granted"})
        return json_response(201, self._token(asked))

    def _diagnosis(self, asked: Mapping[str, str]) -> dict[str, Any]:
        assert asked["token"] == self.token
        is_refused = any(one["severity"] == "refused" for one in self.findings)
        return {
            "verdict": "refused" if is_refused else "good",
            "cipher": "gcm",
            "opened_by": self.opens,
            "findings": self.findings,
            "secret_fingerprint": self.secret.fingerprint,
        }

    def _status(self) -> dict[str, Any]:
        last = {"fingerprint": self.secret.fingerprint} | (self.last_verdict or {})
        secret = {
            "fingerprint": self.secret.fingerprint,
            "app_id": self.secret.app_id,
            "last_verdict": last if self.last_verdict else None,
        }
        policy = {"sha256": hashlib.sha256(POLICY).hexdigest(), "stage": self.stage}
        return {
            "secret": secret,
            "policy": policy,
            "token_cipher": "gcm",
            "signing_keys": self.signing_keys,
            "shared_keys": self.shared_keys,
            **({} if self.is_old else {"limits": self.limits}),
        }

    def _token(self, asked: Mapping[str, str]) -> dict[str, Any]:
        now, user = int(time.time()), asked.get("user_id", "alice")
        room = asked.get("room_id", "")
        self.token = token04.mint(
            self.secret.app_id,
            user,
            self.secret.value,
            issued_at=now,
            lifetime_seconds=self.lifetime_seconds,
            payload=token04.room_payload(self.room_id or room, login=True, publish=True),
        )
        return {
            "token": self.token,
            "app_id": self.secret.app_id,
            "user_id": user,
            "room_id": room,
            "privileges": {"login": True, "publish": True},
            "issued_at": now,
            "expires_at": now + self.lifetime_seconds,
        }


def json_response(status: int, document: object) -> Response:
    """A response in JSON."""
    return Response(status, {}, json.dumps(document).encode())


def refused(operation: str, code: str) -> ClientError:
    """An error with which AWS refuses a call."""
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


class Session:
    """Replaces a ``boto3.Session``.

    :ivar identity: what STS returns, or raises.
    :ivar key_state: what KMS returns, or raises.
    :ivar messages: how many SQS has in a queue, or what it raises.
    """

    def __init__(self) -> None:
        self.region_name: str | None = "eu-west-1"
        self.credentials: Credentials | None = Credentials("AKIAEXAMPLE", "example")
        self.identity: str | Exception = "arn:aws:sts::111122223333:assumed-role/Operators/alice"
        self.date: str | None = None
        self.key_state: str | Exception = "Enabled"
        self.messages: int | Exception = 0

    def get_credentials(self) -> Credentials | None:
        return self.credentials

    def client(self, service: str, **_options: object) -> Session:
        assert service in {"sts", "kms", "sqs"}
        return self

    def get_caller_identity(self) -> dict[str, Any]:
        if isinstance(self.identity, Exception):
            raise self.identity
        headers = {} if self.date is None else {"date": self.date}
        return {"Arn": self.identity, "ResponseMetadata": {"HTTPHeaders": headers}}

    def describe_key(self, **_key: str) -> dict[str, Any]:
        if isinstance(self.key_state, Exception):
            raise self.key_state
        return {"KeyMetadata": {"KeyState": self.key_state}}

    def get_queue_attributes(self, **_queue: object) -> dict[str, Any]:
        if isinstance(self.messages, Exception):
            raise self.messages
        return {"Attributes": {"ApproximateNumberOfMessages": f"{self.messages}"}}
