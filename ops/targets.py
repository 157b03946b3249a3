"""From what the options name to the secret itself, in AWS or in the local stack."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ops.exit_codes import ExitCode
from ops.failures import CommandError
from ops.options import STACK_FILE, Wanted
from zego import server_api
from zego.secret_store.versions import CLIENT_CONFIG, SecretVersions
from zego.server_api import ServerApi, Verdict
from zego.server_secret import ServerSecret

STACK_NAME: Final = "zego-token-service-{stage}"
#: Of that stack.
SECRET_OUTPUT: Final = "SecretArn"  # noqa: S105  a name
API_OUTPUT: Final = "ApiUrl"

Service = Literal["secretsmanager", "cloudformation", "sts", "kms"]
_ENDPOINT_VARIABLES: Final[Mapping[Service, str]] = {
    "secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "cloudformation": "AWS_ENDPOINT_URL_CLOUDFORMATION",
    "sts": "AWS_ENDPOINT_URL_STS",
    "kms": "AWS_ENDPOINT_URL_KMS",
}


@dataclass(frozen=True, slots=True)
class Target:
    """One secret, and whom to ask about it.

    :ivar name: the options that name it.
    :ivar probe: asks ZEGO.
    :ivar region: where the secret is.
    :ivar api: where the issuer of its tokens answers; ``None``: the options do not lead there.
    """

    name: str
    versions: SecretVersions
    probe: Callable[[ServerSecret], Verdict]
    region: str | None = None
    api: str | None = None


def open_session(wanted: Wanted) -> boto3.Session:
    """Credentials and a region, as the options and this machine's configuration name them.

    Of a local stack they are its own. Nobody has been asked yet whether they are good.

    :raises CommandError: no local stack runs there.
    :raises BotoCoreError: no such profile, or a configuration that cannot be read.
    """
    if wanted.local is not None:
        return _LocalStack.read(wanted.local).session()
    region = wanted.region or os.environ.get("AWS_REGION")  # which boto3 does not read itself
    return boto3.Session(profile_name=wanted.profile, region_name=region)


def connect(wanted: Wanted, session: boto3.Session | None = None) -> Target:
    """The target. Of AWS, only the stack of a stage has been asked for so far.

    :param session: as :func:`open_session` gave it, where it did already.
    :raises CommandError: what was named is not there.
    :raises BotoCoreError: no such profile, no region, no credentials for CloudFormation.
    :raises ClientError: CloudFormation refused.
    """
    if wanted.local is not None:
        return _local(wanted, _LocalStack.read(wanted.local))
    probe = _probe(wanted.zego_api)
    session = session or open_session(wanted)
    outputs = {} if wanted.stage is None else _outputs(session, wanted.stage)
    secret_id, region = _secret_of(wanted, outputs)
    client = client_of(session, "secretsmanager", region)
    versions = SecretVersions(client, secret_id)
    return Target(
        str(wanted), versions, probe, client.meta.region_name, outputs.get(API_OUTPUT) or None
    )


def region_of(wanted: Wanted, session: boto3.Session) -> str | None:
    """Where the secret is looked for, or first the stack that names it; nobody is asked."""
    named = _secret_of(wanted, {})[1] if wanted.secret_id else None
    return named or session.region_name


def _secret_of(wanted: Wanted, outputs: Mapping[str, str]) -> tuple[str, str | None]:
    """The secret's id, and the region to ask: the one in its ARN, or ``None``, the session's.

    A replica's ARN is the primary's but for the region, so that ``--region`` names a replica.
    """
    secret_id = wanted.secret_id or _of_stage(wanted, outputs)
    if not secret_id.startswith("arn:"):
        return secret_id, None
    parts = secret_id.split(":")
    if len(parts) != 7 or parts[2] != "secretsmanager":
        raise CommandError(
            "--secret-id is no ARN of a secret.",
            "It is arn:aws:secretsmanager:<region>:<account>:secret:<name>, or the name alone.",
            ExitCode.USAGE,
        )
    if wanted.secret_id and wanted.region:
        parts[3] = wanted.region
    return ":".join(parts), parts[3]


def client_of(session: boto3.Session, service: Service, region: str | None = None) -> Any:
    """A client that gives an answer or an error within seconds.

    :param region: ``None``: the session's.
    :raises CommandError: an endpoint that this machine's configuration names is none.
    :raises BotoCoreError: no region.
    """
    try:
        return session.client(service, region_name=region, config=CLIENT_CONFIG)
    except BotoCoreError:
        raise
    except ValueError:  # its text could show an address with a password
        variable = _ENDPOINT_VARIABLES[service]
        raise CommandError(
            "The AWS configuration of this machine cannot be used: an endpoint or a number in it"
            " is none.",
            f"See to {variable}, AWS_ENDPOINT_URL, AWS_MAX_ATTEMPTS, and endpoint_url in"
            " ~/.aws/config.",
            ExitCode.USAGE,
        ) from None


def _outputs(session: boto3.Session, stage: str) -> dict[str, str]:
    """What the stack of a stage says of itself."""
    stack = STACK_NAME.format(stage=stage)
    client = client_of(session, "cloudformation")
    try:
        stacks = client.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "ValidationError":
            raise
        raise CommandError(
            f"There is no stack {stack} in this account and region.",
            "Compare --stage, --region and --profile; or name the secret by --secret-id.",
            ExitCode.AWS,
        ) from None
    return {
        str(output.get("OutputKey")): str(output.get("OutputValue"))
        for output in stacks[0].get("Outputs", ())
    }


def _of_stage(wanted: Wanted, outputs: Mapping[str, str]) -> str:
    if SECRET_OUTPUT in outputs:
        return outputs[SECRET_OUTPUT]
    stack = STACK_NAME.format(stage=wanted.stage)
    raise CommandError(
        f"The stack {stack} has no output {SECRET_OUTPUT}.",
        "Deploy it again (docs/deploy.md), or name the secret by --secret-id.",
        ExitCode.AWS,
    )


@dataclass(frozen=True, slots=True)
class _LocalStack:
    """What `stack.json` says of a stack that runs on this machine.

    :ivar path: of the file.
    :ivar access_key: the one pair that its API takes.
    """

    path: Path
    secrets_manager: str
    region: str
    zego: str
    secret_id: str
    api: str | None
    access_key: tuple[str, str] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> _LocalStack:
        """:raises CommandError: it is not there, or describes no stack."""
        if path.is_dir():
            path /= STACK_FILE.name
        try:
            stack = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                path,
                stack["secrets_manager"],
                stack["region"],
                stack["zego"],
                stack["secret_id"],
                stack.get("api"),
                (stack.get("access_key_id", "local"), stack.get("secret_access_key", "local")),
            )
        except FileNotFoundError:
            raise CommandError(
                f"No local stack runs here: there is no {path}.",
                "Start one (make run), or name its stack.json: --local PATH.",
                ExitCode.AWS,
            ) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise _no_stack(path) from None

    def session(self) -> boto3.Session:
        key_id, secret_key = self.access_key
        return boto3.Session(key_id, secret_key, region_name=self.region)


def _local(wanted: Wanted, stack: _LocalStack) -> Target:
    try:
        client = stack.session().client(
            "secretsmanager", endpoint_url=stack.secrets_manager, config=CLIENT_CONFIG
        )
    except (ValueError, TypeError, AttributeError):
        raise _no_stack(stack.path) from None
    versions = SecretVersions(client, wanted.secret_id or stack.secret_id)
    probe = _probe(wanted.zego_api or stack.zego)
    return Target(str(wanted), versions, probe, stack.region, stack.api)


def _no_stack(path: Path) -> CommandError:
    return CommandError(
        f"{path} does not describe a local stack.", "Start it again (make run).", ExitCode.AWS
    )


def _probe(endpoint: str | None) -> Callable[[ServerSecret], Verdict]:
    try:
        return ServerApi(endpoint or server_api.ENDPOINT).probe
    except ValueError as error:
        raise CommandError(f"--zego-api: {error}.", "", ExitCode.USAGE) from None
