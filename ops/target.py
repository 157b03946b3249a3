"""The secret that a command works on: the options that name it, and the clients that reach it.

:func:`target` gives a command the options as :class:`TargetOptions`; :func:`connected` makes them a
:class:`Target`, in AWS or in the local stack. boto3 is not imported before that.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import shlex
import socket
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import click

from ops.errors import CommandError, ExitCode, InputError, explain
from ops.output import copyable
from zego import DEPLOYED_STAGES
from zego.bounded_http import check_url

if TYPE_CHECKING:
    import boto3

    from zego.secret_store.versions import SecretVersions
    from zego.server_api import ServerApi, Verdict
    from zego.server_secret import ServerSecret

SECRET_ID_VARIABLE: Final = "ZEGO_TOKEN_SECRET_ID"  # noqa: S105  a name
STACK_FILE: Final = Path(".local", "stack.json")
_STACK_NAME: Final = "zego-token-service-{stage}"
#: Outputs of a stack.
SECRET_OUTPUT: Final = "SecretArn"  # noqa: S105  a name
TABLE_OUTPUT: Final = "LimitsTableName"
API_OUTPUT: Final = "ApiUrl"
_DIRECT_OUTPUT: Final = "DirectUrl"
_DEAD_LETTERS_OUTPUT: Final = "IncomingCallDeadLettersUrl"
#: How long a local stack may take to accept a connection.
_LOCAL_SECONDS: Final = 2.0

AwsService = Literal[
    "cloudformation",
    "cloudtrail",
    "dynamodb",
    "kms",
    "lambda",
    "secretsmanager",
    "sns",
    "sqs",
    "sts",
]

Command = Callable[..., ExitCode]

#: The options, in the order in which messages repeat them.
_OPTIONS: Final = ("local", "stage", "stack", "secret_id", "profile", "region", "zego_api", "api")
_ABOUT_ONE: Final = (
    "This command takes one secret: use --stage, --stack or --secret-id, each option once."
)


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """The options that name a command's secret.

    :ivar stage: the stage whose stack names the secret.
    :ivar stack: the name of that stack, if it is not ``zego-token-service-<stage>``.
    :ivar local: the file that describes a running local stack.
    :ivar zego_api: the API that gives verdicts; ``None``: ZEGO's, or the local stack's stand-in.
    :ivar api: the issuer's URL; ``None``: the stack's or the local stack's.
    """

    secret_id: str | None = None
    stage: str | None = None
    profile: str | None = None
    region: str | None = None
    local: Path | None = None
    zego_api: str | None = None
    stack: str | None = None
    api: str | None = None

    @property
    def stack_name(self) -> str | None:
        """The stack that names the secret; ``None`` if the options name the secret itself."""
        return self.stack or (self.stage and _STACK_NAME.format(stage=self.stage))

    def __str__(self) -> str:
        """As options, to copy into another command."""
        words: list[str] = []
        for name in _OPTIONS:
            if value := getattr(self, name):
                words.append(f"--{name.replace('_', '-')}")
                if value != STACK_FILE:  # the value of --local alone
                    words.append(str(value))
        return shlex.join(words)


@dataclass(frozen=True, slots=True)
class Target:
    """One secret, and the clients that reach it.

    :ivar name: the options that name it.
    :ivar probe: asks ZEGO for a verdict.
    :ivar region: the secret's region.
    :ivar api: the issuer's URL; ``None`` if the options do not lead to it.
    :ivar direct: its URL past the edge (docs/edge.md); ``None`` if the stack requires no edge.
    :ivar dead_letters: the queue of the incoming calls that were not delivered; ``None`` if the
        stack posts none.
    """

    name: str
    versions: SecretVersions
    probe: Callable[[ServerSecret], Verdict]
    region: str | None = None
    api: str | None = None
    direct: str | None = None
    dead_letters: str | None = None


# --- The options ------------------------------------------------------------------------------


LOCAL_OPTION: Final = click.option(
    "--local",
    type=click.Path(path_type=Path),
    is_flag=False,
    flag_value=str(STACK_FILE),
    metavar="[PATH]",
    help=f"Use the local stack (make run), which {STACK_FILE} describes.",
)


def names_stack(word: str) -> bool:
    """Whether a word names a stack's file or its folder, rather than something else."""
    in_folder = os.path.join(word, STACK_FILE.name)  # noqa: PTH118  Path refuses a long name
    return word.endswith(".json") or os.path.isfile(in_folder)  # noqa: PTH113


