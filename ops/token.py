"""The command `zego-token token`: gets one token from the service, as a client or backend does."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import click

from ops.errors import CommandError, ExitCode
from ops.output import Output, date_and_time, output, plain, relative
from ops.prompt import read_bearer
from ops.target import TargetOptions, address_of, identity_provider_of, open_session, service
from zego import strict_json
from zego.bounded_http import HttpError, request

if TYPE_CHECKING:
    from ops.doctor.issuer_api import IssuerApi, IssuerResponse

_WARNING: Final = (
    "This is a real credential. Until it expires, whoever has it can use it, and it cannot be"
    " revoked. Do not put it in a log, a chat or a repository."
)
#: Of every user of the local stack's identity provider (local/identity_provider.py).
_LOCAL_PASSWORD: Final = "development"  # noqa: S105  not confidential
_TOKEN: Final = re.compile(r"04[A-Za-z0-9+/]+={0,2}")
_LONGEST_DETAIL: Final = 500
#: The parts of a bearer token are longer than this.
_BEARER_PART: Final = re.compile(r"[\w-]{16,}", re.ASCII)

#: What to do about a problem, by its code; for all others, the problem's own page says it.
_REMEDIES: Final[Mapping[str, str]] = {
    "not_granted": "Use a --user and a --room that a rule of the access policy grants: zego-token"
    " policy explain shows how each rule decides.",
    "unknown_field": "With a user's bearer token, leave out --user: the bearer token names the"
    " user.",
    "missing_field": "Use --user ID: the caller is a backend, which names the user.",
    "lifetime_out_of_range": "Use a shorter or longer --lifetime, or leave it out.",
    "invalid_stream_ids": "Use --stream with ids of streams that the rule grants.",
    "room_id_required": "Add --room ID, or leave out --privilege and --stream.",
    **dict.fromkeys(
        (
            "bearer_untrusted_issuer",
            "bearer_algorithm_refused",
            "bearer_missing_claim",
            "bearer_wrong_type",
            "bearer_wrong_audience",
            "bearer_claims_refused",
        ),
        "zego-token policy explain --bearer-file shows what the token has and the access policy"
        " expects.",
    ),
    "bearer_session_ended": "Sign in again at your identity provider.",
    "too_many_tokens": "The user has used up the hour's tokens (max_tokens_per_hour).",
}


@click.command(short_help="Get a token from the service, to try it.")
@service
@click.option(
    "--user",
    metavar="ID",
    help="The user of the token. Leave it out with a user's bearer token, which names the user.",
)
@click.option(
    "--room",
    metavar="ID",
    help="The room that the token opens. Without it, the token opens every room.",
)
@click.option(
    "--privilege",
    "privileges",
    type=click.Choice(["login", "publish"]),
    multiple=True,
    help="What the token allows in the room. May be repeated.  [default: all that the policy"
    " grants]",
)
@click.option(
    "--stream",
    "stream_ids",
    multiple=True,
    metavar="ID",
    help="A stream that the token may publish. May be repeated.",
)
@click.option(
    "--lifetime",
    "lifetime_seconds",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help="How long the token is valid.",
)
@click.option(
    "--bearer-file",
    type=click.File("rb"),
    metavar="PATH|-",
    help="Send the bearer token in this file or on standard input; on a terminal, - asks for it."
    "  [default: sign with the AWS credentials; with --local, log in as --user]",
)
@click.option("--raw", is_flag=True, help="Print only the token, for a pipe.")
@output
def token(
    target_options: TargetOptions,
    out: Output,
    user: str | None,
    bearer_file: IO[bytes] | None,
    raw: bool,
    **wanted: Any,
) -> ExitCode:
    """Get one token from the service, to try it in a client.

    The service decides as for any other caller, and its audit log shows the request. The request is
    signed with the AWS credentials, as a backend's is, or has a bearer token, as a frontend's does.
    With --local, the command logs in at the local stack's identity provider as --user.

    Exit code: 0 for a token; 1 if the service refuses the request; 5 if it was not reached.
    """
    if raw and out.as_json:
        raise click.UsageError("--raw cannot be combined with --json.")
    if user is None and bearer_file is None:
        raise click.UsageError("--user is missing. Only a bearer token (--bearer-file) names one.")
    bearer = None if bearer_file is None else read_bearer(bearer_file)

    from ops.doctor.issuer_api import IssuerApi  # noqa: PLC0415  imports botocore

    session = open_session(target_options)
    url = address_of(target_options, session)
    body = {"room_id" if name == "room" else name: value for name, value in wanted.items() if value}
    if target_options.local is not None and bearer is None:
        bearer = _log_in(target_options.local, str(user))
    elif user is not None:
        body["user_id"] = user
    issuer = IssuerApi(url, session, session.region_name or "", send=request, clock=time.time)
    made = _request(issuer, bearer, body)
    click.echo(plain(_WARNING, sys.stderr), err=True)
    if raw:
        click.echo(made["token"])
    else:
        _show(out, made, issuer.clock())
    return ExitCode.DONE


def _log_in(stack: Path, user: str) -> str:
    """A bearer token of the local stack's identity provider.

    :raises CommandError: the provider does not give one.
    """
    provider = identity_provider_of(stack)
    form = {"grant_type": "password", "username": user, "password": _LOCAL_PASSWORD}
    try:
        response = request(
            "POST",
            f"{provider}/token",
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
            timeout_seconds=10.0,
            max_bytes=65536,
        )
        bearer = strict_json.loads_object(response.body).get("access_token")
    except (HttpError, ValueError):
        bearer = None
    if not isinstance(bearer, str):
        raise CommandError(
            f"The local stack's identity provider did not log in {user!r}.",
            "Check that `make run` is running, or use --bearer-file.",
            ExitCode.AWS,
        )
    return bearer


def _request(issuer: IssuerApi, bearer: str | None, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The service's document with the token.

    :raises CommandError: the service refuses the request, or something else responded.
    """
    if bearer is None:
        route = "/v1/service/tokens"
        response = issuer.signed("POST", route, body)
    else:
        route = "/v1/tokens"
        response = issuer.with_bearer(route, bearer, body)
    made = response.document
    token = made.get("token")
    if response.status == 201 and isinstance(token, str) and _TOKEN.fullmatch(token):
        return made
    if response.code is not None:
        raise _refusal(response, bearer or "")
    if response.status == 403 and bearer is None:
        raise CommandError(
            f"API Gateway does not let these credentials call POST {route}.",
            "Allow execute-api:Invoke for them (zego-token iam backend), use another --profile, or"
            " use --bearer-file.",
        )
    raise CommandError(
        f"The response to POST {route} is not the token service's: HTTP {response.status}.",
        "Check --api: the URL is the stack's output ApiUrl, without a path.",
        ExitCode.AWS,
    )


