"""`python -m local`: runs the whole system on this machine until Ctrl-C.

It gets one token through all parts, prints it decoded, and prints curl commands that do the same.
It logs requests to standard error.
"""

from __future__ import annotations

import re
import signal
import sys
import textwrap
import time
from dataclasses import fields
from pathlib import Path
from typing import NoReturn

import click

from local import own_project
from local.access_policy import DEVELOPMENT, OWN, LocalPolicy
from local.aws.api_destination import KEY_HEADER, ApiDestination
from local.aws.http_api import AccessRecord
from local.aws.http_api_access import is_origin
from local.loopback import PortTakenError, port_or_any
from local.samples import (
    curl_bearer,
    curl_call,
    curl_health,
    curl_reset,
    curl_signed,
    request_token,
    token_table,
)
from local.self_test import identity_report
from local.stack import DIRECTORY, WATCH_SECONDS, LocalStack, Ports
from local.stack_file import AlreadyRunningError, StackDescription
from zego.bounded_http import check_url
from zego.policy.file import PolicyError

PORT = 8080
MAX_PORT = 65535
LOG_LINES_SHOWN = 10
EXAMPLE_ORIGIN = "http://localhost:5173"


class NoTokenError(Exception):
    """The stack runs but issued no token. The message contains its response."""