def target(
    count: Literal["one", "many", "optional"] = "one", *, unless: Collection[str] = ()
) -> Callable[[Command], Command]:
    """Options that name a secret. The command gets :class:`TargetOptions` as ``target_options``.

    :param count: with ``many`` they may be repeated, and the command gets a list of their
        combinations; with ``optional`` it gets ``None`` if they name no secret.
    :param unless: options of the command; if one is used, the environment names no secret.
    """
    more = " May be repeated." if count == "many" else ""
    decorators = [
        click.option(
            "--stage",
            type=click.Choice(DEPLOYED_STAGES),
            multiple=True,
            help=f"Use the secret of the stack zego-token-service-<stage>.{more}",
        ),
        click.option(
            "--stack",
            multiple=True,
            metavar="NAME",
            help=f"Use the secret of a stack that has another name.{more}",
        ),
        click.option(
            "--secret-id",
            multiple=True,
            metavar="ARN|NAME",
            help=f"The secret's ARN or name; by default ${SECRET_ID_VARIABLE}.{more}",
        ),
        click.option("--profile", multiple=True, help=f"The AWS profile.{more}"),
        click.option("--region", multiple=True, help=f"The AWS region.{more}"),
        LOCAL_OPTION,
    ]
    if count != "optional":
        decorators.append(
            click.option(
                "--zego-api",
                metavar="URL",
                help="The API to ask for ZEGO's verdict.  [default: ZEGO's, or the local stack's"
                " stand-in]",
            )
        )

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_target(**options: Any) -> ExitCode:
            in_environment = not any(options[name] for name in unless)
            named = _combinations(
                options, is_required=count != "optional", environment=in_environment
            )
            if count == "many":
                return command(target_options=named, **options)
            if len(named) > 1:
                raise click.UsageError(_ABOUT_ONE)
            return command(target_options=named[0] if named else None, **options)

        for decorator in reversed(decorators):
            with_target = decorator(with_target)
        return with_target

    return decorate


