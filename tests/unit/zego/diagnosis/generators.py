"""A model of the code that makes tokens: one field per decision, and the mistakes at each of them.

It shares no code with :mod:`zego`, because the corpus that it makes judges that code. Sources: the
description of the format in :mod:`zego.token04`, whose known tokens it reproduces, and the
vendor's published generators.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC as CBC_MODE
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB

from tests.unit.zego.diagnosis.builders import APP_ID, NOW

BLOCK: Final = 16
#: Unlike the secret of the other tests, no part of it repeats another.
SECRET: Final = hashlib.md5(b"ServerSecret", usedforsecurity=False).hexdigest()
PREVIOUS: Final = hashlib.md5(b"the ServerSecret before", usedforsecurity=False).hexdigest()
CAPITALS: Final = hashlib.md5(b"CAPITALS", usedforsecurity=False).hexdigest().upper()
CALLBACK: Final = hashlib.md5(b"CallbackSecret", usedforsecurity=False).hexdigest()
APP_SIGN: Final = hashlib.sha256(b"AppSign").hexdigest()

_ROOM: Final = {
    "room_id": "room1",
    "privilege": {"1": 1, "2": 1},
    "stream_id_list": [
        f"room1_alice_{one}" for one in ("main", "screensharing", "whiteboard", "media")
    ],
}
#: With a payload that makes the ciphertext longer than 255 bytes.
CLAIMS: Final[Mapping[str, Any]] = {
    "app_id": APP_ID,
    "user_id": "alice",
    "nonce": 1073741824,
    "ctime": NOW - 60,
    "expire": NOW + 3540,
    "payload": json.dumps(_ROOM),
}


def unchanged(value: Any) -> Any:
    return value


def compact_json(claims: Mapping[str, Any]) -> str:
    return json.dumps(claims, separators=(",", ":"), ensure_ascii=False)


def pkcs7(plaintext: bytes) -> bytes:
    missing = BLOCK - len(plaintext) % BLOCK
    return plaintext + bytes([missing]) * missing


def big_endian(size: int) -> Callable[[int], bytes]:
    """Writes an integer; one that is too large loses its first bytes, as in most languages."""
    return lambda number: (number % 256**size).to_bytes(size, "big")


def little_endian(size: int) -> Callable[[int], bytes]:
    return lambda number: number.to_bytes(size, "little")


int16: Final = big_endian(2)
int64: Final = big_endian(8)


def missing(*_: object) -> bytes:
    return b""


@dataclass(frozen=True)
class Sealed:
    """What encryption returns.

    :ivar counted: the part of it whose length the envelope says: the ciphertext and its tag.
    """

    plaintext: bytes
    ciphertext: bytes
    tag: bytes
    counted: bytes = b""


#: What is before the length of the ciphertext, what that length counts, and what follows.
TagPlaced = tuple[bytes, bytes, bytes]


def tag_behind(sealed: Sealed) -> TagPlaced:
    return b"", sealed.ciphertext + sealed.tag, b""


def counted(sealed: Sealed) -> int:
    return len(sealed.counted)


def counting(
    count: Callable[[Sealed], int], pack: Callable[[int], bytes] = int16
) -> Callable[[Sealed], bytes]:
    return lambda sealed: pack(count(sealed))


length_of_counted: Final = counting(counted)


def in_order(iv_length: bytes, iv: bytes, length: bytes, content: bytes) -> bytes:
    return iv_length + iv + length + content


def as_text(binary: bytes) -> str:
    return "04" + b64encode(binary).decode()


@dataclass(frozen=True)
class Generator:
    """Code that makes tokens. As it is, it is right, and seals with GCM; :data:`CBC` is the other.

    Its fields are in the order of its work. What it is given comes first.
    """

    claims: Mapping[str, Any] = field(default_factory=lambda: CLAIMS)
    secret: str = SECRET
    iv: bytes = random.Random(0).randbytes(BLOCK)

    values: Callable[[Mapping[str, Any]], Mapping[str, Any]] = unchanged
    names: Callable[[Mapping[str, Any]], Mapping[str, Any]] = unchanged
    syntax: Callable[[Mapping[str, Any]], str] = compact_json
    encoding: Callable[[str], bytes] = str.encode
    key: Callable[[str], bytes] = str.encode
    mode: str = "gcm"
    padding: Callable[[bytes], bytes] = unchanged
    iv_size: int = 12
    expiry: Callable[[int], bytes] = int64
    iv_length: Callable[[int], bytes] = int16
    aad: Callable[[bytes, bytes, int], bytes | None] = lambda *_: None
    form: Callable[[bytes], bytes] = unchanged
    tag: Callable[[Sealed], TagPlaced] = tag_behind
    length: Callable[[Sealed], bytes] = length_of_counted
    order: Callable[[bytes, bytes, bytes, bytes], bytes] = in_order
    mode_byte: Callable[[bytes], bytes] = lambda envelope: envelope + b"\1"
    text: Callable[[bytes], str] = as_text

    def token(self) -> str:
        claims = self.values(self.claims)
        expiry = self.expiry(int(claims["expire"]))
        iv = self.iv[: self.iv_size]
        iv_length = self.iv_length(len(iv))
        plaintext = self.encoding(self.syntax(self.names(claims)))
        aad = self.aad(expiry, iv_length + iv, self.claims["app_id"])
        ciphertext, tag = self._encrypt(iv, self.padding(plaintext), aad)
        sealed = Sealed(plaintext, self.form(ciphertext), tag)
        before, content, behind = self.tag(sealed)
        length = before + self.length(replace(sealed, counted=content))
        fields = self.order(iv_length, iv, length, content + behind)
        return self.text(self.mode_byte(expiry + fields))

    def _encrypt(self, iv: bytes, data: bytes, aad: bytes | None) -> tuple[bytes, bytes]:
        key = self.key(self.secret)
        if self.mode == "gcm":
            sealed = AESGCM(key).encrypt(iv, data, aad)
            return sealed[:-BLOCK], sealed[-BLOCK:]
        modes: dict[str, CBC_MODE | ECB | CTR] = {"cbc": CBC_MODE(iv), "ecb": ECB(), "ctr": CTR(iv)}
        encryptor = Cipher(AES(key), modes[self.mode]).encryptor()
        return encryptor.update(data) + encryptor.finalize(), b""


GCM: Final = Generator()
CBC: Final = Generator(mode="cbc", padding=pkcs7, iv_size=BLOCK, mode_byte=unchanged)


@dataclass(frozen=True)
class Mistake:
    """One mistake of a generator.

    :ivar kinds: of the findings that name it.
    :ivar changes: the fields of the generator that it changes.
    :ivar modes: in which it is a mistake.
    :ivar given: the secrets with which the token is diagnosed, besides the ServerSecret.
    """

    dimension: str
    name: str
    kinds: frozenset[str]
    changes: Mapping[str, Any]
    modes: frozenset[str]
    given: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.dimension}: {self.name}"


ALL: Final = ("gcm", "cbc", "ctr", "ecb")
BLOCKS: Final = ("cbc", "ecb")


def wrong(
    value: Any,
    *kinds: str,
    modes: tuple[str, ...] = ALL,
    given: Mapping[str, str] | None = None,
    **changes: Any,
) -> Callable[[str, str], Mistake]:
    """A mistake that gives its dimension this value."""
    return lambda dimension, name: Mistake(
        dimension,
        name,
        frozenset(kinds),
        {dimension: value, **changes},
        frozenset(modes),
        given or {},
    )


def _changed(**values: Callable[[Any], Any]) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    return lambda claims: {
        name: values[name](value) if name in values else value for name, value in claims.items()
    }


def _as_object(payload: str) -> Any:
    return json.loads(payload or "{}")


def _renamed(**names: str) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    return lambda claims: {names.get(name, name): value for name, value in claims.items()}


def _without_payload(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in claims.items() if name != "payload"}


def _unescaped(claims: Mapping[str, Any]) -> str:
    payload = claims.get("payload")
    text = compact_json(claims)
    return text.replace(json.dumps(payload), f'"{payload}"') if isinstance(payload, str) else text


def _python_repr(claims: Mapping[str, Any]) -> str:
    return repr(dict(claims))


def _milliseconds(seconds: int) -> int:
    return seconds * 1000


def _with_others(claims: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**claims, "version": 4, "role": "host"}


def _encoded(encoding: str, mark: str = "") -> Callable[[str], bytes]:
    return lambda text: (mark + text).encode(encoding)


def _gzip(text: str) -> bytes:
    return gzip.compress(text.encode(), mtime=0)


def _last_byte_of_two(number: int) -> bytes:
    return bytes([0, number % 256])


def _zero_bytes(plaintext: bytes) -> bytes:
    return plaintext + bytes(-len(plaintext) % BLOCK)


def _spaces(plaintext: bytes) -> bytes:
    """No padding: the text has such a length that it needs none."""
    space = {b"}\0": b" \0", b"\0}": b"\0 "}.get(plaintext[-2:], b" ")
    return plaintext + space * (-len(plaintext) % BLOCK // len(space))


def _cut(before: str = "") -> Callable[[str], bytes]:
    """A key that is too long, cut to 32 bytes, as PHP's OpenSSL binding does."""
    return lambda secret: f"{before}{secret}".encode()[:32]


