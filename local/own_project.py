"""Your own ZEGO project on the local stack: `make run ZEGO=mine`.

The AppID and the ServerSecret come from a prompt, a file or standard input, never from an argument
or the environment. ZEGO confirms them with the call that the watcher makes, which changes nothing
there. They then stay in memory: the functions read them from the local Secrets Manager.
"""

from __future__ import annotations

import getpass
import resource
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import click

from local.stack_file import read_running
from zego import server_secret
from zego.bounded_http import check_url
from zego.error_codes import SERVER_API_CODES
from zego.server_api import ENDPOINT, ServerApi
from zego.server_secret import ServerSecret, ServerSecretError

MINE = "mine"
STANDARD_INPUT = "-"
MAX_BYTES = 4096
REJECTED, INVALID, NO_VERDICT, INTERRUPTED = 1, 2, 3, 130
"""The exit codes: those of `zego-token`."""
_COPY_AGAIN = (
    "Copy the AppID and the ServerSecret from ZEGO's console again. The ServerSecret has 32"
    " characters; the AppSign and the CallbackSecret do not work."
)
_PASTE = ("\x1b[200~", "\x1b[201~")
"""What a terminal puts around pasted text if a shell has turned that on."""


class OwnProjectError(Exception):
    """The project cannot be used. The message says why and what to do, and shows no secret."""

    def __init__(self, message: str, remedy: str, exit_code: int) -> None:
        super().__init__(f"{message}\n{remedy}".rstrip("\n"))
        self.exit_code = exit_code


@dataclass(frozen=True)
class OwnProject:
    """A ZEGO project, and the server API that gives verdicts on its secret."""

    secret: ServerSecret = field(repr=False)
    server_api: str = ENDPOINT


def check_api(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Checks the value of `--zego-api`: only a server API on this machine may replace ZEGO's."""
    with suppress(ValueError):
        if value is None or urlsplit(check_url(value, allow_loopback=True)).scheme == "http":
            return value
    raise click.BadParameter(
        "use an address of this machine, such as http://127.0.0.1:8084. Without the option, the"
        " stack asks ZEGO."
    )


def choose(
    zego: str, secret_file: str | None, server_api: str | None, directory: Path
) -> OwnProject | None:
    """Returns the project that the options name, once ZEGO accepts it; None for the stand-in.

    Ends the program if the project cannot be used, or if a stack runs in the directory: no
    secret should be typed for that.
    """
    if zego != MINE:
        if secret_file or server_api:
            raise click.UsageError("--secret-file and --zego-api need --zego mine.")
        return None
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would contain the secret
    try:
        if running := read_running(directory):
            raise OwnProjectError(
                f"A local stack is running at {running.api} (process {running.pid}).",
                "Stop it first.",
                INVALID,
            )
        project = OwnProject(read(secret_file), server_api or ENDPOINT)
        named = f"{project.secret.fingerprint} for AppID {project.secret.app_id}"
        print(f"Asking ZEGO whether it accepts {named} ...", file=sys.stderr)
        prove(project)
    except OwnProjectError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, EOFError):
        print("\nNothing was started.", file=sys.stderr)
        sys.exit(INTERRUPTED)
    return project


def read(secret_file: str | None) -> ServerSecret:
    """Returns the project's AppID and ServerSecret, of the right shape.

    Without a file it prompts for them. The file has the JSON of the secret in Secrets Manager; `-`
    is standard input. Raises `OwnProjectError`.
    """
    try:
        if secret_file is None:
            return _asked()
        return server_secret.parse(_text(secret_file))
    except ServerSecretError as error:
        raise OwnProjectError(
            f"This is not a ServerSecret: {error}.", _COPY_AGAIN, INVALID
        ) from None


def prove(project: OwnProject) -> None:
    """Asks ZEGO whether it accepts the secret. Raises `OwnProjectError` unless it does."""
    app_id = project.secret.app_id
    verdict = ServerApi(project.server_api).probe(project.secret)
    if verdict.accepted:
        return
    code = "" if verdict.code is None else f" (code {verdict.code})"
    if verdict.rejected:
        raise OwnProjectError(
            f"ZEGO rejects this ServerSecret for AppID {app_id}: {verdict.reason}{code}.",
            _COPY_AGAIN,
            REJECTED,
        )
    known = None if verdict.code is None else SERVER_API_CODES.get(verdict.code)
    raise OwnProjectError(
        f"ZEGO gave no verdict on AppID {app_id}: {verdict.reason}{code}.",
        known.remedy
        if known
        else f"Check the network, the proxy and the firewall: the stack must reach"
        f" {project.server_api}",
        NO_VERDICT,
    )


def banner(project: OwnProject, page: str) -> str:
    """Returns what is real in a stack with this project, and what is not."""
    app_id, fingerprint = project.secret.app_id, project.secret.fingerprint
    return f"""\
It uses your ZEGO project {app_id}. ZEGO accepts its secret; the fingerprint
of that is {fingerprint}.
  Real:     the tokens, which open rooms of your project, and ZEGO's verdicts
            on the secret.
  Not real: AWS, and the identity provider: any program on this machine can log
            in there as any user, and get a token. Do not run this on a machine
            that you share.
  The secret is in the memory of these processes only.
  The stack changes nothing at ZEGO: it removes no user from a room and resets
  no secret.
Call each other in two windows: {page}/call/
"""


def _asked() -> ServerSecret:
    """Asks for both on the terminal."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise OwnProjectError(
            "Cannot ask for the AppID and the ServerSecret: standard input is not a terminal.",
            "Use --secret-file FILE, or --secret-file - for standard input, with"
            ' {"app_id": <number>, "server_secret": "<32 characters>"}.',
            INVALID,
        )
    print("Both are in ZEGO's console, under your project.", file=sys.stderr)
    app_id = _typed("AppID (not shown): ")
    if not (app_id.isascii() and app_id.isdigit()):
        raise OwnProjectError("An AppID is a number, such as 1234567890.", _COPY_AGAIN, INVALID)
    return ServerSecret(int(app_id[:20]), _typed("ServerSecret (not shown): "))


def _typed(prompt: str) -> str:
    """Returns what was typed or pasted. Neither is shown: the secret may be pasted first."""
    typed = getpass.getpass(prompt)
    for mark in _PASTE:
        typed = typed.replace(mark, "")
    return typed.strip()


def _text(secret_file: str) -> str:
    try:
        if secret_file == STANDARD_INPUT and sys.stdin and sys.stdin.isatty():
            raise OwnProjectError(
                "Standard input is a terminal, which would show the secret.",
                "Leave out --secret-file: the prompt does not show it.",
                INVALID,
            )
        if secret_file == STANDARD_INPUT:
            content = sys.stdin.buffer.read(MAX_BYTES + 1) if sys.stdin else b""
        else:
            with Path(secret_file).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ServerSecretError(f"it has more than {MAX_BYTES} bytes")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ServerSecretError("it is not text in UTF-8") from None
    except OSError as error:  # the path may be a secret, so it is not repeated
        raise OwnProjectError(
            f"--secret-file: {error.strerror}.", "Give the path of a file, or -.", INVALID
        ) from None
