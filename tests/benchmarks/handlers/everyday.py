"""A token service in Python as a good engineer writes it from tutorials: a baseline.

It does the same main job as the issuer, with the libraries that everyone uses. It has no access
policy, denials, audit log or metrics.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import struct
import time
from typing import Any

import jwt
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import UnauthorizedError
from aws_lambda_powertools.utilities import parameters
from aws_lambda_powertools.utilities.typing import LambdaContext
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LIFETIME_SECONDS = 3600

app = APIGatewayHttpResolver()
jwks = jwt.PyJWKClient(os.environ["JWKS_URI"], cache_keys=True)


@app.post("/v1/tokens")
def create_token() -> Response[str]:
    claims = verify(app.current_event.headers.get("authorization", ""))
    room_id = app.current_event.json_body["room_id"]
    secret = parameters.get_secret(os.environ["SERVER_SECRET_ARN"], transform="json", max_age=60)
    issued_at = int(time.time())
    document = {
        "token": token04(secret, claims["sub"], room_id, issued_at),
        "user_id": claims["sub"],
        "room_id": room_id,
        "expires_at": issued_at + LIFETIME_SECONDS,
    }
    return Response(201, "application/json", json.dumps(document))


def verify(authorization: str) -> dict[str, Any]:
    token = authorization.removeprefix("Bearer ")
    try:
        key = jwks.get_signing_key_from_jwt(token)
        return jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            audience=os.environ["AUDIENCE"],
            issuer=os.environ["ISSUER"],
        )
    except jwt.InvalidTokenError as error:
        raise UnauthorizedError(str(error)) from None


def token04(secret: Any, user_id: str, room_id: str, issued_at: int) -> str:
    expires_at = issued_at + LIFETIME_SECONDS
    payload = {"room_id": room_id, "privilege": {"1": 1, "2": 1}, "stream_id_list": None}
    claims = {
        "app_id": secret["app_id"],
        "user_id": user_id,
        "nonce": secrets.randbelow(2**31),
        "ctime": issued_at,
        "expire": expires_at,
        "payload": json.dumps(payload),
    }
    iv = secrets.token_bytes(12)
    key = secret["server_secret"].encode()
    sealed = AESGCM(key).encrypt(iv, json.dumps(claims).encode(), None)
    binary = struct.pack(">qH12sH", expires_at, 12, iv, len(sealed)) + sealed + b"\x01"
    return "04" + base64.b64encode(binary).decode()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
