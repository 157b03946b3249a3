"""The search for a generator's mistakes stays within its bounds, and blames no good secret."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from tests.unit.zego.diagnosis.builders import APP_ID, CBC, CURRENT, GCM, NOW, ROOM
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
        def seconds() -> float:
            started = time.thread_time()
            diagnose(text, SECRETS, Expected(NOW))
            return time.thread_time() - started

        assert min(seconds() for _ in range(5)) < SECONDS
