"""Why a token is refused, or would be: from its text to findings, the most decisive first.

:func:`diagnose` is for callers who hold the secrets: it tries them in every way that it knows. It
takes all that it needs as arguments, the time and the secrets too, and raises nothing::

    diagnosis = diagnose(text, {"AWSCURRENT": TriedSecret.of(secret)}, Expected(now=time.time()))
    diagnosis.verdict      # "refused"
    diagnosis.findings[0]  # kind "jwt", the codes a client shows, cause, remedy

A diagnosis has three steps. :mod:`.recognise` says what the text is; :mod:`.repair` and
:mod:`.envelope` undo what happened to a Token04 on its way. :mod:`.secrets` finds the secret that
opens it. :mod:`.examination` puts the findings together; :mod:`.claims` has those on what was
sealed. :data:`KINDS` has every kind of finding, in the order of precedence.

A service that diagnoses tokens for callers without the secrets takes the same steps with
:mod:`.verified` in place of :mod:`.secrets`, and never calls :func:`diagnose`.
"""

from __future__ import annotations

from collections.abc import Mapping

from zego.diagnosis.examination import examine
from zego.diagnosis.kinds import KINDS, FindingKind, FindingSeverity
from zego.diagnosis.model import Diagnosis, Expected, Finding, Sdk, TriedSecret
from zego.diagnosis.recognise import recognise
from zego.diagnosis.secrets import open_with, wrong_shapes

__all__ = [
    "KINDS",
    "Diagnosis",
    "Expected",
    "Finding",
    "FindingKind",
    "FindingSeverity",
    "Sdk",
    "TriedSecret",
    "diagnose",
]


def diagnose(token: str, secrets: Mapping[str, TriedSecret], expected: Expected) -> Diagnosis:
    """Say why a text that was, or will be, used as a token is refused, with secrets at hand.

    :param secrets: by label (AWSCURRENT, AWSPREVIOUS or any other name), in the order in which to
        try them; without one, all is said that can be known without one.
    """
    text = recognise(token)
    if text.envelope is None:
        return examine(text, None, wrong_shapes(secrets), expected)
    opened, about_seal = open_with(text.envelope, secrets)
    return examine(text, opened, about_seal, expected)
