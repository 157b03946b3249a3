"""Tokens made for the tests, good and broken ones, and the secrets to diagnose them with."""

from __future__ import annotations

import base64
import itertools
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from zego import token04
from zego.diagnosis.model import Diagnosis, Expected, TriedSecret
from zego.diagnosis.secrets import diagnose
from zego.token04 import Cipher

SECRET: Final = bytes(range(0, 256, 17)).hex()  # 00112233445566..., in which no part repeats
OTHER_SECRET: Final = SECRET[::-1]
APP_SIGN: Final = SECRET * 2
APP_ID: Final = 1234567890
NOW: Final = 1_700_000_000
#: Bytes that are neither hexadecimal digits nor all the same.
IV: Final[dict[Cipher, bytes]] = {"gcm": bytes(range(200, 212)), "cbc": bytes(range(200, 216))}

CURRENT: Final = {"AWSCURRENT": TriedSecret(SECRET, APP_ID)}
NO_SECRETS: Final[dict[str, TriedSecret]] = {}


def claims(**changes: object) -> dict[str, object]:
    """The claims of a good token of one hour, with some changed; ``...`` leaves one out."""
    good: dict[str, object] = {
        "app_id": APP_ID,
        "user_id": "alice",
        "nonce": 1073741824,
        "ctime": NOW - 60,
        "expire": NOW + 3540,
        "payload": "",
    }
    return {name: value for name, value in (good | changes).items() if value is not ...}


def token(
    cipher: Cipher = "gcm", key: str | bytes = SECRET, *, iv: bytes | None = None, **changes: object
) -> str:
    """A token that says this. Its readable expiry is the sealed one, or that of a good token."""
    said = claims(**changes)
    return sealed(json.dumps(said).encode(), cipher, key, iv=iv, expires_at=said.get("expire"))


def sealed(
    plaintext: bytes,
    cipher: Cipher = "gcm",
    key: str | bytes = SECRET,
    *,
    iv: bytes | None = None,
    expires_at: Any = None,
) -> str:
    """A token in which any bytes are sealed."""
    is_time = type(expires_at) is int and -(2**63) <= expires_at < 2**63
    return token04.seal(
        plaintext,
        expires_at if is_time else NOW + 3540,
        key.encode() if isinstance(key, str) else key,
        cipher=cipher,
        iv=IV[cipher] if iv is None else iv,
    )


def payload(**changes: object) -> str:
    """The payload of a privilege token, with some of it changed; ``...`` leaves one out."""
    good: dict[str, object] = {
        "room_id": "room1",
        "privilege": {"1": 1, "2": 1},
        "stream_id_list": None,
    }
    return json.dumps({name: one for name, one in (good | changes).items() if one is not ...})


def kit_details(**changes: object) -> str:
    """The details after the # of a kit token."""
    good: dict[str, object] = {
        "userID": "alice",
        "roomID": "room1",
        "userName": "Alice",
        "appID": APP_ID,
    }
    said = {name: value for name, value in (good | changes).items() if value is not ...}
    return base64.b64encode(json.dumps(said).encode()).decode()


def binary(text: str) -> bytes:
    return base64.b64decode(text[2:])


def of_binary(content: bytes) -> str:
    return "04" + base64.b64encode(content).decode()


def _with_every_character(cipher: Cipher) -> str:
    """A good token that contains a +, a / and two =, the characters that get lost on the way."""
    for first, spaces in itertools.product(range(256), (0, 1, 2, 16, 32)):
        iv = bytes([first]) + IV[cipher][1:]
        made = sealed(json.dumps(claims()).encode() + b" " * spaces, cipher, iv=iv)
        if "+" in made and "/" in made and made.endswith("=="):
            return made
    raise AssertionError("no such token was found")


#: Good tokens.
GCM: Final = _with_every_character("gcm")
CBC: Final = _with_every_character("cbc")
#: A token that needs no padding.
UNPADDED: Final = next(
    one for size in range(3) if not (one := token(user_id="a" * (size + 5))).endswith("=")
)
#: A token for a room, with more than 255 characters.
ROOM: Final = token(payload=payload())


@dataclass(frozen=True)
class Case:
    """A text that was used as a token, and all expected findings, in order."""

    name: str
    text: str = field(repr=False)
    finds: tuple[str, ...]
    secrets: dict[str, TriedSecret] = field(default_factory=lambda: CURRENT)
    expected: Expected = field(default_factory=lambda: Expected(NOW))
    verdict: str = "refused"
    form: str = "token04"
    opened_by: str | None = "AWSCURRENT"

    def __str__(self) -> str:
        return self.name

    @cached_property
    def diagnosis(self) -> Diagnosis:
        return diagnose(self.text, self.secrets, self.expected)


def case(name: str, text: str, *finds: str, **others: Any) -> Case:
    """A case of a token that the current secret opens, unless given otherwise."""
    return Case(name, text, finds, **others)


def unopened(name: str, text: str, *finds: str, **others: Any) -> Case:
    return Case(name, text, finds, **({"opened_by": None} | others))


def no_token(name: str, text: str, *finds: str, **others: Any) -> Case:
    return Case(name, text, finds, **({"opened_by": None, "form": "other"} | others))


def expecting(**others: Any) -> Expected:
    return Expected(**({"now": NOW} | others))
