"""Finds the mistakes of a generator whose token no secret opens as it should.

A hand-written generator may make a wrong key from the right secret, encrypt in another mode, or
put the parts of the envelope elsewhere. :func:`search` tries every key with every place where the
ciphertext and its IV may be, in the modes CBC, ECB, CTR and GCM, but decrypts only one block
each: claims begin in few ways (:data:`.plaintext.BEGINNINGS`). Where a block does, it decrypts all
and reads the claims; three names of claims do not come together by chance. Then each part of the
envelope is compared with what it should be, and each difference is one finding.

The search takes at most :data:`MAX_OPERATIONS` AES operations (0.03 s) and constant memory.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress, product
from typing import Final, Literal

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from zego.diagnosis import layout, plaintext
from zego.diagnosis.layout import GCM_IV_SIZE, TAG_SIZE, USUAL_HEAD, Parts
from zego.diagnosis.model import Observation, found
from zego.diagnosis.plaintext import BEGINNINGS, GZIP, Plaintext
from zego.diagnosis.repair import standard_base64
from zego.token04 import PREFIX

MAX_OPERATIONS: Final = 20_000

Mode = Literal["cbc", "ecb", "ctr", "gcm"]
_BLOCK: Final = 16
#: How many may separate IV and ciphertext: a length, a tag, or a tag and both lengths.
_GAPS: Final = (2, 0, 1, 4)
_GAPS_WITH_TAG: Final = (*_GAPS, 16, 18, 20, 17, 19, 22)
#: How many may follow an IV that is behind the ciphertext: a mode byte, a tag, or both.
_TAILS: Final = (0, 1)
_TAILS_WITH_TAG: Final = (*_TAILS, 16, 17)
#: The ciphertext does not begin later: after a mode, 8 and 4 bytes, an IV and the largest gap.
_LAST_START: Final = 1 + 8 + 4 + _BLOCK + max(_GAPS_WITH_TAG)
#: Counters that follow an IV which is shorter than a block. GCM encrypts from 2 on.
_COUNTERS: Final[tuple[tuple[int, int, Mode], ...]] = (
    (16, 0, "ctr"),
    (12, 2, "gcm"),
    (12, 0, "ctr"),
    (12, 1, "ctr"),
    (8, 0, "ctr"),
)
#: The characters of a ciphertext that is written as text within an envelope.
_MIN_PART: Final = 100
_URL_ALPHABET: Final = re.compile("[-_]")
_NOT_BASE64: Final = re.compile("[^0-9A-Za-z+/_-]")
_TEXT: Final = re.compile(rb"[0-9A-Za-z+/_-]{60,}={0,2}")
_SEPARATOR: Final = re.compile("[:.|,]")
_HEX_TEXT: Final = re.compile("(?:[0-9A-Fa-f]{2})+")
#: Where the ciphertext of a Token04 begins, and how many of its blocks after the first are tried.
_USUAL_GCM: Final = USUAL_HEAD + GCM_IV_SIZE + 2
_USUAL_CBC: Final = USUAL_HEAD + _BLOCK + 2
_LATER_BLOCKS: Final = 7
_FIRST_COUNTER: Final = b"\0\0\0\2"
#: 17 characters hold the IV of a GCM token; each has 63 others.
_IV_CHANGES: Final = 17 * 63
#: The bytes that are decrypted first.
_FEW: Final = 8 * _BLOCK
_ASCII: Final = re.compile(rb"[\0\t\n\r -~]{8,}")
_SALTED: Final = b"Salted__"
_FIRST_BYTE: Final = re.compile(b"[%s]" % bytes({one[0] for one in BEGINNINGS}))


@dataclass(frozen=True, slots=True)
class _Part:
    """An encoding of a ciphertext within an envelope.

    :ivar step: the characters that encode whole bytes.
    """

    what: str
    pattern: re.Pattern[bytes]
    step: int
    decode: Callable[[str], bytes]


_BASE64_PART: Final = _Part("base64", re.compile(rb"[0-9A-Za-z+/]{100,}={0,2}"), 4, b64decode)
_HEX_PART: Final = _Part("hexadecimal digits", re.compile(rb"[0-9A-Fa-f]{100,}"), 2, bytes.fromhex)


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A key that a generator may use.

    :ivar mistakes: what is wrong with it.
    :ivar is_given: whether it is a secret as given.
    """

    value: bytes
    label: str
    app_id: int | None
    mistakes: tuple[Observation, ...] = ()
    is_given: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Encryption:
    """How the ciphertext in an envelope was made.

    :ivar iv: what the cipher takes: for CTR the first counter block; empty if it is not known.
    :ivar start: where the ciphertext begins in the envelope.
    :ivar iv_at: where the IV begins; ``None`` if it is missing.
    :ivar iv_size: how many bytes it has there.
    """

    key: Key
    mode: Mode
    iv: bytes
    start: int
    iv_at: int | None = None
    iv_size: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class MadeToken:
    """A token whose claims were found, and how it was made.

    :ivar expires_at: the readable expiry, in Unix seconds; ``None`` if there is none.
    :ivar sealed: the ciphertext, without tag.
    :ivar mistakes: everything in which it differs from a token of ZEGO's generators.
    :ivar is_cut: whether its end is missing.
    """

    how: Encryption
    claims: Plaintext
    sealed: bytes
    expires_at: int | None
    mistakes: tuple[Observation, ...]
    is_cut: bool


