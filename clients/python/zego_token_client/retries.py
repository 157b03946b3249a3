"""Retries a call with exponential backoff.

The wait before attempt ``n + 1`` is drawn evenly from 0 to ``0.2 * 2**(n - 1)`` seconds, at most 5
("full jitter"), plus the seconds in ``Retry-After``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, TypeVar

from zego_token_client.errors import TokenServiceError

T = TypeVar("T")

_FIRST_SECONDS: Final = 0.2
_LONGEST_SECONDS: Final = 5.0
_LONGEST_RETRY_AFTER_SECONDS: Final = 3600
_MOST_ATTEMPTS: Final = 100
_LONGEST_PATIENCE_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class Retries:
    """The number of attempts of a call, and the time for them.

    The fields are those of :class:`.client.TokenClient`; ``seconds`` is its ``patience_seconds``.
    """

    attempts: int
    seconds: float
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]

    def __post_init__(self) -> None:
        if type(self.attempts) is not int or not 1 <= self.attempts <= _MOST_ATTEMPTS:
            raise ValueError(f"attempts must be a whole number from 1 to {_MOST_ATTEMPTS}")
        if not is_number(self.seconds) or not 0 <= self.seconds <= _LONGEST_PATIENCE_SECONDS:
            raise ValueError(f"patience_seconds must be from 0 to {_LONGEST_PATIENCE_SECONDS}")

    def run(self, attempt: Callable[[], T]) -> T:
        """Return the result of the first attempt that succeeds.

        :raises TokenServiceError: the last attempt failed, or an error is not retryable.
        """
        give_up_at = self.clock() + self.seconds
        number = 1
        while True:
            try:
                return attempt()
            except TokenServiceError as error:
                wait = self._wait(number) + (error.retry_after_seconds or 0)
                late = self.clock() + wait > give_up_at
                if not error.retryable or number == self.attempts or late:
                    raise
            self.sleep(wait)
            number += 1

    def _wait(self, number: int) -> float:
        return self.random() * min(_LONGEST_SECONDS, _FIRST_SECONDS * 2.0 ** (number - 1))


def is_number(value: object) -> bool:
    """Whether a setting is a number. ``True`` is not one."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def retry_after_seconds(headers: Mapping[str, str]) -> int | None:
    """Return the seconds in ``Retry-After``, at most 3600; ``None`` if it is missing or invalid.

    The header contains seconds or a date (RFC 9110, 10.2.3). A date is compared with the ``Date``
    of the same response, so that this machine's clock does not matter.
    """
    value = headers.get("retry-after", "")
    if value.isascii() and value.isdigit():
        seconds = int(value[:9])
    else:
        try:
            wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
        except (TypeError, ValueError, OverflowError):
            return None
        seconds = max(0, round(wait.total_seconds()))
    return min(seconds, _LONGEST_RETRY_AFTER_SECONDS)
