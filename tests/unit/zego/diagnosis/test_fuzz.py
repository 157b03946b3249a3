"""zego.diagnosis with random texts: it never raises, never hangs and never blames a good secret.

`make test` tries 2,060 of them, the same each time; `make prove` 8,240 others. It also alters
64,000 tokens at random, `make test` 1,000, and diagnoses them with the secret that made them.
`make fuzz` searches for more (`tests/fuzz/targets/diagnosis.py`), guided by coverage.
"""

from __future__ import annotations

import base64
import gc
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, get_args

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC as CBC_MODE
from cryptography.hazmat.primitives.ciphers.modes import CTR

from tests.support import tiers
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
)
from tests.unit.zego.diagnosis.corpus import broken_tokens, good_tokens
from tests.unit.zego.diagnosis.generators import CLAIMS
from tests.unit.zego.diagnosis.mutations import LONG, SHORT
from zego.diagnosis.model import Expected, Sdk, TriedSecret
from zego.diagnosis.secrets import diagnose
from zego.token04 import Cipher

pytestmark = pytest.mark.exhaustive

#: Texts of each kind in `make prove`; 8,240 in total.
TEXTS: Final[dict[mutations.Sort, int]] = {
    mutations.mutated: 3_200,
    mutations.broken: 2_400,
    mutations.made_up: 1_600,
    mutations.soup: 1_000,
    mutations.long: 40,
}
#: Altered tokens in `make prove`, in parts that run at the same time.
ALTERED: Final = 64_000
PARTS: Final = 4
#: Seconds of the processor for one text, on a slow and busy machine.
SHORT_SECONDS: Final = 0.05
LONG_SECONDS: Final = 1.0

SECRETS = (
    CURRENT,
    CURRENT,
    NO_SECRETS,
    NO_SECRETS,
    {"AWSCURRENT": TriedSecret(OTHER_SECRET, 5), "AWSPREVIOUS": TriedSecret(SECRET, APP_ID)},
    {"given": TriedSecret(f'"{OTHER_SECRET}"')},
)
EXPECTED = tuple(
    Expected(NOW + later, APP_ID, user, room, publish, sdk)
    for sdk in (None, *get_args(Sdk))
    for later, user, room, publish in ((0, None, None, None), (9999, "bob", "room1", True))
)

#: The pieces that take a naive reader longest: each is repeated, after a beginning that is read.
REPEATED = (
    *"=#%\\\"'{[<( \n\t.-_/+&;:,0A$*\0\x1b\u200b\u0430\u2026\ud83d",
    *("04AAAA", "04AAAA ", "04AAAA-", "04AAA%2B", "eyJ", "eyJaaaaaaaaaa.", "eyJaaaaaaaaaaa.aaaa"),
    *("a.", "%25", "%2B", "&#x3D;", "&amp;", "\\u003d", "\\\\", "=3D", "=\n", "token:", "token="),
    *("bearer ", "Bearer\n", '{"token":', '{"token":"', "[[", '{"a":', "authorization:", "x-a"),
    *("MDRBQUFB", "\x1b[0", "...", "**", "undefined", "function ", "() =>", "<html", "#%", "ew0K"),
    *(
        "eyJhIjp7",
        "eyJhIjp7ImEiOnsi",
        "7b22",
        "7b2261223a",
        "{ ",
        '{"',
        '{"app_id":',
        "eyJh.",
        "eJx",
    ),
    *("MDQ0", "ZXlK", "007eJx", "T1==cGFydG5lcl9pZ", "gAAAAA", "v4.local.", "@a.rongnav.com"),
)
BEFORE = ("", "04AAAAAGVT", "eyJhbGciOiJIUzI1NiJ9.", "{", '"', "Bearer ", "MDRBQUFB", '04{"a":')


