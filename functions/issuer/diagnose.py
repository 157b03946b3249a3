"""Explains why ZEGO refuses a token: the request, the secrets that may open it, and the response.

Callers do not have the ServerSecret, so only :mod:`zego.diagnosis.verified` opens tokens here. No
other code that opens tokens is imported: a test checks that. This module is imported only for the
first diagnosis, because its imports would slow down every cold start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from issuer.body import optional, read_object, refuse_unknown
from issuer.problems import Problem
from issuer.telemetry import telemetry
from zego.cache import Cached, UnavailableError
from zego.diagnosis import examine
from zego.diagnosis.model import (
    Diagnosis,
    Expected,
    Observation,
    OpenedToken,
    Sdk,
    found,
    wrong_label,
)
from zego.diagnosis.recognise import recognise
from zego.diagnosis.verified import open_gcm
from zego.secret_store import CURRENT, PREVIOUS
from zego.secrets_manager import SecretVersion
from zego.server_secret import ServerSecret
from zego.token04 import Envelope

SDKS: Final[tuple[Sdk, ...]] = get_args(Sdk)
#: Longest id that is compared, in characters. The longest ids that ZEGO accepts are far shorter.
MAX_ID_LENGTH: Final = 1024
#: Largest absolute value of an AppID that is compared: every JSON parser reads it exactly.
MAX_APP_ID: Final = 2**53 - 1

#: Returns a version of the secret; ``None`` if it is not available.
ReadSecret = Callable[[], ServerSecret | None]

_FIELDS: Final = frozenset({"token", "user_id", "room_id", "app_id", "sdk"})


@dataclass(frozen=True, slots=True)
class DiagnosisRequest:
    """A text that was used as a token, and what the caller expected. Nothing here need be valid."""

    token: str = field(repr=False)
    user_id: str | None = None
    room_id: str | None = None
    app_id: int | None = None
    sdk: Sdk | None = None


@dataclass(frozen=True, slots=True)
class TokenDiagnosis:
    """The findings on a token, and the secrets that were tried on it.

    :ivar tried: the secrets by label, in the order in which they were tried.
    """

    diagnosis: Diagnosis
    tried: Mapping[str, ServerSecret]

    @property
    def secret_fingerprint(self) -> str | None:
        """The fingerprint of the secret that opened it, if one did."""
        opened_by = self.diagnosis.opened_by
        return None if opened_by is None else self.tried[opened_by].fingerprint

    def document(self) -> dict[str, Any]:
        """The diagnosis as plain JSON values."""
        return self.diagnosis.document() | {
            "secrets_tried": list(self.tried),
            "secret_fingerprint": self.secret_fingerprint,
        }


def read_request(body: bytes) -> DiagnosisRequest:
    """Read a request to diagnose a token.

    :raises Problem: names the field and what is wrong with it.
    """
    values = read_object(body)
    refuse_unknown(values, _FIELDS)
    token = optional(values, "token", str, "a string")
    if token is None:
        detail = "Set token to the text to diagnose; it may be empty."
        raise Problem("missing_field", detail, field="token")
    return DiagnosisRequest(
        token,
        user_id=_id(values, "user_id"),
        room_id=_id(values, "room_id"),
        app_id=_app_id(values),
        sdk=_sdk(values),
    )


def diagnose(
    asked: DiagnosisRequest, read_current: ReadSecret, read_previous: ReadSecret, *, now: float
) -> TokenDiagnosis:
    """Report what the text shows, and the token's content if a stored secret verifies its GCM tag.

    Every other token gets the finding ``not-opened-here``, whatever it decrypts to. Timing reveals
    nothing else: for CBC no secret is even read, and OpenSSL compares tags in constant time.

    :param now: Unix seconds.
    """
    text = recognise(asked.token)
    opened: OpenedToken | None = None
    tried: Mapping[str, ServerSecret] = {}
    about_seal: list[Observation] = []
    if text.envelope is not None:
        stored = {CURRENT: read_current, PREVIOUS: read_previous}
        opened, tried = _opened(text.envelope, stored)
        about_seal = [found("not-opened-here")] if opened is None else [*wrong_label(opened.label)]
    app_id = asked.app_id
    if app_id is None and opened is not None:
        app_id = tried[CURRENT].app_id
    expected = Expected(now, app_id, asked.user_id, asked.room_id, sdk=asked.sdk)
    return TokenDiagnosis(examine(text, opened, about_seal, expected), tried)


def current_secret(read: Callable[..., SecretVersion[ServerSecret]]) -> ServerSecret | None:
    """AWSCURRENT, read again because its token is in doubt; ``None`` if it is not available."""
    try:
        return read(refetch=True).secret
    except Problem:
        return None  # the log says why


def previous_secret(cached: Cached[SecretVersion[ServerSecret]]) -> ServerSecret | None:
    """AWSPREVIOUS, read again. It may be missing: perhaps the secret was never rotated."""
    try:
        reading = cached.get(refetch=True)
    except UnavailableError as error:
        secret, failure = None, str(error) if error.asked else None
    else:
        secret, failure = reading.value.secret, reading.failure
    if failure is not None:
        telemetry.logger.warning("AWSPREVIOUS cannot be read", reason=failure)
    return secret


def _opened(
    envelope: Envelope, stored: Mapping[str, ReadSecret]
) -> tuple[OpenedToken | None, Mapping[str, ServerSecret]]:
    """Open a GCM token with the first of the stored secrets that verifies its tag.

    Also returns the secrets that were tried. If a secret is not available, no later one is tried:
    those are older, so the result would mean nothing.
    """
    tried: dict[str, ServerSecret] = {}
    if envelope.cipher == "gcm":
        for label, read in stored.items():
            secret = read()
            if secret is None:
                break
            tried[label] = secret
            if opened := open_gcm(envelope, label, secret):
                return opened, tried
    return None, tried


def _id(values: Mapping[str, object], name: str) -> str | None:
    value = optional(values, name, str, "a string")
    if value is not None and len(value) > MAX_ID_LENGTH:
        detail = f"{name} has {len(value)} characters; the limit is {MAX_ID_LENGTH}."
        raise Problem("invalid_identifier", detail, field=name)
    return value


def _app_id(values: Mapping[str, object]) -> int | None:
    value = optional(values, "app_id", int, "a whole number")
    if value is not None and abs(value) > MAX_APP_ID:
        detail = f"app_id must be at most {MAX_APP_ID}; ZEGO's AppIDs have 32 bits."
        raise Problem("invalid_identifier", detail, field="app_id")
    return value


def _sdk(values: Mapping[str, object]) -> Sdk | None:
    value = optional(values, "sdk", str, "a string")
    if value is not None and value not in SDKS:
        detail = f"sdk must be {', '.join(SDKS[:-1])} or {SDKS[-1]}."
        raise Problem("invalid_sdk", detail, field="sdk")
    return value