def api_url(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    """Check the value of ``--api``, and remove the slashes at its end."""
    if value is None:
        return None
    try:
        url = check_url(value, allow_loopback=True)
    except ValueError as error:
        raise click.BadParameter(f"{error}; plain http is only for this machine.") from None
    if "?" in url or "#" in url:
        raise click.BadParameter("it may only have a scheme, a host and a path.")
    return url.rstrip("/")


def service(command: Command) -> Command:
    """Options that name a service, by its stack or URL: as :func:`stack`, with ``--api``."""
    return click.option(
        "--api", metavar="URL", callback=api_url, help="The issuer's URL (the output ApiUrl)."
    )(stack(command))


def stack(command: Command) -> Command:
    """Options that name a stack: the command gets :class:`TargetOptions` as ``target_options``."""

    @click.option(
        "--stage",
        type=click.Choice(DEPLOYED_STAGES),
        help="Use the service of the stack zego-token-service-<stage>.",
    )
    @click.option("--stack", metavar="NAME", help="Use the service of a stack with another name.")
    @click.option("--profile", help="The AWS profile.")
    @click.option("--region", help="The AWS region.")
    @LOCAL_OPTION
    @functools.wraps(command)
    def with_stack(
        stage: str | None,
        stack: str | None,
        profile: str | None,
        region: str | None,
        local: Path | None,
        **options: Any,
    ) -> ExitCode:
        what, ways = "stack", "--local, --stage or --stack"
        if "api" in options:
            what, ways = "service", "--local, --stage, --stack or --api"
        api = options.pop("api", None)
        if sum(one is not None for one in (api, stage, stack, local)) != 1:
            raise click.UsageError(f"Name one {what}: {ways}.")
        if local is not None and (profile or region):
            raise click.UsageError("--local cannot be combined with --profile or --region.")
        named = TargetOptions(
            stage=stage, stack=stack, profile=profile, region=region, local=local, api=api
        )
        return command(target_options=named, **options)

    return with_stack


def _combinations(
    options: dict[str, Any], *, is_required: bool, environment: bool
) -> list[TargetOptions]:
    """The secrets that the options name, removed from them; may be empty if none is required."""
    stages, stacks, secret_ids, profiles, regions = (
        list(options.pop(name)) for name in ("stage", "stack", "secret_id", "profile", "region")
    )
    local, zego_api = options.pop("local"), options.pop("zego_api", None)
    if local is not None:
        if stages or stacks or profiles or regions:
            raise click.UsageError(
                "--local cannot be combined with --stage, --stack, --profile or --region."
            )
        return [TargetOptions(one, local=local, zego_api=zego_api) for one in secret_ids or [None]]
    named = [TargetOptions(stage=stage) for stage in stages]
    named += [TargetOptions(stack=stack) for stack in stacks]
    named += [TargetOptions(secret_id) for secret_id in secret_ids]
    from_environment = os.environ.get(SECRET_ID_VARIABLE) if environment else None
    if not named and from_environment:
        named = [TargetOptions(from_environment)]
    if not named:
        if not is_required and not profiles and not regions:
            return []
        raise click.UsageError("No secret is named. Use --stage, --stack, --secret-id or --local.")
    return [
        replace(one, profile=profile, region=region, zego_api=zego_api)
        for one, profile, region in itertools.product(named, profiles or [None], regions or [None])
    ]


# --- Connections to AWS and the local stack ---------------------------------------------------


@contextmanager
def connected(options: TargetOptions) -> Iterator[Target]:
    """The target. If the command fails, the commands in its remedy get the target's options."""
    target = connect(options)
    with copyable_remedies(options):
        yield target


@contextmanager
def copyable_remedies(options: TargetOptions) -> Iterator[None]:
    """If the block fails, the commands in its remedy get the target's options."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  as above

    from zego.secret_store.versions import SecretStoreError  # noqa: PLC0415  as above

    try:
        yield
    except (CommandError, SecretStoreError, ClientError, BotoCoreError) as error:
        failure = explain(error)
        remedy = copyable(failure.remedy, str(options))
        raise CommandError(failure.message, remedy, failure.exit_code) from None


def open_session(options: TargetOptions) -> boto3.Session:
    """A session with the credentials and region of the options and this machine's configuration.

    A local stack has its own. Whether they are valid has not been checked yet.

    :raises CommandError: no local stack is running there.
    :raises BotoCoreError: no such profile, or a configuration that cannot be read.
    """
    if options.local is not None:
        return _RunningStack.read(options.local).session()
    import boto3  # noqa: PLC0415  0.4 s, which `explain` and most of `inspect` and `scan` do without

    region = options.region or os.environ.get("AWS_REGION")  # which boto3 does not read itself
    return boto3.Session(profile_name=options.profile, region_name=region)


def connect(options: TargetOptions, session: boto3.Session | None = None) -> Target:
    """The target. The only call to AWS so far describes the stack of a stage.

    :param session: the one of :func:`open_session`, if it is already open.
    :raises CommandError: the stack, its output or the local stack does not exist.
    :raises BotoCoreError: no such profile, no region, no credentials for CloudFormation.
    :raises ClientError: CloudFormation refused.
    """
    if options.local is not None:
        return _local(options, _RunningStack.read(options.local))
    from zego.secret_store.versions import SecretVersions  # noqa: PLC0415  imports botocore

    probe = server_api(options).probe
    session = session or open_session(options)
    outputs = {} if options.stack_name is None else stack_outputs(session, options.stack_name)
    secret_id, region = _secret_of(options, outputs)
    client = client_of(session, "secretsmanager", region)
    versions = SecretVersions(client, secret_id)
    return Target(
        str(options),
        versions,
        probe,
        client.meta.region_name,
        outputs.get(API_OUTPUT) or None,
        outputs.get(_DIRECT_OUTPUT),
        outputs.get(_DEAD_LETTERS_OUTPUT),
    )


def address_of(options: TargetOptions, session: boto3.Session) -> str:
    """The issuer's URL.

    :raises CommandError: the stack or the local stack does not exist, or does not have it.
    """
    if options.api is not None:
        return options.api
    if options.local is not None:
        stack = _RunningStack.read(options.local)
        if not isinstance(stack.api, str):
            raise _no_stack(stack.path)
        return stack.api
    stack_name = options.stack_name or ""
    url = stack_outputs(session, stack_name).get(API_OUTPUT)
    if not url:
        raise CommandError(
            f"The stack {stack_name} has no output {API_OUTPUT}.",
            "Use --api with the issuer's URL.",
            ExitCode.AWS,
        )
    return url.rstrip("/")


def local_environment(path: Path) -> dict[str, str]:
    """The variables with which a backend uses the local stack, by name.

    :param path: of the stack's file.
    :raises CommandError: no local stack is running there.
    """
    stack = _RunningStack.read(path)
    try:
        url = urlsplit(str(stack.api))
        socket.create_connection((url.hostname or "", url.port or 0), _LOCAL_SECONDS).close()
    except (OSError, ValueError):
        raise CommandError(
            f"No local stack is running here: {stack.path} is from one that has stopped.",
            "Start one (make run).",
            ExitCode.AWS,
        ) from None
    key_id, secret_key = stack.access_key
    return {
        "ZEGO_TOKENS_URL": str(stack.api),
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_REGION": stack.region,
        "AWS_DEFAULT_REGION": stack.region,  # boto3 does not read the other
    }


def has_own_project(path: Path) -> bool:
    """Whether a local stack runs with the developer's own ZEGO project.

    :param path: of the stack's file.
    :raises CommandError: no local stack is running there.
    """
    return _RunningStack.read(path).own_project


def identity_provider_of(path: Path) -> str | None:
    """The URL of a local stack's identity provider, if it has one.

    :param path: of the stack's file.
    :raises CommandError: no local stack is running there.
    """
    return _RunningStack.read(path).identity_provider


def connect_table(options: TargetOptions, session: boto3.Session) -> tuple[Any, str]:
    """The client of DynamoDB, and the name of the stack's table of denials and budgets.

    :raises CommandError: the stack does not exist or has no such table, or no local stack is
        running there.
    :raises Exception: as :func:`connect`.
    """
    if options.local is not None:
        stack = _RunningStack.read(options.local)
        if stack.limits_table and stack.dynamodb:
            return _local_client(stack, session, "dynamodb", stack.dynamodb), stack.limits_table
        raise _no_stack(stack.path)
    stack_name = options.stack_name or ""
    name = stack_outputs(session, stack_name).get(TABLE_OUTPUT)
    if not name:
        raise CommandError(
            f"The stack {stack_name} has no table of denials: it was deployed with Limits=Off, or"
            " from an older version.",
            "Set Limits=On in samconfig.toml and deploy the stack again (docs/deploy.md).",
            ExitCode.AWS,
        )
    return client_of(session, "dynamodb"), name


def region_of(options: TargetOptions, session: boto3.Session) -> str | None:
    """The region of the secret, or of the stack that names it; makes no call."""
    named = _secret_of(options, {})[1] if options.secret_id else None
    return named or session.region_name


def _secret_of(options: TargetOptions, outputs: Mapping[str, str]) -> tuple[str, str | None]:
    """The secret's id, and the region of its ARN; ``None``: the session's region.

    A replica's ARN differs from the primary's only by the region, so ``--region`` names a replica.
    """
    secret_id = options.secret_id or outputs.get(SECRET_OUTPUT)
    if secret_id is None:
        raise CommandError(
            f"The stack {options.stack_name} has no output {SECRET_OUTPUT}.",
            "Deploy it again (docs/deploy.md), or name the secret with --secret-id.",
            ExitCode.AWS,
        )
    if not secret_id.startswith("arn:"):
        return secret_id, None
    parts = secret_id.split(":")
    if len(parts) != 7 or parts[2] != "secretsmanager":
        raise InputError(
            "--secret-id is not a secret's ARN.",
            "Use arn:aws:secretsmanager:<region>:<account>:secret:<name>, or only the name.",
        )
    if options.secret_id and options.region:
        parts[3] = options.region
    return ":".join(parts), parts[3]


def require_credentials(session: boto3.Session, region: str | None) -> None:
    """Check that there are credentials. If the region is missing too, the error names both.

    :param region: ``None``: the session's.
    """
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415  as above

    if session.get_credentials() is not None:
        return
    if region or session.region_name:
        raise NoCredentialsError
    raise CommandError(
        "No AWS credentials were found, and no AWS region is set.",
        "Log in (aws sso login, aws login), or use another --profile. Use --region, or set"
        " AWS_REGION or the profile's region.",
        ExitCode.AWS,
    )


def client_of(session: boto3.Session, service: AwsService, region: str | None = None) -> Any:
    """A client that returns a response or raises an error within seconds.

    :param region: ``None``: the session's.
    :raises CommandError: this machine's configuration contains an invalid endpoint.
    :raises BotoCoreError: no credentials, or no region.
    """
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415  as above

    from zego.secret_store.versions import CLIENT_CONFIG  # noqa: PLC0415  as above

    require_credentials(session, region)
    try:
        return session.client(service, region_name=region, config=CLIENT_CONFIG)
    except BotoCoreError:
        raise
    except ValueError:  # its text could show an address with a password
        name = "SECRETS_MANAGER" if service == "secretsmanager" else service.upper()
        raise InputError(
            "The AWS configuration of this machine contains an invalid endpoint or number.",
            f"Check AWS_ENDPOINT_URL_{name}, AWS_ENDPOINT_URL, AWS_MAX_ATTEMPTS, and endpoint_url"
            " in ~/.aws/config.",
        ) from None


def stack_outputs(session: boto3.Session, stack: str) -> dict[str, str]:
    """The outputs of a stack, by their names.

    :raises CommandError: there is no such stack.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415  as above

    client = client_of(session, "cloudformation")
    try:
        stacks = client.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ValidationError":
            raise
        raise CommandError(
            f"There is no stack {stack} in {client.meta.region_name} in this account.",
            "Check --stage or --stack, --region and --profile; or name the secret with"
            " --secret-id.",
            ExitCode.AWS,
        ) from None
    return {
        str(output.get("OutputKey")): str(output.get("OutputValue"))
        for output in stacks[0].get("Outputs", ())
    }


@dataclass(frozen=True, slots=True)
class _RunningStack:
    """The content of `stack.json`, which describes a stack that runs on this machine.

    :ivar path: the file's path.
    :ivar access_key: the only key pair that its API accepts.
    """

    path: Path
    secrets_manager: str
    region: str
    zego: str
    secret_id: str
    api: str | None
    identity_provider: str | None
    dynamodb: str | None
    limits_table: str | None
    access_key: tuple[str, str] = field(repr=False)
    own_project: bool

    @classmethod
    def read(cls, path: Path) -> _RunningStack:
        """:raises CommandError: the file does not exist, or does not describe a stack."""
        if path.is_dir():
            path /= STACK_FILE.name
        try:
            stack = json.loads(path.read_text(encoding="utf-8"))
            texts = {name: value for name, value in stack.items() if isinstance(value, str)}
            return cls(
                path,
                texts["secrets_manager"],
                texts["region"],
                texts["zego"],
                texts["secret_id"],
                texts.get("api"),
                texts.get("identity_provider"),
                texts.get("dynamodb"),
                texts.get("limits_table"),
                (texts.get("access_key_id", "local"), texts.get("secret_access_key", "local")),
                stack.get("own_project") is True,
            )
        except FileNotFoundError:
            raise CommandError(
                f"No local stack is running here: {path} does not exist.",
                "Start one (make run), or give the path of its stack.json.",
                ExitCode.AWS,
            ) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise _no_stack(path) from None

    def session(self) -> boto3.Session:
        import boto3  # noqa: PLC0415  as above

        key_id, secret_key = self.access_key
        return boto3.Session(key_id, secret_key, region_name=self.region)


def _local(options: TargetOptions, stack: _RunningStack) -> Target:
    from zego.secret_store.versions import SecretVersions  # noqa: PLC0415  as above

    client = _local_client(stack, stack.session(), "secretsmanager", stack.secrets_manager)
    versions = SecretVersions(client, options.secret_id or stack.secret_id)
    probe = server_api(options).probe
    return Target(str(options), versions, probe, stack.region, stack.api)


def _local_client(
    stack: _RunningStack, session: boto3.Session, service: AwsService, url: str
) -> Any:
    from zego.secret_store.versions import CLIENT_CONFIG  # noqa: PLC0415  as above

    try:
        return session.client(service, endpoint_url=url, config=CLIENT_CONFIG)
    except (ValueError, TypeError, AttributeError):
        raise _no_stack(stack.path) from None


def _no_stack(path: Path) -> CommandError:
    return CommandError(
        f"{path} does not describe a local stack.", "Start it again (make run).", ExitCode.AWS
    )


def server_api(options: TargetOptions) -> ServerApi:
    """ZEGO's server API, or the local stack's stand-in for it.

    :raises CommandError: ``--zego-api`` is invalid, or no local stack is running there.
    """
    from zego.server_api import ServerApi  # noqa: PLC0415  imports ssl

    endpoint = options.zego_api
    if endpoint is None and options.local is not None:
        endpoint = _RunningStack.read(options.local).zego
    try:
        return ServerApi(endpoint or None)
    except ValueError as error:
        raise InputError(f"--zego-api: {error}.") from None
