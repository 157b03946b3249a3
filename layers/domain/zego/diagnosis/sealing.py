"""Which secret opens a token: one as it was given, or one as it is mishandled on the way."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from zego import strict_json
from zego.diagnosis.findings import Candidate, Found, found
from zego.server_secret import LENGTH, ServerSecret, ServerSecretError
from zego.token04 import Envelope, SealError, unseal

_AES_KEYS: Final = (32, 24, 16)
_QUOTES: Final = "\"'"
_APP_SIGN: Final = re.compile(r"[0-9A-Fa-f]{64}")
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")

#: Labels whose secrets ZEGO does not take now; other labels say nothing of that.
_NOT_CURRENT: Final[Mapping[str, str]] = {
    "AWSPREVIOUS": "made-with-previous",
    "AWSPENDING": "made-with-staged",
    "CANDIDATE": "made-with-staged",
}


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """A token that was opened.

    :ivar label: of the secret that did it.
    :ivar app_id: of that secret, where it is known.
    :ivar content: what was sealed: JSON, or ``None`` where it is something else.
    :ivar is_json: whether ``content`` was read.
    """

    label: str
    app_id: int | None
    content: Any
    is_json: bool


def open_with(
    envelope: Envelope, secrets: Mapping[str, Candidate]
) -> tuple[Opened | None, list[Found]]:
    """Try the secrets in their order, as they were given and then as they are mishandled.

    Gives what was opened, and what is wrong with how it was sealed or with a secret itself.
    """
    for label, candidate in secrets.items():
        opened = _opened(envelope, label, candidate, _text_key(candidate.value))
        if opened is not None:
            return opened, [*_wrong_label(label), *_wrong_shapes(secrets, is_opened=True)]
    for label, candidate in secrets.items():
        for key, mishandled in _mishandled(label, candidate.value):
            opened = _opened(envelope, label, candidate, key)
            if opened is not None:
                return opened, [*mishandled, *_wrong_shapes(secrets, is_opened=True)]
    problems = list(_wrong_shapes(secrets, is_opened=False))
    well_formed = [label for label, one in secrets.items() if _shape(label, one) is None]
    if well_formed:
        problems.append(found("other-secret", labels=", ".join(well_formed)))
    return None, problems


def wrong_shapes(secrets: Mapping[str, Candidate]) -> list[Found]:
    """What is wrong with the secrets themselves, where there is no token to try them on."""
    return list(_wrong_shapes(secrets, is_opened=True))


def _opened(envelope: Envelope, label: str, candidate: Candidate, key: bytes) -> Opened | None:
    if len(key) not in _AES_KEYS:
        return None
    try:
        plaintext = unseal(envelope, key)
    except SealError:
        return None
    try:
        return Opened(label, candidate.app_id, strict_json.loads(plaintext), is_json=True)
    except ValueError:
        if envelope.cipher == "cbc":  # which has no tag: another key gives nonsense, not an error
            return None
        return Opened(label, candidate.app_id, None, is_json=False)


def _wrong_label(label: str) -> Iterator[Found]:
    if label in _NOT_CURRENT:
        yield found(_NOT_CURRENT[label], label=label)


def _text_key(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _mishandled(label: str, value: str) -> Iterator[tuple[bytes, tuple[Found, ...]]]:
    """Keys that are made of a secret by mistake, each with what the mistake is.

    A key is cut to 32 bytes, as OpenSSL's bindings in PHP and others do in silence.
    """
    bare = value.strip().strip(_QUOTES).strip()
    if bare != value:  # what was given is misshapen, which is said elsewhere
        yield _text_key(bare), ()
    if _APP_SIGN.fullmatch(bare):
        for key in (bytes.fromhex(bare), _text_key(bare[:LENGTH])):
            yield key, (found("made-with-app-sign", label=label),)
        return
    if _HEX.fullmatch(bare):
        key = bytes.fromhex(bare)
        yield key, (found("hex-decoded-secret", label=label, size=len(key)),)
        for padded in (key.ljust(24, b"\0"), key.ljust(32, b"\0")):
            yield padded, (found("hex-decoded-secret", label=label, size=len(key)),)
    text = _text_key(bare)
    for how, key in (
        ("with a quote in front of it, and its end cut off", b'"' + text),
        ("with a quote in front of it, and its end cut off", b"'" + text),
        ("with white space in front of it, and its end cut off", b" " + text),
        ("with a line's end in front of it, and its end cut off", b"\n" + text),
        ("with a byte order mark in front of it, and its end cut off", b"\xef\xbb\xbf" + text),
        ("in upper case", text.upper()),
        ("in lower case", text.lower()),
        ("hashed with SHA-256", hashlib.sha256(text).digest()),
        ("hashed with MD5", hashlib.md5(text, usedforsecurity=False).hexdigest().encode()),
        ("cut to 16 bytes", text[:16]),
        ("cut to 24 bytes", text[:24]),
    ):
        yield key[:LENGTH], (found("altered-secret", label=label, how=how),)


def _wrong_shapes(secrets: Mapping[str, Candidate], *, is_opened: bool) -> Iterator[Found]:
    """What is wrong with the secrets themselves: the likely cause where none opens the token."""
    for label, candidate in secrets.items():
        shape = _shape(label, candidate)
        if shape is not None:
            yield Found(shape.kind, shape.details, "warning" if is_opened else None)


def _shape(label: str, candidate: Candidate) -> Found | None:
    value = candidate.value
    if value != value.strip():
        return found("secret-white-space", label=label)
    if value[:1] and (value[0] in _QUOTES or value[-1] in _QUOTES):
        return found("secret-quoted", label=label)
    if _APP_SIGN.fullmatch(value):
        return found("secret-app-sign", label=label)
    try:
        ServerSecret(1 if candidate.app_id is None else candidate.app_id, value)
    except ServerSecretError as error:
        what = str(error).removeprefix("server_secret ")
        return found("secret-malformed", label=label, what=what)
    return None