def search(text: str, keys: Sequence[Key]) -> tuple[MadeToken, tuple[Observation, ...]] | None:
    """Find claims in a text, and what is wrong with how the text encodes them.

    :param text: nothing may be around it. It may be anything.
    :param keys: in the order in which to try them.
    """
    operations = 0
    for binary, about_text in _envelopes("".join(text.split()), has_prefix=False, levels=3):
        places = _Places(binary)
        tries = [(places.attempts, key, places.operations) for key in keys]
        tries += [(places.with_another_iv, key, _IV_CHANGES) for key in keys if key.is_given]
        for attempts, key, cost in tries:
            operations += cost
            if operations > MAX_OPERATIONS:
                return None
            for content, how in (*_derived(binary, key), *((binary, one) for one in attempts(key))):
                if made := _made(content, how):
                    return _without_length(made, about_text), about_text
    return None


def _without_length(made: MadeToken, about_text: tuple[Observation, ...]) -> MadeToken:
    """The token without what is wrong with a length that counts the text of the ciphertext."""
    if not any(one.kind == "sealed-encoded" for one in about_text):
        return made
    mistakes = tuple(one for one in made.mistakes if one.kind != "sealed-length-field")
    return replace(made, mistakes=mistakes)


def _envelopes(
    text: str, *, has_prefix: bool, levels: int
) -> Iterator[tuple[bytes, tuple[Observation, ...]]]:
    """The bytes that a text encodes, and what is wrong with how it does.

    A character that is not of base64 is read as an A.
    """
    has_prefix = has_prefix or text.startswith(PREFIX)
    for binary, about in _decoded(text.removeprefix(PREFIX)):
        if levels and _TEXT.fullmatch(binary):
            twice = () if about and about[0].kind == "hex-encoded" else (found("base64-twice"),)
            inner = _envelopes(binary.decode(), has_prefix=has_prefix, levels=levels - 1)
            yield from ((one, (*about, *twice, *others)) for one, others in inner)
        if binary.startswith(PREFIX.encode()):
            yield binary.removeprefix(PREFIX.encode()), (*about, found("prefix-inside"))
            continue
        problems = about if has_prefix else (*about, found("prefix-missing"))
        yield binary, problems
        for part in (_BASE64_PART, _HEX_PART):
            for decoded in _with_decoded(binary, part):
                yield decoded, (*problems, found("sealed-encoded", what=part.what))


