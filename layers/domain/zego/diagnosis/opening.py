"""Opens an envelope as a generator sealed it, and names what is wrong with how it did.

:mod:`.generators` finds where a ciphertext begins and which key and mode decrypt its first blocks.
:func:`opened` decrypts the rest, finds where the claims end, and so what is wrong with the padding
or the tag. :mod:`.layout` has the mistakes in the bytes around.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from zego.diagnosis import layout, plaintext
from zego.diagnosis.layout import GCM_IV_SIZE, TAG_SIZE, Parts
from zego.diagnosis.model import Observation, found
from zego.diagnosis.plaintext import ANY_NAME, COMPRESSED, Plaintext

Mode = Literal["cbc", "ecb", "ctr", "cfb", "ofb", "gcm"]
BLOCK: Final = 16
#: The bytes that are decrypted first.
_FEW: Final = 32 * BLOCK
_ASCII: Final = re.compile(rb"[\0\t\n\r -~]{10}")


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
    :ivar iv_used: which IV was used instead, if that is known.
    """

    key: Key
    mode: Mode
    iv: bytes
    start: int
    iv_at: int | None = None
    iv_size: int = 0
    iv_used: str = ""


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


def opened(binary: bytes, how: Encryption) -> MadeToken | None:
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
            size, about_tag, tag_at = _tagged(binary, how, text, usual, [size], {})
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
    """Whether text or a name is after the first block: by chance, there is hardly ever."""
    return text.startswith(COMPRESSED) or any(
        one.search(text, BLOCK) is not None for one in (_ASCII, ANY_NAME)
    )


