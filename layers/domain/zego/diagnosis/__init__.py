"""Why a token is refused, or would be: from its text to findings, the most decisive first.

:func:`diagnose` is for callers who hold the secrets: it tries them in every way that it knows. It
takes all that it needs as arguments, the time and the secrets too, and raises nothing::

    diagnosis = diagnose(text, {"AWSCURRENT": Candidate.of(secret)}, Expected(now=time.time()))
    diagnosis.verdict      # "refused"
    diagnosis.findings[0]  # kind "jwt", the codes a client shows, cause, remedy

A diagnosis has three steps. :mod:`.text` recognises what the text is: :mod:`.stand_ins` and
:mod:`.lookalikes` have what is no Token04; :mod:`.wrapping`, :mod:`.escapes` and :mod:`.envelopes`
undo what happened to one. :mod:`.sealing` opens it. :mod:`.examination` puts the findings together:
:mod:`.claims`, :mod:`.payload` and :mod:`.kit_token` have those on what was sealed. :data:`KINDS`
has every kind of finding, in the order of precedence.

A service that diagnoses tokens for callers without the secrets takes the same steps with
:mod:`.verified` in place of :mod:`.sealing`, and never calls :func:`diagnose`.
"""

from __future__ import annotations

from collections.abc import Mapping

from zego.diagnosis import sealing, text
from zego.diagnosis.examination import examine
from zego.diagnosis.findings import Candidate, Diagnosis, Expected, Finding, Sdk
from zego.diagnosis.kinds import KINDS, Kind, Severity

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


def diagnose(token: str, secrets: Mapping[str, Candidate], expected: Expected) -> Diagnosis:
    """Say why a text that was, or will be, used as a token is refused, with secrets at hand.

    :param secrets: by label (AWSCURRENT, AWSPREVIOUS or any other name), in the order in which to
        try them; without one, all is said that can be known without one.
    """
    reading = text.read(token)
    if reading.envelope is None:
        return examine(reading, None, sealing.wrong_shapes(secrets), expected)
    opened, about_seal = sealing.open_with(reading.envelope, secrets)
    return examine(reading, opened, about_seal, expected)
