"""Compares minting one token with the primitives that any implementation needs.

Both keep the cipher of the secret. :mod:`tests.benchmarks.official` compares it with ZEGO's
generators.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.benchmarks.rows import Row, ratio
from zego import token04

_ROUNDS = 40
_CALLS = 500
_APP_ID = 1234567890
_SECRET = "0123456789abcdef" * 2  # invented
_CIPHER = AESGCM(_SECRET.encode())
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _mint() -> str:
    payload = token04.room_payload("room1", login=True, publish=True)
    return token04.mint(
        _APP_ID, "user1", _SECRET, issued_at=1700000000, lifetime_seconds=3600, payload=payload
    )


def _primitives() -> bytes:
    random = os.urandom(16)
    payload = _to_json({"room_id": "room1", "privilege": {"1": 1, "2": 1}, "stream_id_list": None})
    claims = {
        "app_id": _APP_ID,
        "user_id": "user1",
        "nonce": 1073741824,
        "ctime": 1700000000,
        "expire": 1700003600,
        "payload": payload,
    }
    sealed = _CIPHER.encrypt(random[:12], _to_json(claims).encode(), None)
    return base64.b64encode(sealed)


def _microseconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(_CALLS):
        call()
    return (time.perf_counter() - started) / _CALLS * 1e6


def measure() -> list[Row]:
    """Return the best of many alternating rounds, so that both run under the same load."""
    minted, primitives = [], []
    for _ in range(_ROUNDS):
        minted.append(_microseconds(_mint))
        primitives.append(_microseconds(_primitives))
    return [
        ratio(
            "mint one token, GCM, room payload",
            "urandom 16 B, JSON, AES-GCM, base64",
            unit="us",
            value=min(minted),
            baseline=min(primitives),
            budget=0.9,
            aim=0.7,
        )
    ]
