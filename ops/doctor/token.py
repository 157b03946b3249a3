"""Checks of a token, requested as callers do, and examined as ZEGO and its SDKs do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ops.checklist.check import CheckResult, CheckStatus, check
from ops.doctor.deployment import Deployment
from ops.doctor.issuer import refusal
from ops.doctor.issuer_api import IssuerResponse
from zego import duration
from zego.diagnosis.kinds import KINDS
from zego.diagnosis.model import Diagnosis, Expected, TriedSecret
from zego.diagnosis.secrets import diagnose
from zego.secret_store import CURRENT

_GRANT: Final = (
    "Use a --user and a --room that a rule grants to these credentials, another --profile, or a"
    " frontend's --bearer-file. The audit log has the reason (docs/operations.md)."
)
_GRANT_BEARER: Final = (
    "Use a --room that a rule grants to this bearer token's user. The audit log has the reason"
    " (docs/operations.md)."
)
_DIAGNOSE_TOKENS: Final = (
    "Set diagnose_tokens = true for the role's identity in the policy, or use another --profile."
)
_CBC: Final = CheckResult(
    "warning",
    "It is sealed with CBC, and the issuer opens only GCM tokens.",
    "Run the doctor with credentials that may read the secret, without --without-secret.",
)
_NOT_OPENED: Final = (
    "If the secret was rotated a minute ago, try again. Otherwise check which secret the issuer"
    " reads (SERVER_SECRET_ARN), and read its log (docs/operations.md)."
)
_EXPLAINED: Final = "docs/troubleshooting.md explains each finding."
_RESET: Final = "Someone reset the secret: see docs/rotation.md."
_WATCH: Final = "Check that the watcher runs (docs/operations.md)."
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
    user, room = _user_and_room(deployment)
    response, route = request_token(deployment, user, room)
    made = response.document
    if response.status != 201 or not isinstance(made.get("token"), str):
        bearer = deployment.options.bearer
        grant = _GRANT if bearer is None else _GRANT_BEARER
        yield refusal(deployment, response, route, output="ServiceRoutesArn", grant=grant)
        return
    if deployment.options.bearer is not None:
        user = str(made.get("user_id"))
    if deployment.options.without_secret:
        yield from _opened_by_the_issuer(deployment, made, user, room)
        return
    diagnosis = _diagnose(deployment, made, user, room)
    for finding in diagnosis.findings:
        yield CheckResult(_STATUSES[finding.severity], finding.cause, finding.remedy)
    yield from _accepted(deployment, diagnosis, made)


def _user_and_room(deployment: Deployment) -> tuple[str, str]:
    """The ids of the test token: those that the rule in the sample policies grants.

    A bearer token names the user, whose rules are about the rooms of calls.
    """
    options, name = deployment.options, f"doctor_{os.urandom(6).hex()}"
    room = name if options.bearer is None else f"call_{name}"
    return options.user or name, options.room or room


def request_token(
    deployment: Deployment, user: str, room: str | None
) -> tuple[IssuerResponse, str]:
    """Request a token as the options say; also returns the route.

    :param user: ignored if there is a bearer token, which names the user.
    :param room: ``None``: request a token that opens every room.
    """
    issuer, bearer = deployment.issuer, deployment.options.bearer
    document = {} if room is None else {"room_id": room}
    if bearer is not None:
        path = "/v1/tokens"
        return issuer.with_bearer(path, bearer, document), f"POST {path}"
    path = "/v1/service/tokens"
    return issuer.signed("POST", path, {"user_id": user, **document}), f"POST {path}"


def _diagnose(deployment: Deployment, made: Any, user: str, room: str) -> Diagnosis:
    secrets = deployment.secrets
    privileges = made.get("privileges")
    publishes = isinstance(privileges, dict) and privileges.get("publish") is True
    skew = deployment.clock_skews.get("ZEGO", 0.0)
    expected = Expected(
        now=deployment.clock() - skew,
        app_id=deployment.options.app_id or secrets["AWSCURRENT"].app_id,
        user_id=user,
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
        seen = f"{_allows(made)}: sealed with {label}, which ZEGO accepts ({diagnosis.cipher})"
        yield CheckResult("ok", seen)


def _allows(made: Any) -> str:
    """What the token allows."""
    issued_at, expires_at = (made.get(name) for name in ("issued_at", "expires_at"))
    lives = ""
    if isinstance(issued_at, int) and isinstance(expires_at, int):
        lives = f", for {duration(expires_at - issued_at)}"
    user, room = (str(made.get(name))[:128] for name in ("user_id", "room_id"))
    return f"user {user} may enter room {room}{lives}"


def _opened_by_the_issuer(
    deployment: Deployment, made: Any, user: str, room: str
) -> Iterator[CheckResult]:
    """Whether the issuer opens the token with its current secret, and what it finds."""
    route = "POST /v1/diagnose"
    document = {"token": made["token"], "user_id": user, "room_id": room}
    if deployment.options.app_id is not None:
        document["app_id"] = deployment.options.app_id
    response = deployment.issuer.signed("POST", "/v1/diagnose", document)
    diagnosis = response.document
    if response.status != 200:
        yield refusal(
            deployment, response, route, output="DiagnoseRouteArn", grant=_DIAGNOSE_TOKENS
        )
        return
    if diagnosis.get("cipher") == "cbc":
        yield _CBC
        return
    if diagnosis.get("opened_by") != CURRENT:
        yield CheckResult("failed", "AWSCURRENT does not open it.", _NOT_OPENED)
    for severity, kind in _found(diagnosis):
        yield CheckResult(_STATUSES[severity], f"{route} finds {kind}.", _EXPLAINED)
    if diagnosis.get("verdict") == "good" and diagnosis.get("opened_by") == CURRENT:
        yield _as_the_watcher_noted(deployment, made, diagnosis.get("secret_fingerprint"))


def _found(diagnosis: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The problems that the response reports, each with its severity."""
    findings = diagnosis.get("findings")
    for one in findings if isinstance(findings, list) else []:
        is_known = isinstance(one, dict) and one.get("kind") in KINDS
        if is_known and one.get("severity") in {"refused", "warning"}:
            yield one["severity"], one["kind"]


def _as_the_watcher_noted(deployment: Deployment, made: Any, fingerprint: object) -> CheckResult:
    """Whether ZEGO accepts the secret, by the last verdict on it."""
    last = deployment.status.part("secret").get("last_verdict")
    noted = last if isinstance(last, dict) and last.get("fingerprint") == fingerprint else {}
    seen = f"{_allows(made)}: the issuer opens it with AWSCURRENT"
    match noted.get("verdict"):
        case "accepted":
            return CheckResult("ok", f"{seen}, which ZEGO accepts")
        case "rejected":
            return CheckResult("failed", f"{seen}, which ZEGO rejects.", _RESET)
    return CheckResult("warning", f"{seen}, but the watcher has noted no verdict on it.", _WATCH)
