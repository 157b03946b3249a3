"""The commands of `zego-token policy`. Keep imports light: ``--help`` loads no botocore."""

from __future__ import annotations

import time
from pathlib import Path
from typing import IO, Any, Final

import click

from ops.errors import ExitCode, InputError
from ops.moment import MomentType
from ops.output import Output, line, output, prose
from ops.prompt import read_bearer
from ops.target import LOCAL_OPTION
from zego import DEPLOYED_STAGES

_FOLDER: Final = Path("functions", "issuer", "policies")
#: The local stack's policy, in the folder of its stack.json.
_LOCAL: Final = "access_policy.toml"


@click.group()
def policy() -> None:
    """Check and try access policies (docs/access-policy.md)."""


@policy.command(short_help="Check policy files, and run their examples.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option(
    "--stage",
    "stages",
    type=click.Choice(DEPLOYED_STAGES),
    multiple=True,
    help=f"Check {_FOLDER}/<stage>.toml. May be repeated.",
)
@click.option("--strict", is_flag=True, help="Fail if there are warnings, too.")
@output
def check(
    files: tuple[Path, ...], stages: tuple[str, ...], out: Output, *, strict: bool
) -> ExitCode:
    """Check access policies as the service does when it starts, and run their examples.

    Warnings are about what is valid and probably not meant, such as a bound that bounds nothing.

    Exit code: 0 if all policies are valid and all examples pass; otherwise 1.
    """
    named = [*files, *(stage_file(stage) for stage in stages)]
    if not named:
        raise click.UsageError("Name a policy file, or use --stage.")
    from ops.policy.check import check_all  # noqa: PLC0415  imports the policy's reader

    return check_all(out, named, strict=strict)


@policy.command(short_help="Explain what a policy gives a caller, and why.")
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@click.option("--stage", type=click.Choice(DEPLOYED_STAGES), help=f"Use {_FOLDER}/<stage>.toml.")
@LOCAL_OPTION
@click.option(
    "--claims",
    type=click.File("rb"),
    metavar="PATH|-",
    help="The caller has a bearer token with these claims, a JSON object with iss, aud and the"
    " others that its identity needs. Without iat and exp, it is valid now.",
)
@click.option(
    "--bearer",
    "--bearer-file",
    type=click.File("rb"),
    metavar="PATH|-",
    help="The caller has the bearer token in this file or on standard input; on a terminal, - asks"
    " for it. It is sent nowhere, and its signature is not verified.",
)
@click.option("--role", metavar="ARN", help="The caller is this IAM role, or this session of one.")
@click.option("--user", metavar="ID", help="The user that a role or another backend names.")
@click.option("--room", metavar="ID", help="The room of the request.")
@click.option(
    "--privilege",
    "privileges",
    type=click.Choice(["login", "publish"]),
    multiple=True,
    help="What the request wants to do in the room. May be repeated.",
)
@click.option(
    "--stream",
    "stream_ids",
    multiple=True,
    metavar="ID",
    help="A stream to publish. May be repeated.",
)
@click.option(
    "--callee",
    "callees",
    multiple=True,
    metavar="ID",
    help="A user to call: the request begins a call, in a new room. May be repeated.",
)
@click.option("--lifetime", "lifetime_seconds", type=int, metavar="SECONDS", help="How long.")
@click.option(
    "--now", type=MomentType(), metavar="TIME", help="When: Unix seconds, or ISO 8601 in UTC."
)
@output
def explain(
    file: Path | None,
    stage: str | None,
    local: Path | None,
    claims: IO[bytes] | None,
    bearer: IO[bytes] | None,
    role: str | None,
    now: float | None,
    out: Output,
    **wanted: Any,
) -> ExitCode:
    """Explain which token an access policy gives a caller, and how each rule decides.

    The command asks no service: it reads a policy file, one of the checkout (--stage), or that of
    the local stack (--local).

    Exit code: 0 if the policy grants the request; 1 if it refuses it; 2 if the policy is invalid.
    """
    if sum(one is not None for one in (file, stage, local)) != 1:
        raise click.UsageError("Name one policy: FILE, --stage or --local.")
    if sum(one is not None for one in (claims, bearer, role)) != 1:
        raise click.UsageError("Name one caller: --claims, --bearer or --role.")
    from ops.policy.check import load  # noqa: PLC0415  as above
    from ops.policy.explain import ProofOfCaller  # noqa: PLC0415  as above
    from ops.policy.explain import explain as explain_policy  # noqa: PLC0415  as above
    from zego.policy.file import PolicyError  # noqa: PLC0415  as above

    if stage is not None:
        file = stage_file(stage)
    elif local is not None:
        file = local_file(local)
    try:
        loaded = load(file or Path(), allow_loopback=local is not None)
    except PolicyError as error:
        raise InputError(f"{error}.") from None
    proof = ProofOfCaller(
        None if bearer is None else read_bearer(bearer),
        None if claims is None else claims.read(),
        role,
    )
    names = {"user": "user_id", "room": "room_id"}
    request = {
        names.get(name, name): list(value) if isinstance(value, tuple) else value
        for name, value in wanted.items()
        if value not in (None, ())
    }
    return explain_policy(out, loaded, proof, request, time.time() if now is None else now)


def stage_file(stage: str) -> Path:
    """The policy of a stage in this checkout.

    :raises InputError: the working directory has no such file.
    """
    path = _FOLDER / f"{stage}.toml"
    if not path.is_file():
        raise InputError(
            f"{path} does not exist here.", "Run the command in the checkout, or name the file."
        )
    return path


def local_file(local: Path) -> Path:
    """The policy of the local stack whose stack.json or folder is given."""
    return (local if local.is_dir() else local.parent) / _LOCAL


class _BearerFile(click.File):
    """A file with a bearer token. Its error does not repeat a token that was given instead."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> IO[bytes]:
        if isinstance(value, str) and value.count(".") >= 2 and len(value) > 100:
            self.fail(
                "this is a token. Other users of this machine can read arguments, and your shell"
                " keeps them in its history: put the token in a file, or use - and paste it.",
                param,
                ctx,
            )
        opened: IO[bytes] = super().convert(value, param, ctx)  # type: ignore[arg-type]  # as click
        return opened


@policy.command(short_help="Write the identity for a bearer token.")
@click.argument("bearer_file", type=_BearerFile("rb"), default="-", metavar="[FILE | -]")
@output
def identity(bearer_file: IO[bytes], out: Output) -> ExitCode:
    """Write the identity that accepts a bearer token, to paste into the access policy.

    The command reads the token from FILE or standard input; on a terminal, it asks for it without
    showing it. It recognises the providers of docs/identity-providers.md, and for others uses what
    the token says. It does not check the token's signature and sends it nowhere.

    Exit code: 0 for an identity; 1 if the service cannot accept this kind of token.
    """
    from ops.policy.identity import write_identity  # noqa: PLC0415  imports the policy's reader

    written = write_identity(read_bearer(bearer_file), time.time())
    for text in written.toml.split("\n"):
        hanging = "#   " if text.startswith("# - ") else "# "
        out.show(prose(text, then=hanging) if text.startswith("#") else line(text))
    out.tell(
        "identity",
        "",
        toml=written.toml,
        name=written.name,
        provider=written.provider,
        user_id=written.user_id,
        expired=written.expired,
    )
    return ExitCode.DONE
