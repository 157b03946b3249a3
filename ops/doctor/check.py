"""A check, what it can find, and how all of them are made, each by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from ops.errors import CommandError, ExitCode, explain

if TYPE_CHECKING:
    from ops.doctor.deployment import Deployment

#: ``note``: good to know, and nobody's fault.
Status = Literal["ok", "warning", "failed", "skipped", "note"]


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found. Holds no value of a secret and no token.

    :ivar seen: what it looks like; of what was not looked at, why not.
    :ivar remedy: what to do; empty where nothing is, or what the check says.
    :ivar of: which label, file, identity or origin it is about, where the check has several.
    """

    status: Status
    seen: str
    remedy: str = ""
    of: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One row of the list.

    :ivar name: for people, and for ``--json``.
    :ivar theme: the heading that it is under.
    :ivar asks: the question that it answers.
    :ivar look: gives its results; none where there is nothing to look at.
    :ivar remedy: what to do where it is not well and the result knows no better.
    :ivar needs: the checks before it without which it cannot be made.
    """

    name: str
    theme: str
    asks: str
    look: Callable[[Deployment], Iterable[Result]]
    remedy: str
    needs: tuple[str, ...] = ()


def examine(deployment: Deployment, checks: Sequence[Check]) -> Iterator[tuple[Check, Result]]:
    """Make every check, and give each result as it comes.

    What raises has failed, and does not keep the others from being made, but for those that need
    it.

    :raises CommandError: the command was not called as it should be.
    """
    lacking: dict[str, str] = {}
    for check in checks:
        reason = next((lacking[need] for need in check.needs if need in lacking), None)
        results = (
            _made(check, deployment) if reason is None else (Result("skipped", f"needs {reason}"),)
        )
        for result in results:
            if result.status in {"failed", "skipped"}:
                lacking.setdefault(check.name, check.name if reason is None else reason)
            yield check, result


def _made(check: Check, deployment: Deployment) -> Iterator[Result]:
    try:
        for result in check.look(deployment):
            is_well = result.status not in {"failed", "warning"}
            yield replace(result, remedy=result.remedy or ("" if is_well else check.remedy))
    except Exception as error:  # its text could hold anything
        failure = explain(error)
        if isinstance(error, CommandError) and failure.exit_code is ExitCode.USAGE:
            raise
        yield Result("failed", failure.message, failure.remedy or check.remedy)
