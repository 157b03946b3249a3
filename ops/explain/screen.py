"""What a person sees of codes, and what a program reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from ops.errors import ExitCode
from ops.output import BAD, QUIET, Output, line, wrapped
from zego.error_codes import CODES, TELEMETRY, ErrorCode, Platform, near, resolve

if TYPE_CHECKING:
    from rich.text import Text

_PLATFORMS: Final[Mapping[Platform, str]] = {
    "web": "web SDK",
    "native": "native SDKs",
    "zim": "ZIM",
    "server-api": "server API",
}
_SENTENCE_END: Final = re.compile(r"(?<=\.) (?=[A-Z])")


def show(out: Output, codes: Sequence[int]) -> ExitCode:
    """Each with its causes and remedy; of one that is not known, what may have been meant."""
    exit_code = ExitCode.DONE
    for number, code in enumerate(codes):
        known = resolve(code)
        if known is None:
            exit_code = ExitCode.REFUSED
            _tell_unknown(out, code)
        else:
            _tell(out, code, known)
        if out.as_json:
            continue
        if number:
            out.show("")
        width = out.width
        out.show(*(_not_known(code, width) if known is None else _in_full(code, known, width)))
    return exit_code


def show_all(out: Output, platform: Platform | None) -> None:
    """A line for each, those of the same platforms together."""
    listed = [known for known in CODES.values() if platform in (None, *known.platforms)]
    for platforms, group in groupby(listed, key=lambda known: known.platforms):
        codes = [*group]
        for known in codes:
            _tell(out, known.code, known)
        if not out.as_json:
            heading = line(_named(platforms), "bold")
            out.show(heading, *(_in_short(known, out.width) for known in codes), "")
    if not out.as_json:
        out.show(line("Causes and remedy of each: zego-token explain CODE", QUIET))


# --- For a program ----------------------------------------------------------------------------


def _tell(out: Output, code: int, known: ErrorCode) -> None:
    document: dict[str, Any] = {
        "given": code,
        "code": known.code,
        "platforms": list(known.platforms),
        "name": known.name,
        "meaning": known.meaning,
        "causes": list(known.causes),
        "remedy": known.remedy,
        "source": known.source,
        "shown_as": known.shown_as,
        "is_about_token": known.is_about_token,
    }
    out.tell("code", "", **document)


def _tell_unknown(out: Output, code: int) -> None:
    out.tell("unknown", "", given=code, near=[meant.code for meant in near(code)])


# --- For a person -----------------------------------------------------------------------------


def _in_full(code: int, known: ErrorCode, width: int) -> Iterator[Text]:
    yield line(str(known.code), "bold").append(f"  {known.name}" if known.name else "")
    yield wrapped("; ".join(_shown_where(code, known)), width, style=QUIET)
    yield line("")
    yield wrapped(known.meaning, width)
    yield line("")
    if len(known.causes) == 1:
        yield wrapped(f"Cause: {known.causes[0]}", width)
    else:
        yield line("Causes, the likeliest first:")
        for number, cause in enumerate(known.causes, start=1):
            yield wrapped(cause, width, first=f"{number}. ", then="   ")
    yield line("")
    for number, step in enumerate(_SENTENCE_END.split(known.remedy)):
        yield wrapped(step, width, first="   " if number else "-> ", then="   ", target="")


def _shown_where(code: int, known: ErrorCode) -> Iterator[str]:
    """Who shows it, and as what."""
    yield _named(known.platforms)
    if known.shown_as is not None:
        yield f"in the log alone: the app sees {known.shown_as}"
    if code != known.code:
        yield f"{code} in {'telemetry' if code > TELEMETRY else 'some messages'}"
    if not known.is_about_token:
        yield "not about the token"
    if known.source == "observed":
        yield "observed, not documented"


def _not_known(code: int, width: int) -> Iterator[Text]:
    yield line(f"{code}  ", "bold").append("is not known.", BAD)
    if meant := near(code):
        yield line("May have been meant:")
        yield from (_in_short(known, width) for known in meant)
    else:
        yield line("No code like it is known either. See all: zego-token explain --all")


def _in_short(known: ErrorCode, width: int) -> Text:
    name = f" ({known.name})" if known.name else ""
    text = wrapped(f"{known.meaning}{name}", width, first=f"{known.code:>9}  ", then=" " * 11)
    text.highlight_regex(r"^ *\d+", "bold")
    text.highlight_regex(r"\(\w+\)$", QUIET)
    return text


def _named(platforms: Sequence[Platform]) -> str:
    return ", ".join(_PLATFORMS[platform] for platform in platforms)
