"""What was found of each token, as data: ``document()`` is what ``--json`` prints."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from ops.errors import ExitCode
from ops.inspect.candidates import Candidates
from ops.inspect.tokens import Token
from ops.output import Output
from zego.diagnosis import Diagnosis, Expected, diagnose

_EXIT_CODES: Final = {
    "good": ExitCode.DONE,
    "unknown": ExitCode.UNDECIDED,
    "refused": ExitCode.REFUSED,
}
#: The first of these that any token has is the command's.
_PRECEDENCE: Final = (ExitCode.REFUSED, ExitCode.UNDECIDED, ExitCode.DONE)


@dataclass(frozen=True, slots=True)
class Inspection:
    """One token, and what was found.

    :ivar at: the moment that it was looked at for, Unix seconds.
    """

    token: Token
    diagnosis: Diagnosis
    candidates: Candidates
    at: float

    @property
    def secret_fingerprint(self) -> str | None:
        """Of the secret that opens it, as it stands; ``None``: none does, or it is misshapen."""
        label, claims = self.diagnosis.opened_by, self.diagnosis.claims
        if label is None:
            return None
        return self.candidates.fingerprint(label, (claims or {}).get("app_id"))

    @property
    def exit_code(self) -> ExitCode:
        return _EXIT_CODES[self.diagnosis.verdict]

    def document(self) -> dict[str, Any]:
        token = self.token
        return {
            "line": token.line,
            "token_sha256": token.sha256,
            "length": len(token.text),
            **self.diagnosis.document(),
            "secret_fingerprint": self.secret_fingerprint,
            "secrets_tried": list(self.candidates.secrets),
            "secret_problems": dict(self.candidates.problems),
        }


def inspect(
    out: Output,
    tokens: Iterable[Token],
    candidates: Candidates,
    expected: Expected,
    *,
    clock: Callable[[], float] | None = time.time,
) -> ExitCode:
    """Say of each token what was found, as it comes in; gives the exit code of all together.

    :param clock: ``None``: all are looked at for the moment that ``expected`` has.
    """
    codes = set[ExitCode]()

    def inspections() -> Iterator[Inspection]:
        for token in tokens:
            for_it = expected if clock is None else replace(expected, now=clock())
            diagnosis = diagnose(token.text, candidates.secrets, for_it)
            inspection = Inspection(token, diagnosis, candidates, for_it.now)
            codes.add(inspection.exit_code)
            yield inspection

    if out.as_json:
        for inspection in inspections():
            out.tell("inspection", "", **inspection.document())
    else:
        from ops.inspect import screen  # noqa: PLC0415  slow

        screen.show(out, inspections())
    return next(code for code in _PRECEDENCE if code in codes)
