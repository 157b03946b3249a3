"""Why a command ends early. :mod:`ops.explanations` puts what others raise into these words."""

from __future__ import annotations

from dataclasses import dataclass

from ops.exit_codes import ExitCode


@dataclass(frozen=True, slots=True)
class Failure:
    """Why, in words that say what to do. Holds no secret.

    :ivar remedy: what to do next; empty where the message says it.
    """

    message: str
    remedy: str
    exit_code: ExitCode


class CommandError(Exception):
    """The command ends here. The texts hold no secret."""

    def __init__(
        self, message: str, remedy: str = "", exit_code: ExitCode = ExitCode.REFUSED
    ) -> None:
        super().__init__(message)
        self.failure = Failure(message, remedy, exit_code)