@pytest.fixture(scope="module", autouse=True)
def _the_heap_of_other_tests_costs_nothing() -> Iterator[None]:
    """Exclude the objects of other tests from garbage collection while a text is timed."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@dataclass(frozen=True)
class Original:
    """A token that is altered, the secrets given, and the key that seals it."""

    text: str
    secrets: Mapping[str, TriedSecret]
    key: bytes


ORIGINALS: Final = (
    *(Original(text, CURRENT, SECRET.encode()) for text in (GCM, CBC, ROOM)),
    *(
        Original(one.text.partition("#")[0], {"given": one.secret}, one.secret.value.encode())
        for one in good_tokens()
    ),
    *(
        Original(one.text, one.secrets, one.key)
        for one in broken_tokens(1)
        if "text:" not in one.name
    ),
)


def whole_envelope(text: str) -> tuple[Cipher, bytes, bytes] | None:
    """The cipher, the IV and the ciphertext of a token whose envelope has no mistake.

    The padding of its base64 may be missing.
    """
    body = text[2:].rstrip("=")
    try:
        binary = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except ValueError:
        return None
    if text[:2] != "04" or base64.b64encode(binary).decode().rstrip("=") != body:
        return None
    iv_end = 10 + int.from_bytes(binary[8:10], "big")
    start = iv_end + 2
    end = start + int.from_bytes(binary[iv_end:start], "big")
    iv, sealed, rest = binary[10:iv_end], binary[start:end], binary[end:]
    if len(iv) == 12 and len(sealed) > 16 and rest == b"\1":
        return "gcm", iv, sealed[:-16]
    if len(iv) == 16 and sealed and len(sealed) % 16 == 0 and rest in (b"", b"\0"):
        return "cbc", iv, sealed
    return None


def names_left(key: bytes, cipher: Cipher, iv: bytes, ciphertext: bytes) -> int:
    """How many names of claims the key still shows in an altered ciphertext, without its tag."""
    mode = CTR(iv + b"\0\0\0\2") if cipher == "gcm" else CBC_MODE(iv)
    decryptor = BlockCipher(AES(key), mode).decryptor()
    text = decryptor.update(ciphertext) + decryptor.finalize()
    return sum(f'"{name}":'.encode() in text for name in CLAIMS)


def seconds_of(text: str, turn: int, secrets: Mapping[str, TriedSecret] | None = None) -> float:
    """The processor time of one diagnosis. Each must be valid as a response."""
    secrets = secrets or SECRETS[turn % len(SECRETS)]
    expected = EXPECTED[turn % len(EXPECTED)]
    started = time.thread_time()
    diagnosis = diagnose(text, secrets, expected)
    seconds = time.thread_time() - started
    if turn % 10 == 0:
        json.dumps(diagnosis.document(), ensure_ascii=False, allow_nan=False).encode()
    return seconds


def how_many(sort: mutations.Sort) -> int:
    """How many texts of a kind are tried."""
    return TEXTS[sort] // tiers.tier(test=4, prove=1)


def takes_long(text: str, turn: int, secrets: Mapping[str, TriedSecret] | None = None) -> bool:
    """Whether it is slow every time: other work of the machine is sometimes counted."""
    bound = SHORT_SECONDS if len(text) <= SHORT else LONG_SECONDS
    return all(seconds_of(text, turn, secrets) >= bound for _ in range(5))


def test_there_are_8_240_texts_or_a_quarter_of_them() -> None:
    assert sum(TEXTS.values()) == 8_240
    tried = sum(map(how_many, TEXTS))
    assert tried == tiers.tier(test=2_060, prove=8_240)


@pytest.mark.parametrize("sort", TEXTS, ids=lambda sort: sort.__name__)
def test_no_text_raises_or_takes_long(sort: mutations.Sort) -> None:
    seed = tiers.seed()
    print(f"random.Random({seed})")  # shown if the test fails
    chance = random.Random(seed)
    for turn in range(how_many(sort)):
        text = sort(chance)
        try:
            assert not takes_long(text, turn)
        except Exception as error:
            error.add_note(f"{text[:SHORT]!r}")
            raise


@pytest.mark.parametrize("piece", REPEATED, ids=ascii)
def test_no_repetition_takes_long(piece: str) -> None:
    texts = [(before + piece * LONG)[:LONG] for before in BEFORE]
    for turn, text in enumerate(texts, start=1):
        assert not takes_long(text, turn)


@pytest.mark.parametrize("length", [LONG - 1, LONG, LONG + 1, 20 * LONG])
def test_the_length_that_is_read_is_bounded(length: int) -> None:
    diagnosis = diagnose("04" + "A" * (length - 2), CURRENT, Expected(NOW))
    is_too_long = diagnosis.findings[0].kind == "too-long"
    assert is_too_long == (length > LONG)


@pytest.mark.parametrize("part", range(PARTS))
def test_an_altered_token_never_blames_a_good_secret(
    part: int, record_property: Callable[[str, object], None]
) -> None:
    """The secret is blamed, and its rotation advised, only if the envelope has no mistake and the
    secret shows fewer than three names of claims in it: for example, the IV of GCM was altered.
    """
    seed = f"{tiers.seed()}-{part}"
    print(f"random.Random({seed!r})")  # shown if the test fails
    chance = random.Random(seed)
    blamed = 0
    tried = ALTERED // PARTS // tiers.tier(test=64, prove=1)
    for turn in range(tried):
        original = chance.choice(ORIGINALS)
        text = mutations.altered(chance, original.text)
        started = time.thread_time()
        findings = diagnose(text, original.secrets, Expected(NOW)).findings
        if time.thread_time() - started >= SHORT_SECONDS:
            assert not takes_long(text, turn, original.secrets), text
        kinds = {finding.kind for finding in findings}
        if "other-secret" in kinds or any("secret rotate" in each.remedy for each in findings):
            envelope = whole_envelope(text)
            assert envelope, (text, kinds)
            assert names_left(original.key, *envelope) < 3, (text, kinds)
            blamed += 1
    record_property("how much", f"{tried:,} tokens, of which {blamed:,} are opened by no secret")
