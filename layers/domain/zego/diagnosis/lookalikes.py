"""What is taken for a Token04 and is none."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any, Final

from zego import strict_json
from zego.diagnosis.findings import Form, Found, found

_HEX: Final = re.compile(r"[0-9A-Fa-f]{32,}")
_OLDER: Final = re.compile(r"0[0-3][0-9A-Za-z+/_-]{16,}=*")
_JOSE: Final = re.compile(r"[\w-]+\.[\w-]*\.[\w-]*(?:\.[\w-]*\.[\w-]*)?", re.ASCII)
_ALGORITHM: Final = re.compile(r"[0-9A-Za-z+-]{1,20}")


def recognise(text: str) -> tuple[Form, Found] | None:
    """What it is; ``None`` where it may be a Token04, or is nothing that is known."""
    compact = "".join(text.split())
    if algorithm := _jose_algorithm(compact):
        return "jwt", found("jwt", algorithm=algorithm)
    if _HEX.fullmatch(compact):
        return "other", found("hex-string", length=len(compact), what=_hex_kind(len(compact)))
    if _OLDER.fullmatch(compact):
        return "older-token", found("older-token", version=compact[:2])
    values = _json_in_base64(compact)
    return None if values is None else ("other", found("json-in-base64", what=_json_kind(values)))


def _jose_algorithm(text: str) -> str | None:
    """The algorithm in a JWT's header, also where only that is left; ``None``: it is no JWT."""
    header = _json_in_base64(text.partition(".")[0])
    if header is None or not (_JOSE.fullmatch(text) or {"alg", "typ"} & header.keys()):
        return None
    algorithm = header.get("alg")
    if isinstance(algorithm, str) and _ALGORITHM.fullmatch(algorithm):
        return algorithm
    return "which names no algorithm"


def _hex_kind(length: int) -> str:
    return {
        32: "a ServerSecret or an MD5 has as many",
        40: "a SHA-1, or an HMAC of it, has as many",
        64: "an AppSign, or an HMAC of SHA-256, has as many",
    }.get(length, "a hash, perhaps")


def _json_in_base64(text: str) -> dict[str, Any] | None:
    if not text.startswith(("ey", "ew")):  # as a JSON object begins: {" or { and a line's end
        return None
    standard = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return strict_json.loads_object(b64decode(standard + "=" * (-len(standard) % 4)))
    except ValueError:
        return None


def _json_kind(values: dict[str, Any]) -> str:
    if {"userID", "appID"} & values.keys():
        return "the part of a kit token after the #"
    if {"app_id", "user_id"} & values.keys():
        return "claims that were never sealed"
    return "an object that ZEGO does not know"
