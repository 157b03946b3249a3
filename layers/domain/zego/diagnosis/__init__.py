"""Explains why ZEGO refuses a token, or would: from its text to findings, most decisive first.

A diagnosis has three steps:

1. :mod:`.recognise` finds out what the text is; :mod:`.repair` and :mod:`.envelope` undo what
   happened to a Token04 on its way.
2. :mod:`.secrets` finds the secret that opens the token, for callers who have the secrets;
   :mod:`.generators` the mistakes of the code that made it. For callers without secrets, a service
   uses :mod:`.verified` instead. :mod:`.plaintext` reads what was sealed.
3. :func:`examine` puts the findings together; :mod:`.claims` has those about the content.

:mod:`.kinds` has every kind of finding, in order of precedence. This package itself imports nothing
that can open a token.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from zego.diagnosis import claims
from zego.diagnosis.kinds import KINDS, FindingSeverity
from zego.diagnosis.model import Diagnosis, Expected, Finding, Observation, OpenedToken, Sdk, found
from zego.diagnosis.plaintext import NAMES
from zego.diagnosis.recognise import TokenText
from zego.token04 import Envelope

_SEVERITIES: Final[tuple[FindingSeverity, ...]] = ("refused", "warning", "note")
_PRECEDENCE: Final = {kind: number for number, kind in enumerate(KINDS)}
_HEX_DIGITS: Final = frozenset(b"0123456789abcdefABCDEF")


def examine(
    text: TokenText,
    opened: OpenedToken | None,
    about_seal: Iterable[Observation],
    expected: Expected,
) -> Diagnosis:
    """Combine all findings about a text, the most decisive first.

    :param opened: the token in the text; ``None`` if no secret opened it.
    :param about_seal: the findings about its seal and about the secrets that were tried.
    """
    problems = list(text.problems)
    if expected.sdk == "uikit":
        problems = _for_uikit(text)
    problems += about_seal
    envelope = text.envelope
    sealed: dict[str, Any] | None = None
    if envelope is not None:
        problems += _weak_iv(envelope)
    if opened is not None:
        problems += claims.about_claims(opened, text.header_expires_at, expected)
        content = opened.content or {}
        sealed = {name: content[name] for name in NAMES if name in content}
        if "payload" in sealed:
            problems += claims.about_payload(sealed["payload"], expected)
    elif text.header_expires_at is not None:
        problems += claims.readable_expiry(text.header_expires_at, expected)
    if text.kit_details is not None:
        problems += claims.about_kit_details(text.kit_details, sealed, expected)
    return Diagnosis(
        _in_order(problems, expected.sdk),
        text.form,
        None if envelope is None else envelope.cipher,
        text.header_expires_at,
        None if opened is None else opened.label,
        sealed,
    )


def _for_uikit(text: TokenText) -> list[Observation]:
    """The problems of a text if UIKit is to accept it."""
    problems = [one for one in text.problems if one.kind != "kit-token"]
    if text.form == "token04":
        problems.append(found("kit-details-missing"))
    return problems


def _weak_iv(envelope: Envelope) -> list[Observation]:
    iv = envelope.iv
    if not iv:  # another one was used
        return []
    if not any(iv):
        return [found("weak-iv", what="all zeros", size=len(iv))]
    if set(iv) <= _HEX_DIGITS:
        return [found("weak-iv", what="made only of hexadecimal digits", size=len(iv))]
    return []


def _in_order(problems: Iterable[Observation], sdk: Sdk | None) -> tuple[Finding, ...]:
    """Sort findings, the most decisive first. Of two findings of a kind, keep the more severe."""
    findings = sorted(
        (Finding.of(problem, sdk) for problem in problems),
        key=lambda one: (_SEVERITIES.index(one.severity), _PRECEDENCE[one.kind]),
    )
    by_kind: dict[str, Finding] = {}
    for finding in findings:
        by_kind.setdefault(finding.kind, finding)
    return tuple(by_kind.values())
