"""Checks of what must be refused: without them, a service that lets everyone in passes all others.

A request that is accepted here is the worst result, so its remedy says what to do at once.
"""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final

from ops.checklist.check import CheckResult, check
from ops.doctor.deployment import Deployment
from ops.doctor.issuer import refusal
from ops.doctor.issuer_api import IssuerResponse
from ops.doctor.token import request_token
from ops.secret.render import in_words
from zego.server_secret import ServerSecret

_STOP: Final = (
    'Stop the issuer now, then go back to the version before: docs/operations.md, "Stop the'
    ' issuer". Tokens that it has issued stay valid until they expire.'
)
_ANOTHER_REASON: Final = (
    "Run the doctor again. If the result stays, read the issuer's log (docs/operations.md)."
)

#: What each protected route returns to a request that does not prove who sends it: the issuer's
#: code, or no code if API Gateway refuses the request.
ANONYMOUS: Final[dict[str, tuple[int, str | None]]] = {
    "POST /v1/tokens": (401, "bearer_missing"),
    "POST /v1/tokens/batch": (401, "bearer_missing"),
    "POST /v1/calls": (401, "bearer_missing"),
    "POST /api/v1/calls/initiate": (401, "bearer_missing"),
    "POST /v1/service/tokens": (403, None),
    "POST /v1/service/tokens/batch": (403, None),
    "POST /v1/service/calls": (403, None),
    "POST /v1/service/calls/initiate": (403, None),
    "GET /v1/status": (403, None),
    "POST /v1/diagnose": (403, None),
}


@check(
    "Are anonymous requests refused?",
    remedy=_ANOTHER_REASON,
    needs=("health",),
)
def anonymous(deployment: Deployment) -> Iterator[CheckResult]:
    """Every protected route, without a bearer token and without a signature."""
    results = [
        _refused(_unsigned(deployment, route), status, {code}, of=route)
        for route, (status, code) in ANONYMOUS.items()
    ]
    accepted = [result for result in results if result.status != "ok"]
    yield from accepted or [CheckResult("ok", f"refused on all {len(results)} protected routes")]


def _unsigned(deployment: Deployment, route: str) -> IssuerResponse:
    method, path = route.split()
    document = {"room_id": _name()} if method == "POST" else None
    return deployment.issuer.unsigned(method, path, document)


@check(
    "Are bearer tokens refused that their identity provider did not sign?",
    remedy=_ANOTHER_REASON,
    needs=("status",),
)
def forged_bearer(deployment: Deployment) -> Iterator[CheckResult]:
    """A forged token for each identity provider of the policy.

    It names another audience too, but the signature is checked first, and only the identity
    provider can sign. So this does not show that tokens for another audience are refused.
    """
    providers = deployment.status.document.get("signing_keys")
    issuers = {
        str(one.get("identity")): one["issuer"]
        for one in (providers if isinstance(providers, list) else [])
        if isinstance(one, dict) and isinstance(one.get("issuer"), str)
    }
    for identity, issuer in (issuers or {"an unknown provider": "https://doctor.invalid/"}).items():
        for algorithm, signature in (("RS256", os.urandom(256)), ("none", b"")):
            bearer = _jwt(issuer, algorithm, signature, int(deployment.clock()))
            response = deployment.issuer.with_bearer("/v1/tokens", bearer, {"room_id": _name()})
            yield _refused(response, 401, _FORGED, of=f"{identity}, alg {algorithm}")


_FORGED: Final = frozenset(
    {
        "bearer_algorithm_refused",
        "bearer_bad_signature",
        "bearer_unknown_key",
        "bearer_untrusted_issuer",
    }
)


def _jwt(issuer: str, algorithm: str, signature: bytes, now: int) -> str:
    claims = {
        "iss": issuer,
        "aud": "https://doctor.invalid/",
        "sub": "doctor",
        "iat": now,
        "exp": now + 300,
    }
    parts = (json.dumps({"alg": algorithm, "typ": "JWT"}), json.dumps(claims))
    return ".".join(
        urlsafe_b64encode(part).rstrip(b"=").decode()
        for part in (*(text.encode() for text in parts), signature)
    )


