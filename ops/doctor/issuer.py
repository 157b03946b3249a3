"""The issuer: does it answer, what does it run with, and whom does it let in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from ops.doctor.check import CheckResult, check
from ops.doctor.deployment import Deployment
from ops.doctor.issuer_api import IssuerResponse
from ops.errors import reason
from zego import duration
from zego.bounded_http import check_url
from zego.secret_store import CURRENT, PREVIOUS

#: How long an issuer may serve what it has read (SECRET_TTL_SECONDS), with time to spare.
_TTL_SECONDS: Final = 90.0
_OLDER: Final = "Deploy the issuer again (docs/deploy.md): it is older than this check."
_NOT_INVOKED: Final = (
    "Allow execute-api:Invoke on it (the stack's output {output}), or use another --profile."
)


@check(
    "Is it known where the issuer answers?",
    remedy="Give --api https://..., the output ApiUrl of the stack.",
    needs=("target",),
)
def address(deployment: Deployment) -> Iterator[CheckResult]:
    url = deployment.address
    if url is None:
        yield CheckResult("skipped", "nobody says where it answers", "Give --api URL, or --stage.")
        return
    check_url(url, allow_loopback=True)
    yield CheckResult("ok", url)


@check(
    "Does the issuer answer?",
    remedy="Compare --api with the stack's output ApiUrl. If it is right: the issuer's log"
    " (docs/operations.md).",
    needs=("address",),
)
def health(deployment: Deployment) -> Iterator[CheckResult]:
    """Anybody may ask."""
    answer = deployment.health
    if answer.status == 200 and answer.document.get("status") == "ok":
        version = str(answer.document.get("version", "unknown"))
        yield CheckResult("ok", f"alive, version {version[:40]}, in {answer.seconds * 1000:.0f} ms")
    else:
        yield CheckResult("failed", f"GET /v1/health was answered with {answer}.")


@check(
    "May the credentials read the issuer's status?",
    remedy="See the issuer's log (docs/operations.md).",
    needs=("health",),
)
def status(deployment: Deployment) -> Iterator[CheckResult]:
    """Signed: who may read it is in the policy."""
    answer = deployment.status
    if answer.status == 200:
        cipher = str(answer.document.get("token_cipher", "unknown"))
        yield CheckResult("ok", f"read; tokens are sealed with {cipher[:8]}")
    else:
        yield refusal(answer, "GET /v1/status", output="StatusRouteArn", grant=_READ_STATUS)


_READ_STATUS: Final = (
    "Give the role's identity read_status = true in the policy, or use another --profile."
)


def refusal(answer: IssuerResponse, route: str, *, output: str, grant: str) -> CheckResult:
    """What it means that a request was not granted: a permission that lacks is nobody's fault.

    :param output: the stack's, which names the route in IAM's words.
    :param grant: what to do where the policy refuses.
    """
    if answer.status == 403 and answer.code is None:
        seen = f"{route}: API Gateway does not let these credentials call it."
        return CheckResult("skipped", seen, _NOT_INVOKED.format(output=output))
    if answer.code == "not_granted":
        return CheckResult("skipped", f"{route}: the policy does not grant it.", grant)
    remedy = _REMEDIES.get(answer.code or "", "")
    return CheckResult("failed", f"{route} was answered with {answer}.", remedy)


_REMEDIES: Final = {
    "secret_unavailable": "The issuer cannot read the secret: its log says why"
    " (docs/operations.md). Mostly its role, or the key's policy.",
    "signing_keys_unavailable": "The identity provider's keys cannot be had: see signing-keys.",
    "iam_identity_missing": "The route is deployed without AWS_IAM: deploy the stack again.",
    "route_not_found": _OLDER,
    "internal_error": "The issuer's log has the place, at level ERROR (docs/operations.md).",
    "invalid_identifier": "Give --user and --room ids that ZEGO takes.",
    "bearer_malformed": "It is no JWT. Give --bearer-file what your identity provider issues.",
    "bearer_expired": "Take a fresh bearer token.",
    "bearer_untrusted_issuer": "Its iss is of no identity in the policy: compare them.",
    "bearer_wrong_audience": "Its aud is not the policy's: take one that is for this service.",
}


@check(
    "Does the issuer seal with AWSCURRENT?",
    remedy="Compare which secret the issuer reads (SERVER_SECRET_ARN); its log says why, if it"
    " cannot refresh it (docs/operations.md).",
    needs=("value", "status"),
)
def fingerprint(deployment: Deployment) -> Iterator[CheckResult]:
    has = deployment.status.part("secret")
    stored = deployment.secrets
    current = stored[CURRENT]
    if (has.get("fingerprint"), has.get("app_id")) == (current.fingerprint, current.app_id):
        yield CheckResult("ok", f"{current.fingerprint}, AWSCURRENT's")
        return
    shown = str(has.get("fingerprint", "none"))[:12]
    label = next((of for of, one in stored.items() if one.fingerprint == shown), "no label")
    age = deployment.clock() - (deployment.by_label[CURRENT].version.created_at or 0.0)
    seen = f"It has {shown}, of {label}; AWSCURRENT is {current.fingerprint}"
    if label == PREVIOUS and age < _TTL_SECONDS:
        yield CheckResult(
            "warning", f"{seen}, {duration(age)} old.", "Wait a minute: it looks again."
        )
    else:
        yield CheckResult("failed", f"{seen}.")


@check(
    "Does it run with the policy that is meant?",
    remedy="Deploy the stage again (make deploy): its policy is packaged with it.",
    needs=("status",),
)
def policy(deployment: Deployment) -> Iterator[CheckResult]:
    """It runs with one, so that one is valid; whether it is the one that is meant."""
    runs = deployment.status.part("policy")
    sha256, stage = str(runs.get("sha256")), str(runs.get("stage"))
    expected = deployment.target_options.stage
    if expected not in (None, stage):
        yield CheckResult(
            "failed",
            f"The issuer at this address is of stage {stage[:20]}, and --stage says {expected}.",
            "Compare --api and --stage.",
        )
    file = deployment.options.policy
    if file is None:
        yield CheckResult("ok", f"valid; of stage {stage[:20]}, sha256 {sha256[:12]}")
        return
    try:
        own = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        seen = f"{file} cannot be read: {reason(error)}."
        yield CheckResult("failed", seen, "Compare --policy.")
        return
    if own == sha256:
        yield CheckResult("ok", f"that of {file}, sha256 {sha256[:12]}")
    else:
        yield CheckResult("failed", f"Drift: it has {sha256[:12]}, and {file} is {own[:12]}.")


@check(
    "Does it get the identity providers' keys?",
    remedy="Compare jwks_uri in the policy with the identity provider's discovery document"
    " (docs/access-policy.md).",
    needs=("status",),
)
def signing_keys(deployment: Deployment) -> Iterator[CheckResult]:
    found = deployment.status.document.get("signing_keys")
    if not isinstance(found, list):
        yield CheckResult("skipped", "the issuer does not say", _OLDER)
        return
    if not found:
        yield CheckResult("ok", "The policy has no identity provider.")
    yield from (_signing_keys(one) for one in found if isinstance(one, dict))


def _signing_keys(one: dict[str, Any]) -> CheckResult:
    identity, uri = str(one.get("identity")), str(one.get("jwks_uri"))
    problem, keys = one.get("problem"), one.get("keys")
    if keys:
        seen = f"{keys} at {uri}"
        if problem is None:
            return CheckResult("ok", seen, of=identity)
        return CheckResult("warning", f"{seen}, for an hour still: {problem}.", of=identity)
    if keys is None and (problem is None or str(problem).startswith("not fetched")):
        return CheckResult("skipped", f"{uri}: the issuer has not asked yet", of=identity)
    return CheckResult("failed", f"{uri}: {problem or 'it has no key'}.", of=identity)


@check(
    "May pages of the origin call it?",
    remedy="Add the origin, exactly, to AllowedOrigins in samconfig.toml, and deploy.",
    needs=("health",),
)
def cors(deployment: Deployment) -> Iterator[CheckResult]:
    if not deployment.options.origins:
        yield CheckResult("note", "no origin is named", "Give --origin https://your.page.")
    for origin in deployment.options.origins:
        yield _cors(deployment, origin)


def _cors(deployment: Deployment, origin: str) -> CheckResult:
    allowed = deployment.issuer.preflight("/v1/tokens", origin).headers
    answered = deployment.issuer.get("/v1/health", origin=origin).headers
    for headers, what in ((allowed, "the preflight"), (answered, "an answer")):
        if headers.get("access-control-allow-origin") not in {origin, "*"}:
            seen = f"Its pages may not call the API: {what} does not allow the origin."
            return CheckResult("failed", seen, of=origin)
    for name, wanted in _ALLOWED.items():
        said = {one.strip().lower() for one in allowed.get(name, "").split(",")}
        said |= {*wanted} - {"authorization"} if "*" in said else set()  # as browsers read it
        if lacking := [one for one in wanted if one not in said]:
            return CheckResult("failed", f"{name} lacks {', '.join(lacking)}.", of=origin)
    return CheckResult("ok", "its pages may call the API", of=origin)


_ALLOWED: Final = {
    "access-control-allow-methods": ("post",),
    "access-control-allow-headers": ("authorization", "content-type"),
}
