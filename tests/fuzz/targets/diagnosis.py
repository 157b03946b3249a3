"""The diagnosis: any text, any damaged token and any sealed bytes, with secrets and without."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from random import Random
from typing import Final, get_args

from issuer.diagnose import DiagnosisRequest
from issuer.diagnose import diagnose as diagnose_over_http
from tests.fuzz.choices import Choices
from tests.unit.zego.diagnosis import mutations
from tests.unit.zego.diagnosis.builders import (
    APP_ID,
    CBC,
    CURRENT,
    GCM,
    NO_SECRETS,
    NOW,
    OTHER_SECRET,
    ROOM,
    SECRET,
    claims,
    kit_details,
    payload,
    sealed,
)
from zego import token04
from zego.diagnosis.model import Diagnosis, Expected, Sdk, TriedSecret
from zego.diagnosis.secrets import diagnose
from zego.server_secret import ServerSecret
from zego.token04 import Cipher, Token04Error

INVARIANT: Final = (
    "Each text gets a diagnosis that is JSON and contains no secret; a token that the secret opens"
    " is opened with it; over HTTP, a token is opened only if the tag of its GCM is valid."
)

CIPHERS: Final[tuple[Cipher, ...]] = get_args(Cipher)
SECRETS: Final[tuple[Mapping[str, TriedSecret], ...]] = (
    CURRENT,
    NO_SECRETS,
    {"AWSCURRENT": TriedSecret(OTHER_SECRET, 5), "AWSPREVIOUS": TriedSecret(SECRET, APP_ID)},
    {"given": TriedSecret(f'"{SECRET}"')},
)
EXPECTED: Final = tuple(
    Expected(NOW + later, app_id, user, room, publish, sdk)
    for sdk in (None, *get_args(Sdk))
    for later, app_id, user, room, publish in (
        (0, APP_ID, None, None, None),
        (9999, 7, "bob", "room1", True),
    )
)
STORED: Final = ServerSecret(APP_ID, SECRET)
#: Inputs of the generators of the tests that the search starts with, of each kind.
GENERATED: Final = 12

WORDS: Final = (
    *(
        '"app_id":',
        '"user_id":',
        '"nonce":',
        '"ctime":',
        '"expire":',
        '"payload":',
        '\\"room_id\\"',
    ),
    *('"privilege":{"1":1,"2":1}', '"stream_id_list":null', "1700003540", "1700003540000", "1e999"),
    *(
        "04AAAA",
        "03",
        "eyJ",
        "eyJhbGciOi",
        "Bearer ",
        "token=",
        '{"token":"',
        "%2B",
        "%3D",
        "\\u003d",
    ),
    *(
        "&#x3D;",
        "=3D",
        "=\r\n",
        "#",
        "://",
        "undefined",
        "null",
        "[object Object]",
        "<html>",
        "...",
    ),
    *("7b22", "007eJx", "T1==", "gAAAAA", "\u200b", "\ufeff", "\u2026", "\\ud800", "NaN"),
)


def check(data: bytes) -> None:
    """Diagnose a text, the base64 of an envelope, or a token with these bytes sealed in it."""
    choices = Choices(data)
    mode = choices.byte() % 3
    secrets, expected = choices.pick(SECRETS), choices.pick(EXPECTED)
    if mode == 0:
        text = choices.text()
    elif mode == 1:
        text = "04" + base64.b64encode(choices.rest()).decode()
    else:
        cipher = choices.pick(CIPHERS)
        details = f"#{kit_details()}" if choices.byte() % 4 == 3 else ""
        text = sealed(choices.rest(), cipher, expires_at=NOW + 3540) + details
    _check_text(text, secrets, expected)


def seeds() -> Iterator[bytes]:
    """Good tokens and claims, and texts of the generators of the other tests."""
    random = Random(1)
    for token in (GCM, CBC, ROOM):
        yield b"\0\0\0" + token.encode()
        yield b"\0\2\1" + token[:-9].encode()
        yield b"\1\0\0" + base64.b64decode(token[2:])
    for sealed_claims in (claims(), claims(payload=payload()), claims(app_id="1", user_id=...)):
        for cipher in range(2):
            for expected in range(4):
                yield bytes([2, 0, expected, cipher, 0]) + json.dumps(sealed_claims).encode()
    for kind in (mutations.mutated, mutations.broken, mutations.made_up, mutations.soup):
        for number in range(GENERATED):
            text = kind(random).encode("utf-8", "surrogatepass")
            yield bytes([0, number % 4, number % 10]) + text


def _check_text(text: str, secrets: Mapping[str, TriedSecret], expected: Expected) -> None:
    diagnosis = diagnose(text, secrets, expected)
    _is_presentable(diagnosis)
    try:
        opened = token04.decode(text, SECRET)
    except Token04Error:
        opened = None
    if opened is not None and secrets is CURRENT:
        assert diagnosis.opened_by == "AWSCURRENT"
        assert diagnosis.claims is not None
        assert diagnosis.claims["user_id"] == opened.claims.user_id
        assert not any("secret rotate" in one.remedy for one in diagnosis.findings)
    asked = DiagnosisRequest(text, expected.user_id, expected.room_id, expected.app_id)
    over_http = diagnose_over_http(asked, lambda: STORED, lambda: None, now=expected.now)
    _is_presentable(over_http.diagnosis)
    found = over_http.diagnosis
    assert found.opened_by is None or found.cipher == "gcm", "the service opens CBC"
    if opened is not None and opened.cipher == "gcm":
        assert found.opened_by == "AWSCURRENT"


def _is_presentable(diagnosis: Diagnosis) -> None:
    document = diagnosis.document()
    shown = json.dumps(document, ensure_ascii=False, allow_nan=False)
    assert SECRET not in shown
    assert OTHER_SECRET not in shown
    assert diagnosis.verdict in {"good", "refused", "unknown"}
