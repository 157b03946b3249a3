"""Why a token is refused: what is asked, the secrets to open it with, and what is answered.

Whatever is in a token is told only where a secret of ours opens it. Nothing imports this before the
first diagnosis: what it needs besides would slow every cold start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from issuer import request_body
from issuer.problems import Problem
from issuer.request_body import wrong_type
from zego import diagnosis
from zego.diagnosis import Candidate, Diagnosis, Expected, Sdk
from zego.secret_store import CURRENT, PREVIOUS
from zego.server_secret import ServerSecret

SDKS: Final[tuple[Sdk, ...]] = get_args(Sdk)
#: Longest id that is compared, in characters. ZEGO takes none that is nearly as long.
MAX_ID_LENGTH: Final = 1024
#: Largest AppID that is compared, and smallest below 0: what every reader of JSON keeps exactly.
MAX_APP_ID: Final = 2**53 - 1

#: Gives a version of the secret; ``None`` where it cannot be had.
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
    """What is to be said of a token.

    :ivar tried: the secrets that could be had to open it, by label, in their order.
    """

    diagnosis: Diagnosis
    tried: Mapping[str, ServerSecret]

    @property
    def secret_fingerprint(self) -> str | None:
        """Of the secret that opened it."""
        opened_by = self.diagnosis.opened_by
        return None if opened_by is None else self.tried[opened_by].fingerprint

    @property
    def first_finding(self) -> str | None:
        """The kind of the most decisive one."""
        findings = self.diagnosis.findings
        return findings[0].kind if findings else None

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
    values = request_body.read(body)
    request_body.refuse_unknown(values, _FIELDS)
    if "token" not in values:
        raise Problem("missing_field", "Send the token, be it empty: token.", field="token")
    token = values["token"]
    if not isinstance(token, str):
        raise wrong_type("token", "a string", token)
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
    """Look at the token, and open it where it can be opened and one of the secrets does.

    Without the current secret the last one is not tried either: that it does not open a token
    would say nothing. A secret is read only where there is something to open.

    :param now: Unix seconds.
    """
    tried: dict[str, ServerSecret] = {}
    found = _diagnosis(asked, tried, now)
    for label, read in ((CURRENT, read_current), (PREVIOUS, read_previous)):
        if found.cipher is None or found.opened_by is not None:
            break
        secret = read()
        if secret is None:
            break
        tried[label] = secret
        found = _diagnosis(asked, tried, now)
    return TokenDiagnosis(found, tried)


def _diagnosis(asked: DiagnosisRequest, tried: Mapping[str, ServerSecret], now: float) -> Diagnosis:
    app_id = asked.app_id
    if app_id is None and CURRENT in tried:
        app_id = tried[CURRENT].app_id
    expected = Expected(now, app_id, asked.user_id, asked.room_id, sdk=asked.sdk)
    candidates = {label: Candidate.of(secret) for label, secret in tried.items()}
    return diagnosis.diagnose(asked.token, candidates, expected)


def _id(values: Mapping[str, object], field_name: str) -> str | None:
    if field_name not in values:
        return None
    value = values[field_name]
    if not isinstance(value, str):
        raise wrong_type(field_name, "a string", value)
    if len(value) > MAX_ID_LENGTH:
        detail = f"{field_name} has {len(value)} characters; at most {MAX_ID_LENGTH} are compared."
        raise Problem("invalid_identifier", detail, field=field_name)
    return value


def _app_id(values: Mapping[str, object]) -> int | None:
    if "app_id" not in values:
        return None
    value = values["app_id"]
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong_type("app_id", "a whole number", value)
    if abs(value) > MAX_APP_ID:
        detail = f"app_id is compared up to {MAX_APP_ID}; ZEGO's have 32 bits."
        raise Problem("invalid_identifier", detail, field="app_id")
    return value


def _sdk(values: Mapping[str, object]) -> Sdk | None:
    if "sdk" not in values:
        return None
    value = values["sdk"]
    if not isinstance(value, str):
        raise wrong_type("sdk", "a string", value)
    if value not in SDKS:
        raise Problem("invalid_sdk", f"sdk is {', '.join(SDKS[:-1])} or {SDKS[-1]}.", field="sdk")
    return value
