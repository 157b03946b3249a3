"""Checks of AWS before the secret: credentials, region, and the options' target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from ops.checklist.check import CheckResult, check
from ops.doctor.deployment import Deployment
from ops.errors import CommandError, explain
from ops.target import API_OUTPUT, client_of, region_of, require_credentials
from zego.bounded_http import Response
from zego.server_api import clock_skew

#: The codes with which STS refuses credentials that no service accepts.
_USELESS: Final = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)


@check(
    "Are there AWS credentials, and whose are they?",
    remedy="Log in (aws sso login, aws login), or use another --profile.",
)
def credentials(deployment: Deployment) -> Iterator[CheckResult]:
    session = deployment.session
    if deployment.target_options.local is not None:
        yield CheckResult("ok", "the local stack's")
        return
    region = region_of(deployment.target_options, session)
    require_credentials(session, region)
    if region is None:
        yield CheckResult("ok", "found; cannot tell whose without a region")
        return
    try:
        response = client_of(session, "sts", region).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        response = error.response if isinstance(error, ClientError) else {}
        if response.get("Error", {}).get("Code") in _USELESS:
            raise
        failure = explain(error)  # the next checks find other problems of them
        seen = f"found, but STS does not tell whose. {failure.message}"
        remedy = failure.remedy or "Do nothing if the next checks pass."
        yield CheckResult("warning", seen, remedy)
    else:
        headers = response["ResponseMetadata"]["HTTPHeaders"]
        skew = clock_skew(Response(200, headers, b""), deployment.clock())
        if skew is not None:
            deployment.clock_skews["AWS"] = skew
        yield CheckResult("ok", str(response["Arn"]))


@check(
    "Is the AWS region known?",
    remedy="Use --region, or set AWS_REGION or the profile's region.",
    needs=("credentials",),
)
def region(deployment: Deployment) -> Iterator[CheckResult]:
    found = region_of(deployment.target_options, deployment.session)
    if found is None:
        raise NoRegionError
    yield CheckResult("ok", found)


@check(
    "Do the options lead to a secret?",
    remedy="Deploy the stack again (docs/deploy.md), or name the secret with --secret-id.",
    needs=("region",),
)
def target(deployment: Deployment) -> Iterator[CheckResult]:
    api = deployment.target.api
    target_options = deployment.target_options
    if target_options.local is not None:
        yield CheckResult("ok", f"the local stack, {api}" if api else "the local stack")
    elif (stack := target_options.stack_name) is None:
        yield CheckResult("ok", "the named secret")
    elif api is None:
        raise CommandError(f"The stack {stack} has no output {API_OUTPUT}.")
    else:
        yield CheckResult("ok", f"the stack {stack}")
