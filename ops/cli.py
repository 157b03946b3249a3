"""The entry of `zego-token`, and the one place where its errors become words and exit codes."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict
from typing import Final

import click

from ops.doctor.commands import doctor
from ops.exit_codes import ExitCode
from ops.explain.commands import explain
from ops.failures import CommandError, Failure
from ops.inspect.commands import inspect
from ops.scan.commands import scan
from ops.secret.commands import secret
from ops.secret.value import refuse_in_arguments
from ops.streams import Stream

#: An argument that may be a secret, mistyped; options are shorter.
_LONG: Final = 20
#: What is the same in the ``repr`` of a text.
_UNESCAPED: Final = re.compile(r"[!-&(-\[\]-~]+")
_EXIT_CODES: Final = "\n".join(f"{code.value:>5}  {code.meaning}" for code in ExitCode)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"\b\nExit codes:\n{_EXIT_CODES}",
)
@click.version_option(package_name="zego-token-service", prog_name="zego-token")
def app() -> None:
    """Operate the zego-token-service, in AWS or on this machine (make run)."""


app.add_command(secret)
app.add_command(inspect)
app.add_command(doctor)
app.add_command(explain)
app.add_command(scan)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives the exit code.

    What went wrong is said on standard error, and with ``--json`` as the last object on standard
    output too. No exception leaves this, whose text could hold anything.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may lack the marks
    stdout, stderr = Stream(sys.stdout), Stream(sys.stderr, is_needed=False)
    with redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            return _run(given)
        except CommandError as error:
            stdout.is_needed = False
            _say(error.failure, as_json="--json" in given)
            return error.failure.exit_code


def _run(arguments: list[str]) -> int:
    """:raises CommandError: the command failed."""
    try:
        refuse_in_arguments(arguments)
        return int(app.main(arguments, prog_name="zego-token", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as no_command:
        no_command.show()
        return ExitCode.USAGE
    except click.Abort:
        return ExitCode.INTERRUPTED
    except click.UsageError as error:
        path = "zego-token" if error.ctx is None else error.ctx.command_path
        message = _without(arguments, error.format_message())
        raise CommandError(message, f"See {path} --help.", ExitCode.USAGE) from None
    except CommandError:
        raise
    except Exception as error:  # noqa: BLE001
        from ops.explanations import explain  # noqa: PLC0415  slow

        failure = explain(error)
        raise CommandError(failure.message, failure.remedy, failure.exit_code) from None


def _say(failure: Failure, *, as_json: bool) -> None:
    if failure.exit_code is not ExitCode.UNREAD:
        what = "" if failure.exit_code is ExitCode.INTERRUPTED else "error: "
        print(what + failure.message, *filter(None, [failure.remedy]), sep="\n", file=sys.stderr)
    if as_json:
        print(json.dumps({"event": "error", **asdict(failure)}), flush=True)


def _without(arguments: Sequence[str], message: str) -> str:
    """The message, which does not repeat a long argument: a secret may have been mistyped.

    Nor what is long in one with characters that click shows as escapes: a pasted line with its end.
    """
    for argument in arguments:
        option, _, held = argument.partition("=")
        for part in (argument, held, option, *_UNESCAPED.findall(argument)):
            if len(part) >= _LONG:
                message = message.replace(part, "...")
    return message
