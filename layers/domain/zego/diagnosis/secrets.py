"""Diagnoses a token with secrets: finds which of them opens it, as it is or mishandled.

:func:`diagnose` takes everything it needs as arguments, including the time and the secrets, and
never raises::

    diagnosis = diagnose(text, {"AWSCURRENT": TriedSecret.of(secret)}, Expected(now=time.time()))
    diagnosis.verdict      # "refused"
    diagnosis.findings[0]  # kind "jwt", the codes a client shows, cause, remedy

Only for callers who have the secrets. What it reports about CBC tokens, and about keys made from a
secret, would let anyone else decrypt and forge tokens: see :mod:`.verified`.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from zego import strict_json
from zego.diagnosis import examine
from zego.diagnosis.model import (
    Diagnosis,
    Expected,
    Observation,
    OpenedToken,
    TriedSecret,
    found,
    wrong_label,
)
from zego.diagnosis.recognise import recognise
from zego.server_secret import LENGTH, ServerSecret, ServerSecretError
from zego.token04 import Envelope, SealError, unseal

_AES_KEYS: Final = (32, 24, 16)
_QUOTES: Final = "\"'"
_APP_SIGN: Final = re.compile(r"[0-9A-Fa-f]{64}")
#: A secret as ZEGO's console shows it: there is nothing wrong with its shape.
_USUAL: Final = re.compile(r"(?=(.)(?!\1{31}))[0-9a-f]{32}")
_BASE64: Final = re.compile(rb"(?:[0-9A-Za-z+/]{4})+")
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")

#: What servers read in front of a secret by mistake, as bytes.
_BEFORE: Final = (
    ("a quote", b'"'),
    ("a quote", b"'"),
    ("white space", b" "),
    ("a line break", b"\n"),
    ("a byte order mark", b"\xef\xbb\xbf"),
)


def diagnose(token: str, secrets: Mapping[str, TriedSecret], expected: Expected) -> Diagnosis:
    """Explain why ZEGO refuses, or would refuse, a text as a token, with the secrets given.

    :param secrets: by label (AWSCURRENT, AWSPREVIOUS or any other name), in the order in which to
        try them; without secrets, the diagnosis contains only what the text shows.
    """
    text = recognise(token)
    if text.envelope is None:
        return examine(text, None, _wrong_shapes(secrets), expected)
    opened, about_seal = _open_with(text.envelope, secrets)
    return examine(text, opened, about_seal, expected)


def _open_with(
    envelope: Envelope, secrets: Mapping[str, TriedSecret]
) -> tuple[OpenedToken | None, list[Observation]]:
    """Try the secrets in their order: first as given, then with the usual mistakes.

    Returns what was opened, and what is wrong with how it was sealed or with a secret itself.
    """
    for label, tried in secrets.items():
        opened = _opened(envelope, label, tried, _text_key(tried.value))
        if opened is not None:
            return opened, [*wrong_label(label), *_wrong_shapes(secrets, blamed=(label,))]
    for label, tried in secrets.items():
        for key, mishandled in _mishandled(label, tried.value):
            opened = _opened(envelope, label, tried, key)
            if opened is not None:
                return opened, [*mishandled, *_wrong_shapes(secrets)]
    problems = list(_wrong_shapes(secrets, blamed=tuple(secrets)))
    misshapen = {problem.details["label"] for problem in problems}
    if well_formed := [label for label in secrets if label not in misshapen]:
        problems.append(found("other-secret", labels=", ".join(well_formed)))
    return None, problems


def _wrong_shapes(
    secrets: Mapping[str, TriedSecret], blamed: Collection[str] = ()
) -> Iterator[Observation]:
    """What is wrong with the secrets themselves.

    :param blamed: labels whose shape explains a refusal; for others it is a warning.
    """
    for label, tried in secrets.items():
        shape = _shape(label, tried.value)
        if shape is not None:
            yield Observation(shape.kind, shape.details, None if label in blamed else "warning")


def _opened(envelope: Envelope, label: str, tried: TriedSecret, key: bytes) -> OpenedToken | None:
    if len(key) not in _AES_KEYS:
        return None
    try:
        plaintext = unseal(envelope, key)
    except SealError:
        return None
    try:
        return OpenedToken(label, tried.app_id, strict_json.loads(plaintext), is_json=True)
    except ValueError:
        if envelope.cipher == "cbc":  # without a tag, another key gives nonsense, not an error
            return None
        return OpenedToken(label, tried.app_id, None, is_json=False)


def _text_key(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _mishandled(label: str, value: str) -> Iterator[tuple[bytes, tuple[Observation, ...]]]:
    """Keys that are made from a secret by mistake, each with the mistake."""
    bare = value.strip().strip(_QUOTES).strip()
    if bare != value:  # the secret as given is misshapen: another finding reports that
        yield _text_key(bare), tuple(wrong_label(label))
    if _APP_SIGN.fullmatch(bare):
        for key in (bytes.fromhex(bare), _text_key(bare[:LENGTH])):
            yield key, (found("made-with-app-sign", label=label),)
        return
    if _HEX.fullmatch(bare):
        key = bytes.fromhex(bare)
        for padded in (key, key.ljust(24, b"\0"), key.ljust(32, b"\0")):
            yield padded, (found("hex-decoded-secret", label=label, size=len(key)),)
    for how, key in _altered(_text_key(bare)):
        yield key, (found("altered-secret", label=label, how=how),)


def _altered(text: bytes) -> Iterator[tuple[str, bytes]]:
    """Keys other than the secret's text, each with the mistake that makes it from the text.

    A key that is too long is cut to 32 bytes, as PHP's OpenSSL binding and others silently do.
    """
    for what, before in _BEFORE:
        yield f"with {what} in front of it and its end cut off", (before + text)[:LENGTH]
    yield "in upper case", text.upper()
    yield "in lower case", text.lower()
    yield "hashed with SHA-256", hashlib.sha256(text).digest()
    yield "hashed with MD5", hashlib.md5(text, usedforsecurity=False).hexdigest().encode()
    yield "cut to 16 bytes", text[:16]
    yield "cut to 24 bytes", text[:24]
    if _BASE64.fullmatch(text):
        yield "decoded as if it were base64", b64decode(text)


def _shape(label: str, value: str) -> Observation | None:
    if value != value.strip():
        return found("secret-white-space", label=label)
    if value[:1] and (value[0] in _QUOTES or value[-1] in _QUOTES):
        return found("secret-quoted", label=label)
    if _APP_SIGN.fullmatch(value):
        return found("secret-app-sign", label=label)
    if _USUAL.fullmatch(value):
        return None
    try:
        ServerSecret(1, value)  # for any project
    except ServerSecretError as error:
        what = str(error).replace("server_secret", "it", 1)
        return found("secret-malformed", label=label, what=what)
    return None
