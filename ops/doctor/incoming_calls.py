"""The check of `IncomingCallUrl`: whether your server takes the incoming calls."""

from __future__ import annotations

from collections.abc import Iterator

from botocore.exceptions import ClientError

from ops.checklist.check import CannotCheckError, CheckResult, check
from ops.doctor.deployment import Deployment
from ops.errors import explain, is_denied
from ops.target import client_of, region_of

_MESSAGES = "ApproximateNumberOfMessages"


@check(
    "Does your server take incoming calls?",
    remedy="The dead-letter queue has the reason: docs/operations.md, Incoming calls are not"
    " delivered.",
    needs=("target",),
)
def incoming_calls(deployment: Deployment) -> Iterator[CheckResult]:
    """Nothing to check in a stack without `IncomingCallUrl`."""
    queue = deployment.target.dead_letters
    if queue is None:
        return
    region = region_of(deployment.target_options, deployment.session)
    client = client_of(deployment.session, "sqs", region)
    try:
        found = client.get_queue_attributes(QueueUrl=queue, AttributeNames=[_MESSAGES])
    except ClientError as error:
        if not is_denied(error):
            raise
        remedy = "Update the operator's policy: zego-token iam operator."
        raise CannotCheckError(explain(error).message, remedy) from None
    number = int(found["Attributes"][_MESSAGES])
    if number:
        events = "event of a call" if number == 1 else "events of calls"
        yield CheckResult("warning", f"{number} {events} could not be delivered.")
    else:
        yield CheckResult("ok", "its dead-letter queue is empty")
