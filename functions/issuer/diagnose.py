"""Why a token is refused: the request, the secrets that may open the token, and the response.

Callers do not hold the ServerSecret, so only :mod:`zego.diagnosis.verified` opens tokens here. No
other code that opens tokens is imported: a test checks that. Nothing imports this module before the
first diagnosis: its own imports would slow every cold start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from issuer.body import optional, read_object, refuse_unknown
from issuer.problems import Problem
from issuer.telemetry import telemetry
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
from zego.secret_store.cache import CachedSecret, SecretUnavailableError, SecretVersion
from zego.server_secret import ServerSecret
from zego.token04 import Envelope

SDKS: Final[tuple[Sdk, ...]] = get_args(Sdk)
#: Longest id that is compared, in characters. ZEGO takes none that is nearly as long.
MAX_ID_LENGTH: Final = 1024
#: Largest AppID that is compared, and smallest below 0: what every reader of JSON keeps exactly.
MAX_APP_ID: Final = 2**53 - 1

#: Gives a version of the secret; ``None`` if it is not available.
ReadSecret = Callable[[], ServerSecret | None]

_FIELDS: Final = frozenset({"token", "user_id", "room_id", "app_id", "sdk"})


@dataclass(frozen=True, slots=True)
class DiagnosisRequest:
    """A text that was used as a token, and what was expected of it, be that right or wrong."""

    token: str = field(repr=False)
    user_id: str | None = None
    room_id: str | None = None
    app_id: int | None = None
    sdk: Sdk | None = None


@dataclass(frozen=True, slots=True)
class TokenDiagnosis:
    """The findings on a token, and the secrets that were tried on it.

    :ivar tried: by label, in the order in which they were tried.
    """

    diagnosis: Diagnosis
    tried: Mapping[str, ServerSecret]

    @property
    def secret_fingerprint(self) -> str | None:
        """Of the secret that opened it."""
        opened_by = self.diagnosis.opened_by
        return None if opened_by is None else self.tried[opened_by].fingerprint

    def document(self) -> dict[str, Any]:
        """As plain JSON values."""
        return self.diagnosis.document() | {
            "secrets_tried": list(self.tried),
            "secret_fingerprint": self.secret_fingerprint,
        }


def read_request(body: bytes) -> DiagnosisRequest:
    """A request to diagnose a token.

    :raises Problem: with the field and what is wrong with it.
    """
    values = read_object(body)
    refuse_unknown(values, _FIELDS)
    token = optional(values, "token", str, "a string")
    if token is None:
        raise Problem("missing_field", "Send the token, be it empty: token.", field="token")
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
    """Say what the text shows, and what is in the token if a stored secret verifies its GCM tag.

    Every other token gets the finding ``not-opened-here``, whatever it decrypts to. Timing shows no
    more than that: no secret is even read for CBC, and OpenSSL compares tags in constant time.

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


def current_secret(read: Callable[..., SecretVersion]) -> ServerSecret | None:
    """AWSCURRENT, read anew because its token is in doubt; ``None`` if it is not available."""
    try:
        return read(refetch=True).secret
    except Problem:
        return None  # the log says why


def previous_secret(cached: CachedSecret) -> ServerSecret | None:
    """AWSPREVIOUS, read anew. A missing one is no failure: nothing may have been rotated yet."""
    try:
        reading = cached.get(refetch=True)
    except SecretUnavailableError as error:
        secret, failure = None, str(error) if error.asked else None
    else:
        secret, failure = reading.version.secret, reading.failure
    if failure is not None:
        telemetry.logger.warning("AWSPREVIOUS cannot be read", reason=failure)
    return secret


def _opened(
    envelope: Envelope, stored: Mapping[str, ReadSecret]
) -> tuple[OpenedToken | None, Mapping[str, ServerSecret]]:
    """Open a GCM token with the first of the stored secrets that verifies its tag.

    Returns the secrets that were tried too. A secret that is not available ends the attempts: a
    later one is old, and that it does not open the token would say nothing.
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
        detail = f"{name} has {len(value)} characters; at most {MAX_ID_LENGTH} are compared."
        raise Problem("invalid_identifier", detail, field=name)
    return value


def _app_id(values: Mapping[str, object]) -> int | None:
    value = optional(values, "app_id", int, "a whole number")
    if value is not None and abs(value) > MAX_APP_ID:
        detail = f"app_id is compared up to {MAX_APP_ID}; ZEGO's have 32 bits."
        raise Problem("invalid_identifier", detail, field="app_id")
    return value


def _sdk(values: Mapping[str, object]) -> Sdk | None:
    value = optional(values, "sdk", str, "a string")
    if value is not None and value not in SDKS:
        raise Problem("invalid_sdk", f"sdk is {', '.join(SDKS[:-1])} or {SDKS[-1]}.", field="sdk")
    return value