def _refusal(response: IssuerResponse, bearer: str) -> CommandError:
    """The service's own explanation, without the bearer token, and what to do."""
    document = response.document
    code, detail = response.code or "", str(document.get("detail", ""))[:_LONGEST_DETAIL]
    detail = _BEARER_PART.sub(lambda part: "..." if part[0] in bearer else part[0], detail)
    page, request_id = document.get("help"), document.get("request_id")
    remedy = _REMEDIES.get(code, f"See {page}." if isinstance(page, str) else "")
    if (seconds := response.headers.get("retry-after", "")).isdecimal():
        remedy = f"{remedy} Retry in {seconds} s.".lstrip()
    if isinstance(request_id, str):
        remedy = f"{remedy}\nRequest id: {request_id[:64]}".lstrip()
    exit_code = ExitCode.AWS if response.status >= 500 else ExitCode.REFUSED
    return CommandError(f"The service refused ({response}): {detail}", remedy, exit_code)


def _show(out: Output, made: Mapping[str, Any], now: float) -> None:
    """:raises CommandError: the document is not the one of docs/openapi.yaml."""
    try:
        expires_at, renew_at = float(made["expires_at"]), float(made["renew_at"])
        until = f"{date_and_time(expires_at)}, {relative(expires_at, now)}"
        about = (
            f"For {made['user_id']}, AppID {made['app_id']}: {_allows(made)}."
            f"\nValid until {until}; request a new one at {date_and_time(renew_at)}."
        )
    except (KeyError, TypeError, ValueError):
        message = "The service's response is incomplete: it is older or newer than zego-token."
        raise CommandError(message, "Install the service's version.", ExitCode.AWS) from None
    names = ("app_id", "user_id", "room_id", "privileges", "stream_ids", "issued_at", "expires_at")
    fields: dict[str, Any] = {name: made.get(name) for name in (*names, "renew_at", "request_id")}
    out.tell("token", f"{made['token']}\n{about}", token=made["token"], **fields)


def _allows(made: Mapping[str, Any]) -> str:
    if made["room_id"] is None:
        return "it opens every room"
    may = [name for name, is_allowed in made["privileges"].items() if is_allowed]
    streams = made.get("stream_ids")
    which = "" if streams is None or "publish" not in may else f" (streams {', '.join(streams)})"
    return f"room {made['room_id']}, {' and '.join(may)}{which}"
