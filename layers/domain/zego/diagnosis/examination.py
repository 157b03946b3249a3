"""Makes the diagnosis from what a text is and what was opened of it. Uses no secret."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from zego.diagnosis import claims, kit_token, payload
from zego.diagnosis.findings import Diagnosis, Expected, Finding, Found, Sdk, found
from zego.diagnosis.kinds import KINDS, Severity
from zego.diagnosis.text import Reading
from zego.diagnosis.verified import Opened
from zego.token04 import Envelope

_SEVERITIES: Final[tuple[Severity, ...]] = ("refused", "warning", "note")
_PRECEDENCE: Final = {kind: number for number, kind in enumerate(KINDS)}
_HEX_DIGITS: Final = frozenset(b"0123456789abcdefABCDEF")


def examine(
    reading: Reading, opened: Opened | None, about_seal: Iterable[Found], expected: Expected
) -> Diagnosis:
    """Put together all findings on a text, the most decisive first.

    :param opened: the token in the text; ``None`` if no secret opened it.
    :param about_seal: the findings on its seal and on the secrets that were tried.
    """
    problems = list(reading.problems)
    if expected.sdk == "uikit":
        problems = _for_uikit(reading)
    problems += about_seal
    if reading.envelope is not None:
        return _of_envelope(reading, reading.envelope, opened, problems, expected)
    if reading.header_expires_at is not None:
        problems += claims.readable_expiry(reading.header_expires_at, expected)
    return Diagnosis(
        _in_order(problems, expected.sdk),
        reading.form,
        header_expires_at=reading.header_expires_at,
    )


def _for_uikit(reading: Reading) -> list[Found]:
    """The problems of a text if a kit token is expected."""
    problems = [one for one in reading.problems if one.kind != "kit-token"]
    if reading.form == "token04":
        problems.append(found("kit-details-missing"))
    return problems


def _of_envelope(
    reading: Reading,
    envelope: Envelope,
    opened: Opened | None,
    problems: list[Found],
    expected: Expected,
) -> Diagnosis:
    problems += _weak_iv(envelope)
    sealed: dict[str, Any] | None = None
    if opened is None:
        problems += claims.readable_expiry(envelope.expires_at, expected)
    else:
        problems += claims.about(opened, envelope, expected)
        content = opened.content if isinstance(opened.content, dict) else {}
        sealed = {name: content[name] for name in claims.NAMES if name in content}
        if "payload" in sealed:
            problems += payload.about(sealed["payload"], expected)
    if reading.kit_details is not None:
        problems += kit_token.about(reading.kit_details, sealed, expected)
    return Diagnosis(
        _in_order(problems, expected.sdk),
        reading.form,
        envelope.cipher,
        envelope.expires_at,
        None if opened is None else opened.label,
        sealed,
    )


def _weak_iv(envelope: Envelope) -> list[Found]:
    iv = envelope.iv
    if not any(iv):
        return [found("weak-iv", what="all zeros", size=len(iv))]
    if set(iv) <= _HEX_DIGITS:
        return [found("weak-iv", what="made of hexadecimal digits alone", size=len(iv))]
    return []


def _in_order(problems: Iterable[Found], sdk: Sdk | None) -> tuple[Finding, ...]:
    """The most decisive first; if a kind is found twice, the more severe one."""
    findings = sorted(
        (Finding.of(problem, sdk) for problem in problems),
        key=lambda one: (_SEVERITIES.index(one.severity), _PRECEDENCE[one.kind]),
    )
    by_kind: dict[str, Finding] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, finding)
    return tuple(by_kind.values())