def _decrypted(sealed: bytes, how: Encryption) -> bytes:
    if how.mode in ("cbc", "ecb"):
        sealed = sealed[: len(sealed) // BLOCK * BLOCK]
    if how.mode == "ecb":
        return Cipher(AES(how.key.value), modes.ECB()).decryptor().update(sealed)  # noqa: S305
    if how.mode == "gcm":
        return Cipher(AES(how.key.value), modes.GCM(how.iv)).decryptor().update(sealed)
    if how.mode in ("cfb", "ofb"):
        return _stream_decrypted(sealed, how)
    mode = modes.CTR(how.iv) if how.mode == "ctr" else modes.CBC(how.iv or bytes(BLOCK))
    return Cipher(AES(how.key.value), mode).decryptor().update(sealed)


def _stream_decrypted(sealed: bytes, how: Encryption) -> bytes:
    """CFB encrypts the ciphertext before a block, and OFB its own stream."""
    encryptor = Cipher(AES(how.key.value), modes.ECB()).encryptor()  # noqa: S305
    count = -(-len(sealed) // BLOCK)
    if how.mode == "cfb":
        stream = encryptor.update((how.iv + sealed)[: count * BLOCK])
    else:
        block, stream = how.iv, b""
        for _ in range(count):
            block = encryptor.update(block)
            stream += block
    size = len(sealed)
    return (int.from_bytes(sealed) ^ int.from_bytes(stream[:size])).to_bytes(size)


def _without_first_block(text: bytes, app_id: int | None) -> Plaintext:
    """The claims if the IV, and so the first block, is not known: they usually begin so."""
    for usual in (f'{{"app_id":{app_id},"user_id":"', f'{{"app_id": {app_id}, "user_id": "'):
        claims = plaintext.read(usual.encode()[:BLOCK] + text[BLOCK:])
        if claims.content is not None and claims.content.get("app_id") == app_id:
            return claims
    rest = plaintext.read(text[BLOCK:])
    return Plaintext(None, (), len(text), rest.names)


def _about_mode(how: Encryption) -> Iterator[Observation]:
    if how.mode not in ("cbc", "gcm"):
        yield found("wrong-mode", mode=how.mode.upper())
    elif how.mode == "gcm" and how.iv_at is not None and how.iv_size != GCM_IV_SIZE:
        yield found("gcm-iv", size=how.iv_size)
    if how.iv_at is not None and how.iv_at > how.start:
        yield found("iv-misplaced", what="behind the ciphertext")
    elif how.iv_at is None and how.mode != "ecb":
        used = how.iv_used or "not known; or its beginning was altered"
        yield found("iv-misplaced", what=f"missing, or not the one that was used ({used})")


def _end(
    binary: bytes, how: Encryption, text: bytes, claims: Plaintext
) -> tuple[int, list[Observation], int | None]:
    """How long the ciphertext is, what is wrong with its padding or its tag, where the tag is."""
    rest = text[claims.size :]
    spaces = min(len(rest) - len(rest.lstrip(plaintext.WHITE_SPACE)), BLOCK)
    sizes = range(claims.size, claims.size + spaces + 1)
    is_stream = how.mode not in ("cbc", "ecb")
    padded = [
        (size + more, what)
        for size in sizes
        for more, what in _paddings(text, size, with_zeros=is_stream)
    ]
    if how.mode == "gcm":
        return _tagged(binary, how, text, claims, [*sizes], dict(padded))
    if how.mode in ("ctr", "cfb", "ofb"):
        left = len(binary) - how.start
        fits = [(size, what) for size, what in padded if left - 1 <= size <= left]
        if claims.size not in (left, left - 1) and fits:
            size, what = fits[0]
            what = f"{what or 'PKCS#7'}, which {how.mode.upper()} does not take"
            return size, [found("wrong-padding", what=what)], None
        return claims.size, [], None
    if padded:
        size, what = padded[0]
        return size, [found("wrong-padding", what=what)] if what else [], None
    size = -(-sizes[-1] // BLOCK) * BLOCK
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
    padded: Mapping[int, str],
) -> tuple[int, list[Observation], int | None]:
    """The same for GCM: the ciphertext is as long as a tag in the envelope shows."""
    left = len(binary) - how.start
    abouts = {
        size: [found("wrong-padding", what=f"{what or 'PKCS#7'}, which GCM does not take")]
        for size, what in padded.items()
    }
    abouts[claims.size] = []
    for size in (claims.size, *padded, *sizes):
        about = abouts.get(size, [])
        for data, what in _additional_data(binary, how, claims):
            tag = AESGCM(how.key.value).encrypt(how.iv, text[:size], data)[-TAG_SIZE:]
            if (at := binary.find(tag)) >= 0:
                return size, [*about, *([found("aad", what=what)] if what else [])], at
    for size in (claims.size, *padded):
        if left - size < TAG_SIZE and (left - size <= 1 or not padded):
            return size, abouts[size], None
    size = _declared(binary, how) or claims.size
    return size, [found("tag-mismatch")], how.start + size


def _declared(binary: bytes, how: Encryption) -> int | None:
    """How long the ciphertext of GCM is by the length before it, if nothing else follows."""
    length = int.from_bytes(binary[how.start - 2 : how.start])
    is_usual = len(binary) - how.start - length in (0, 1) and length > TAG_SIZE
    return length - TAG_SIZE if is_usual else None


def _paddings(text: bytes, size: int, *, with_zeros: bool) -> Iterator[tuple[int, str]]:
    """How long the padding behind so many bytes is, if it is one, and how it differs from PKCS#7.

    :param with_zeros: whether zero bytes to a whole block are one.
    """
    missing, more = BLOCK - size % BLOCK, 2 * BLOCK - size % (2 * BLOCK)
    once = bytes([missing]) * missing
    twice = once + bytes([BLOCK]) * BLOCK
    if text.startswith(twice, size):
        yield len(twice), "PKCS#7 applied twice"
    elif text.startswith(once, size):
        yield missing, ""
    elif text.startswith(bytes([more]) * more, size):
        yield more, "PKCS#7 to 32 bytes instead of 16"
    elif with_zeros and missing < BLOCK and text.startswith(bytes(missing), size):
        yield missing, "zero bytes"


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
