"""The rotator Lambda: runs the step that Secrets Manager's event names, notes and logs its outcome.

Secrets Manager invokes it synchronously and retries after every error, so a step that does not
succeed raises. The error's text goes to the log and contains neither a secret nor a token.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, Final, cast

import boto3

from rotator.steps import RotationSteps, StepResult
from runtime.settings import RotatorSettings
from runtime.telemetry import Telemetry
from zego.rotation import STEPS, Step
from zego.secret_store.notes import FAILURE_TAG, ROTATION_TAG, RotationNote
from zego.secret_store.versions import CLIENT_CONFIG, SecretStoreError, SecretVersions
from zego.server_api import ServerApi

_settings = RotatorSettings.read(os.environ)
_versions = SecretVersions(
    boto3.client(
        "secretsmanager",
        region_name=_settings.region,
        endpoint_url=_settings.secrets_manager_endpoint,
        config=CLIENT_CONFIG,
    ),
    _settings.secret_id,
)
_rotation = RotationSteps(_versions, ServerApi(_settings.zego_server_api))
telemetry = Telemetry("rotator")
telemetry.set_stage(_settings.stage)

#: Outcomes that are neither noted nor counted: the reason for giving up is already noted, and
#: testing the set-up is not a rotation.
_QUIET: Final = ("given-up", "set-up")


class RotationError(Exception):
    """The step failed or was refused. The message says why and what to do next."""


class RotationEventError(ValueError):
    """The event is not a rotation event of Secrets Manager for this secret."""


def handler(event: Mapping[str, Any], _context: object) -> None:
    """Run one step of the rotation.

    :raises RotationEventError: the event does not belong to this secret's rotation.
    :raises RotationError: the step refused the value, or failed and Secrets Manager retries it.
    """
    step, token, rotation_token = _read(event)
    try:
        result = _rotation.run(step, token, rotation_token=rotation_token)
    except Exception as error:  # noqa: BLE001  its text could contain anything
        telemetry.log_failure("The rotator failed", error)
        result = StepResult("broken", f"{type(error).__name__} in {step}")
    _note(step, token, result)
    _say(step, token, result)
    if result.ending.kind != "done":
        raise RotationError(f"{step}: {result}")


def _read(event: Mapping[str, Any]) -> tuple[Step, str, str | None]:
    """The step, the client request token, and the rotation token if the event has one."""
    step, token = event.get("Step"), event.get("ClientRequestToken")
    rotation_token = event.get("RotationToken")
    if step not in STEPS:
        raise RotationEventError(f"Step must be one of {', '.join(STEPS)}")
    if not isinstance(token, str) or not token:
        raise RotationEventError("ClientRequestToken is missing")
    if not isinstance(rotation_token, str | None):
        raise RotationEventError("RotationToken is not a string")
    if not _is_ours(event.get("SecretId")):
        raise RotationEventError("SecretId is not the secret that this function rotates")
    return cast("Step", step), token, rotation_token


def _is_ours(secret_id: object) -> bool:
    """Whether this ARN belongs to the secret of the settings, which name it by ARN or name."""
    if not isinstance(secret_id, str):
        return False
    name = secret_id.partition(":secret:")[2][: -len("-abcdef")]
    return _settings.secret_id in (secret_id, name)


def _note(step: Step, token: str, result: StepResult) -> None:
    """Note the outcome on the secret, for the command line. A failure to note it stops nothing."""
    if result.outcome in _QUIET:
        return
    note = RotationNote(
        token, step, result.outcome, int(time.time()), result.code, result.fingerprint
    ).to_tag()
    try:
        _versions.note(ROTATION_TAG, note)
        if result.ending.kind != "done":
            _versions.note(FAILURE_TAG, note)
    except SecretStoreError as error:
        telemetry.logger.warning("The outcome could not be noted", reason=str(error))


def _say(step: Step, token: str, result: StepResult) -> None:
    kind = result.ending.kind
    is_counted = result.outcome not in ("done", *_QUIET)
    log = telemetry.logger.error if is_counted and kind != "done" else telemetry.logger.info
    log(
        "%s: %s",
        step,
        result,
        step=step,
        outcome=result.outcome,
        secret_version=token,
        code=result.code,
        secret_fingerprint=result.fingerprint,
    )
    if is_counted:
        how = result.outcome if result.outcome in ("promoted", "unproven") else kind
        telemetry.count_by("RotationOutcome", outcome=how)
