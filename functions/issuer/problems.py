"""Every problem that the service responds with, as RFC 9457 ``application/problem+json``.

The codes are stable, so clients can act on them. ``docs/openapi.yaml`` has the same table; a test
compares the two. A detail says what the caller can fix. Only the audit log says why the access
policy refused a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from zego.policy.model import Refusal

#: The page that explains every problem, with the code as anchor.
HELP_PATH: Final = "/v1/problems"


class ProblemType(NamedTuple):
    """What all problems with the same code have in common.

    :ivar retryable: whether the same request may succeed later. A single problem is retryable, too,
        if it says when to retry.
    """

    status: int
    title: str
    retryable: bool = False


PROBLEMS: Final[Mapping[str, ProblemType]] = {
    "invalid_json": ProblemType(400, "The body is not JSON"),
    "body_not_object": ProblemType(400, "The body is not a JSON object"),
    "unknown_field": ProblemType(400, "The body has an unknown field"),
    "missing_field": ProblemType(400, "The body is missing a field"),
    "wrong_type": ProblemType(400, "A field has the wrong type"),
    "bearer_missing": ProblemType(401, "No bearer token"),
    "bearer_malformed": ProblemType(401, "The bearer token is malformed"),
    "bearer_too_large": ProblemType(401, "The bearer token is too large"),
    "bearer_algorithm_refused": ProblemType(401, "The bearer token's algorithm is refused"),
    "bearer_missing_claim": ProblemType(401, "The bearer token is missing a claim"),
    "bearer_untrusted_issuer": ProblemType(401, "The bearer token's issuer is not trusted"),
    "bearer_unknown_key": ProblemType(401, "The bearer token's key is unknown"),
    "bearer_bad_signature": ProblemType(401, "The bearer token's signature is wrong"),
    "bearer_wrong_audience": ProblemType(401, "The bearer token is for another audience"),
    "bearer_wrong_type": ProblemType(401, "The bearer token is of another type"),
    "bearer_claims_refused": ProblemType(401, "The bearer token's claims are refused"),
    "bearer_too_old": ProblemType(401, "The user's sign-in is too old"),
    "bearer_expired": ProblemType(401, "The bearer token has expired"),
    "bearer_not_yet_valid": ProblemType(401, "The bearer token is not valid yet"),
    "bearer_session_ended": ProblemType(401, "The user's session has ended"),
    "iam_identity_missing": ProblemType(401, "No verified AWS identity"),
    "edge_required": ProblemType(403, "The request did not come through the edge"),
    "not_granted": ProblemType(403, "Not granted"),
    "route_not_found": ProblemType(404, "No such route"),
    "body_too_large": ProblemType(413, "The body is too large"),
    "content_encoding_refused": ProblemType(415, "The body has a content coding"),
    "invalid_identifier": ProblemType(422, "An id is invalid"),
    "lifetime_out_of_range": ProblemType(422, "The lifetime is out of range"),
    "invalid_privileges": ProblemType(422, "The privileges are invalid"),
    "invalid_stream_ids": ProblemType(422, "The stream ids are invalid"),
    "invalid_callees": ProblemType(422, "The callees are invalid"),
    "invalid_idempotency_key": ProblemType(422, "The Idempotency-Key is invalid"),
    "invalid_refused_with": ProblemType(422, "The code is not one for a refused token"),
    "invalid_sdk": ProblemType(422, "The SDK is unknown"),
    "room_id_required": ProblemType(422, "A room id is required"),
    "batch_size": ProblemType(422, "The batch has too few or too many requests"),
    "too_many_tokens": ProblemType(429, "The user has had too many tokens", retryable=True),
    "internal_error": ProblemType(500, "The service failed", retryable=True),
    "secret_unavailable": ProblemType(503, "No ServerSecret is available", retryable=True),
    "signing_keys_unavailable": ProblemType(503, "No signing keys are available", retryable=True),
    "denials_unavailable": ProblemType(503, "The denials are not available", retryable=True),
}


class Problem(Exception):  # noqa: N818  the name in RFC 9457
    """The request is refused.

    :ivar code: a key of :data:`PROBLEMS`.
    :ivar detail: what the caller can do about it. Callers see it, so it has no secret and no token.
    :ivar field: the field of the body that is wrong, if there is one.
    :ivar retry_after_seconds: when to retry, if that may help.
    :ivar reason: for the audit log only; the default is the detail.
    :ivar rule: the policy rule that decided, if one did.
    :ivar denial: the denial that decided, by its sort key in the table of :mod:`zego.denials`.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        retry_after_seconds: int | None = None,
        reason: str | None = None,
        rule: str | None = None,
        denial: str | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.field = field
        self.retry_after_seconds = retry_after_seconds
        self.reason = detail if reason is None else reason
        self.rule = rule
        self.denial = denial

    @property
    def type(self) -> ProblemType:
        """What all problems with this code have in common."""
        return PROBLEMS[self.code]

    def document(self, base_url: str) -> dict[str, object]:
        """The problem document of RFC 9457, without the request id.

        :param base_url: the API's address, where :data:`HELP_PATH` explains the problem.
        """
        kind = self.type
        document: dict[str, object] = {
            "type": f"urn:zego-token-service:problem:{self.code}",
            "title": kind.title,
            "status": kind.status,
            "detail": self.detail,
            "code": self.code,
            "retryable": kind.retryable or self.retry_after_seconds is not None,
            "help": f"{base_url}{HELP_PATH}#{self.code}",
        }
        if self.field is not None:
            document["field"] = self.field
        return document

    def headers(self) -> dict[str, str]:
        """The headers of the response."""
        headers = {"content-type": "application/problem+json"}
        if self.retry_after_seconds is not None:
            headers["retry-after"] = str(self.retry_after_seconds)
        if self.code == "bearer_missing":
            headers["www-authenticate"] = "Bearer"
        elif self.code.startswith("bearer_"):
            headers["www-authenticate"] = 'Bearer error="invalid_token"'
        elif self.code == "iam_identity_missing":
            headers["www-authenticate"] = "AWS4-HMAC-SHA256"
        elif self.code == "content_encoding_refused":
            headers["accept-encoding"] = "identity"  # RFC 9110, 12.5.3
        return headers


def refused(refusal: Refusal) -> Problem:
    """The problem of a request that the access policy refuses."""
    return Problem(
        refusal.code,
        refusal.detail,
        field=refusal.field,
        reason=refusal.reason,
        rule=refusal.rule,
    )
