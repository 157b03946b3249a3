"""Whether a token explains the codes that a client showed.

A finding explains its codes. It may also explain a code for which ZEGO publishes no check, if the
app sees both as the same code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import click

from ops.explain import named
from zego.diagnosis.kinds import KINDS
from zego.diagnosis.model import Diagnosis, Finding, Sdk
from zego.error_codes import near, resolve
from zego.error_codes.code import ErrorCode

#: ``not-opened``: what is readable without the secret does not explain it.
SeenCodeStatus = Literal[
    "explained", "may-be-explained", "not-explained", "not-opened", "other-sdk", "not-about-token"
]

#: No code has more.
_DIGITS: Final = re.compile(r"[0-9]{1,12}")
#: The codes of all kinds of findings.
_OF_FINDINGS: Final = {
    code for kind in KINDS.values() for codes in kind.codes.values() for code in codes
}
#: Other codes that a finding may explain, each with a code of that finding.
_RELATED: Final[Mapping[int, int]] = {1002056: 1002078, 6000101: 6000103}


@dataclass(frozen=True, slots=True)
class SeenCode:
    """A code that a client showed.

    :ivar given: as it was passed; in telemetry, it is not the known code.
    """

    given: int
    known: ErrorCode

    def __str__(self) -> str:
        code = self.known.code
        return str(code) if self.given == code else f"{self.given} ({code})"


class SeenCodeType(click.ParamType[SeenCode]):
    """A known code, also as telemetry shows it."""

    name = "code"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> SeenCode:
        if isinstance(value, SeenCode):
            return value
        if not _DIGITS.fullmatch(value):
            self.fail(f"{value!r} is not a code: pass only its digits.", param, ctx)
        given = int(value)
        if (known := resolve(given)) is None:
            similar = ", ".join(str(meant.code) for meant in near(given))
            more = (
                f"Similar codes: {similar}." if similar else "To list all: zego-token explain --all"
            )
            self.fail(f"{given} is unknown. {more}", param, ctx)
        return SeenCode(given, known)


@dataclass(frozen=True, slots=True)
class CodeExplanation:
    """Whether a token explains a code.

    :ivar explained_by: the kinds of the findings that explain it, or may do so.
    :ivar explanation: the same as text.
    :ivar causes: of the code, the most likely first; empty if none of them helps.
    """

    seen: SeenCode
    status: SeenCodeStatus
    explained_by: tuple[str, ...]
    explanation: str
    causes: tuple[str, ...] = ()

    @classmethod
    def of(cls, seen: SeenCode, diagnosis: Diagnosis, sdk: Sdk | None) -> CodeExplanation:
        """:param sdk: the SDK that the client uses; ``None``: unknown."""
        known, not_explained = seen.known, f"This token does not explain {seen}"
        is_of_sdk = sdk is None or ("web" if sdk == "uikit" else sdk) in known.platforms
        if is_of_sdk and (explaining := _explaining(known, diagnosis)):
            first, kinds = explaining[0], tuple(finding.kind for finding in explaining)
            is_first = first is diagnosis.findings[0]
            which = "the first finding." if is_first else f"this finding: {first.cause}"
            if known.code in _OF_FINDINGS:
                return cls(seen, "explained", kinds, f"{seen} is what ZEGO shows for {which}")
            return cls(
                seen, "may-be-explained", kinds, f"{seen} may be what ZEGO shows for {which}"
            )
        if not known.is_about_token:
            why = f"{not_explained}: no token causes it. {known.meaning}"
            return cls(seen, "not-about-token", (), why, known.causes)
        if not is_of_sdk:
            why = f"{not_explained}: --sdk is {sdk}, and only others show it"
            return cls(seen, "other-sdk", (), f"{why} ({named(known.platforms)}).")
        if diagnosis.cipher is not None and diagnosis.claims is None:
            why = f"What is readable without the secret does not explain {seen}."
            return cls(seen, "not-opened", (), why, known.causes)
        why = f"{not_explained}. Check that the client used exactly this token."
        return cls(seen, "not-explained", (), why, known.causes)

    def document(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "given": self.seen.given,
            "code": self.seen.known.code,
            "status": self.status,
            "explained_by": list(self.explained_by),
            "explanation": self.explanation,
            "causes": list(self.causes),
        }


def _explaining(known: ErrorCode, diagnosis: Diagnosis) -> list[Finding]:
    """The findings that have a code, or that may have it."""
    code: int | None = known.code
    if code not in _OF_FINDINGS:
        code = _RELATED.get(known.code, known.shown_as)
    return [
        finding
        for finding in diagnosis.findings
        if any(code in codes for codes in KINDS[finding.kind].codes.values())
    ]