def _digest(name: str) -> Callable[[str], bytes]:
    return lambda secret: hashlib.new(name, secret.encode(), usedforsecurity=False).digest()


def _hex_digest(name: str) -> Callable[[str], bytes]:
    return lambda secret: _digest(name)(secret).hex().encode()[:32]


def _tag_in_front(sealed: Sealed) -> TagPlaced:
    return b"", sealed.tag + sealed.ciphertext, b""


def _tag_field(sealed: Sealed) -> TagPlaced:
    return b"", sealed.ciphertext, int16(len(sealed.tag)) + sealed.tag


def _tag_field_in_front(sealed: Sealed) -> TagPlaced:
    return int16(len(sealed.tag)) + sealed.tag, sealed.ciphertext, b""


def _no_tag(sealed: Sealed) -> TagPlaced:
    return b"", sealed.ciphertext, b""


def _iv_field_behind(iv_length: bytes, iv: bytes, length: bytes, content: bytes) -> bytes:
    return length + content + iv_length + iv


def _iv_behind(iv_length: bytes, iv: bytes, length: bytes, content: bytes) -> bytes:
    return iv_length + length + content + iv


def _text(*, prefix: str = "04", encode: Callable[[bytes], bytes]) -> Callable[[bytes], str]:
    return lambda binary: prefix + encode(binary).decode()


