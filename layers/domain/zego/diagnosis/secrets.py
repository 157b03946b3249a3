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
from base64 import b64decode, b64encode
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Final

from zego.diagnosis import examine, plaintext
from zego.diagnosis.generators import search
from zego.diagnosis.model import (
    APP_SIGN,
    CALLBACK_SECRET,
    Diagnosis,
    Expected,
    Observation,
    OpenedToken,
    TriedSecret,
    found,
    wrong_label,
)
from zego.diagnosis.opening import Key, MadeToken
from zego.diagnosis.recognise import TokenText, recognise
from zego.diagnosis.repair import unwrap
from zego.server_secret import LENGTH, ServerSecret, ServerSecretError
from zego.token04 import Cipher, Envelope, SealError, unseal

_AES_KEYS: Final = (32, 24, 16)
#: What may have sealed a token that no given secret opens, in the order of ``explain 20014``.
_LIKELY: Final = ("AWSPREVIOUS", APP_SIGN, CALLBACK_SECRET)
#: Problems of a token that is not as it was made: nothing follows if a secret does not open it.
_DAMAGES: Final = frozenset(
    {"damaged", "doubled", "malformed-envelope", "mode-missing", "shortened", "truncated"}
    | {"trailing-bytes", "trailing-text"}
)
#: Those that also explain whatever else seems wrong with it.
_ALTERED: Final = frozenset({"damaged", "doubled", "non-ascii", "shortened"})
#: Problems of a text that finding its generator's mistakes explains better.
_EXPLAINED: Final = frozenset(
    {"malformed-envelope", "mode-missing", "truncated", "trailing-bytes"}
    | {"not-a-token", "older-token", "hex-string", "json-in-base64"}
)
_QUOTES: Final = "\"'"
_APP_SIGN: Final = re.compile(r"[0-9A-Fa-f]{64}")
#: A secret as ZEGO's console shows it: there is nothing wrong with its shape.
_USUAL: Final = re.compile(r"(?=(.)(?!\1{31}))[0-9a-f]{32}")
_BASE64: Final = re.compile(rb"(?:[0-9A-Za-z+/]{4})+")
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")

_PRINTABLE: Final = re.compile(rb"[ -~]{8,}")

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
    unread: OpenedToken | None = None
    for label, tried in secrets.items():
        opened = None if text.envelope is None else _opened(text.envelope, label, tried)
        if opened is not None and opened.content is not None:
            return _of_opened(opened, text, secrets, expected)
        unread = unread or opened
    if text.form != "jwt" and secrets:
        bare, around = unwrap(token)
        if made := search(bare.partition("#")[0], [*_keys(secrets)]):
            made_token, about_text = made
            return _of_made(made_token, (*around, *about_text), text, secrets, expected)
    if unread is not None:
        return _of_opened(unread, text, secrets, expected)
    return examine(text, None, _not_opened(text, secrets), expected)


def _of_opened(
    opened: OpenedToken, text: TokenText, secrets: Mapping[str, TriedSecret], expected: Expected
) -> Diagnosis:
    """The diagnosis of a token that a secret as given opens."""
    about_seal = [*_wrong_label(opened.label), *_wrong_shapes(secrets, blamed=(opened.label,))]
    return examine(text, opened, about_seal, expected)