@check(
    "Are requests refused that the access policy does not grant?",
    remedy=_ANOTHER_REASON,
    needs=("health",),
)
def not_granted(deployment: Deployment) -> Iterator[CheckResult]:
    """Requests outside the rule for these credentials.

    Only the pipeline's rule is known: it grants users and rooms that begin with ``doctor_``. Other
    credentials may have a rule that grants every room, so there it is only a note.
    """
    user, room = f"doctor_{_name()}", f"doctor_{_name()}"
    requests: dict[str, tuple[str, str | None]] = {"another room": (user, _name())}
    if deployment.options.without_secret:
        requests["a token for every room"] = user, None
        if deployment.options.bearer is None:
            requests["another user"] = _name(), room
    for what, (user_id, room_id) in requests.items():
        response, route = request_token(deployment, user_id, room_id)
        if response.status == 403 and response.code is None:
            yield refusal(deployment, response, route, output="ServiceRoutesArn", grant="")
            return
        is_granted = response.status == 201
        if is_granted and not deployment.options.without_secret:
            yield CheckResult("note", _WIDE)
        elif is_granted:
            yield CheckResult("failed", "It is granted.", _NARROW, what)
        else:
            yield _refused(response, 403, {"not_granted"}, of=what)


_WIDE: Final = "The access policy grants these credentials a room with a random name."
_NARROW: Final = (
    "Narrow the rule for this role in the access policy to users and rooms that begin with doctor_"
    " (docs/access-policy.md), and deploy. Whoever has the role can get such tokens until then."
)


@check(
    "Are requests refused that avoid the edge?",
    remedy=_ANOTHER_REASON,
    needs=("health",),
)
def edge(deployment: Deployment) -> Iterator[CheckResult]:
    """A request to the address that API Gateway assigns, if the stack requires the edge's header.

    API Gateway also serves its regional address, by the Host header. That is not tried: the issuer
    checks the header of every request, whatever its address.
    """
    direct = deployment.target.direct
    if direct is None:
        if deployment.target.api and _CLOUDFRONT in deployment.health.headers:
            seen = "CloudFront is in front of the issuer, which also serves requests that avoid it."
            yield CheckResult("warning", seen, _CLOSE)
        return
    response = replace(deployment.issuer, url=direct).get("/v1/health")
    seen = f"{direct} returned {response}"
    by_gateway = response.code is None and response.status in {403, 404}  # it is disabled
    if by_gateway or response.code == "edge_required":
        yield CheckResult("ok", seen)
    else:
        yield CheckResult("failed", f"{seen}.", _CLOSE if response.status < 300 else "")


#: CloudFront adds this header to every response; a regional API of API Gateway does not.
_CLOUDFRONT: Final = "x-amz-cf-id"
_CLOSE: Final = (
    "Once no client uses the old address, set OriginHeaderSha256 to the digest of the edge's header"
    " and DisableExecuteApi=Yes in samconfig.toml, and deploy (docs/edge.md, step 4)."
)


@check(
    "Does ZEGO reject a made-up ServerSecret?",
    remedy="Check the network, or run zego-token explain with the code; then try again.",
    needs=("value",),
)
def made_up(deployment: Deployment) -> Iterator[CheckResult]:
    """If it does not, its verdicts on real ones show nothing.

    The call changes nothing at ZEGO, whatever signs it: see :mod:`zego.server_api`.
    """
    app_id = deployment.app_id
    if app_id is None:
        seen, remedy = "the AppID is unknown", "Let the credentials read GET /v1/status."
        yield CheckResult(deployment.not_allowed, seen, remedy)
        return
    verdict = deployment.target.probe(ServerSecret(app_id, os.urandom(16).hex()))
    seen = in_words(verdict) + ("" if verdict.code is None else f" (code {verdict.code})")
    if verdict.accepted:
        yield CheckResult("failed", f"{seen}: its verdicts show nothing.", _NOT_ZEGO)
    elif verdict.rejected:
        yield CheckResult("ok", seen)
    else:
        yield CheckResult("warning", f"{seen}.")


_NOT_ZEGO: Final = (
    "Do not rotate: a wrong value would become current. Check --zego-api and the stack's parameter"
    " ZegoServerApiUrl: the server there is not ZEGO, or does not check signatures."
)


def _refused(
    response: IssuerResponse, status: int, codes: Collection[str | None], *, of: str
) -> CheckResult:
    """The result for a request that must be refused, with one of these codes."""
    if response.status < 300:
        return CheckResult("failed", f"It is accepted: {response}.", _STOP, of)
    if response.status == status and response.code in codes:
        return CheckResult("ok", f"refused: {response}", of=of)
    return CheckResult("failed", f"Not refused for this: {response}.", of=of)


def _name() -> str:
    """An id that no rule is written for."""
    return f"refused_{os.urandom(8).hex()}"
