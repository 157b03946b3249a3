"""Why a token is refused, or would be: from its text to findings, the most decisive first.

:func:`diagnose` is given all that it needs, the time and the secrets too. It says what it sees in
any text, and raises nothing::

    diagnosis = diagnose(text, {"AWSCURRENT": Candidate.of(secret)}, Expected(now=time.time()))
    diagnosis.verdict      # "refused"
    diagnosis.findings[0]  # kind "jwt", the codes a client shows, cause, remedy

:mod:`.text` recognises what the text is: :mod:`.stand_ins` and :mod:`.lookalikes` have what is no
Token04; :mod:`.wrapping`, :mod:`.escapes` and :mod:`.envelopes` undo what happened to one.
:mod:`.sealing` tries the secrets; :mod:`.claims`, :mod:`.payload` and :mod:`.kit_token` look at
what was sealed. :data:`KINDS` has every kind of finding, in the order of precedence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from zego.diagnosis import claims, kit_token, payload, sealing, text
from zego.diagnosis.findings import Candidate, Diagnosis, Expected, Finding, Found, Sdk, found
from zego.diagnosis.kinds import KINDS, Kind, Severity
from zego.token04 import Envelope

__all__ = [
    "KINDS",
    "Candidate",
    "Diagnosis",
    "Expected",
    "Finding",
    "Kind",
    "Sdk",
    "Severity",
    "diagnose",
]

_SEVERITIES: Final[tuple[Severity, ...]] = ("refused", "warning", "note")
_PRECEDENCE: Final = {kind: number for number, kind in enumerate(KINDS)}
_HEX_DIGITS: Final = frozenset(b"0123456789abcdefABCDEF")


def diagnose(token: str, secrets: Mapping[str, Candidate], expected: Expected) -> Diagnosis:
    """Look at a text that was, or is to be, used as a token.

    :param secrets: by label (AWSCURRENT, AWSPREVIOUS or a name of one's own), in the order in
        which to try them; without one, all is said that can be known without one.
    """
    reading = text.read(token)
    problems = list(reading.problems)
    if expected.sdk == "uikit":
        problems = _for_uikit(reading)
    if reading.envelope is not None:
        return _of_envelope(reading, reading.envelope, problems, secrets, expected)
    problems += sealing.wrong_shapes(secrets)
    if reading.header_expires_at is not None:
        problems += claims.readable_expiry(reading.header_expires_at, expected)
    return Diagnosis(
        _in_order(problems, expected.sdk),
        reading.form,
        header_expires_at=reading.header_expires_at,
    )


def _for_uikit(reading: text.Reading) -> list[Found]:
    """What is wrong where a kit token is wanted."""
    problems = [one for one in reading.problems if one.kind != "kit-token"]
    if reading.form == "token04":
        problems.append(found("kit-details-missing"))
    return problems


def _of_envelope(
    reading: text.Reading,
    envelope: Envelope,
    problems: list[Found],
    secrets: Mapping[str, Candidate],
    expected: Expected,
) -> Diagnosis:
    problems += _weak_iv(envelope)
    opened, seal_problems = sealing.open_with(envelope, secrets)
    problems += seal_problems
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
    """The most decisive first, and of each kind the most severe alone."""
    findings = sorted(
        (Finding.of(problem, sdk) for problem in problems),
        key=lambda one: (_SEVERITIES.index(one.severity), _PRECEDENCE[one.kind]),
    )
    by_kind: dict[str, Finding] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, finding)
    return tuple(by_kind.values())