def _origins(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    if not all(map(is_origin, values)):
        raise click.BadParameter(
            "write the origin as the browser sends it, such as http://localhost:5173: http or"
            " https, the host in lower case, the port unless it is the default, and no path or"
            " trailing slash"
        )
    return values


def _variables(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    variables = [text.partition("=") for text in values]
    if not all(name and equals for name, equals, _ in variables):
        raise click.BadParameter("write it as NAME=VALUE")
    return {name: value for name, _, value in variables}


def _shared_keys(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    keys = {}
    for name, _, path in (text.partition("=") for text in values):
        if not name or not path:
            raise click.BadParameter("write it as NAME=FILE; the key itself is in the file")
        keys[name] = _key_in(path)
    return keys


def _key_in(path: str) -> str:
    """Returns the content of a file without a line end."""
    try:
        return Path(path).read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(
            f"{path}: {getattr(error, 'strerror', 'it is not UTF-8')}"
        ) from None


def _call_url(_context: click.Context, _option: click.Parameter, url: str | None) -> str | None:
    try:
        return url and check_url(url, allow_loopback=True)
    except ValueError:
        raise click.BadParameter(
            "write an https URL, or http to this machine, such as"
            " http://localhost:3000/incoming-call"
        ) from None


def _call_key(_context: click.Context, _option: click.Parameter, path: str | None) -> str | None:
    key = path and _key_in(path)
    if path and not re.fullmatch(r"[!-~]{1,512}", key or ""):
        raise click.BadParameter(f"{path}: the key must be 1 to 512 visible ASCII characters")
    return key


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, MAX_PORT),
    metavar="PORT",
    help=f"Port of the API (default: {PORT}, or any free port if that is taken). The next six"
    " ports are for the identity provider, Secrets Manager, the page, the stand-in for ZEGO, the"
    " event bus and DynamoDB; if one is taken, any free port replaces it.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    metavar="N",
    help="How many events each function handles at the same time.",
)
@click.option(
    "--watch-seconds",
    type=click.FloatRange(0, 86400),
    default=WATCH_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="How often the watcher runs on its schedule; 0 turns the schedule off.",
)
@click.option(
    "--allow-origin",
    multiple=True,
    callback=_origins,
    metavar="ORIGIN",
    help="Let pages of this origin, such as http://localhost:5173, log in and call the API; an"
    " origin of this machine counts by each of its names. Can be repeated.",
)
@click.option(
    "--issuer",
    metavar="URL",
    help="Also accept the users of your identity provider: the iss of its tokens. It needs"
    " --audience.",
)
@click.option(
    "--audience",
    multiple=True,
    metavar="TEXT",
    help="The aud of the tokens of --issuer. Can be repeated.",
)
@click.option(
    "--policy",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Use this access policy instead of local/access_policy.toml. In it, {identity_provider}"
    " stands for the URL of the development identity provider.",
)
@click.option(
    "--shared-key",
    "shared_keys",
    multiple=True,
    callback=_shared_keys,
    metavar="NAME=FILE",
    help="Store the content of a file, without a line end, as the secret that the policy names as"
    " shared_key. Can be repeated.",
)
@click.option(
    "--zego",
    type=click.Choice(["stand-in", own_project.MINE]),
    default="stand-in",
    show_default=True,
    help="Use the stand-in for ZEGO, or your own ZEGO project: the stack asks for its AppID and"
    " ServerSecret, and keeps them in memory only.",
)
@click.option(
    "--secret-file",
    metavar="FILE|-",
    help='With --zego mine: read {"app_id": ..., "server_secret": "..."} from a file or from'
    " standard input, and do not ask.",
)
@click.option(
    "--zego-api",
    callback=own_project.check_api,
    metavar="URL",
    help="With --zego mine: ask a server API on this machine for verdicts, not ZEGO.",
)
@click.option(
    "--incoming-call-url",
    callback=_call_url,
    metavar="URL",
    help="Post the event of each call with callees to your server: https, or http to this"
    f" machine. The header {KEY_HEADER} has a key, which the banner shows.",
)
@click.option(
    "--incoming-call-key",
    callback=_call_key,
    metavar="FILE",
    help="Use the content of a file, without a line end, as that key. Otherwise each start makes a"
    " new one.",
)
@click.option(
    "--env",
    multiple=True,
    callback=_variables,
    metavar="NAME=VALUE",
    help="Set an environment variable of the functions. Can be repeated.",
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=DIRECTORY,
    help="Folder for stack.json and the functions' logs (default: .local).",
)
def main(
    port: int | None,
    workers: int,
    watch_seconds: float,
    allow_origin: tuple[str, ...],
    issuer: str | None,
    audience: tuple[str, ...],
    policy: Path | None,
    shared_keys: dict[str, str],
    zego: str,
    secret_file: str | None,
    zego_api: str | None,
    incoming_call_url: str | None,
    incoming_call_key: str | None,
    env: dict[str, str],
    directory: Path,
) -> None:
    """Run zego-token-service on this machine, until Ctrl-C."""
    if bool(issuer) != bool(audience):
        raise click.UsageError(
            "--issuer and --audience go together: the iss and the aud of your provider's tokens."
            " If they have no aud, write a policy: zego-token policy identity makes its identity."
        )
    if issuer and policy:
        raise click.UsageError(
            "--issuer cannot be combined with --policy: add the identity to the policy. zego-token"
            " policy identity writes it."
        )
    if incoming_call_key and not incoming_call_url:
        raise click.UsageError("--incoming-call-key needs --incoming-call-url.")
    project = own_project.choose(zego, secret_file, zego_api, directory)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)

    def stack() -> LocalStack:
        return LocalStack(
            directory=directory,
            ports=_ports(port),
            workers=workers,
            environment=env,
            watch_seconds=watch_seconds or None,
            allowed_origins=allow_origin,
            policy=LocalPolicy(policy or DEVELOPMENT, issuer, audience),
            shared_keys=shared_keys,
            own_project=project,
            on_access=_log,
            on_refused_origin=_log,
            incoming_calls=_incoming_calls(incoming_call_url, incoming_call_key),
        )

    try:
        try:
            _run(stack())
        except PortTakenError:
            if port is not None:
                raise
            _run(stack())  # another program took a port that was free a moment ago
    except PolicyError as error:
        where, _, what = str(error).partition(": ")
        print(f"error: {policy or where}: {what}", file=sys.stderr)
        sys.exit(2)
    except (PortTakenError, AlreadyRunningError, NoTokenError) as error:
        advice = "; choose one with PORT= or --port" if isinstance(error, PortTakenError) else ""
        print(f"error: {error}{advice}", file=sys.stderr)
        sys.exit(1 if isinstance(error, NoTokenError) else 2)


def _incoming_calls(url: str | None, key: str | None) -> ApiDestination | None:
    return ApiDestination(url, key, _log) if url else None


def _log(record: AccessRecord | str) -> None:
    sys.stderr.write(f"{record}\n")  # in one piece: several threads write here


def _run(stack: LocalStack) -> NoReturn:
    started = time.monotonic()
    with stack:
        seconds = time.monotonic() - started
        print(_greeting(stack, seconds), flush=True)
        while True:
            signal.pause()


