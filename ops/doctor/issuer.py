"""The issuer: does it answer, what does it run with, and whom does it let in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from ops.doctor.check import Result
from ops.doctor.deployment import Deployment
from ops.doctor.issuer_api import Answer
from ops.output import duration
from zego.bounded_http import check_url
from zego.secret_store import CURRENT, PREVIOUS

#: How long an issuer may serve what it has read (SECRET_TTL_SECONDS), with time to spare.
_TTL_SECONDS: Final = 90.0
_TOKENS: Final = "/v1/tokens"
_OLDER: Final = "Deploy the issuer again (docs/deploy.md): it is older than this check."
_NOT_INVOKED: Final = (
    "Allow execute-api:Invoke on it (the stack's output {output}), or use another --profile."
)


def address(deployment: Deployment) -> Iterator[Result]:
    """Where it is."""
    url = deployment.address
    if url is None:
        yield Result("skipped", "nobody says where it answers", "Give --api URL, or --stage.")
        return
    check_url(url, allow_loopback=True)
    yield Result("ok", url)


def health(deployment: Deployment) -> Iterator[Result]:
    """Anybody may ask."""
    answer = deployment.health
    if answer.status == 200 and answer.document.get("status") == "ok":
        version = str(answer.document.get("version", "unknown"))
        yield Result("ok", f"alive, version {version[:40]}, in {answer.seconds * 1000:.0f} ms")
    else:
        yield Result("failed", f"GET /v1/health was answered with {answer}.")


def status(deployment: Deployment) -> Iterator[Result]:
    """Signed: who may read it is in the policy."""
    answer = deployment.status
    if answer.status == 200:
        cipher = str(answer.document.get("token_cipher", "unknown"))
        yield Result("ok", f"read; tokens are sealed with {cipher[:8]}")
    else:
        yield refusal(answer, "GET /v1/status", output="StatusRouteArn", grant=_READ_STATUS)


_READ_STATUS: Final = (
    "Give the role's identity read_status = true in the policy, or use another --profile."
)


def refusal(answer: Answer, route: str, *, output: str, grant: str) -> Result:
    """What it means that a request was not granted: a permission that lacks is nobody's fault.

    :param output: the stack's, which names the route in IAM's words.
    :param grant: what to do where the policy refuses.
    """
    if answer.status == 403 and answer.code is None:
        seen = f"{route}: API Gateway does not let these credentials call it."
        return Result("skipped", seen, _NOT_INVOKED.format(output=output))
    if answer.code == "not_granted":
        return Result("skipped", f"{route}: the policy does not grant it.", grant)
    remedy = _REMEDIES.get(answer.code or "", "")
    return Result("failed", f"{route} was answered with {answer}.", remedy)


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


def fingerprint(deployment: Deployment) -> Iterator[Result]:
    """Whether the issuer seals with AWSCURRENT."""
    has = deployment.status.part("secret")
    stored = deployment.secrets
    current = stored[CURRENT]
    if (has.get("fingerprint"), has.get("app_id")) == (current.fingerprint, current.app_id):
        yield Result("ok", f"{current.fingerprint}, AWSCURRENT's")
        return
    shown = str(has.get("fingerprint", "none"))[:12]
    label = next((of for of, one in stored.items() if one.fingerprint == shown), "no label")
    age = deployment.clock() - (deployment.by_label[CURRENT].version.created_at or 0.0)
    seen = f"It has {shown}, of {label}; AWSCURRENT is {current.fingerprint}"
    if label == PREVIOUS and age < _TTL_SECONDS:
        yield Result("warning", f"{seen}, {duration(age)} old.", "Wait a minute: it looks again.")
    else:
        yield Result("failed", f"{seen}.")


def policy(deployment: Deployment) -> Iterator[Result]:
    """It runs with one, so that one is valid; whether it is the one that is meant."""
    runs = deployment.status.part("policy")
    sha256, stage = str(runs.get("sha256")), str(runs.get("stage"))
    wanted = deployment.target_options.stage
    if wanted not in (None, stage):
        yield Result(
            "failed",
            f"The issuer at this address is of stage {stage[:20]}, and --stage says {wanted}.",
            "Compare --api and --stage.",
        )
    file = deployment.asked.policy
    if file is None:
        yield Result("ok", f"valid; of stage {stage[:20]}, sha256 {sha256[:12]}")
        return
    try:
        own = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        why = error.strerror or type(error).__name__
        yield Result("failed", f"{file} cannot be read: {why}.", "Compare --policy.")
        return
    if own == sha256:
        yield Result("ok", f"that of {file}, sha256 {sha256[:12]}")
    else:
        yield Result("failed", f"Drift: it has {sha256[:12]}, and {file} is {own[:12]}.")


def signing_keys(deployment: Deployment) -> Iterator[Result]:
    """Whether the issuer itself gets the keys that bearer tokens are signed with."""
    found = deployment.status.document.get("signing_keys")
    if not isinstance(found, list):
        yield Result("skipped", "the issuer does not say", _OLDER)
        return
    if not found:
        yield Result("ok", "The policy has no identity provider.")
    yield from (_signing_keys(one) for one in found if isinstance(one, dict))


def _signing_keys(one: dict[str, Any]) -> Result:
    identity, uri = str(one.get("identity")), str(one.get("jwks_uri"))
    problem, keys = one.get("problem"), one.get("keys")
    if keys:
        seen = f"{keys} at {uri}"
        if problem is None:
            return Result("ok", seen, of=identity)
        return Result("warning", f"{seen}, for an hour still: {problem}.", of=identity)
    if keys is None and (problem is None or str(problem).startswith("not fetched")):
        return Result("skipped", f"{uri}: the issuer has not asked yet", of=identity)
    return Result("failed", f"{uri}: {problem or 'it has no key'}.", of=identity)


def cors(deployment: Deployment) -> Iterator[Result]:
    """Whether browsers let pages of an origin ask, and read the answer."""
    if not deployment.asked.origins:
        yield Result("note", "no origin is named", "Give --origin https://your.page.")
    for origin in deployment.asked.origins:
        yield _cors(deployment, origin)


def _cors(deployment: Deployment, origin: str) -> Result:
    allowed = deployment.issuer.preflight(_TOKENS, origin).headers
    answered = deployment.issuer.get("/v1/health", origin=origin).headers
    for headers, what in ((allowed, "the preflight"), (answered, "an answer")):
        if headers.get("access-control-allow-origin") not in {origin, "*"}:
            seen = f"Its pages may not call the API: {what} does not allow the origin."
            return Result("failed", seen, of=origin)
    for name, wanted in _ALLOWED.items():
        said = {one.strip().lower() for one in allowed.get(name, "").split(",")}
        said |= {*wanted} - {"authorization"} if "*" in said else set()  # as browsers read it
        if lacking := [one for one in wanted if one not in said]:
            return Result("failed", f"{name} lacks {', '.join(lacking)}.", of=origin)
    return Result("ok", "its pages may call the API", of=origin)


_ALLOWED: Final = {
    "access-control-allow-methods": ("post",),
    "access-control-allow-headers": ("authorization", "content-type"),
}
