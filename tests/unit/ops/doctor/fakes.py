"""A fake issuer behind API Gateway, and fake AWS credentials, which tests can change."""

from __future__ import annotations

import hashlib
import json
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
ORIGIN: Final = "https://calls.example.com"
BEARER: Final = "eyJ.bearer.token"
POLICY: Final = b"[identities.web]\n"
LIFETIME_SECONDS: Final = 7200


class Issuer:
    """Replaces :func:`zego.bounded_http.request` and everything behind it.

    :ivar secret: the secret that seals tokens.
    :ivar responses: by path, the responses to return instead of the normal ones.
    :ivar down: by path, why no response comes.
    :ivar date: the Date header of every response; ``None``: no header.
    :ivar silent: methods whose responses allow no origin.
    :ivar room_id: the room that tokens are for instead of the requested one.
    :ivar requests: by path, the methods and headers of the requests received.
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
        self.lifetime_seconds = LIFETIME_SECONDS
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
        self.requests[path] = (method, headers)
        if path in self.down:
            raise HttpError(self.down[path])
        response = self.responses.get(path) or self._respond(method, path, body)
        more = {} if self.date is None else {"date": self.date}
        return Response(
            response.status,
            {**response.headers, **more, **self._cors(method, headers)},
            response.body,
        )

    def problem(self, path: str, status: int, code: str) -> None:
        """Let it refuse requests to a path."""
        self.responses[path] = json_response(status, {"code": code, "title": "x"})

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
        return json_response(201, self._token(json.loads(body or b"{}")))

    def _status(self) -> dict[str, Any]:
        secret = {"fingerprint": self.secret.fingerprint, "app_id": self.secret.app_id}
        policy = {"sha256": hashlib.sha256(POLICY).hexdigest(), "stage": self.stage}
        return {
            "secret": secret,
            "policy": policy,
            "token_cipher": "gcm",
            "signing_keys": self.signing_keys,
        }

    def _token(self, asked: Mapping[str, str]) -> dict[str, Any]:
        now, user, room = int(time.time()), asked.get("user_id", "alice"), asked["room_id"]
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
    """

    def __init__(self) -> None:
        self.region_name: str | None = "eu-west-1"
        self.credentials: Credentials | None = Credentials("AKIAEXAMPLE", "example")
        self.identity: str | Exception = "arn:aws:sts::111122223333:assumed-role/Operators/alice"
        self.date: str | None = None
        self.key_state: str | Exception = "Enabled"

    def get_credentials(self) -> Credentials | None:
        return self.credentials

    def client(self, service: str, **_options: object) -> Session:
        assert service in {"sts", "kms"}
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
