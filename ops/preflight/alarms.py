"""Checks of the alarms: whom they reach, and the trail that tells how a rotation ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError

from ops.checklist.check import CannotCheckError, CheckResult, check
from ops.preflight.plan import CONFIG, Arn, Plan, error_code


@check(
    "Does someone receive the alarms?",
    remedy='Add "AlarmEmail=..." or "AlarmTopicArn=..." to parameter_overrides in samconfig.toml;'
    ' or "AlarmsTellNobody=Yes", if you read the alarms elsewhere.',
)
def receivers(plan: Plan) -> Iterator[CheckResult]:
    given = plan.parameters
    if topic := given.get("AlarmTopicArn"):
        yield CheckResult("ok", topic)
    elif (address := given.get("AlarmEmail")) and "EXAMPLE" not in address:
        yield CheckResult("ok", f"{address}, once the mail from AWS is confirmed")
    elif given.get("AlarmsTellNobody") == "Yes":
        yield CheckResult("note", f"No one: {CONFIG} has AlarmsTellNobody=Yes.")
    elif plan.environment.stage == "prod":
        yield CheckResult("failed", "No one receives the alarms of prod.")
    else:
        yield CheckResult("note", f"No one: {CONFIG} has neither AlarmEmail nor AlarmTopicArn.")


@check(
    "Can CloudWatch publish to the topic of the alarms?",
    remedy="Check AlarmTopicArn in samconfig.toml.",
    needs=("credentials",),
)
def topic(plan: Plan) -> Iterator[CheckResult]:
    arn = Arn.of(plan.parameters.get("AlarmTopicArn", ""))
    if arn is None:
        return
    name = plan.parameters["AlarmTopicArn"]
    try:
        attributes = plan.call("sns", "get_topic_attributes", arn.region, TopicArn=name)[
            "Attributes"
        ]
    except ClientError as error:
        if error_code(error) not in {"NotFound", "NotFoundException"}:
            raise
        yield CheckResult("failed", f"The topic {arn.resource} does not exist.")
        return
    statements = _several(json.loads(attributes["Policy"])["Statement"])
    if not any(map(_lets_cloudwatch_publish, statements)):
        yield CheckResult(
            "failed",
            f"The policy of {arn.resource} does not let CloudWatch publish.",
            "Allow sns:Publish for the principal cloudwatch.amazonaws.com in the topic's policy.",
        )
    elif attributes.get("KmsMasterKeyId", "").endswith("alias/aws/sns"):
        yield CheckResult(
            "failed",
            f"{arn.resource} is encrypted with aws/sns, which CloudWatch cannot use.",
            "Encrypt the topic with your own key, whose policy allows cloudwatch.amazonaws.com"
            " kms:Decrypt and kms:GenerateDataKey*; or do not encrypt it.",
        )
    else:
        yield CheckResult("ok", f"{arn.resource} exists, and its policy allows it")


def _lets_cloudwatch_publish(statement: Mapping[str, Any]) -> bool:
    """Whether a statement allows it. Its conditions are not evaluated.

    The policy of a new topic allows every principal on behalf of the topic's owner, which includes
    CloudWatch.
    """
    principal = statement.get("Principal", {})
    named = {"AWS": principal} if isinstance(principal, str) else principal
    principals = [*_several(named.get("AWS")), *_several(named.get("Service"))]
    actions = [str(action).lower() for action in _several(statement.get("Action"))]
    return (
        statement.get("Effect") == "Allow"
        and not {"*", "cloudwatch.amazonaws.com"}.isdisjoint(principals)
        and any(fnmatchcase("sns:publish", action) for action in actions)
    )


def _several(value: Any) -> list[Any]:
    """The value as a list."""
    return value if isinstance(value, list) else [] if value is None else [value]


@check(
    "Does CloudTrail record what happens to the secret?",
    remedy="Create a trail with management events in the CloudTrail console (AWS charges only its"
    " storage): without one, AWS does not report a rotation that Secrets Manager gave up.",
    needs=("credentials",),
)
def trail(plan: Plan) -> Iterator[CheckResult]:
    """Only the stack that rotates the secret has alarms for it."""
    if not plan.environment.owns_rotation:
        return
    trails = plan.call("cloudtrail", "describe_trails", includeShadowTrails=True)["trailList"]
    unknown: CannotCheckError | None = None
    for one in trails:
        try:
            records = _records(plan, one["TrailARN"], one["HomeRegion"])
        except CannotCheckError as error:  # for instance one of the organization
            unknown = error
            continue
        if records:
            yield CheckResult("ok", one["TrailARN"])
            return
    if unknown is not None:
        raise unknown
    seen = f"{len(trails)} trails, and no one of them" if trails else "No trail"
    yield CheckResult("warning", f"{seen} records management events in {plan.region}.")


def _records(plan: Plan, arn: str, home: str) -> bool:
    """Whether a trail records changes that are made through the API."""
    if not plan.call("cloudtrail", "get_trail_status", home, Name=arn)["IsLogging"]:
        return False
    found = plan.call("cloudtrail", "get_event_selectors", home, TrailName=arn)
    return any(
        one.get("IncludeManagementEvents", True) and one.get("ReadWriteType", "All") != "ReadOnly"
        for one in found.get("EventSelectors", ())
    ) or any(
        _is_of_changes(one["FieldSelectors"]) for one in found.get("AdvancedEventSelectors", ())
    )


def _is_of_changes(fields: list[Mapping[str, Any]]) -> bool:
    equals = {one["Field"]: one.get("Equals", []) for one in fields}
    return "Management" in equals.get("eventCategory", []) and "true" not in equals.get(
        "readOnly", []
    )
