"""Checks of the secret: its labels, key and values, and the functions' notes on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from ops.checklist.check import CheckResult, check
from ops.doctor.deployment import Deployment
from ops.errors import explain
from ops.secret import render
from ops.secret.status import JudgedVersion, in_flight_since, pending
from ops.target import client_of
from zego import duration
from zego.rotation import OUTCOMES, STUCK_SECONDS
from zego.secret_store import CANDIDATE, CURRENT, LABELS, PENDING, PREVIOUS
from zego.secret_store.notes import FAILURE_TAG, ROTATION_TAG, RotationNote

_UNSTICK: Final = "Give it up: zego-token secret unstick."


@check(
    "Does the secret exist?",
    remedy="Check --stage, --stack or --secret-id, --region and --profile.",
    needs=("target",),
)
def secret(deployment: Deployment) -> Iterator[CheckResult]:
    yield CheckResult("ok", deployment.state.arn)


@check(
    "Does AWSCURRENT exist, without a stuck rotation?",
    remedy="Deploy the stack that owns the secret: it stores a placeholder. Then rotate:"
    " zego-token secret rotate.",
    needs=("secret",),
)
def labels(deployment: Deployment) -> Iterator[CheckResult]:
    """AWSCURRENT exists, AWSPENDING does not stay, CANDIDATE is a new value."""
    state = deployment.state
    where = state.labels
    if CURRENT not in where:
        yield CheckResult(
            "failed", "No version has this label, so no token can be issued.", of=CURRENT
        )
        return
    found = [
        f"{label} on {where[label][:8]}"
        for label in LABELS
        if label in where and (label != PENDING or state.in_flight)
    ]
    problems = [*_pending(deployment)]
    if where.get(CANDIDATE) == where[CURRENT]:  # `value` finds a copy of it
        problems.append(_NOT_NEW)
    if not any(problem.status == "warning" for problem in problems):
        yield CheckResult("ok", ", ".join(found))
    yield from problems


def _pending(deployment: Deployment) -> Iterator[CheckResult]:
    state = deployment.state
    if state.in_flight is None:
        return
    began = in_flight_since(state, pending(deployment.target, state))
    if began is None:
        seen = f"A rotation is in flight. {render.NO_START_TIME}"
        remedy = "If it does not end, give it up: zego-token secret unstick."
        yield CheckResult("warning", seen, remedy, PENDING)
        return
    age = deployment.clock() - began
    seen = f"A rotation has been in flight for {duration(age)}"
    if age < STUCK_SECONDS:
        yield CheckResult("ok", f"{seen}.", of=PENDING)
    else:
        yield CheckResult("warning", f"{seen}: it does not end.", _UNSTICK, PENDING)


_NOT_NEW: Final = CheckResult(
    "warning",
    "It is already the current value, so a rotation to it would be refused.",
    "Stage the new value from ZEGO's console: zego-token secret stage.",
    CANDIDATE,
)


@check(
    "Can the KMS key be used?",
    remedy="Enable the key, or cancel its deletion (aws kms enable-key, cancel-key-deletion).",
    needs=("secret",),
)
def key(deployment: Deployment) -> Iterator[CheckResult]:
    """The KMS key that encrypts the secret, if it has its own key."""
    kms_key = deployment.state.kms_key
    if kms_key is None or kms_key.endswith("alias/aws/secretsmanager"):
        yield CheckResult("ok", "AWS' default key, aws/secretsmanager")
        return
    if deployment.target_options.local is not None:
        yield CheckResult("skipped", "the local stack has no KMS")
        return
    name = kms_key.rpartition("/")[2]
    try:
        client = client_of(deployment.session, "kms", deployment.target.region)
        state = client.describe_key(KeyId=kms_key)["KeyMetadata"]["KeyState"]
    except (ClientError, BotoCoreError) as error:
        yield CheckResult(
            "skipped",
            f"{name}: {explain(error).message}",
            "Do nothing if the values below can be read. Otherwise allow kms:DescribeKey on it.",
        )
        return
    if state == "Enabled":
        yield CheckResult("ok", f"{name}, enabled")
    else:
        yield CheckResult(
            "failed", f"{name} is {state}: neither the issuer nor a rotation can use it."
        )


@check(
    "Does each value have the form of a ServerSecret?",
    remedy="Copy the ServerSecret from ZEGO's console, and rotate: zego-token secret rotate.",
    needs=("labels",),
)
def value(deployment: Deployment) -> Iterator[CheckResult]:
    """The form of each value, which is checked without ZEGO."""
    for label, judged in deployment.by_label.items():
        yield _value(label, judged)
    current, candidate = (deployment.secrets.get(label) for label in (CURRENT, CANDIDATE))
    where = deployment.state.labels
    if candidate is not None and candidate == current and where[CANDIDATE] != where[CURRENT]:
        yield _NOT_NEW


def _value(label: str, judged: JudgedVersion) -> CheckResult:
    version = judged.version
    if version.secret is None:
        seen = f"{version.problem}."
        if label == PENDING and version.created_at is None:
            return CheckResult("ok", seen, of=label)
        return CheckResult(
            "failed" if label == CURRENT else "warning", seen, _REPLACE[label], label
        )
    if version.secret.looks_unusual:
        seen = f"fingerprint {version.fingerprint}; not lower-case hex digits, as ZEGO's are."
        return CheckResult("warning", seen, "Compare it with ZEGO's console.", label)
    return CheckResult("ok", f"fingerprint {version.fingerprint}", of=label)


_REPLACE: Final = {
    CURRENT: "Copy the ServerSecret from ZEGO's console, and rotate: zego-token secret rotate.",
    PREVIOUS: "Do nothing: it is not in use, but you cannot restore it.",
    PENDING: f"The rotation will be refused. {_UNSTICK}",
    CANDIDATE: "Stage the value from ZEGO's console again: zego-token secret stage.",
}


@check(
    "Is the AppID the same everywhere?",
    remedy="Compare the clients with the AppID in ZEGO's console. Tokens are valid only for the"
    " secret's AppID.",
    needs=("value",),
)
def app_id(deployment: Deployment) -> Iterator[CheckResult]:
    found = {label: secret.app_id for label, secret in deployment.secrets.items()}
    current, expected = found[CURRENT], deployment.options.app_id
    if expected not in (None, current):
        yield CheckResult("failed", f"{current}, but --app-id is {expected}.", of=CURRENT)
    else:
        known = "" if expected is None else ", as in --app-id"
        yield CheckResult("ok", f"{current}{known}")
    for label, other in found.items():
        if other != current:
            remedy = "A rotation never changes the AppID: another project needs another secret."
            yield CheckResult("warning", f"It is for AppID {other}.", remedy, label)


@check(
    "Is rotation set up, and how did the last one end?",
    remedy="See docs/rotation.md.",
    needs=("secret",),
)
def rotation(deployment: Deployment) -> Iterator[CheckResult]:
    state = deployment.state
    if state.rotation_function is None:
        yield CheckResult(
            "warning",
            "No function rotates this secret: a new value would become current unchecked.",
            "Deploy the stack that owns it, or set RotateGivenSecret=Yes (docs/deploy.md).",
        )
        return
    if state.is_rotation_off:
        yield CheckResult(
            "warning",
            render.ROTATION_OFF,
            "The next rotation turns it on again: zego-token secret rotate.",
        )
    name = state.rotation_function.rpartition(":function:")[2]
    last, failure = (
        RotationNote.from_tag(state.tags.get(tag)) for tag in (ROTATION_TAG, FAILURE_TAG)
    )
    if last is None:
        yield CheckResult("ok", f"by {name}; no rotation has been noted yet")
        return
    if failure is not None and failure.token == state.in_flight:
        last = failure
    ago = duration(deployment.clock() - last.at)
    seen = f"by {name}; the last one {ago} ago, {last.step}: {render.ending(last)}"
    if OUTCOMES[last.outcome].kind != "done":
        yield CheckResult("warning", seen, OUTCOMES[last.outcome].remedy)
    elif state.in_flight is None and render.was_given_up(last, state):
        yield CheckResult("warning", f"{seen} After that, it was given up.", render.ROTATE_STAGED)
    else:
        yield CheckResult("ok", seen)
