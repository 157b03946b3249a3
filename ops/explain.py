"""`zego-token explain`: what each of ZEGO's error codes means, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import groupby
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

from ops.errors import ExitCode
from ops.output import BAD, QUIET, Output, line, output, wrapped
from zego.error_codes import CODES, TELEMETRY, near, resolve
from zego.error_codes.code import PLATFORMS, ErrorCode, Platform

if TYPE_CHECKING:
    from rich.text import Text

#: A number that is not part of a word, a fraction or a version. No code has more digits.
_NUMBER: Final = re.compile(r"(?<![\w.])(?:0|[1-9][0-9]{0,11})(?!\w|\.[0-9])", re.ASCII)
#: Numbers below it are counts more often than codes.
_COUNTS_END: Final = 100
_LETTER: Final = re.compile(r"[^\W\d_]")
_PLATFORMS: Final[Mapping[Platform, str]] = {
    "web": "web SDK",
    "native": "native SDKs",
    "zim": "ZIM",
    "server-api": "server API",
}
_SENTENCE_END: Final = re.compile(r"(?<=\.) (?=[A-Z])")


def _completed(_context: object, _argument: object, typed: str) -> list[CompletionItem]:
    return [
        CompletionItem(str(code), help=known.meaning)
        for code, known in CODES.items()
        if str(code).startswith(typed)
    ]


@click.command()
@click.argument("codes", nargs=-1, metavar="CODE...", shell_complete=_completed)
@click.option("--all", "all_codes", is_flag=True, help="List every known code.")
@click.option(
    "--platform",
    type=click.Choice(PLATFORMS),
    help="With --all, list only the codes of one platform.",
)
@output
def explain(
    codes: tuple[str, ...], all_codes: bool, platform: Platform | None, out: Output
) -> ExitCode:
    """Explain an error code of ZEGO, and what to do about it.

    Paste each CODE as an SDK, its log, its telemetry or the server API shows it: 20014, 52050119,
    "code: 50119", "Error 1102016", 20014,50119. You can also paste whole sentences of a log.

    Exit code: 0 if all codes are known; 1 if one is unknown, and then similar codes are listed;
    2 if no code was given.
    """
    if all_codes:
        if codes:
            raise click.UsageError("--all lists every code: it cannot be combined with CODE.")
        _show_all(out, platform)
        return ExitCode.DONE
    if platform is not None:
        raise click.UsageError("--platform requires --all.")
    numbers = tuple(dict.fromkeys(code for text in codes for code in _codes_in(text)))
    if not numbers:
        raise click.UsageError("No code was given. Pass the code that the client shows, or --all.")
    return _show(out, numbers)


# --- The codes in what a person pastes: numbers, lists of them, lines of a log ----------------


def _codes_in(argument: str) -> list[int]:
    """:raises UsageError: it has digits, but no number that could be a code."""
    numbers = [int(digits) for digits in _NUMBER.findall(argument)]
    if not numbers and any(character.isdigit() for character in argument):
        raise click.UsageError(f"{argument!r} is not a code: pass only its digits.")
    if not _LETTER.search(argument):
        return numbers
    # In a sentence, dates, ports and counts are ignored, unless there is nothing else.
    known = [n for n in numbers if n >= _COUNTS_END and resolve(n) is not None]
    return known or numbers


# --- Output -----------------------------------------------------------------------------------


def _show(out: Output, codes: Sequence[int]) -> ExitCode:
    """Show each code with its causes and remedy; for an unknown code, similar ones."""
    exit_code = ExitCode.DONE
    for number, code in enumerate(codes):
        if (known := resolve(code)) is None:
            exit_code = ExitCode.REFUSED
            out.tell("unknown", "", given=code, near=[meant.code for meant in near(code)])
            lines = _not_known(code, out.width)
        else:
            _tell(out, code, known)
            lines = _in_full(code, known, out.width)
        if not out.as_json:
            out.show(*([""] if number else []), *lines)
    return exit_code


def _show_all(out: Output, platform: Platform | None) -> None:
    """Show one line per code, grouped by platforms."""
    listed = [known for known in CODES.values() if platform in (None, *known.platforms)]
    for platforms, group in groupby(listed, key=lambda known: known.platforms):
        codes = [*group]
        for known in codes:
            _tell(out, known.code, known)
        if not out.as_json:
            heading = line(named(platforms), "bold")
            out.show(heading, *(_in_short(known, out.width) for known in codes), "")
    if not out.as_json:
        out.show(line("For causes and remedy: zego-token explain CODE", QUIET))


def _tell(out: Output, code: int, known: ErrorCode) -> None:
    said = {one.name: getattr(known, one.name) for one in fields(ErrorCode)}
    out.tell("code", "", given=code, **said)


def _in_full(code: int, known: ErrorCode, width: int) -> Iterator[Text]:
    yield line(str(known.code), "bold").append(f"  {known.name}" if known.name else "")
    yield wrapped("; ".join(_shown_where(code, known)), width, style=QUIET)
    yield line("")
    yield wrapped(known.meaning, width)
    yield line("")
    yield from causes_of(known.causes, width)
    yield line("")
    for number, step in enumerate(_SENTENCE_END.split(known.remedy)):
        yield wrapped(step, width, first="   " if number else "-> ", then="   ", target="")


def causes_of(causes: Sequence[str], width: int) -> Iterator[Text]:
    """The causes of a code, as a list if there are several."""
    if len(causes) == 1:
        yield wrapped(f"Cause: {causes[0]}", width)
        return
    yield line("Causes, most likely first:")
    for number, cause in enumerate(causes, start=1):
        yield wrapped(cause, width, first=f"{number}. ", then="   ")


def _shown_where(code: int, known: ErrorCode) -> Iterator[str]:
    """The platforms that show it, and in which form."""
    yield named(known.platforms)
    if known.shown_as is not None:
        yield f"only in the log: the app sees {known.shown_as}"
    if code != known.code:
        yield f"{code} in {'telemetry' if code > TELEMETRY else 'some messages'}"
    if not known.is_about_token:
        yield "not about the token"
    if known.source == "observed":
        yield "observed, not documented"


def _not_known(code: int, width: int) -> Iterator[Text]:
    yield line(f"{code}  ", "bold").append("is not a known code.", BAD)
    if meant := near(code):
        yield line("Similar codes:")
        yield from (_in_short(known, width) for known in meant)
    else:
        yield line("There is no similar code. To list all:\n  zego-token explain --all")


def _in_short(known: ErrorCode, width: int) -> Text:
    name = f" ({known.name})" if known.name else ""
    text = wrapped(f"{known.meaning}{name}", width, first=f"{known.code:>9}  ", then=" " * 11)
    text.highlight_regex(r"^ *\d+", "bold")
    text.highlight_regex(r"\(\w+\)$", QUIET)
    return text


def named(platforms: Sequence[Platform]) -> str:
    """The platforms as text: ``web SDK, native SDKs``."""
    return ", ".join(_PLATFORMS[platform] for platform in platforms)
