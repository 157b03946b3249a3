"""From what the options name to the secret itself, in AWS or in the local stack."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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

_Service = Literal["secretsmanager", "cloudformation"]
_ENDPOINT_VARIABLES: Final[Mapping[_Service, str]] = {
    "secretsmanager": "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "cloudformation": "AWS_ENDPOINT_URL_CLOUDFORMATION",
}


@dataclass(frozen=True, slots=True)
class Target:
    """One secret, and whom to ask about it.

    :ivar name: the options that name it.
    :ivar probe: asks ZEGO.
    """

    name: str
    versions: SecretVersions
    probe: Callable[[ServerSecret], Verdict]


def connect(wanted: Wanted) -> Target:
    """The target. Of AWS, only the stack of a stage has been asked for so far.

    :raises CommandError: what was named is not there.
    :raises BotoCoreError: no such profile, no region, no credentials for CloudFormation.
    :raises ClientError: CloudFormation refused.
    """
    if wanted.local is not None:
        return _local(wanted, wanted.local)
    probe = _probe(wanted.zego_api)
    region = wanted.region or os.environ.get("AWS_REGION")  # which boto3 does not read itself
    session = boto3.Session(profile_name=wanted.profile, region_name=region)
    secret_id, region = _secret_of(session, wanted)
    client = _client(session, "secretsmanager", region)
    return Target(str(wanted), SecretVersions(client, secret_id), probe)


def _secret_of(session: boto3.Session, wanted: Wanted) -> tuple[str, str | None]:
    """The secret's id, and the region to ask: the one in its ARN, or ``None``, the session's.

    A replica's ARN is the primary's but for the region, so that ``--region`` names a replica.
    """
    secret_id = wanted.secret_id or _of_stage(session, STACK_NAME.format(stage=wanted.stage))
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


def _client(session: boto3.Session, service: _Service, region: str | None = None) -> Any:
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


def _of_stage(session: boto3.Session, stack: str) -> str:
    client = _client(session, "cloudformation")
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
    for output in stacks[0].get("Outputs", ()):
        if output.get("OutputKey") == SECRET_OUTPUT:
            return str(output["OutputValue"])
    raise CommandError(
        f"The stack {stack} has no output {SECRET_OUTPUT}.",
        "Deploy it again (docs/deploy.md), or name the secret by --secret-id.",
        ExitCode.AWS,
    )


def _local(wanted: Wanted, path: Path) -> Target:
    if path.is_dir():
        path /= STACK_FILE.name
    try:
        stack = json.loads(path.read_text(encoding="utf-8"))
        endpoint, region, zego = (stack[key] for key in ("secrets_manager", "region", "zego"))
        secret_id = wanted.secret_id or stack["secret_id"]
        client = boto3.client(
            "secretsmanager",
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106  signatures are not verified there
            config=CLIENT_CONFIG,
        )
    except FileNotFoundError:
        raise CommandError(
            f"No local stack runs here: there is no {path}.",
            "Start one (make run), or name its stack.json: --local PATH.",
            ExitCode.AWS,
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise CommandError(
            f"{path} does not describe a local stack.", "Start it again (make run).", ExitCode.AWS
        ) from None
    return Target(str(wanted), SecretVersions(client, secret_id), _probe(wanted.zego_api or zego))


def _probe(endpoint: str | None) -> Callable[[ServerSecret], Verdict]:
    try:
        return ServerApi(endpoint or server_api.ENDPOINT).probe
    except ValueError as error:
        raise CommandError(f"--zego-api: {error}.", "", ExitCode.USAGE) from None
