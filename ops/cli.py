"""The entry point of `zego-token`: turns every error into a message and an exit code."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import string
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from itertools import zip_longest
from typing import Final

import click

from ops.errors import ExitCode, Failure, InputError, explain
from ops.output import discard, plain

#: By name: where the command is, and its summary in --help.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "allow": ("ops.denials.commands:allow", "Lift a denial."),
    "denials": ("ops.denials.commands:denials", "List the denials, or who changed them."),
    "deny": (
        "ops.denials.commands:deny",
        "Deny a user, an identity or a room, and remove users from rooms.",
    ),
    "doctor": (
        "ops.doctor.command:doctor",
        "Check everything from the configuration to a token that ZEGO accepts.",
    ),
    "explain": (
        "ops.explain:explain",
        "Explain an error code of ZEGO, and what to do about it.",
    ),
    "iam": ("ops.iam:iam", "Print the IAM policy of a role, in JSON."),
    "inspect": (
        "ops.inspect.command:inspect",
        "Explain why ZEGO refuses a token, or would, and what to do about it.",
    ),
    "local": ("ops.local_stack:local", "Use the local stack from your own programs."),
    "policy": (
        "ops.policy.commands:policy",
        "Check and try access policies (docs/access-policy.md).",
    ),
    "preflight": (
        "ops.preflight.command:preflight",
        "Check an environment and its AWS account before it is deployed.",
    ),
    "scan": ("ops.scan.command:scan", "Find secrets in a built frontend or a repository."),
    "secret": (
        "ops.secret.commands:secret",
        "Stage a ServerSecret, rotate to it, show its status.",
    ),
    "token": ("ops.token:token", "Get a token from the service, to try it."),
}
#: What users try, and what to use instead.
_MEANT: Final = {
    "ban": "deny user",
    "block": "deny user",
    "check": "doctor",
    "decode": "inspect",
    "diagnose": "inspect",
    "generate": "token",
    "help": "--help",
    "kick": "deny user with --kick ROOM",
    "unban": "allow user",
    "unblock": "allow user",
    "verify": "inspect",
    "version": "--version",
} | {
    name: f"secret {name}" for name in ("restore", "rotate", "stage", "status", "unstick", "watch")
}

#: What a ServerSecret, most of one, or an AppSign looks like.
_SECRET: Final = re.compile(r"[0-9A-Za-z]{32}|[0-9a-fA-F]{24,}")
#: Characters before an =: a longer text is not an option but a token and its signature.
_LONGEST_NAME: Final = 64
#: What is followed by an id which others chose: options, and the kinds of denials.
_ID_OPTIONS: Final = frozenset(
    {
        "--expect-room",
        "--expect-user",
        "--kick",
        "--room",
        "--stream",
        "--user",
        "identity",
        "room",
        "user",
    }
)
_AROUND: Final = string.punctuation + string.whitespace
#: An argument that may be a secret, mistyped; options are shorter.
_LONG: Final = 20
#: What is the same in the ``repr`` of a text.
_UNESCAPED: Final = re.compile(r"[!-&(-\[\]-~]+")
#: Standard output cannot be written: no space, or not a writable file. Not for a closed pipe.
_UNWRITTEN: Final = frozenset({errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC})


class LazyGroup(click.Group):
    """The commands of :data:`COMMANDS`, each imported when it is called."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return [*COMMANDS]

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = arguments[0]
        if name not in COMMANDS:
            from difflib import get_close_matches  # noqa: PLC0415  only for this

            near = [name] if name in _MEANT else get_close_matches(name, [*COMMANDS, *_MEANT])
            meant = dict.fromkeys(f"\n  zego-token {_MEANT.get(one, one)}" for one in near)
            hint = f" Did you mean:{''.join(meant)}" if meant else ""
            context.fail(f"No such command {name!r}.{hint}")
        return super().resolve_command(context, arguments)

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_text) for name, (_, help_text) in COMMANDS.items()])

    def format_epilog(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Exit codes"):
            formatter.write_dl([(f"{code.value:>3}", code.meaning) for code in ExitCode])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="zego-token-service", prog_name="zego-token")