def _of_made(
    made: MadeToken,
    about_text: tuple[Observation, ...],
    text: TokenText,
    secrets: Mapping[str, TriedSecret],
    expected: Expected,
) -> Diagnosis:
    """The diagnosis of a token that only the search opened."""
    how, claims, mistakes = made.how, made.claims, made.mistakes
    in_text, in_how, in_decoding = (
        {one.kind for one in some} for some in (text.problems, mistakes, about_text)
    )
    content, about_claims = claims.content, claims.problems
    has_lost_mode = in_how == {"mode-missing"} and "padding-missing" in in_decoding
    is_cut = "truncated" in in_text and (made.is_cut or has_lost_mode)
    is_same_text = in_decoding.isdisjoint({"hex-encoded", "sealed-encoded"})
    is_changed = is_same_text and in_text & _ALTERED
    if is_cut or is_changed:  # all else that is wrong with it comes from that
        problems = list(text.problems)
        mistakes, content, about_claims = how.key.mistakes, None, ()
    else:
        explained = _EXPLAINED if is_same_text else _EXPLAINED | _ALTERED
        problems = [one for one in (*text.problems, *about_text) if one.kind not in explained]
        if "tag-mismatch" in in_how and about_claims:
            content, about_claims = None, ()
    is_as_given = how.key.value == _text_key(secrets[how.key.label].value)
    blamed = (how.key.label,) if is_as_given else ()
    envelope = None
    if how.mode in {"cbc", "gcm"}:
        written = b"" if how.iv_at is None else how.iv
        cipher: Cipher = "gcm" if how.mode == "gcm" else "cbc"
        envelope = Envelope(made.expires_at or 0, cipher, written, made.sealed)
    text = replace(
        text,
        form=text.form if text.form == "kit-token" else "token04",
        problems=tuple(problems),
        envelope=envelope,
        header_expires_at=made.expires_at,
    )
    opened = OpenedToken(how.key.label, how.key.app_id, content, about_claims)
    return examine(text, opened, [*mistakes, *_wrong_shapes(secrets, blamed)], expected)


def _not_opened(text: TokenText, secrets: Mapping[str, TriedSecret]) -> Iterator[Observation]:
    """What is wrong with the secrets, if that can be said: a damaged token proves nothing."""
    is_whole = text.envelope is not None and _DAMAGES.isdisjoint(one.kind for one in text.problems)
    shapes = list(_wrong_shapes(secrets, blamed=tuple(secrets) if is_whole else ()))
    yield from shapes
    misshapen = {shape.details["label"] for shape in shapes}
    if well_formed := [label for label in secrets if label not in misshapen]:
        labels = ", ".join(well_formed)
        if is_whole:
            untried = [label for label in _LIKELY if label not in secrets]
            yield found("other-secret", labels=labels, untried=_not_tried(untried))
        elif text.form in ("token04", "kit-token"):
            yield found("secret-not-judged", labels=labels)


def _not_tried(labels: list[str]) -> str:
    return f" Not tried: {', '.join(labels)}." if labels else ""


def _wrong_shapes(
    secrets: Mapping[str, TriedSecret], blamed: Collection[str] = ()
) -> Iterator[Observation]:
    """What is wrong with the secrets themselves.

    :param blamed: labels whose shape explains a refusal; for others it is a warning.
    """
    for label, tried in secrets.items():
        shape = None if label in (APP_SIGN, CALLBACK_SECRET) else _shape(label, tried.value)
        if shape is not None:
            yield Observation(shape.kind, shape.details, None if label in blamed else "warning")


def _opened(envelope: Envelope, label: str, tried: TriedSecret) -> OpenedToken | None:
    """The token, if the secret as given opens it."""
    key = _text_key(tried.value)
    if len(key) not in _AES_KEYS:
        return None
    try:
        text = unseal(envelope, key)
    except SealError:
        return None
    claims = plaintext.read(text)
    # Another key gives a CBC padding of three bytes or more once in 16 million times.
    is_proven = claims.content is not None or len(envelope.sealed) - len(text) >= 3
    if not (is_proven or envelope.cipher == "gcm" or _PRINTABLE.fullmatch(text)):
        return None
    problems = (*claims.problems, *plaintext.about_rest(text, claims, envelope.cipher))
    return OpenedToken(label, tried.app_id, claims.content, problems)


def _wrong_label(label: str) -> tuple[Observation, ...]:
    if label == CALLBACK_SECRET:
        return (found("made-with-callback-secret"),)
    return tuple(wrong_label(label))


