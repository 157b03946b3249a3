"""Checks of the issuer: whether it responds, its configuration, and whom it lets in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, Final

from ops.checklist.check import CheckResult, check
from ops.doctor.deployment import Deployment
from ops.doctor.issuer_api import IssuerResponse
from ops.errors import reason
from zego import duration
from zego.bounded_http import check_url
from zego.secret_store import CURRENT, PREVIOUS

#: How long an issuer may use a secret that it has read (SECRET_TTL_SECONDS), with a margin.
_TTL_SECONDS: Final = 90.0
_OLDER: Final = "Deploy the issuer again (docs/deploy.md): it is older than this check."
_NOT_INVOKED: Final = (
    "Allow execute-api:Invoke for it (the stack's output {output}), or use another --profile."
)


@check(
    "Is the issuer's URL known?",
    remedy="Use --api https://..., the output ApiUrl of the stack.",
    needs=("target",),
)
def address(deployment: Deployment) -> Iterator[CheckResult]:
    url = deployment.address
    if url is None:
        remedy = "Use --api URL, --stage or --stack."
        yield CheckResult(deployment.not_allowed, "its URL is not known", remedy)
        return
    check_url(url, allow_loopback=True)
    yield CheckResult("ok", url)


@check(
    "Does the issuer respond?",
    remedy="Compare --api with the stack's output ApiUrl. If it is right, read the issuer's log"
    " (docs/operations.md).",
    needs=("address",),
)
def health(deployment: Deployment) -> Iterator[CheckResult]:
    """The route is public."""
    response = deployment.health
    if response.status == 200 and response.document.get("status") == "ok":
        version = str(response.document.get("version", "unknown"))
        took = f"{response.seconds * 1000:.0f} ms"
        yield CheckResult("ok", f"alive, version {version[:40]}, in {took}")
    else:
        yield CheckResult("failed", f"GET /v1/health returned {response}.")


@check(
    "May the credentials read the issuer's status?",
    remedy="Read the issuer's log (docs/operations.md).",
    needs=("health",),
)
def status(deployment: Deployment) -> Iterator[CheckResult]:
    """The request is signed: the policy decides who may read it."""
    response = deployment.status
    if response.status == 200:
        cipher = str(response.document.get("token_cipher", "unknown"))
        yield CheckResult("ok", f"read; tokens are sealed with {cipher[:8]}")
    else:
        yield refusal(
            deployment, response, "GET /v1/status", output="StatusRouteArn", grant=_READ_STATUS
        )


_READ_STATUS: Final = (
    "Set read_status = true for the role's identity in the policy, or use another --profile."
)


def refusal(
    deployment: Deployment, response: IssuerResponse, route: str, *, output: str, grant: str
) -> CheckResult:
    """The result for a refused request: see :attr:`Deployment.not_allowed`.

    :param output: the stack's output with the route's ARN.
    :param grant: what to do if the policy refuses the request.
    """
    if response.status == 403 and response.code is None:
        seen = f"{route}: API Gateway does not let these credentials call it."
        return CheckResult(deployment.not_allowed, seen, _NOT_INVOKED.format(output=output))
    if response.code == "not_granted":
        seen = f"{route}: the access policy does not grant it."
        return CheckResult(deployment.not_allowed, seen, grant)
    remedy = _REMEDIES.get(response.code or "", "")
    return CheckResult("failed", f"{route} returned {response}.", remedy)


_REMEDIES: Final = {
    "secret_unavailable": "The issuer cannot read the secret, mostly because of its role or the"
    " key's policy. Its log says why (docs/operations.md).",
    "signing_keys_unavailable": "The issuer lacks the identity provider's keys: see signing-keys.",
    "denials_unavailable": "The issuer cannot read the denials from DynamoDB. Its log says why"
    " (docs/operations.md).",
    "iam_identity_missing": "The route is deployed without AWS_IAM: deploy the stack again.",
    "route_not_found": _OLDER,
    "internal_error": "The issuer's log shows the place, at level ERROR (docs/operations.md).",
    "invalid_identifier": "Use ids that ZEGO accepts for --user and --room.",
    "bearer_malformed": "It is not a JWT. Use a token of your identity provider for --bearer-file.",
    "bearer_expired": "Use a new bearer token.",
    "bearer_untrusted_issuer": "No identity in the policy has its iss: compare them.",
    "bearer_wrong_audience": "Its aud is not in the policy: use a token for this service.",
}


@check(
    "Does the issuer seal with AWSCURRENT?",
    remedy="Check which secret the issuer reads (SERVER_SECRET_ARN). If it cannot read it again,"
    " its log says why (docs/operations.md).",
    needs=("value", "status"),
)
def fingerprint(deployment: Deployment) -> Iterator[CheckResult]:
    if deployment.options.without_secret:
        return  # the check of a token shows which secret the issuer has
    has = deployment.status.part("secret")
    stored = deployment.secrets
    current = stored[CURRENT]
    if (has.get("fingerprint"), has.get("app_id")) == (current.fingerprint, current.app_id):
        yield CheckResult("ok", f"{current.fingerprint}, AWSCURRENT's")
        return
    shown = str(has.get("fingerprint", "none"))[:12]
    label = next((of for of, one in stored.items() if one.fingerprint == shown), "no label")
    age = deployment.clock() - (deployment.by_label[CURRENT].version.created_at or 0.0)
    seen = f"It seals with {shown} ({label}); AWSCURRENT is {current.fingerprint}"
    if label == PREVIOUS and age < _TTL_SECONDS:
        yield CheckResult(
            "warning",
            f"{seen}, {duration(age)} old.",
            "Wait a minute: it will read the secret again.",
        )
    else:
        yield CheckResult("failed", f"{seen}.")


@check(
    "Does the issuer run with the intended policy?",
    remedy="Deploy the stage again (make deploy): its policy is packaged with it.",
    needs=("status",),
)
def policy(deployment: Deployment) -> Iterator[CheckResult]:
    """The policy is valid, as the issuer runs with it; this checks that it is the intended one."""
    runs = deployment.status.part("policy")
    sha256, stage = str(runs.get("sha256")), str(runs.get("stage"))
    expected = deployment.target_options.stage
    if expected not in (None, stage):
        yield CheckResult(
            "failed",
            f"The issuer at this URL belongs to stage {stage[:20]}, but --stage is {expected}.",
            "Check --api and --stage.",
        )
    file = deployment.options.policy
    if file is None:
        yield CheckResult("ok", f"valid; stage {stage[:20]}, sha256 {sha256[:12]}")
        return
    try:
        own = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        seen = f"{file} cannot be read: {reason(error)}."
        yield CheckResult("failed", seen, "Check --policy.")
        return
    if own == sha256:
        yield CheckResult("ok", f"the same as {file}, sha256 {sha256[:12]}")
    else:
        yield CheckResult("failed", f"Drift: it runs with {sha256[:12]}, but {file} is {own[:12]}.")


@check(
    "Does the issuer get the identity providers' keys?",
    remedy="Compare jwks_uri in the policy with the identity provider's discovery document"
    " (docs/access-policy.md).",
    needs=("status",),
)
def signing_keys(deployment: Deployment) -> Iterator[CheckResult]:
    found = deployment.status.document.get("signing_keys")
    if not isinstance(found, list):
        yield CheckResult("skipped", "the issuer does not report them", _OLDER)
        return
    if not found:
        yield CheckResult("ok", "The policy has no identity provider.")
    yield from (_signing_keys(one) for one in found if isinstance(one, dict))


def _signing_keys(one: dict[str, Any]) -> CheckResult:
    identity, uri = str(one.get("identity")), str(one.get("jwks_uri"))
    problem, keys = one.get("problem"), one.get("keys")
    if keys:
        seen = f"{keys} {'key' if keys == 1 else 'keys'} from {uri}"
        if problem is None:
            return CheckResult("ok", seen, of=identity)
        return CheckResult("warning", f"{seen}, usable for up to an hour: {problem}.", of=identity)
    if keys is None and (problem is None or str(problem).startswith("not fetched")):
        return CheckResult("skipped", f"{uri}: the issuer has not fetched it yet", of=identity)
    return CheckResult("failed", f"{uri}: {problem or 'it contains no key'}.", of=identity)


@check(
    "Does the issuer get the shared keys?",
    remedy="Run make preflight: it compares the policy's shared keys with the secrets and the"
    " parameters of the stack.",
    needs=("status",),
)
def shared_keys(deployment: Deployment) -> Iterator[CheckResult]:
    found = deployment.status.document.get("shared_keys")
    if not isinstance(found, list):
        yield CheckResult("skipped", "the issuer does not report them", _OLDER)
        return
    for one in found:
        identity, secret = str(one.get("identity")), str(one.get("secret"))
        keys, problem = one.get("keys"), one.get("problem")
        if problem is None:
            number = "a key" if keys == 1 else f"{keys} keys"
            yield CheckResult("ok", f"{number} from {secret}", of=identity)
        elif str(problem).startswith("not fetched"):
            yield CheckResult("skipped", f"{secret}: the issuer has not read it yet", of=identity)
        else:
            yield CheckResult("failed", f"{secret}: {problem}.", of=identity)


@check(
    "Does the issuer know whom it must refuse?",
    remedy="Read the issuer's log (docs/operations.md, DenialsUnreadAlarm).",
    needs=("status",),
)
def denials(deployment: Deployment) -> Iterator[CheckResult]:
    document = deployment.status.document
    if "limits" not in document:
        yield CheckResult("skipped", "the issuer does not report it", _OLDER)
        return
    found = document["limits"]
    if not isinstance(found, dict):
        yield CheckResult("note", "Limits is Off: no one can be denied while the service runs.")
        return
    number, problem = found.get("denials"), found.get("problem")
    if problem is None:
        yield CheckResult("ok", f"{number} {'denial' if number == 1 else 'denials'}")
    elif number is None:
        yield CheckResult("failed", f"It cannot read the denials: {problem}.")
    else:
        yield CheckResult("warning", f"{number} in force, but {problem}.")


@check(
    "May pages of the origin call the API?",
    remedy="Add the origin, exactly, to AllowedOrigins in samconfig.toml, and deploy.",
    needs=("health",),
)
def cors(deployment: Deployment) -> Iterator[CheckResult]:
    if not deployment.options.origins:
        yield CheckResult("note", "no origin is named", "To check one: --origin https://your.page.")
    for origin in deployment.options.origins:
        yield _cors(deployment, origin)


def _cors(deployment: Deployment, origin: str) -> CheckResult:
    is_local = deployment.target_options.local is not None
    allow = f"make run RUN_ARGS='--allow-origin {origin}'"
    remedy = f"Restart the stack:\n  {allow}" if is_local else ""
    allowed = deployment.issuer.preflight("/v1/tokens", origin).headers
    returned = deployment.issuer.get("/v1/health", origin=origin).headers
    for headers, what in ((allowed, "the preflight"), (returned, "a response")):
        if headers.get("access-control-allow-origin") not in {origin, "*"}:
            seen = f"Its pages may not call the API: {what} does not allow the origin."
            return CheckResult("failed", seen, remedy, origin)
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
