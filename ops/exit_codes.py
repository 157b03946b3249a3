"""How a command can end: the table of ``zego-token --help`` and of ``docs/rotation.md``."""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """The exit code, with its meaning."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    DONE = 0, "done; and where something was looked at, all is well"
    REFUSED = 1, "refused: a value or a token, by the service or by ZEGO; or not all is well"
    USAGE = 2, "not called as --help says, or what was given cannot be read"
    UNDECIDED = (
        3,
        "undecided: ZEGO cannot say, a rotation has not ended, or not all could be read",
    )
    DRIFT = 4, "the targets do not have the same secret, or one cannot be read"
    AWS = 5, "AWS refused, was not reached, or has no rotation set up; the message says which"
    IN_FLIGHT = 6, "a rotation is in flight; apart from that, status found nothing wrong"
    BROKEN = 70, "zego-token itself failed"
    UNWRITTEN = 74, "the output cannot be written (a full disk); no change had begun"
    INTERRUPTED = 130, "ended by you: Ctrl-C (which ends watch with 0), or a no to what it asked"
    UNREAD = 141, "nobody reads the output any more (a closed pipe); no change had begun"
