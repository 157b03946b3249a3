"""Checks of a token, requested as callers do, and examined as ZEGO and its SDKs do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

from ops.checklist.check import CheckResult, CheckStatus, check
from ops.doctor.deployment import Deployment
from ops.doctor.issuer import refusal
from ops.doctor.issuer_api import IssuerResponse
from zego import duration
from zego.diagnosis.model import Diagnosis, Expected, TriedSecret
from zego.diagnosis.secrets import diagnose

_USER: Final = "doctor"
_GRANT: Final = (
    "Use a --user and a --room that a rule grants to these credentials, another --profile, or a"
    " frontend's --bearer-file. The audit log has the reason (docs/operations.md)."
)
_GRANT_BEARER: Final = (
    "Use a --room that a rule grants to this bearer token's user. The audit log has the reason"
    " (docs/operations.md)."
)
_REJECTED: Final = "Fix the secret first: see the verdict above."
_STATUSES: Final[dict[str, CheckStatus]] = {
    "refused": "failed",
    "warning": "warning",
    "note": "note",
}


@check(
    "Can a client log in with a token of the issuer?",
    remedy="Read the issuer's log (docs/operations.md).",
    needs=("value", "health"),
)
def token(deployment: Deployment) -> Iterator[CheckResult]:
    room = deployment.options.room or f"call_doctor_{os.urandom(6).hex()}"
    response, route = _ask(deployment, room)
    made = response.document
    if response.status != 201 or not isinstance(made.get("token"), str):
        bearer = deployment.options.bearer
        grant = _GRANT if bearer is None else _GRANT_BEARER
        yield refusal(response, route, output="ServiceRoutesArn", grant=grant)
        return
    diagnosis = _diagnose(deployment, made, room)
    for finding in diagnosis.findings:
        yield CheckResult(_STATUSES[finding.severity], finding.cause, finding.remedy)
    yield from _accepted(deployment, diagnosis, made)


def _ask(deployment: Deployment, room: str) -> tuple[IssuerResponse, str]:
    issuer, options = deployment.issuer, deployment.options
    if options.bearer is not None:
        path = "/v1/tokens"
        return issuer.with_bearer(path, options.bearer, {"room_id": room}), f"POST {path}"
    path = "/v1/service/tokens"
    document = {"user_id": options.user or _USER, "room_id": room}
    return issuer.signed("POST", path, document), f"POST {path}"


def _diagnose(deployment: Deployment, made: Any, room: str) -> Diagnosis:
    secrets = deployment.secrets
    user = made.get("user_id") if deployment.options.bearer else deployment.options.user or _USER
    privileges = made.get("privileges")
    publishes = isinstance(privileges, dict) and privileges.get("publish") is True
    skew = deployment.clock_skews.get("ZEGO", 0.0)
    expected = Expected(
        now=deployment.clock() - skew,
        app_id=deployment.options.app_id or secrets["AWSCURRENT"].app_id,
        user_id=user if isinstance(user, str) else None,
        room_id=room,
        publish=True if publishes else None,
    )
    candidates = {label: TriedSecret.of(secret) for label, secret in secrets.items()}
    return diagnose(made["token"], candidates, expected)


def _accepted(deployment: Deployment, diagnosis: Diagnosis, made: Any) -> Iterator[CheckResult]:
    """If the token itself is valid: whether ZEGO accepts its secret."""
    label = diagnosis.opened_by
    if diagnosis.verdict == "refused":
        return
    if label is None:
        yield CheckResult("failed", "No version of the secret opens it.")
        return
    verdict = deployment.by_label[label].verdict
    if verdict is None or verdict.rejected:
        yield CheckResult("failed", f"It is sealed with {label}, which ZEGO rejects.", _REJECTED)
    elif not verdict.accepted:
        seen = f"It is sealed with {label}, on which ZEGO gives no verdict."
        yield CheckResult("warning", seen, _REJECTED)
    else:
        issued_at, expires_at = (made.get(name) for name in ("issued_at", "expires_at"))
        lives = ""
        if isinstance(issued_at, int) and isinstance(expires_at, int):
            lives = f", for {duration(expires_at - issued_at)}"
        user, room = (str(made.get(name))[:128] for name in ("user_id", "room_id"))
        seen = f"user {user} may enter room {room}{lives}: sealed with {label}, which ZEGO accepts"
        yield CheckResult("ok", f"{seen} ({diagnosis.cipher})")
