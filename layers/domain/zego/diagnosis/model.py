"""The input and the result of a diagnosis.

Input: the secrets to try (:class:`TriedSecret`) and what was expected (:class:`Expected`). Result:
a :class:`Diagnosis` with its :class:`Finding` objects. Its steps pass each other an
:class:`Observation`, a finding without its texts yet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from zego.diagnosis.kinds import KINDS, FindingSeverity, SdkFamily
from zego.server_secret import ServerSecret
from zego.token04 import Cipher

Sdk = Literal["web", "native", "zim", "uikit"]
TokenForm = Literal["token04", "kit-token", "jwt", "older-token", "other"]
TokenVerdict = Literal["good", "refused", "unknown"]

#: Characters of a detail that is filled into a text, such as an id that was expected.
_LONGEST_DETAIL: Final = 200
#: Enough: claims are flat, and a payload that is an object has three levels.
_LEVELS: Final = 8
#: The finding for each label of a secret that is not the current one. Other labels have none.
_NOT_CURRENT: Final[Mapping[str, str]] = {
    "AWSPREVIOUS": "made-with-previous",
    "AWSPENDING": "made-with-staged",
    "CANDIDATE": "made-with-staged",
}
#: The labels of a project's two other secrets, which some generators use as the ServerSecret.
APP_SIGN: Final = "AppSign"
CALLBACK_SECRET: Final = "CallbackSecret"  # noqa: S105  a label


@dataclass(frozen=True, slots=True)
class TriedSecret:
    """A secret that may have sealed the token, exactly as given: its shape may be the mistake.

    :ivar app_id: of the project that it belongs to, if that is known.
    """

    value: str = field(repr=False)
    app_id: int | None = None

    @classmethod
    def of(cls, secret: ServerSecret) -> TriedSecret:
        """A secret that is known to have the right shape."""
        return cls(secret.value, secret.app_id)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token should allow. Only ``now`` is required.

    :ivar now: Unix seconds.
    :ivar app_id: the AppID that the client gives the SDK.
    :ivar user_id: the user id that it logs in with.
    :ivar room_id: the room that it logs in to.
    :ivar publish: whether it publishes a stream in the room.
    :ivar sdk: ``native`` is the Express SDK of phones and desktops, ``zim`` the chat SDK.
    """

    now: float
    app_id: int | None = None
    user_id: str | None = None
    room_id: str | None = None
    publish: bool | None = None
    sdk: Sdk | None = None

    def concerns(self, *sdks: Sdk) -> bool:
        """Whether the client may use one of these SDKs."""
        return self.sdk is None or self.sdk in sdks


@dataclass(frozen=True, slots=True)
class Observation:
    """A finding before it has its texts.

    :ivar details: the values for the names in braces in its kind's texts; safe to show.
    :ivar severity: overrides the kind's severity.
    """

    kind: str
    details: Mapping[str, object]
    severity: FindingSeverity | None = None


def found(kind: str, severity: FindingSeverity | None = None, /, **details: object) -> Observation:
    """An observation of one of :data:`KINDS`, with the values for its texts."""
    return Observation(kind, details, severity)


@dataclass(frozen=True, slots=True, repr=False)
class OpenedToken:
    """A token that a secret opened.

    :ivar label: the secret's label.
    :ivar app_id: the secret's AppID, if it is known.
    :ivar content: the sealed claims, under ZEGO's names; ``None`` if they are not readable.
    :ivar problems: how the sealed bytes differ from a JSON object as ZEGO takes it.
    """

    label: str
    app_id: int | None
    content: Mapping[str, Any] | None
    problems: tuple[Observation, ...] = ()


def wrong_label(label: str) -> Iterator[Observation]:
    """What is wrong with a token because the secret with this label opens it."""
    if label in _NOT_CURRENT:
        yield found(_NOT_CURRENT[label], label=label)


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of a token, or a fact that is good to know. Contains no token and no secret.

    :ivar kind: a key of :data:`KINDS`.
    :ivar codes: what each SDK that refuses it shows, in the order in which it shows them.
    """

    kind: str
    severity: FindingSeverity
    codes: Mapping[Sdk, tuple[int, ...]]
    cause: str
    remedy: str

    @classmethod
    def of(cls, one: Observation, sdk: Sdk | None) -> Finding:
        """Fill in the texts of an observation, for one SDK if that is known."""
        kind = KINDS[one.kind]
        codes: dict[Sdk, tuple[int, ...]] = dict(kind.codes.items())
        severity = one.severity or kind.severity
        if sdk is not None:
            family: SdkFamily = "web" if sdk == "uikit" else sdk
            refused = family in kind.codes
            codes = {sdk: kind.codes[family]} if refused else {}
            if refused and one.severity is None:
                severity = "refused"
        details = {name: _shown(value) for name, value in one.details.items()}
        cause, remedy = (text.format_map(details) for text in (kind.cause, kind.remedy))
        return cls(one.kind, severity, codes, cause, remedy)

    def document(self) -> dict[str, Any]:
        """The finding as plain JSON values."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "codes": {sdk: list(codes) for sdk, codes in self.codes.items()},
            "cause": self.cause,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is known of a token.

    :ivar findings: the most decisive first: what is refused, then warnings, then notes.
    :ivar form: what the text is.
    :ivar cipher: ``None`` if it has no readable envelope.
    :ivar header_expires_at: the expiry that is readable without the secret, Unix seconds.
    :ivar opened_by: the label of the secret that opens it.
    :ivar claims: the sealed claims, unchanged; ``None`` if no secret opens the token.
    """

    findings: tuple[Finding, ...]
    form: TokenForm
    cipher: Cipher | None = None
    header_expires_at: int | None = None
    opened_by: str | None = None
    claims: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def verdict(self) -> TokenVerdict:
        """``unknown``: the token was not opened, and what is readable without that is fine."""
        if any(finding.severity == "refused" for finding in self.findings):
            return "refused"
        return "unknown" if self.claims is None else "good"

    def document(self) -> dict[str, Any]:
        """The diagnosis as plain JSON values that UTF-8 can encode."""
        return {
            "verdict": self.verdict,
            "form": self.form,
            "cipher": self.cipher,
            "header_expires_at": self.header_expires_at,
            "opened_by": None if self.opened_by is None else _encodable(self.opened_by),
            "claims": None if self.claims is None else _plain(self.claims),
            "findings": [finding.document() for finding in self.findings],
        }


def _shown(detail: object) -> str:
    """A detail as printable text of limited length."""
    text = _encodable(str(detail))
    return text if len(text) <= _LONGEST_DETAIL else f"{text[:_LONGEST_DETAIL]}..."


def _plain(value: Any, levels: int = _LEVELS) -> Any:
    """The same value, but with text for what JSON or UTF-8 cannot encode: ``"inf"``,
    ``"\\\\ud800"``; and with ``"..."`` for what is nested deeper than anything that ZEGO uses.
    """
    if isinstance(value, str):
        return _encodable(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if not isinstance(value, dict | list):
        return value
    if levels == 0:
        return "..."
    if isinstance(value, list):
        return [_plain(one, levels - 1) for one in value]
    return {_encodable(name): _plain(one, levels - 1) for name, one in value.items()}


def _encodable(text: str) -> str:
    """The same text, with unpaired surrogates written as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