def _unpadded(encode: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda binary: encode(binary).rstrip(b"=")


_APP_SIGN: Final = {"AppSign": APP_SIGN}
_ALTERED: Final = "altered-secret"
_LENGTH: Final = "sealed-length-field"
_ENCODING: Final = "claims-encoding"
_NOT_JSON: Final = "claims-not-json"

#: Every mistake, by dimension and name.
_MISTAKES: Final[Mapping[str, Mapping[str, Callable[[str, str], Mistake]]]] = {
    "values": {
        "app_id as text": wrong(_changed(app_id=str), "app-id-wrong-type"),
        "user_id as a number": wrong(_changed(user_id=len), "user-id-wrong-type"),
        "nonce as text": wrong(_changed(nonce=str), "nonce-wrong-type"),
        "times as text": wrong(
            _changed(ctime=str, expire=str), "ctime-wrong-type", "expire-wrong-type"
        ),
        "milliseconds": wrong(
            _changed(ctime=_milliseconds, expire=_milliseconds), "time-in-milliseconds"
        ),
        "payload as an object": wrong(_changed(payload=_as_object), "payload-wrong-type"),
        "no payload": wrong(_without_payload, "payload-missing"),
    },
    "names": {
        "appId, userId": wrong(_renamed(app_id="appId", user_id="userId"), "claim-names"),
        "appID, userID": wrong(_renamed(app_id="appID", user_id="userID"), "claim-names"),
        "others as well": wrong(_with_others, "claims-extra"),
    },
    "syntax": {
        "payload not escaped": wrong(_unescaped, _NOT_JSON),
        "Python's repr": wrong(_python_repr, _NOT_JSON),
    },
    "encoding": {
        "UTF-16, little-endian": wrong(_encoded("utf-16-le"), _ENCODING),
        "UTF-16, big-endian": wrong(_encoded("utf-16-be"), _ENCODING),
        "UTF-16, little-endian, with a mark": wrong(_encoded("utf-16-le", "\ufeff"), _ENCODING),
        "UTF-16, big-endian, with a mark": wrong(_encoded("utf-16-be", "\ufeff"), _ENCODING),
        "a byte order mark": wrong(_encoded("utf-8", "\ufeff"), _ENCODING),
        "gzip": wrong(_gzip, _ENCODING),
    },
    "key": {
        "hex-decoded": wrong(bytes.fromhex, "hex-decoded-secret"),
        "hex-decoded, filled up with zeros": wrong(
            lambda secret: bytes.fromhex(secret).ljust(32, b"\0"), "hex-decoded-secret"
        ),
        "base64-decoded": wrong(b64decode, _ALTERED),
        "in capitals": wrong(lambda secret: secret.upper().encode(), _ALTERED),
        "in small letters": wrong(
            lambda _: CAPITALS.lower().encode(), _ALTERED, given={"AWSCURRENT": CAPITALS}
        ),
        "a quote in front": wrong(_cut('"'), _ALTERED),
        "a single quote in front": wrong(_cut("'"), _ALTERED),
        "a space in front": wrong(_cut(" "), _ALTERED),
        "first 16": wrong(lambda secret: secret[:16].encode(), _ALTERED),
        "first 24": wrong(lambda secret: secret[:24].encode(), _ALTERED),
        "last 16": wrong(lambda secret: secret[-16:].encode(), _ALTERED),
        "first 16, doubled": wrong(lambda secret: (secret[:16] * 2).encode(), _ALTERED),
        "MD5": wrong(_digest("md5"), _ALTERED),
        "MD5 in hex": wrong(_hex_digest("md5"), _ALTERED),
        "SHA-256": wrong(_digest("sha256"), _ALTERED),
        "SHA-256 in hex": wrong(_hex_digest("sha256"), _ALTERED),
        "AppSign": wrong(lambda _: APP_SIGN[:32].encode(), "made-with-app-sign", given=_APP_SIGN),
        "AppSign, hex-decoded": wrong(
            lambda _: bytes.fromhex(APP_SIGN), "made-with-app-sign", given=_APP_SIGN
        ),
        "CallbackSecret": wrong(
            lambda _: CALLBACK.encode(),
            "made-with-callback-secret",
            given={"CallbackSecret": CALLBACK},
        ),
        "AWSPREVIOUS": wrong(
            lambda _: PREVIOUS.encode(), "made-with-previous", given={"AWSPREVIOUS": PREVIOUS}
        ),
    },
    "mode": {
        "CTR": wrong("ctr", "wrong-mode", modes=("ctr",), padding=unchanged),
        "ECB": wrong("ecb", "wrong-mode", modes=("ecb",)),
    },
    "padding": {
        "PKCS#7 twice": wrong(lambda text: pkcs7(pkcs7(text)), "wrong-padding", modes=BLOCKS),
        "zero bytes": wrong(_zero_bytes, "wrong-padding", modes=BLOCKS),
        "none": wrong(_spaces, "wrong-padding", modes=BLOCKS),
        "PKCS#7": wrong(pkcs7, "wrong-padding", modes=("gcm", "ctr")),
    },
    "iv_size": {"16": wrong(16, "gcm-iv", modes=("gcm",))},
    "expiry": {
        "little-endian": wrong(little_endian(8), "expiry-field"),
        "four bytes": wrong(big_endian(4), "expiry-field"),
        "milliseconds": wrong(lambda time: int64(time * 1000), "expiry-field"),
        "missing": wrong(missing, "expiry-field"),
    },
    "iv_length": {
        "missing": wrong(missing, "iv-length-field"),
        "one byte": wrong(big_endian(1), "iv-length-field"),
        "four bytes": wrong(big_endian(4), "iv-length-field"),
        "little-endian": wrong(little_endian(2), "iv-length-field"),
    },
    "aad": {
        "the header": wrong(lambda expiry, iv, _: expiry + iv, "aad", modes=("gcm",)),
        "the expiry": wrong(lambda expiry, *_: expiry, "aad", modes=("gcm",)),
        "04": wrong(lambda *_: b"04", "aad", modes=("gcm",)),
        "the AppID": wrong(lambda *given: str(given[-1]).encode(), "aad", modes=("gcm",)),
    },
    "form": {
        "base64": wrong(b64encode, "sealed-encoded"),
        "hex": wrong(lambda ciphertext: ciphertext.hex().encode(), "sealed-encoded"),
    },
    "tag": {
        "in front": wrong(_tag_in_front, "tag-misplaced", modes=("gcm",)),
        "in its own field": wrong(_tag_field, "tag-misplaced", modes=("gcm",)),
        "in its own field, in front": wrong(_tag_field_in_front, "tag-misplaced", modes=("gcm",)),
        "missing": wrong(_no_tag, "tag-misplaced", modes=("gcm",)),
    },
    "length": {
        "missing": wrong(missing, _LENGTH),
        "one byte": wrong(counting(counted, big_endian(1)), _LENGTH),
        "two bytes, the first always 0": wrong(counting(counted, _last_byte_of_two), _LENGTH),
        "four bytes": wrong(counting(counted, big_endian(4)), _LENGTH),
        "little-endian": wrong(counting(counted, little_endian(2)), _LENGTH),
        "of the plaintext": wrong(
            counting(lambda sealed: len(sealed.plaintext)), _LENGTH, modes=BLOCKS
        ),
        "without the tag": wrong(
            counting(lambda sealed: len(sealed.ciphertext)), _LENGTH, modes=("gcm",)
        ),
        "of the base64": wrong(counting(lambda sealed: len(b64encode(sealed.counted))), _LENGTH),
    },
    "order": {
        "the IV and its length behind": wrong(_iv_field_behind, "iv-misplaced"),
        "the IV behind": wrong(_iv_behind, "iv-misplaced"),
    },
    "mode_byte": {
        "in front": wrong(lambda envelope: b"\1" + envelope, "mode-byte", modes=("gcm",)),
        "missing": wrong(unchanged, "mode-missing", modes=("gcm",)),
        "that of CBC": wrong(lambda envelope: envelope + b"\0", "mode-byte", modes=("gcm",)),
        "that of GCM": wrong(lambda envelope: envelope + b"\1", "mode-byte", modes=("cbc",)),
        "2": wrong(lambda envelope: envelope + b"\2", "mode-byte", modes=("gcm", "cbc")),
    },
    "text": {
        "no 04": wrong(_text(prefix="", encode=b64encode), "prefix-missing"),
        "04 within the base64": wrong(
            lambda binary: b64encode(b"04" + binary).decode(), "prefix-inside"
        ),
        "base64 twice": wrong(
            lambda binary: b64encode(as_text(binary).encode()).decode(), "base64-twice"
        ),
        "hex": wrong(lambda binary: "04" + binary.hex(), "hex-encoded"),
        "base64url": wrong(_text(encode=urlsafe_b64encode), "base64url"),
        "no =": wrong(_text(encode=_unpadded(b64encode)), "padding-missing"),
    },
}
DIMENSIONS: Final = (*_MISTAKES,)
MISTAKES: Final = tuple(
    make(dimension, name)
    for dimension, by_name in _MISTAKES.items()
    for name, make in by_name.items()
)


def with_mistakes(generator: Generator, *mistakes: Mistake) -> Generator | None:
    """A generator that makes all these mistakes; ``None`` if one of them would be none."""
    changes: dict[str, Any] = {}
    for mistake in sorted(mistakes, key=lambda one: DIMENSIONS.index(one.dimension)):
        changes |= mistake.changes
    wrong_one = replace(generator, **changes)
    base = CBC.mode if "mode" in changes else wrong_one.mode
    is_possible = all(wrong_one.mode in mistake.modes for mistake in mistakes)
    return wrong_one if is_possible and base == generator.mode else None
