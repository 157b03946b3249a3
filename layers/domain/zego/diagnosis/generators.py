"""Finds the mistakes of a generator whose token no secret opens as it should.

A hand-written generator may make a wrong key from the right secret, encrypt in another mode, or
put the parts of the envelope elsewhere. :func:`search` tries every key with every place where the
ciphertext and its IV may be, in the modes CBC, ECB, CTR and GCM, but decrypts only one block
each: claims begin in few ways (:data:`.plaintext.BEGINNINGS`). Where a block does,
:mod:`.opening` decrypts all and reads the claims; three names of claims do not come together by
chance. It then compares each part of the envelope with what it should be.

The search takes at most :data:`MAX_OPERATIONS` AES operations (0.03 s) and constant memory.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from binascii import unhexlify
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from itertools import product
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from zego.diagnosis import layout
from zego.diagnosis.envelope import decodings
from zego.diagnosis.layout import GCM_IV_SIZE, TAG_SIZE, USUAL_HEAD
from zego.diagnosis.model import Observation, found
from zego.diagnosis.opening import BLOCK, Encryption, Key, MadeToken, Mode, opened
from zego.diagnosis.plaintext import ANY_NAME, BEGINNINGS

MAX_OPERATIONS: Final = 20_000

#: How many may separate IV and ciphertext: a length, a tag, or a tag and both lengths.
_GAPS: Final = (2, 0, 1, 4)
_GAPS_WITH_TAG: Final = (*_GAPS, 16, 18, 20, 17, 19, 22)
#: How many may follow an IV that is behind the ciphertext: a mode byte, a tag, or both.
_TAILS: Final = (0, 1)
_TAILS_WITH_TAG: Final = (*_TAILS, 16, 17)
#: The ciphertext does not begin later: after a mode, 8 and 4 bytes, an IV and the largest gap.
_LAST_START: Final = 1 + 8 + 4 + BLOCK + max(_GAPS_WITH_TAG)
#: Counters that follow an IV which is shorter than a block. GCM encrypts from 2 on.
_COUNTERS: Final[tuple[tuple[int, int, Mode], ...]] = (
    (16, 0, "ctr"),
    (12, 2, "gcm"),
    (12, 0, "ctr"),
    (12, 1, "ctr"),
    (8, 0, "ctr"),
)
#: Where the ciphertext of a Token04 begins, and how many of its blocks after the first are tried.
_USUAL_GCM: Final = USUAL_HEAD + GCM_IV_SIZE + 2
_USUAL_CBC: Final = USUAL_HEAD + BLOCK + 2
_LATER_BLOCKS: Final = 12
#: Turns each byte that may be text into a T.
_IS_TEXT: Final = bytes(ord("T") if 32 <= byte < 127 else 0 for byte in range(256))
_ALL_TEXT: Final = b"T" * BLOCK
_FIRST_COUNTER: Final = b"\0\0\0\2"
#: 17 characters hold the IV of a GCM token; each has 63 others.
_IV_CHANGES: Final = 17 * 63 + 40
_LONGEST_IV: Final = 64
_START_OF_KEY: Final = "the first 16 bytes of the key"
_SALTED: Final = b"Salted__"
_FIRST_BYTE: Final = re.compile(b"[%s]" % bytes({one[0] for one in BEGINNINGS}))


def search(text: str, keys: Sequence[Key]) -> tuple[MadeToken, tuple[Observation, ...]] | None:
    """Find claims in a text, and what is wrong with how the text encodes them.

    :param text: nothing may be around it. It may be anything.
    :param keys: in the order in which to try them.
    """
    operations = 0
    ways = [
        (_Places(binary), about_text) for binary, about_text in decodings("".join(text.split()))
    ]
    given = [key for key in keys if key.is_given]
    for of_keys, attempts, more in (
        (given, _Places.attempts, 0),
        (given, _Places.with_another_iv, _IV_CHANGES),
        ([key for key in keys if not key.is_given], _Places.attempts, 0),
    ):
        for (places, about_text), key in product(ways, of_keys):
            operations += more or places.operations
            if operations > MAX_OPERATIONS:
                return None
            binary = places.binary
            tries = ((binary, how) for how in attempts(places, key))
            for content, how in (*_derived(binary, key), *tries):
                if made := opened(content, how):
                    return made, about_text
    return None


def _derived(binary: bytes, key: Key) -> Iterator[tuple[bytes, Encryption]]:
    """What OpenSSL and CryptoJS make with a passphrase: they derive key and IV from it.

    Source: EVP_BytesToKey in OpenSSL's manual; CryptoJS uses MD5, newer OpenSSL SHA-256.
    """
    at = binary.find(_SALTED)
    if at < 0:
        return
    salt = binary[at + len(_SALTED) : at + BLOCK]
    for name in ("md5", "sha256"):
        derived = digest = b""
        while len(derived) < 3 * BLOCK:
            digest = hashlib.new(name, digest + key.value + salt, usedforsecurity=False).digest()
            derived += digest
        how = "used as a passphrase, from which CryptoJS or OpenSSL derived the key"
        mistake = found("altered-secret", label=key.label, how=how)
        made = replace(key, value=derived[:32], mistakes=(*key.mistakes, mistake))
        yield (
            binary[:at] + binary[at + BLOCK :],
            Encryption(made, "cbc", derived[32 : 3 * BLOCK], at),
        )


class _Places:
    """The blocks of an envelope that may be the first of its ciphertext, and their IVs.

    What is the same for all keys is made once: each key decrypts :attr:`_windows` and encrypts
    :attr:`_counters`; XOR with the IVs or with the ciphertext then gives all first blocks at once.
    """

    def __init__(self, binary: bytes) -> None:
        self.binary = binary
        size = len(binary)
        self._last = min(_LAST_START, size - BLOCK)
        self._heads = layout.heads(binary)
        self._without_iv = layout.starts(binary, self._heads)
        self._behind_tag = sorted(
            {start + more for start in self._without_iv for more in (0, TAG_SIZE, 2 + TAG_SIZE)}
        )
        starts = range(self._last + 1)
        self._windows = _joined(binary, range(min(self._last + BLOCK, size - BLOCK) + 1))
        self._chained = [*self._pairs(BLOCK), *((None, start) for start in starts)]
        ivs = [bytes(BLOCK) if at is None else self._block(at) for at, _ in self._chained]
        self._ivs = int.from_bytes(b"".join(ivs))
        self._firsts = [BLOCK * start for _, start in self._chained]
        self._seconds = range(min(self._last, size - 2 * BLOCK) + 1)
        self._before_seconds = int.from_bytes(_joined(binary, self._seconds))
        streams: dict[bytes, list[tuple[Mode, bytes, int, int, int]]] = {}
        for iv_size, counter, mode in _COUNTERS:
            for at, start in self._pairs(iv_size, is_gcm=mode == "gcm"):
                block = binary[at : at + iv_size] + counter.to_bytes(BLOCK)[iv_size:]
                iv = block[:iv_size] if mode == "gcm" else block
                streams.setdefault(block, []).append((mode, iv, iv_size, at, start))
        self._counters = b"".join(streams)
        self._repeats = [len(places) for places in streams.values()]
        self._streams = [place for places in streams.values() for place in places]
        self._targets = int.from_bytes(_joined(binary, (one[-1] for one in self._streams)))
        long: dict[int, list[int]] = {}
        for at, start in self._pairs(BLOCK, is_gcm=True):
            long.setdefault(at, []).append(start)
        self._long = [(self._block(at), len(starts)) for at, starts in long.items()]
        self._long_places = [(at, start) for at, starts in long.items() for start in starts]
        self._long_targets = int.from_bytes(
            _joined(binary, (start for _, start in self._long_places))
        )
        later = [BLOCK * number for number in range(1, _LATER_BLOCKS + 1)]
        gcm_later = [more for more in (0, *later) if _USUAL_GCM + more <= size - BLOCK]
        iv = binary[USUAL_HEAD : USUAL_HEAD + GCM_IV_SIZE]
        self._gcm_counters = b"".join(iv + (2 + more // BLOCK).to_bytes(4) for more in gcm_later)
        self._gcm_later = int.from_bytes(_joined(binary, (_USUAL_GCM + more for more in gcm_later)))
        cbc_later = [_USUAL_CBC + more for more in later if _USUAL_CBC + more <= size - BLOCK]
        self._cbc_later = _joined(binary, cbc_later)
        self._before_cbc_later = int.from_bytes(_joined(binary, (at - BLOCK for at in cbc_later)))
        later_blocks = len(self._gcm_counters) + len(self._cbc_later)
        blocks = len(self._windows) + len(self._counters) + later_blocks
        self.operations = blocks // BLOCK + 3 * len(self._long)

    def _block(self, at: int) -> bytes:
        return self.binary[at : at + BLOCK]

    def _pairs(self, iv_size: int, *, is_gcm: bool = False) -> Iterator[tuple[int, int]]:
        """Where an IV may be, and where the ciphertext that belongs to it may begin."""
        for head, gap in product(self._heads, _GAPS_WITH_TAG if is_gcm else _GAPS):
            if head + iv_size + gap <= self._last:
                yield head, head + iv_size + gap
        starts = self._behind_tag if is_gcm else self._without_iv
        for tail, start in product(_TAILS_WITH_TAG if is_gcm else _TAILS, starts):
            at = len(self.binary) - tail - iv_size
            if start <= min(self._last, at - BLOCK):
                yield at, start

    def attempts(self, key: Key) -> Iterator[Encryption]:
        """Every way to read the envelope in which the ciphertext begins as claims do."""
        if self._last < 0:
            return
        yield from self._in_streams(key)
        yield from self._in_blocks(key)
        yield from self._altered(key)

    def _in_blocks(self, key: Key) -> Iterator[Encryption]:
        windows = _ecb(key.value, self._windows)
        for number in _matches(_joined(windows, self._firsts), self._ivs):
            iv_at, start = self._chained[number]
            if iv_at is not None:
                yield Encryption(key, "cbc", self._block(iv_at), start, iv_at, BLOCK)
            else:
                yield Encryption(key, "ecb", b"", start)
                yield Encryption(key, "cbc", bytes(BLOCK), start, iv_used="16 zero bytes")
        own = key.value[:BLOCK]
        firsts = windows[: BLOCK * (self._last + 1)]
        for start in _matches(firsts, int.from_bytes(own * (self._last + 1))):
            yield Encryption(key, "cbc", own, start, iv_used=_START_OF_KEY)
        seconds = windows[BLOCK * BLOCK :][: BLOCK * len(self._seconds)]
        for start in _texts(seconds, self._before_seconds):
            yield Encryption(key, "cbc", b"", start)  # the second block needs no IV

    def _in_streams(self, key: Key) -> Iterator[Encryption]:
        streams = _ecb(key.value, self._counters, encrypt=True)
        repeated = b"".join(
            [
                streams[at : at + BLOCK] * times
                for at, times in zip(range(0, len(streams), BLOCK), self._repeats, strict=True)
            ]
        )
        for number in _matches(repeated, self._targets):
            mode, iv, size, iv_at, start = self._streams[number]
            yield Encryption(key, mode, iv, start, iv_at, size)
            if mode == "ctr" and size == BLOCK:  # their first blocks are the same
                yield Encryption(key, "cfb", iv, start, iv_at, size)
                yield Encryption(key, "ofb", iv, start, iv_at, size)
        gcm, zeros = AESGCM(key.value), bytes(BLOCK)
        long = [gcm.encrypt(iv, zeros, None)[:BLOCK] * times for iv, times in self._long]
        for number in _matches(b"".join(long), self._long_targets):
            iv_at, start = self._long_places[number]
            yield Encryption(key, "gcm", self._block(iv_at), start, iv_at, BLOCK)

    def _altered(self, key: Key) -> Iterator[Encryption]:
        """A Token04 that was altered after it was made: some block is text, or a name is left."""
        stream = _ecb(key.value, self._gcm_counters, encrypt=True)
        if _has_text(stream, self._gcm_later):
            iv = self.binary[USUAL_HEAD : USUAL_HEAD + GCM_IV_SIZE]
            yield Encryption(key, "gcm", iv, _USUAL_GCM, USUAL_HEAD, GCM_IV_SIZE)
        blocks = _ecb(key.value, self._cbc_later)
        if _has_text(blocks, self._before_cbc_later):
            iv = self._block(USUAL_HEAD)
            yield Encryption(key, "cbc", iv, _USUAL_CBC, USUAL_HEAD, BLOCK)

    def with_another_iv(self, key: Key) -> Iterator[Encryption]:
        """A token whose IV is not the one that is written: GCM needs it, unlike CBC."""
        binary = self.binary
        size = int.from_bytes(binary[USUAL_HEAD - 2 : USUAL_HEAD])
        start = USUAL_HEAD + size + 2
        written = binary[USUAL_HEAD : USUAL_HEAD + size]
        if size > _LONGEST_IV or len(binary) < start + BLOCK:
            return
        gcm, target = AESGCM(key.value), int.from_bytes(self._block(start))
        for iv, used in _ivs_instead_of(written, key.value):
            for _ in _matches(gcm.encrypt(iv, bytes(BLOCK), None)[:BLOCK], target):
                yield Encryption(key, "gcm", iv, start, iv_used=used)
        for iv, used in ((bytes(BLOCK), "16 zero bytes"), (key.value[:BLOCK], _START_OF_KEY)):
            for _ in _matches(_ecb(key.value, iv, encrypt=True), target):
                yield Encryption(key, "ctr", iv, start, iv_used=used)
        if size == GCM_IV_SIZE:
            yield from self._with_a_character_changed(key)

    def _with_a_character_changed(self, key: Key) -> Iterator[Encryption]:
        ivs = self._other_ivs
        streams = _ecb(key.value, b"".join(iv + _FIRST_COUNTER for iv in ivs), encrypt=True)
        target = int.from_bytes(self._block(_USUAL_GCM) * len(ivs))
        mistakes = (*key.mistakes, found("damaged", what="a character of its IV was changed"))
        made = replace(key, mistakes=mistakes)
        for number in _matches(streams, target):
            yield Encryption(made, "gcm", ivs[number], _USUAL_GCM, USUAL_HEAD, GCM_IV_SIZE)

    @cached_property
    def _other_ivs(self) -> list[bytes]:
        """The IV of a GCM token with each of its characters replaced by every other one."""
        iv = int.from_bytes(self.binary[USUAL_HEAD : USUAL_HEAD + GCM_IV_SIZE])
        bits = 8 * GCM_IV_SIZE
        changes = {
            (change << bits >> at + 6 - 8 * USUAL_HEAD) % (1 << bits)
            for at in range(8 * USUAL_HEAD // 6 * 6, 8 * USUAL_HEAD + bits, 6)
            for change in range(1, 64)
        }
        return [(iv ^ change).to_bytes(GCM_IV_SIZE) for change in changes - {0}]


def _ivs_instead_of(written: bytes, key: bytes) -> Iterator[tuple[bytes, str]]:
    """IVs that generators use with GCM where they write another."""
    for size in (GCM_IV_SIZE, BLOCK):
        yield bytes(size), f"{size} zero bytes"
        yield key[:size], f"the first {size} bytes of the key"
    digits = written.hex().encode()
    for size in (GCM_IV_SIZE, BLOCK, len(digits)):
        if len(digits) >= GCM_IV_SIZE:
            yield digits[:size], "its hexadecimal digits"
    if len(written) > GCM_IV_SIZE:
        yield written[:GCM_IV_SIZE], "the first 12 bytes of it"
    for decode, what in ((unhexlify, "hexadecimal digits"), (b64decode, "base64")):
        with suppress(ValueError):
            if len(iv := decode(written)) >= GCM_IV_SIZE:
                yield iv, f"written as {what}"


def _joined(binary: bytes, starts: Iterable[int]) -> bytes:
    """The blocks that begin there."""
    return b"".join([binary[start : start + BLOCK] for start in starts])


def _matches(blocks: bytes, others: int) -> Iterator[int]:
    """The numbers of the blocks that begin as claims do after XOR with the others."""
    text = (int.from_bytes(blocks) ^ others).to_bytes(len(blocks))
    for match in _FIRST_BYTE.finditer(text[::BLOCK]):
        if text.startswith(BEGINNINGS, BLOCK * match.start()):
            yield match.start()


def _texts(blocks: bytes, others: int) -> Iterator[int]:
    """The numbers of those that are text."""
    kinds = (int.from_bytes(blocks) ^ others).to_bytes(len(blocks)).translate(_IS_TEXT)
    at = kinds.find(_ALL_TEXT)
    while at >= 0:
        if at % BLOCK == 0:
            yield at // BLOCK
        at = kinds.find(_ALL_TEXT, at + 1)


def _has_text(blocks: bytes, others: int) -> bool:
    """Whether one of them is text, or a name of a claim is in them."""
    text = (int.from_bytes(blocks) ^ others).to_bytes(len(blocks))
    return any(True for _ in _texts(blocks, others)) or ANY_NAME.search(text) is not None


def _ecb(key: bytes, blocks: bytes, *, encrypt: bool = False) -> bytes:
    cipher = Cipher(AES(key), modes.ECB())  # noqa: S305  single blocks, not a message
    return (cipher.encryptor() if encrypt else cipher.decryptor()).update(blocks)
