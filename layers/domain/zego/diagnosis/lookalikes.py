"""What is taken for a Token04 and is none."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any, Final

from zego import strict_json
from zego.diagnosis.findings import Form, Found, found

_HEX: Final = re.compile(r"[0-9A-Fa-f]{32,}")
_UUID: Final = re.compile(r"\{?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?")
_OLDER: Final = re.compile(r"0[0-3][0-9A-Za-z+/_-]{16,}=*")
_JOSE: Final = re.compile(r"[\w-]+\.[\w-]*\.[\w-]*(?:\.[\w-]*\.[\w-]*)?", re.ASCII)
#: As the header of a JWT begins, which is often all that is left of it: {"alg, {"typ, {"kid.
_JOSE_BEGINS: Final = ("eyJhbGci", "eyJ0eXAi", "eyJraWQi")
#: Those of RFC 7518 and 8037. Others are not repeated: they may be anything.
_ALGORITHM: Final = re.compile(
    r"none|dir|(?:HS|RS|PS)(?:256|384|512)|ES(?:256K?|384|512)|EdDSA|Ed25519|Ed448|RSA1_5"
    r"|RSA-OAEP(?:-256)?|A(?:128|192|256)(?:GCM)?KW|ECDH-ES(?:\+A(?:128|192|256)KW)?"
)


def recognise(text: str) -> tuple[Form, Found] | None:
    """What it is; ``None`` where it may be a Token04, or is nothing that is known."""
    compact = "".join(text.split())
    if algorithm := _jose_algorithm(compact):
        return "jwt", found("jwt", algorithm=algorithm)
    if _UUID.fullmatch(compact):
        return "other", found("hex-string", length=32, what="a UUID")
    if _HEX.fullmatch(compact):
        return "other", found("hex-string", length=len(compact), what=_hex_kind(len(compact)))
    if _OLDER.fullmatch(compact):
        return "older-token", found("older-token", version=compact[:2])
    values = _json_in_base64(compact)
    return None if values is None else ("other", found("json-in-base64", what=_json_kind(values)))


def _jose_algorithm(text: str) -> str | None:
    """The algorithm in a JWT's header, also where only that is left; ``None``: it is no JWT."""
    if not text.startswith("ey"):
        return None
    header = _json_in_base64(text.partition(".")[0])
    if header is None:
        return "cut off" if text.startswith(_JOSE_BEGINS) else None
    if not (_JOSE.fullmatch(text) or {"alg", "typ"} & header.keys()):
        return None
    algorithm = header.get("alg")
    if algorithm is None:
        return "which names no algorithm"
    is_known = isinstance(algorithm, str) and _ALGORITHM.fullmatch(algorithm)
    return str(algorithm) if is_known else "of an algorithm that is not standard"


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
        return "the part of a kit token after the #, without the token in front"
    if {"app_id", "user_id"} & values.keys():
        return "claims that were never sealed"
    return "an object that ZEGO does not know"