def _decoded(body: str) -> Iterator[tuple[bytes, tuple[Observation, ...]]]:
    if len(body) >= _MIN_PART and _HEX_PART.pattern.fullmatch(body.encode(errors="replace")):
        yield bytes.fromhex(body[: len(body) // 2 * 2]), (found("hex-encoded"),)
    parts = _SEPARATOR.split(body)
    if len(parts) > 1 and len(body) >= _MIN_PART:  # such as IV:ciphertext
        with suppress(ValueError):
            if all(_HEX_TEXT.fullmatch(part) for part in parts):
                yield b"".join(map(bytes.fromhex, parts)), (found("hex-encoded"),)
            else:
                joined = (b64decode(standard_base64(part), validate=True) for part in parts)
                yield (
                    b"".join(joined),
                    (found("sealed-encoded", what="base64, joined to that of the IV"),),
                )
    problems = []
    if _URL_ALPHABET.search(body):
        problems.append(found("base64url"))
    if len(body) % 4:
        problems.append(found("padding-missing"))
    standard = _NOT_BASE64.sub("A", body.rstrip("="))
    if len(standard) % 4 == 1:  # no base64 has such a length: it was cut
        standard = standard[:-1]
    yield b64decode(standard_base64(standard)), tuple(problems)


def _with_decoded(binary: bytes, part: _Part) -> Iterator[bytes]:
    """The envelope with the text in it decoded, as PHP's ``openssl_encrypt`` returns base64."""
    run = part.pattern.search(binary)
    if run is None:
        return
    for start in range(run.start(), run.start() + part.step):
        length = (run.end() - start) // part.step * part.step
        text = binary[start : start + length]
        if length >= _MIN_PART and (run.end() - start) % part.step == 0:
            yield binary[:start] + part.decode(text.decode()) + binary[start + length :]


def _derived(binary: bytes, key: Key) -> Iterator[tuple[bytes, Encryption]]:
    """What OpenSSL and CryptoJS make with a passphrase: they derive key and IV from it.

    Source: EVP_BytesToKey in OpenSSL's manual; CryptoJS uses MD5, newer OpenSSL SHA-256.
    """
    at = binary.find(_SALTED)
    if at < 0:
        return
    salt = binary[at + len(_SALTED) : at + _BLOCK]
    for name in ("md5", "sha256"):
        derived = digest = b""
        while len(derived) < 3 * _BLOCK:
            digest = hashlib.new(name, digest + key.value + salt, usedforsecurity=False).digest()
            derived += digest
        how = "used as a passphrase, from which CryptoJS or OpenSSL derived the key"
        mistake = found("altered-secret", label=key.label, how=how)
        made = replace(key, value=derived[:32], mistakes=(*key.mistakes, mistake))
        yield (
            binary[:at] + binary[at + _BLOCK :],
            Encryption(made, "cbc", derived[32 : 3 * _BLOCK], at),
        )


class _Places:
    """The blocks of an envelope that may be the first of its ciphertext, and their IVs.

    What is the same for all keys is made once: each key decrypts :attr:`_windows` and encrypts
    :attr:`_counters`; XOR with the IVs or with the ciphertext then gives all first blocks at once.
    """

    def __init__(self, binary: bytes) -> None:
        self._binary = binary
        size = len(binary)
        self._last = min(_LAST_START, size - _BLOCK)
        self._heads = layout.heads(binary)
        self._without_iv = layout.starts(binary, self._heads)
        starts = range(self._last + 1)
        self._windows = _joined(binary, range(min(self._last + _BLOCK, size - _BLOCK) + 1))
        self._chained = [*self._pairs(_BLOCK), *((None, start) for start in starts)]
        ivs = [bytes(_BLOCK) if at is None else self._block(at) for at, _ in self._chained]
        self._ivs = int.from_bytes(b"".join(ivs))
        self._firsts = [_BLOCK * start for _, start in self._chained]
        self._seconds = range(min(self._last, size - 2 * _BLOCK) + 1)
        self._before_seconds = int.from_bytes(_joined(binary, self._seconds))
        streams: dict[bytes, list[tuple[Mode, bytes, int, int, int]]] = {}
        for iv_size, counter, mode in _COUNTERS:
            for at, start in self._pairs(iv_size, is_gcm=mode == "gcm"):
                block = binary[at : at + iv_size] + counter.to_bytes(_BLOCK)[iv_size:]
                iv = block[:iv_size] if mode == "gcm" else block
                streams.setdefault(block, []).append((mode, iv, iv_size, at, start))
        self._counters = b"".join(streams)
        self._repeats = [len(places) for places in streams.values()]
        self._streams = [place for places in streams.values() for place in places]
        self._targets = int.from_bytes(_joined(binary, (one[-1] for one in self._streams)))
        long: dict[int, list[int]] = {}
        for at, start in self._pairs(_BLOCK, is_gcm=True):
            long.setdefault(at, []).append(start)
        self._long = [
            (at, starts, int.from_bytes(_joined(binary, starts))) for at, starts in long.items()
        ]
        later = range(1, _LATER_BLOCKS + 1)
        self._gcm_later = [
            (binary[USUAL_HEAD : USUAL_HEAD + GCM_IV_SIZE] + (2 + number).to_bytes(4), at)
            for number in later
            if (at := _USUAL_GCM + _BLOCK * number) <= size - _BLOCK
        ]
        self._cbc_later = [
            at for number in later if (at := _USUAL_CBC + _BLOCK * number) <= size - _BLOCK
        ]
        blocks = len(self._windows) + len(self._counters) + 2 * _BLOCK * _LATER_BLOCKS
        self.operations = blocks // _BLOCK + 3 * len(self._long)

    def _block(self, at: int) -> bytes:
        return self._binary[at : at + _BLOCK]

    def _pairs(self, iv_size: int, *, is_gcm: bool = False) -> Iterator[tuple[int, int]]:
        """Where an IV may be, and where the ciphertext that belongs to it may begin."""
        for head, gap in product(self._heads, _GAPS_WITH_TAG if is_gcm else _GAPS):
            if head + iv_size + gap <= self._last:
                yield head, head + iv_size + gap
        for tail, start in product(_TAILS_WITH_TAG if is_gcm else _TAILS, self._without_iv):
            at = len(self._binary) - tail - iv_size
            if start <= min(self._last, at - _BLOCK):
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
                yield Encryption(key, "cbc", self._block(iv_at), start, iv_at, _BLOCK)
            else:
                yield Encryption(key, "ecb", b"", start)
                yield Encryption(key, "cbc", bytes(_BLOCK), start)
        own = key.value[:_BLOCK]
        firsts = windows[: _BLOCK * (self._last + 1)]
        for start in _matches(firsts, int.from_bytes(own * (self._last + 1))):
            yield Encryption(key, "cbc", own, start)
        seconds = windows[_BLOCK * _BLOCK :][: _BLOCK * len(self._seconds)]
        for start in compress(self._seconds, _texts(seconds, self._before_seconds)):
            yield Encryption(key, "cbc", b"", start)  # the second block needs no IV

    def _in_streams(self, key: Key) -> Iterator[Encryption]:
        streams = _ecb(key.value, self._counters, encrypt=True)
        repeated = b"".join(
            [
                streams[at : at + _BLOCK] * times
                for at, times in zip(range(0, len(streams), _BLOCK), self._repeats, strict=True)
            ]
        )
        for number in _matches(repeated, self._targets):
            mode, iv, size, iv_at, start = self._streams[number]
            yield Encryption(key, mode, iv, start, iv_at, size)
        gcm = AESGCM(key.value)
        for iv_at, starts, targets in self._long:
            iv = self._block(iv_at)
            stream = gcm.encrypt(iv, bytes(_BLOCK), None)[:_BLOCK]
            for number in _matches(stream * len(starts), targets):
                yield Encryption(key, "gcm", iv, starts[number], iv_at, _BLOCK)

    def _altered(self, key: Key) -> Iterator[Encryption]:
        """A Token04 whose first blocks were altered after it was made: later ones are text."""
        counters, starts = zip(*self._gcm_later, strict=True) if self._gcm_later else ((), ())
        stream = _ecb(key.value, b"".join(counters), encrypt=True)
        if any(_texts(stream, int.from_bytes(_joined(self._binary, starts)))):
            iv = self._binary[USUAL_HEAD : USUAL_HEAD + GCM_IV_SIZE]
            yield Encryption(key, "gcm", iv, _USUAL_GCM, USUAL_HEAD, GCM_IV_SIZE)
        blocks = _ecb(key.value, _joined(self._binary, self._cbc_later))
        before = _joined(self._binary, (at - _BLOCK for at in self._cbc_later))
        if any(_texts(blocks, int.from_bytes(before))):
            iv = self._block(USUAL_HEAD)
            yield Encryption(key, "cbc", iv, _USUAL_CBC, USUAL_HEAD, _BLOCK)

    def with_another_iv(self, key: Key) -> Iterator[Encryption]:
        """A GCM token of which a character of the IV was changed after it was made."""
        is_gcm = self._binary[USUAL_HEAD - 2 : USUAL_HEAD] == bytes([0, GCM_IV_SIZE])
        if not is_gcm or len(self._binary) < _USUAL_GCM + _BLOCK:
            return
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
        iv = int.from_bytes(self._binary[USUAL_HEAD : USUAL_HEAD + GCM_IV_SIZE])
        bits = 8 * GCM_IV_SIZE
        changes = {
            (change << bits >> at + 6 - 8 * USUAL_HEAD) % (1 << bits)
            for at in range(8 * USUAL_HEAD // 6 * 6, 8 * USUAL_HEAD + bits, 6)
            for change in range(1, 64)
        }
        return [(iv ^ change).to_bytes(GCM_IV_SIZE) for change in changes - {0}]


def _joined(binary: bytes, starts: Iterable[int]) -> bytes:
    """The blocks that begin there."""
    return b"".join([binary[start : start + _BLOCK] for start in starts])


def _matches(blocks: bytes, others: int) -> Iterator[int]:
    """The numbers of the blocks that begin as claims do after XOR with the others."""
    text = (int.from_bytes(blocks) ^ others).to_bytes(len(blocks))
    for match in _FIRST_BYTE.finditer(text[::_BLOCK]):
        if text.startswith(BEGINNINGS, _BLOCK * match.start()):
            yield match.start()


def _texts(blocks: bytes, others: int) -> list[bool]:
    """Which of them are text."""
    text = (int.from_bytes(blocks) ^ others).to_bytes(len(blocks))
    parts = (text[at : at + _BLOCK] for at in range(0, len(text), _BLOCK))
    return [part.isascii() and part.decode().isprintable() for part in parts]


def _ecb(key: bytes, blocks: bytes, *, encrypt: bool = False) -> bytes:
    cipher = Cipher(AES(key), modes.ECB())  # noqa: S305  single blocks, not a message
    return (cipher.encryptor() if encrypt else cipher.decryptor()).update(blocks)


# --- How the token was made -----------------------------------------------------------------------


def _made(binary: bytes, how: Encryption) -> MadeToken | None:
    """The token, if claims come out."""
    if not _is_promising(_decrypted(binary[how.start :][:_FEW], how)):
        return None
    text = _decrypted(binary[how.start :], how)
    claims = plaintext.read(text)
    if how.mode == "cbc" and not how.iv:
        claims = _without_first_block(text, how.key.app_id)
    if not claims.is_claims:
        return None
    mistakes = [*how.key.mistakes, *_about_mode(how)]
    end = tag_at = None
    if claims.content is None:  # it is not known where they end, unless the envelope says so
        if how.mode == "gcm" and (size := _declared(binary, how)):
            usual = replace(claims, size=size)
            size, about_tag, tag_at = _tagged(binary, how, text, usual, [size], [])
            end = how.start + size
            mistakes += about_tag
    else:
        size, padding, tag_at = _end(binary, how, text, claims)
        end = how.start + size
        mistakes += padding
    is_gcm = how.mode == "gcm"
    parts = Parts(binary, how.start, end, how.iv_at, how.iv_size, tag_at, is_gcm)
    expires_at, differences = layout.compare(parts, claims, _expire(claims))
    sealed = binary[how.start : end]
    declared = int.from_bytes(binary[max(how.start - 2, 0) : how.start])
    lacks = declared - len(binary) + how.start
    is_cut = claims.content is None or (is_gcm and tag_at is None and 0 < lacks <= TAG_SIZE)
    return MadeToken(how, claims, sealed, expires_at, (*mistakes, *differences), is_cut)


def _expire(claims: Plaintext) -> int | None:
    content = claims.content
    return None if content is None else plaintext.number(content.get("expire"))


def _is_promising(text: bytes) -> bool:
    """Whether one block after the first is text too: by chance, none is."""
    blocks = [text[at : at + _BLOCK] for at in range(_BLOCK, len(text), _BLOCK)]
    return text.startswith(GZIP) or any(_ASCII.fullmatch(block) for block in blocks)


def _decrypted(sealed: bytes, how: Encryption) -> bytes:
    if how.mode in ("cbc", "ecb"):
        sealed = sealed[: len(sealed) // _BLOCK * _BLOCK]
    if how.mode == "ecb":
        return _ecb(how.key.value, sealed)
    if how.mode == "gcm":
        return Cipher(AES(how.key.value), modes.GCM(how.iv)).decryptor().update(sealed)
    mode = modes.CTR(how.iv) if how.mode == "ctr" else modes.CBC(how.iv or bytes(_BLOCK))
    return Cipher(AES(how.key.value), mode).decryptor().update(sealed)


def _without_first_block(text: bytes, app_id: int | None) -> Plaintext:
    """The claims if the IV, and so the first block, is not known: they usually begin so."""
    for usual in (f'{{"app_id":{app_id},"user_id":"', f'{{"app_id": {app_id}, "user_id": "'):
        claims = plaintext.read(usual.encode()[:_BLOCK] + text[_BLOCK:])
        if claims.content is not None and claims.content.get("app_id") == app_id:
            return claims
    rest = plaintext.read(text[_BLOCK:])
    return Plaintext(None, (), len(text), rest.names)


def _about_mode(how: Encryption) -> Iterator[Observation]:
    if how.mode in ("ctr", "ecb"):
        yield found("wrong-mode", mode=how.mode.upper())
    elif how.mode == "gcm" and how.iv_size != GCM_IV_SIZE:
        yield found("gcm-iv", size=how.iv_size)
    if how.mode == "cbc" and how.iv_at is None:
        what = "it is not known which one was used"
        if how.iv:
            what = "one made from the key was used" if any(how.iv) else "16 zero bytes were used"
        yield found("iv-misplaced", what=f"missing or not the one that was used: {what}")
    elif how.iv_at is not None and how.iv_at > how.start:
        yield found("iv-misplaced", what="behind the ciphertext")


def _end(
    binary: bytes, how: Encryption, text: bytes, claims: Plaintext
) -> tuple[int, list[Observation], int | None]:
    """How long the ciphertext is, what is wrong with its padding or its tag, where the tag is."""
    rest = text[claims.size :]
    spaces = min(len(rest) - len(rest.lstrip(plaintext.WHITE_SPACE)), _BLOCK)
    sizes = range(claims.size, claims.size + spaces + 1)
    padded = [(size + more, what) for size in sizes for more, what in _paddings(text, size)]
    if how.mode == "gcm":
        return _tagged(binary, how, text, claims, [*sizes], [size for size, _ in padded])
    if how.mode == "ctr":
        left = len(binary) - how.start
        fits = [size for size, _ in padded if left - 1 <= size <= left]
        if claims.size not in (left, left - 1) and fits:
            return fits[0], [found("wrong-padding", what="PKCS#7, which CTR does not take")], None
        return claims.size, [], None
    if padded:
        size, what = padded[0]
        return size, [found("wrong-padding", what=what)] if what else [], None
    size = -(-sizes[-1] // _BLOCK) * _BLOCK
    what = "other than PKCS#7"
    if size == sizes[-1]:
        what = "none"
    elif not any(text[sizes[-1] : size]):
        what = "zero bytes"
    return size, [found("wrong-padding", what=what)], None


def _tagged(
    binary: bytes,
    how: Encryption,
    text: bytes,
    claims: Plaintext,
    sizes: list[int],
    padded_sizes: list[int],
) -> tuple[int, list[Observation], int | None]:
    """The same for GCM: the ciphertext is as long as a tag in the envelope shows."""
    is_padded = dict.fromkeys(padded_sizes, True) | {claims.size: False}
    left = len(binary) - how.start
    padding = [found("wrong-padding", what="PKCS#7, which GCM does not take")]
    for size in (claims.size, *padded_sizes, *sizes):
        about = padding if is_padded.get(size) else []
        for data, what in _additional_data(binary, how, claims):
            tag = AESGCM(how.key.value).encrypt(how.iv, text[:size], data)[-TAG_SIZE:]
            if (at := binary.find(tag)) >= 0:
                return size, [*about, *([found("aad", what=what)] if what else [])], at
    for size in (claims.size, *padded_sizes):
        if left - size < TAG_SIZE and (left - size <= 1 or not padded_sizes):
            return size, padding if is_padded[size] else [], None
    size = _declared(binary, how) or claims.size
    return size, [found("tag-mismatch")], how.start + size


def _declared(binary: bytes, how: Encryption) -> int | None:
    """How long the ciphertext of GCM is by the length before it, if nothing else follows."""
    length = int.from_bytes(binary[how.start - 2 : how.start])
    is_usual = len(binary) - how.start - length in (0, 1) and length > TAG_SIZE
    return length - TAG_SIZE if is_usual else None


def _paddings(text: bytes, size: int) -> Iterator[tuple[int, str]]:
    """How long the padding behind so many bytes is, if it is PKCS#7."""
    missing = _BLOCK - size % _BLOCK
    once = bytes([missing]) * missing
    twice = once + bytes([_BLOCK]) * _BLOCK
    if text.startswith(twice, size):
        yield len(twice), "PKCS#7 applied twice"
    elif text.startswith(once, size):
        yield missing, ""


def _additional_data(
    binary: bytes, how: Encryption, claims: Plaintext
) -> Iterator[tuple[bytes | None, str]]:
    yield None, ""
    if (expire := _expire(claims)) is not None:
        begins = expire.to_bytes(8, signed=True)
        length = len(how.iv).to_bytes(2)
        yield begins, "the expiry"
        yield begins + length + how.iv, "the expiry, the IV's length and the IV"
    yield binary[: how.start], "everything before the ciphertext"
    iv_end = how.start if how.iv_at is None else how.iv_at + how.iv_size
    for size, what in (
        (8, "the expiry"),
        (4, "the expiry"),
        (10, "the expiry and the IV's length"),
        (iv_end, "everything before the ciphertext's length"),
    ):
        yield binary[:size], what
    yield how.iv, "the IV"
    yield b"04", "the prefix 04"
    if claims.content is not None:
        for name in ("app_id", "user_id", "expire"):
            if name in claims.content:
                yield str(claims.content[name]).encode("utf-8", "replace"), f"the {name}"
