"""The options of `zego-token doctor`, beside those that name the secret."""

from __future__ import annotations

import functools
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import click

from ops.errors import ExitCode
from ops.target import Command

#: More than the service takes, whose limit then says so.
_BEARER_BYTES: Final = 16384
_ORIGIN: Final = re.compile(r"https?://[0-9A-Za-z.-]+(:[0-9]{1,5})?|http://\[[0-9a-f:]+\](:\d+)?")


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """What is to be looked at beside the secret, and with what.

    :ivar app_id: the one that the clients have.
    :ivar api: where the issuer answers; ``None``: where the target says.
    :ivar policy: the file that the issuer is thought to run with.
    :ivar user: of the token; ``None``: a made-up one.
    :ivar bearer: what a frontend proves itself with; ``None``: the AWS credentials prove.
    """

    app_id: int | None = None
    api: str | None = None
    policy: Path | None = None
    origins: tuple[str, ...] = ()
    env_files: tuple[Path, ...] = ()
    user: str | None = None
    room: str | None = None
    bearer: str | None = field(default=None, repr=False)


def asked(command: Command) -> Command:
    """The command gets an :class:`DoctorOptions` as ``asked``."""

    @click.option(
        "--api",
        metavar="URL",
        callback=_url,
        help="Where the issuer answers, a domain of your own for instance.  [default: the output"
        " ApiUrl of the --stage's stack, or the local stack's]",
    )
    @click.option(
        "--app-id",
        type=click.IntRange(1, 2**32 - 1),
        metavar="NUMBER",
        help="The AppID that your clients have: the secret's must be the same.",
    )
    @click.option(
        "--policy",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="PATH",
        help="The policy file that the issuer should run with: they are compared by SHA-256.",
    )
    @click.option(
        "--origin",
        "origins",
        multiple=True,
        metavar="ORIGIN",
        callback=_origins,
        help="Whether pages of this origin may call the API (CORS), such as"
        " https://calls.example.com. May be repeated.",
    )
    @click.option(
        "--env-file",
        "env_files",
        multiple=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="PATH",
        help="A .env that still holds ZEGO_APP_ID or ZEGO_SERVER_SECRET: is that the value in"
        " Secrets Manager? No value of it is shown. May be repeated.",
    )
    @click.option(
        "--user",
        metavar="ID",
        help="For whom to ask for a token, which leaves an audit event.  [default: doctor]",
    )
    @click.option(
        "--room",
        metavar="ID",
        help="For which room.  [default: a new one, call_doctor_...]",
    )
    @click.option(
        "--bearer-file",
        type=click.File("rb"),
        metavar="PATH|-",
        help="Ask for the token as a frontend does, with the bearer token in this file or on"
        " standard input, instead of with the AWS credentials.",
    )
    @functools.wraps(command)
    def with_asked(
        *,
        app_id: int | None,
        api: str | None,
        policy: Path | None,
        origins: tuple[str, ...],
        env_files: tuple[Path, ...],
        user: str | None,
        room: str | None,
        bearer_file: IO[bytes] | None,
        **options: Any,
    ) -> ExitCode:
        if bearer_file is not None and user is not None:
            raise click.UsageError("--user goes not with --bearer-file, which says who it is.")
        bearer = None if bearer_file is None else _bearer(bearer_file)
        wishes = DoctorOptions(app_id, api, policy, origins, env_files, user, room, bearer)
        return command(asked=wishes, **options)

    return with_asked


def _bearer(file: IO[bytes]) -> str:
    if sys.stdin is not None and sys.stdin.isatty() and file is sys.stdin.buffer:
        raise click.UsageError("--bearer-file: standard input is a terminal, which would show it.")
    content = file.read(_BEARER_BYTES + 1)
    text = content.decode("utf-8-sig", errors="replace").strip()
    text = re.sub(r"\Abearer\s+", "", text, flags=re.IGNORECASE)
    if not text or len(content) > _BEARER_BYTES or not re.fullmatch(r"[!-~]+", text):
        raise click.UsageError("--bearer-file holds no bearer token: one line of printable ASCII.")
    return text


def _url(_context: click.Context, _option: click.Parameter, given: str | None) -> str | None:
    from zego.bounded_http import check_url  # noqa: PLC0415  slow

    if given is None:
        return None
    try:
        url = check_url(given, allow_loopback=True)
    except ValueError as error:
        raise click.BadParameter(f"{error}; plain http goes to this machine alone.") from None
    if "?" in url or "#" in url:
        raise click.BadParameter("it has more than a scheme, a host and a path.")
    return url.rstrip("/")


def _origins(
    _context: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    for origin in given:
        if not _ORIGIN.fullmatch(origin):
            raise click.BadParameter(
                "an origin is a scheme, a host and perhaps a port, with no path and no slash at"
                " the end: https://calls.example.com."
            )
    return given
