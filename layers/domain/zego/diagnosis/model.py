"""What goes into a diagnosis, and what comes out of it.

In: the secrets to try (:class:`TriedSecret`) and what was expected (:class:`Expected`). Out: a
:class:`Diagnosis` of :class:`Finding`. Between them the steps pass each other
:class:`Observation`, a finding that has no words yet.
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

#: Characters of what a text leaves open, such as an id that was expected.
_LONGEST_DETAIL: Final = 200
#: Claims are flat, and a payload that is an object has three levels.
_LEVELS: Final = 8
#: The finding per label of a secret that is not the current one. Other labels give none.
_NOT_CURRENT: Final[Mapping[str, str]] = {
    "AWSPREVIOUS": "made-with-previous",
    "AWSPENDING": "made-with-staged",
    "CANDIDATE": "made-with-staged",
}


@dataclass(frozen=True, slots=True)
class TriedSecret:
    """A secret that may have sealed the token, as it was given: its shape may be what is wrong.

    :ivar app_id: of the project that it is for, where that is known.
    """

    value: str = field(repr=False)
    app_id: int | None = None

    @classmethod
    def of(cls, secret: ServerSecret) -> TriedSecret:
        """One that is known to have the right shape."""
        return cls(secret.value, secret.app_id)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token was to be good for. Only ``now`` has to be known.

    :ivar now: Unix seconds.
    :ivar app_id: with which the client makes its SDK's engine.
    :ivar user_id: with which it logs in.
    :ivar room_id: which it logs in to.
    :ivar publish: whether it publishes a stream there.
    :ivar sdk: ``native`` is the Express SDK of phones and desktops, ``zim`` the chat SDK.
    """

    now: float
    app_id: int | None = None
    user_id: str | None = None
    room_id: str | None = None
    publish: bool | None = None
    sdk: Sdk | None = None

    def concerns(self, *sdks: Sdk) -> bool:
        """Whether one of these SDKs may be meant."""
        return self.sdk is None or self.sdk in sdks


@dataclass(frozen=True, slots=True)
class Observation:
    """A finding before it is put into words.

    :ivar details: what the texts of its kind leave open; safe to show.
    :ivar severity: in place of the kind's own.
    """

    kind: str
    details: Mapping[str, object]
    severity: FindingSeverity | None = None


def found(kind: str, severity: FindingSeverity | None = None, /, **details: object) -> Observation:
    """One of :data:`KINDS`, with what its texts leave open."""
    return Observation(kind, details, severity)


@dataclass(frozen=True, slots=True, repr=False)
class OpenedToken:
    """A token that a secret opened.

    :ivar label: of that secret.
    :ivar app_id: of that secret, if it is known.
    :ivar content: the sealed JSON; ``None`` if something else is sealed.
    :ivar is_json: whether ``content`` was read.
    """

    label: str
    app_id: int | None
    content: Any
    is_json: bool


def wrong_label(label: str) -> Iterator[Observation]:
    """What is wrong with a token that the secret with this label opens."""
    if label in _NOT_CURRENT:
        yield found(_NOT_CURRENT[label], label=label)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a token, or good to know of it. Holds no token and no secret.

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
        """Put it into words, for one SDK where that is known."""
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
        """As plain JSON values."""
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
    :ivar cipher: ``None`` where it has no envelope that can be read.
    :ivar header_expires_at: the expiry that is readable without the secret, Unix seconds.
    :ivar opened_by: the label of the secret that opens it.
    :ivar claims: what was sealed, as it stands there; ``None`` where no secret opens it.
    """

    findings: tuple[Finding, ...]
    form: TokenForm
    cipher: Cipher | None = None
    header_expires_at: int | None = None
    opened_by: str | None = None
    claims: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def verdict(self) -> TokenVerdict:
        """``unknown``: nothing that can be seen is wrong, but it was not opened."""
        if any(finding.severity == "refused" for finding in self.findings):
            return "refused"
        return "unknown" if self.claims is None else "good"

    def document(self) -> dict[str, Any]:
        """As plain JSON values, which UTF-8 can hold."""
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
    """A detail as a text that can be printed, and is no longer than a line."""
    text = _encodable(str(detail))
    return text if len(text) <= _LONGEST_DETAIL else f"{text[:_LONGEST_DETAIL]}..."


def _plain(value: Any, levels: int = _LEVELS) -> Any:
    """The same value. In place of what JSON or UTF-8 cannot hold there is text: ``"inf"``,
    ``"\\\\ud800"``; in place of what is nested deeper than anything of ZEGO's, ``"..."``.
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
    """The same text, with halves of surrogate pairs written as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
