"""Why a token is refused, or would be: from its text to findings, the most decisive first.

:func:`diagnose` is given all that it needs, the time and the secrets too. It says what it sees in
any text, and raises nothing::

    diagnosis = diagnose(text, {"AWSCURRENT": Candidate.of(secret)}, Expected(now=time.time()))
    diagnosis.verdict      # "refused"
    diagnosis.findings[0]  # kind "jwt", the codes a client shows, cause, remedy

:mod:`.text` recognises what the text is; :mod:`.wrapping` and :mod:`.envelopes` undo what happened
to a Token04 on its way; :mod:`.sealing` tries the secrets; :mod:`.claims` and :mod:`.payload` look
at what was sealed. :data:`KINDS` has every kind of finding, in the order of precedence.
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
    if reading.kit_details is None and reading.form == "token04" and expected.sdk == "uikit":
        problems.append(found("kit-details-missing"))
    if reading.form == "kit-token" and expected.sdk == "uikit":
        problems = [one for one in problems if one.kind != "kit-token"]
    if reading.envelope is None:
        problems += sealing.wrong_shapes(secrets)
        if reading.header_expires_at is not None:
            problems += claims.readable_expiry(reading.header_expires_at, expected)
        return Diagnosis(
            _in_order(problems, expected.sdk),
            reading.form,
            header_expires_at=reading.header_expires_at,
        )
    return _of_envelope(reading, reading.envelope, problems, secrets, expected)


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
    sealed: Mapping[str, Any] | None = None
    if opened is None:
        problems += claims.readable_expiry(envelope.expires_at, expected)
    else:
        problems += claims.about(opened, envelope, expected)
        if isinstance(opened.content, dict):
            sealed = {name: opened.content[name] for name in claims.NAMES if name in opened.content}
            if "payload" in sealed:
                problems += payload.about(sealed["payload"], expected)
            if reading.kit_details is not None:
                problems += kit_token.about(reading.kit_details, sealed)
    return Diagnosis(
        _in_order(problems, expected.sdk),
        reading.form,
        envelope.cipher,
        envelope.expires_at,
        None if opened is None else opened.label,
        {} if sealed is None and opened is not None else sealed,
    )


def _weak_iv(envelope: Envelope) -> list[Found]:
    iv = envelope.iv
    if not any(iv):
        return [found("weak-iv", what="all zeros", size=len(iv))]
    if set(iv) <= _HEX_DIGITS:
        return [found("weak-iv", what="made of hexadecimal digits alone", size=len(iv))]
    return []


def _in_order(problems: Iterable[Found], sdk: Sdk | None) -> tuple[Finding, ...]:
    """Each kind once, the most decisive first."""
    first: dict[str, Found] = {}
    for problem in problems:
        first.setdefault(problem.kind, problem)
    findings = [Finding.of(problem, sdk) for problem in first.values()]
    return tuple(
        sorted(findings, key=lambda one: (_SEVERITIES.index(one.severity), _PRECEDENCE[one.kind]))
    )
