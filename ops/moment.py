"""The type of options that take a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

import click

#: From 1973 on: a shorter number is a year, or a date without dashes.
_SECONDS: Final = re.compile(r"[0-9]{9,11}(\.[0-9]{1,6})?")


class MomentType(click.ParamType[float]):
    """Unix seconds, or an ISO 8601 time, in UTC unless it has an offset."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        if _SECONDS.fullmatch(value):
            return float(value)
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(
                f"{value!r} is not a time: use 1767225600 or 2026-01-01T00:00:00Z.", param, ctx
            )
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
