"""A check, its results, and the function that runs all checks independently."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Final, Generic, Literal, TypeVar

from ops.errors import CommandError, ExitCode, explain

#: What a command checks, such as a deployment.
Subject = TypeVar("Subject")
Group = Literal[
    "AWS",
    "The secret",
    "Shared keys",
    "Incoming calls",
    "ZEGO",
    "The issuer",
    "A token",
    "Must be refused",
    "Files",
    "Settings",
    "The stack",
    "Alarms",
    "Tools",
]
#: ``note``: good to know, and not a problem.
CheckStatus = Literal["ok", "warning", "failed", "skipped", "note"]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found. Contains no value of a secret and no token.

    :ivar seen: what the check saw; for a skipped check, why it was skipped.
    :ivar remedy: what to do; empty if there is nothing to do, or the check's own remedy applies.
    :ivar of: the label, file, identity or origin that it is about, if the check has several.
    """

    status: CheckStatus
    seen: str
    remedy: str = ""
    of: str = ""


class CannotCheckError(Exception):
    """Ends a check as skipped, for instance because a permission is missing.

    :ivar remedy: what to do so that it can be checked.
    """

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Check(Generic[Subject]):
    """A question about a subject, and the function that checks it.

    :ivar name: shown to users and in ``--json``.
    :ivar group: its heading.
    :ivar run: yields the results; none if there is nothing to check.
    :ivar remedy: what to do if the check fails and the result has no remedy.
    :ivar needs: earlier checks; if one of them fails, this one is skipped.
    """

    name: str
    group: Group
    question: str
    run: Callable[[Subject], Iterable[CheckResult]]
    remedy: str
    needs: tuple[str, ...] = ()


def check(
    question: str, *, remedy: str = "", needs: tuple[str, ...] = ()
) -> Callable[[Callable[[Subject], Iterable[CheckResult]]], Check[Subject]]:
    """Turn a function into a :class:`Check` with its name, in the group of its module."""
    return lambda run: Check(
        run.__name__.replace("_", "-"),
        _GROUPS[run.__module__.rpartition(".")[2]],
        question,
        run,
        remedy,
        needs,
    )


#: By the module that contains the checks.
_GROUPS: Final[Mapping[str, Group]] = {
    "aws": "AWS",
    "secret": "The secret",
    "shared_keys": "Shared keys",
    "incoming_calls": "Incoming calls",
    "zego": "ZEGO",
    "issuer": "The issuer",
    "token": "A token",
    "refusals": "Must be refused",
    "env_files": "Files",
    "settings": "Settings",
    "stack": "The stack",
    "alarms": "Alarms",
    "tools": "Tools",
}


def checks_of(*modules: ModuleType) -> tuple[Check[Any], ...]:
    """The checks of some modules, in their order."""
    found = (one for module in modules for one in vars(module).values())
    return tuple(one for one in found if isinstance(one, Check))


def examine(
    subject: Subject, checks: Iterable[Check[Subject]]
) -> Iterator[tuple[Check[Subject], CheckResult]]:
    """Run every check, and yield each result at once.

    A check that raises an error has failed. The others still run, except those that need it.

    :raises CommandError: the command line is wrong.
    """
    lacking: dict[str, str] = {}
    for one in checks:
        reason = next((lacking[need] for need in one.needs if need in lacking), None)
        results = (
            _made(one, subject) if reason is None else (CheckResult("skipped", f"needs {reason}"),)
        )
        for result in results:
            if result.status in {"failed", "skipped"}:
                lacking.setdefault(one.name, reason or one.name)
            yield one, result


def _made(one: Check[Subject], subject: Subject) -> Iterator[CheckResult]:
    try:
        for result in one.run(subject):
            is_well = result.status not in {"failed", "warning"}
            yield replace(result, remedy=result.remedy or ("" if is_well else one.remedy))
    except CannotCheckError as error:
        yield CheckResult("skipped", str(error), error.remedy)
    except Exception as error:  # its text could contain anything
        failure = explain(error)
        if isinstance(error, CommandError) and failure.exit_code is ExitCode.USAGE:
            raise
        yield CheckResult("failed", failure.message, failure.remedy or one.remedy)
