"""AWS, before the secret: who asks, where, and of what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from ops.doctor.check import Result
from ops.doctor.deployment import Deployment
from ops.errors import CommandError, explain
from ops.target import API_OUTPUT, STACK_NAME, client_of, region_of
from zego.bounded_http import Response
from zego.server_api import clock_skew

#: What STS says of credentials that are of no use anywhere.
_USELESS: Final = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


def credentials(deployment: Deployment) -> Iterator[Result]:
    """Those that this machine has, and whose AWS says they are."""
    session = deployment.session
    if deployment.target_options.local is not None:
        yield Result("ok", "those of the local stack")
        return
    if session.get_credentials() is None:
        raise NoCredentialsError
    region = region_of(deployment.target_options, session)
    if region is None:
        yield Result("ok", "there; whose, is not known without a region")
        return
    try:
        answer = client_of(session, "sts", region).get_caller_identity()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in _USELESS:
            raise
        yield _nobodys(error)
    except BotoCoreError as error:
        yield _nobodys(error)
    else:
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        skew = clock_skew(Response(200, headers, b""), deployment.clock())
        if skew is not None:
            deployment.clock_skews["AWS"] = skew
        yield Result("ok", str(answer["Arn"]))


def _nobodys(error: Exception) -> Result:
    """What else AWS says of them is for the next checks to see."""
    failure = explain(error)
    seen = f"there; STS does not say whose. {failure.message}"
    return Result("warning", seen, failure.remedy or "Nothing, if what follows is well.")


def region(deployment: Deployment) -> Iterator[Result]:
    """The one that is asked first."""
    found = region_of(deployment.target_options, deployment.session)
    if found is None:
        raise NoRegionError
    yield Result("ok", found)


def target(deployment: Deployment) -> Iterator[Result]:
    """From the options to the secret's name."""
    api = deployment.target.api
    target_options = deployment.target_options
    if target_options.local is not None:
        yield Result("ok", f"the local stack, {api}" if api else "the local stack")
    elif target_options.stage is None:
        yield Result("ok", "the secret that is named")
    else:
        stack = STACK_NAME.format(stage=target_options.stage)
        if api is None:
            raise CommandError(f"The stack {stack} has no output {API_OUTPUT}.")
        yield Result("ok", f"the stack {stack}")