def _text_key(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _keys(secrets: Mapping[str, TriedSecret]) -> Iterator[Key]:
    """Every key that a generator may make from the secrets, the likely ones first."""
    for label, tried in secrets.items():
        value = _text_key(tried.value)
        if len(value) in _AES_KEYS:
            yield Key(value, label, tried.app_id, _wrong_label(label), is_given=True)
    for label, tried in secrets.items():
        for value, mistakes in _mishandled(label, tried.value):
            if len(value) in _AES_KEYS:
                yield Key(value, label, tried.app_id, (*mistakes, *_wrong_label(label)))


def _mishandled(label: str, value: str) -> Iterator[tuple[bytes, tuple[Observation, ...]]]:
    """Keys that are made from a secret by mistake, each with the mistake."""
    bare = value.strip().strip(_QUOTES).strip()
    if bare != value:  # the secret as given is misshapen: another finding reports that
        yield _text_key(bare), ()
    if _APP_SIGN.fullmatch(bare):
        text, key = _text_key(bare), bytes.fromhex(bare)
        for cut in (text[:LENGTH], text[LENGTH:], text.upper()[:LENGTH], key, key[:16]):
            yield cut, (found("made-with-app-sign", label=label),)
        for how, key in _altered(text):
            yield key, (found("made-with-app-sign", label=f"{label}, {how}"),)
        return
    if _HEX.fullmatch(bare):
        key = bytes.fromhex(bare)
        for padded in (key, key.ljust(24, b"\0"), key.ljust(32, b"\0"), key * 2):
            yield padded, (found("hex-decoded-secret", label=label, size=len(key)),)
    for how, key in _altered(_text_key(bare)):
        yield key, (found("altered-secret", label=label, how=how),)


def _altered(text: bytes) -> Iterator[tuple[str, bytes]]:
    """Keys other than the secret's text, each with the mistake that makes it from the text.

    A key that is too long is cut to 32 bytes, and one that is too short filled up with zeros, as
    PHP's OpenSSL binding and others silently do.
    """
    for what, before in _BEFORE:
        yield f"with {what} in front of it and its end cut off", (before + text)[:LENGTH]
    yield "in upper case", text.upper()
    yield "in lower case", text.lower()
    sha256, md5 = hashlib.sha256(text), hashlib.md5(text, usedforsecurity=False)
    yield "hashed with SHA-256", sha256.digest()
    yield "hashed with SHA-256, cut to the first 32 digits", sha256.hexdigest()[:LENGTH].encode()
    for name in ("sha1", "sha512"):
        other = hashlib.new(name, text, usedforsecurity=False)
        for digits in (other.digest(), other.hexdigest().encode()):
            yield f"hashed with {name.upper()} and cut", digits[:LENGTH]
    for what, of in (("encoded in", text), ("hashed with SHA-256, in", sha256.digest())):
        yield f"{what} base64 and cut", b64encode(of)[:LENGTH]
    yield "in UTF-16 and cut", text.decode("latin-1").encode("utf-16-le")[:LENGTH]
    yield "hashed with MD5, as 32 digits", md5.hexdigest().encode()
    yield "hashed with MD5, as 16 bytes", md5.digest()
    yield "hashed with MD5, as 16 bytes", md5.digest().ljust(LENGTH, b"\0")
    yield "cut to 16 bytes", text[:16]
    yield "cut to 16 bytes", text[:16].ljust(LENGTH, b"\0")
    yield "cut to 16 bytes and doubled", text[:16] * 2
    yield "cut to its last 16 bytes", text[-16:]
    yield "cut to its last 16 bytes and doubled", text[-16:] * 2
    yield "cut to 24 bytes", text[:24]
    if _BASE64.fullmatch(text):
        yield "decoded as if it were base64", b64decode(text)
        yield "decoded as if it were base64", b64decode(text).ljust(LENGTH, b"\0")


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