def _greeting(stack: LocalStack, seconds: float) -> str:
    parts = stack.description()
    where = {
        "API": parts.api,
        "identity provider": parts.identity_provider,
        "Secrets Manager": parts.secrets_manager,
        "Lambda's Invoke API": parts.lambda_,
        "page": parts.page,
        "ZEGO's server API": parts.zego,
        **({} if stack.own_project else {"ZEGO's console": f"{parts.zego}/console"}),
        "event bus": parts.events,
        "DynamoDB": parts.dynamodb,
        **_incoming_call_rows(stack),
        "addresses in": str(stack.file),
        "logs": f"{stack.function_log}, {stack.rotator_log.name}, {stack.watcher_log.name}",
    }
    return "\n".join(
        [
            f"zego-token-service is running, started in {seconds:.1f} s. Ctrl-C stops it.",
            f"Try it in a browser: {parts.page}",
            *([] if stack.own_project else ["For real calls: make run ZEGO=mine"]),
            _own_page(stack),
            "",
            *([own_project.banner(stack.own_project, parts.page)] if stack.own_project else []),
            *(_sample_token(stack, parts) if stack.policy == LocalPolicy() else _own(stack)),
            "",
            "The parts:",
            *(f"  {name:<21}{value}" for name, value in where.items()),
            "",
            "# A frontend logs in and gets a token:",
            curl_bearer(parts),
            "",
            "# A frontend calls bob. The page shows the call, --incoming-call-url gets it:",
            curl_call(parts),
            "",
            "# A backend signs its request and gets a token for one of its users. The key",
            "# pair is made at each start, and only this stack accepts it:",
            curl_signed(parts),
            "",
            "# Your own backend: set its URL and credentials in this shell:",
            f'eval "$({stack.zego_token("local", "env")})"',
            "",
            "# Show the state of the ServerSecret:",
            stack.zego_token("secret", "status"),
            "",
            *_rotation_command(stack, parts),
            "# Check that the service is up:",
            curl_health(parts),
            "",
        ]
    )


def _own_page(stack: LocalStack) -> str:
    if stack.allowed_origins:
        return f"For your own page: it may be on {' or '.join(stack.allowed_origins)}"
    zego = f" ZEGO={own_project.MINE}" if stack.own_project else ""
    return f"For your own page: make run{zego} RUN_ARGS='--allow-origin {EXAMPLE_ORIGIN}'"


def _rotation_command(stack: LocalStack, parts: StackDescription) -> list[str]:
    rotate = stack.zego_token("secret", "rotate")
    if stack.own_project:
        return ["# Rotate the local Secrets Manager to another ServerSecret of yours:", rotate, ""]
    return [
        "# Reset the ServerSecret at the stand-in for ZEGO and rotate to the new one:",
        f"{curl_reset(parts)} |\n  {rotate} --file -",
        "",
    ]


def _incoming_call_rows(stack: LocalStack) -> dict[str, str]:
    calls = stack.incoming_calls
    if calls is None:
        return {}
    key = calls.key if calls.is_new_key else "the key of --incoming-call-key"
    return {"incoming calls to": calls.shown_url, KEY_HEADER: key}


def _sample_token(stack: LocalStack, parts: StackDescription) -> list[str]:
    asked = time.monotonic()
    token = _fetch_token(stack, parts)
    milliseconds = (time.monotonic() - asked) * 1000
    return [
        f"A token, issued through all parts in {milliseconds:.0f} ms:",
        textwrap.indent(token_table(token, stack.secrets_manager.server_secret), "  "),
    ]


def _own(stack: LocalStack) -> list[str]:
    """What the stack says about one's own policy or provider, instead of a sample token."""
    policy = stack.policy
    if policy.issuer is None:
        about = [
            f"The access policy is {policy.file}. The commands below for a frontend and a backend",
            "work only if it names the development identity provider and the role LocalBackend.",
        ]
    else:
        about = [
            "Your users get the same tokens as those of the development identity provider. Their",
            f"identity is {OWN!r}. The development users now have hashed user ids.",
        ]
    return [
        *about,
        "",
        "The identities with a bearer token:",
        *(f"  {name:<21}{said}" for name, said in identity_report(stack).items()),
        "",
        "# Get a token with a bearer token from a file:",
        f"{stack.zego_token('token')} --bearer-file FILE --room call_1",
    ]


def _fetch_token(stack: LocalStack, parts: StackDescription) -> str:
    answer = request_token(parts.api, parts.identity_provider, "alice")
    if answer.status != 201:
        lines = [
            f"no token was issued; the response was {answer.status} {answer.body.decode()}",
            f"The function's last log lines, from {stack.function_log}:",
            *stack.function.log_lines()[-LOG_LINES_SHOWN:],
        ]
        raise NoTokenError("\n".join(lines))
    return str(answer.json()["token"])


def _ports(given: int | None) -> Ports:
    """The API's port and the five after it. Only an explicitly given port must be free."""
    api = port_or_any(PORT) if given is None else given
    first = given or PORT
    following = range(first + 1, first + len(fields(Ports)))
    return Ports(api, *(port_or_any(port) if port <= MAX_PORT else 0 for port in following))


def _stop(_number: int, _frame: object) -> NoReturn:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # one signal is enough: stopping is quick
    sys.exit(0)


if __name__ == "__main__":
    main(prog_name="python -m local")