def app() -> None:
    """Operate the zego-token-service, in AWS or on this machine (make run)."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Errors go to standard error, and with ``--json`` also to standard output as the last object.
    No exception leaves this function: its text could contain anything.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    sys.stdout, sys.stderr = (
        open(os.devnull, "w", encoding="utf-8") if stream is None else stream  # noqa: PTH123, SIM115
        for stream in (sys.stdout, sys.stderr)  # closed from the start
    )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may lack the marks
    return _run(words)


def _run(arguments: list[str]) -> int:
    try:
        refuse_in_arguments(arguments)
        words = with_local_alone(arguments)
        return int(app.main(words, prog_name="zego-token", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as no_command:
        no_command.show()
        return ExitCode.USAGE
    except click.Abort:
        return ExitCode.INTERRUPTED
    except click.UsageError as error:
        path = "zego-token" if error.ctx is None else error.ctx.command_path
        message = _without(arguments, error.format_message())
        failure = Failure(message, f"See {path} --help.", ExitCode.USAGE)
    except (SystemExit, BrokenPipeError) as ended:
        if isinstance(ended, SystemExit) and not ended.code:  # after a completion
            return ExitCode.DONE
        discard(sys.stdout)  # click and rich exit if a pipe is closed
        failure = Failure("The output was closed.", "", ExitCode.UNREAD)
    except Exception as error:  # noqa: BLE001
        failure = explain(error)
        if isinstance(error, OSError) and error.errno in _UNWRITTEN:
            discard(sys.stdout)
            message = f"The output cannot be written: {error.strerror}."
            failure = Failure(message, "", ExitCode.UNWRITTEN)
    _say(failure, as_json="--json" in arguments)
    return failure.exit_code


def with_local_alone(arguments: list[str]) -> list[str]:
    """Let `--local` take the word after it only if that names a stack.

    `scan --local dist` scans dist. It also takes any word in a command that has only options.
    """
    command: click.Command | None = app
    words = iter(arguments if "--local" in arguments else ())
    while isinstance(command, click.Group):
        command = command.get_command(click.Context(command), next(words, ""))
    if command is None or not any(isinstance(one, click.Argument) for one in command.params):
        return arguments
    from ops.target import STACK_FILE, names_stack  # noqa: PLC0415  slow

    return [
        f"{word}={STACK_FILE}" if word == "--local" and not names_stack(after) else word
        for word, after in zip_longest(arguments, arguments[1:], fillvalue="")
    ]


def refuse_in_arguments(arguments: Iterable[str]) -> None:
    """Refuse arguments that look like a secret.

    Ids of users and rooms are allowed: many are 24 or 32 hex digits.

    :raises InputError: an argument looks like a secret; the message does not repeat it.
    """
    before = ""
    for argument in arguments:
        option, _, held = argument.partition("=")
        is_id, before = before in _ID_OPTIONS or (held and option in _ID_OPTIONS), argument
        if is_id:
            continue
        is_name = len(option) <= _LONGEST_NAME  # a longer text is a token with its signature
        parts = (argument, held if is_name else "")
        is_json = "{" in argument and "server_secret" in argument
        if is_json or any(_SECRET.fullmatch(part.strip(_AROUND)) for part in parts):
            raise InputError(
                "An argument looks like a ServerSecret. Other users of this machine can read"
                " arguments, and your shell keeps them in its history.",
                "Enter it at the prompt, or put it in a file. Remove it from the shell's history;"
                " if others use this machine, reset it in ZEGO's console.",
            )


def _say(failure: Failure, *, as_json: bool) -> None:
    """Print the failure. A stream that cannot be written is ignored: the exit code remains."""
    said = []
    if failure.exit_code is not ExitCode.UNREAD:
        what = "" if failure.exit_code is ExitCode.INTERRUPTED else "error: "
        text = f"{what}{failure.message}\n{failure.remedy}".removesuffix("\n")
        said.append((sys.stderr, plain(text, sys.stderr)))
    if as_json:
        said.append((sys.stdout, json.dumps({"event": "error", **asdict(failure)})))
    for stream, text in said:
        try:
            print(text, file=stream, flush=True)
        except OSError:
            discard(stream)


def _without(arguments: Sequence[str], message: str) -> str:
    """The message without long arguments, each of which may be a mistyped secret.

    Also without the long parts of an argument that click shows escaped, such as a pasted line.
    """
    for argument in arguments:
        option, _, held = argument.partition("=")
        for part in (argument, held, option, *_UNESCAPED.findall(argument)):
            if len(part) >= _LONG:
                message = message.replace(part, "...")
    return message
