"""The search for a generator's mistakes stays within its bounds, and blames no good secret."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.zego.diagnosis.builders import (
    APP_ID,
    CBC,
    CURRENT,
    GCM,
    NOW,
    ROOM,
    binary,
    claims,
    of_binary,
    sealed,
)
from zego import token04
from zego.diagnosis import generators
from zego.diagnosis.model import Expected, TriedSecret
from zego.diagnosis.secrets import diagnose

#: Secrets Manager allows 20 labels, so this is the largest number of secrets.
SECRETS = {
    f"label {number}": TriedSecret(random.Random(number).randbytes(16).hex(), APP_ID)
    for number in range(20)
}
BLOCK = 16
#: After 8 bytes for the expiry, 2 for the length of the IV, the IV, and 2 for a length.
GCM_CIPHERTEXT = 8 + 2 + 12 + 2
#: Of the processor. `make test` runs on machines that are busy with other tests.
SECONDS = 0.1


def longest() -> str:
    """A token that no secret here opens, as long as its lengths allow."""
    sealed = random.Random(0).randbytes(2**16 - BLOCK)
    return token04.seal(sealed[:-1], NOW + 99, b"k" * 32, cipher="cbc", iv=sealed[:BLOCK])


@pytest.mark.parametrize("text", [GCM, CBC, ROOM], ids=["gcm", "cbc", "for a room"])
def test_no_change_of_one_character_blames_the_secret(text: str) -> None:
    for at in range(len(text)):
        changed = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        kinds = [one.kind for one in diagnose(changed, CURRENT, Expected(NOW)).findings]
        assert "other-secret" not in kinds, at


@pytest.mark.parametrize("name", ["user_id", "nonce", "payload"])
def test_claims_without_a_whole_block_of_text_blame_no_secret(name: str) -> None:
    content = json.dumps(claims(), separators=(",", ":")).encode()
    made = bytearray(binary(sealed(content)))
    kept = {"app_id", "expire", name}
    starts = {one: content.index(f'"{one}":'.encode()) for one in kept}
    spared = {at for one, start in starts.items() for at in range(start, start + len(one) + 3)}
    for at in {0, *range(len(content))} - spared:
        made[GCM_CIPHERTEXT + at] ^= 0x80
    kinds = [one.kind for one in diagnose(of_binary(bytes(made)), CURRENT, Expected(NOW)).findings]
    assert "other-secret" not in kinds


def with_spaces() -> str:
    """A token that was altered, whose claims end with as many spaces as its lengths allow."""
    made = binary(sealed(json.dumps(claims()).encode() + b" " * 65_000))
    return of_binary(made[:-2] + bytes([made[-2] ^ 1]) + made[-1:])


def test_many_spaces_and_a_wrong_tag_take_no_longer() -> None:
    text = with_spaces()
    assert diagnose(text, CURRENT, Expected(NOW)).findings[0].kind == "tag-mismatch"
    assert min(seconds_of(text, CURRENT) for _ in range(5)) < SECONDS


def seconds_of(text: str, secrets: Mapping[str, TriedSecret]) -> float:
    started = time.thread_time()
    diagnose(text, secrets, Expected(NOW))
    return time.thread_time() - started


@pytest.mark.parametrize("text", [GCM, CBC, longest()], ids=["gcm", "cbc", "longest"])
class TestBounds:
    def test_the_operations_of_aes(self, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        operations = 0
        decrypt = generators._ecb

        def counted(key: bytes, blocks: bytes, **how: Any) -> bytes:
            nonlocal operations
            operations += len(blocks) // BLOCK
            return decrypt(key, blocks, **how)

        monkeypatch.setattr(generators, "_ecb", counted)
        diagnosis = diagnose(text, SECRETS, Expected(NOW))
        assert diagnosis.findings[0].kind == "other-secret"
        assert 1000 < operations <= generators.MAX_OPERATIONS

    def test_the_time(self, text: str) -> None:
        assert min(seconds_of(text, SECRETS) for _ in range(5)) < SECONDS
