"""Bad input of every kind, over HTTP, to the real handler under the real runtime client.

After each exchange the client also looks that no bearer token, no token, no ServerSecret and no
credential is in the function's log, or in an answer where it does not belong.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import PyJWK

from local.identity_provider import IdentityProvider
from local.loopback import HttpRequest, HttpResponse, Intercept, LoopbackServer
from local.stack import LocalStack
from tests.local_stack.exchange import Answer
from tests.support.bearer import jws
from tests.support.faults import (
    Faults,
    answering,
    down,
    hanging_up,
    redirecting,
    refusing,
    slow,
)
from tests.support.policy_mistakes import MISTAKES
from tests.support.service import Service, service, until

TOKENS = "POST /v1/tokens"
INITIATE = "POST /api/v1/calls/initiate"
SERVICE_TOKENS = "POST /v1/service/tokens"
BATCH = "POST /v1/service/tokens/batch"
SERVICE_INITIATE = "POST /v1/service/calls/initiate"
STATUS = "GET /v1/status"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The parts that the services of this module share."""
    with LocalStack(directory=tmp_path_factory.mktemp("stack"), workers=1) as running:
        yield running


@pytest.fixture(scope="module")
def jwks(stack: LocalStack) -> Faults:
    """What the identity provider is asked, and how it fails."""
    return Faults(stack.identity_provider)


@pytest.fixture(scope="module")
def secrets(stack: LocalStack) -> Faults:
    """What Secrets Manager is asked, and how it fails."""
    return Faults(stack.secrets_manager)


@pytest.fixture(scope="module")
def issuer(stack: LocalStack) -> Iterator[Service]:
    """The service as it is deployed."""
    with service(stack) as running:
        yield running


@pytest.fixture(scope="module")
def quickly_stale(stack: LocalStack) -> Iterator[Service]:
    """The service, where a secret is old after a second."""
    with service(stack, SECRET_TTL_SECONDS="1", SECRET_MAX_STALE_SECONDS="3600") as running:
        yield running


@pytest.fixture(scope="module")
def disturbed(stack: LocalStack) -> Iterator[Service]:
    """The same service once more, for tests after which it must not be asked for a while."""
    with service(stack) as running:
        yield running


@pytest.fixture
def cold(disturbed: Service) -> Service:
    """The service with nothing cached: its next request starts a process."""
    disturbed.restart()
    return disturbed


@pytest.fixture(scope="module")
def impatient(stack: LocalStack) -> Iterator[Service]:
    """The service, but it asks for its keys and its secret again after a second or less."""
    with service(stack, "impatient_issuer.handler") as running:
        yield running


def problem(answer: Answer, status: int, code: str) -> dict[str, Any]:
    """The problem of an answer, if it is that one, in the form that all problems have."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    document: dict[str, Any] = answer.json()
    assert (answer.status, document["code"]) == (status, code), document
    assert document["status"] == status
    assert document["request_id"] == answer.headers["apigw-requestid"]
    assert document["type"] == f"urn:zego-token-service:problem:{code}"
    return document


# --- Bearer tokens ------------------------------------------------------------------------------


def public_key(provider: IdentityProvider) -> dict[str, Any]:
    """The RSA key in the provider's JWKS."""
    return next(key for key in provider.jwks()["keys"] if key["kty"] == "RSA")


def public_pem(provider: IdentityProvider) -> bytes:
    pem: bytes = PyJWK(public_key(provider)).key.public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return pem


def changed(**changes: object) -> Callable[[IdentityProvider], str]:
    """A token that is good but for some claims."""
    return lambda provider: provider.sign(provider.claims("alice", **changes))


def without(claim: str) -> Callable[[IdentityProvider], str]:
    """A token that is good but for a claim that is not there."""

    def sign(provider: IdentityProvider) -> str:
        said = provider.claims("alice")
        del said[claim]
        return provider.sign(said)

    return sign


def ahead(claim: str, seconds: int) -> Callable[[IdentityProvider], str]:
    """A token with a time that is so many seconds from now."""
    return lambda idp: idp.sign(idp.claims("alice", **{claim: int(time.time()) + seconds}))


def unsigned(provider: IdentityProvider) -> str:
    return jws({"alg": "none", "typ": "JWT"}, provider.claims("alice"))


def signed_with_the_public_key(provider: IdentityProvider) -> str:
    header = {"alg": "HS256", "typ": "JWT", "kid": public_key(provider)["kid"]}
    key = public_pem(provider)
    return jws(
        header, provider.claims("alice"), lambda text: hmac.digest(key, text, hashlib.sha256)
    )


def signed_by_another(provider: IdentityProvider) -> str:
    mallory = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return provider.sign(provider.claims("alice"), key=mallory)


def altered(provider: IdentityProvider) -> str:
    header, _, signature = provider.bearer("alice").split(".")
    return f"{header}.{provider.bearer('bob').split('.')[1]}.{signature}"


BEARERS: dict[str, tuple[Callable[[IdentityProvider], str], str]] = {
    "no JWT": (lambda _: "secret-looking-text-that-is-no-jwt", "bearer_malformed"),
    "two parts": (lambda idp: idp.bearer("alice").rpartition(".")[0], "bearer_malformed"),
    "no JSON": (lambda _: jws(b"not json, not at all", b"nor is this"), "bearer_malformed"),
    "two tokens": (lambda idp: f"{idp.bearer('a')},{idp.bearer('b')}", "bearer_malformed"),
    "kid a number": (lambda idp: idp.sign(idp.claims("a"), headers={"kid": 5}), "bearer_malformed"),
    "sub a number": (changed(sub=5), "bearer_malformed"),
    "exp a string": (changed(exp="99999999999"), "bearer_malformed"),
    "expired": (ahead("exp", -120), "bearer_expired"),
    "not valid yet by nbf": (ahead("nbf", 120), "bearer_not_yet_valid"),
    "not valid yet by iat": (ahead("iat", 120), "bearer_not_yet_valid"),
    "wrong audience": (changed(aud="another-service"), "bearer_wrong_audience"),
    "wrong issuer": (changed(iss="https://evil.example.com/"), "bearer_untrusted_issuer"),
    "wrong key": (signed_by_another, "bearer_bad_signature"),
    "altered": (altered, "bearer_bad_signature"),
    "alg none": (unsigned, "bearer_algorithm_refused"),
    "HMAC with the public key": (signed_with_the_public_key, "bearer_algorithm_refused"),
    "another algorithm": (
        lambda idp: idp.sign(idp.claims("alice"), algorithm="PS256"),
        "bearer_algorithm_refused",
    ),
    **{f"no {claim}": (without(claim), "bearer_missing_claim") for claim in ("iss", "sub", "aud")},
    **{f"no {claim}": (without(claim), "bearer_missing_claim") for claim in ("exp", "iat")},
    "empty sub": (changed(sub=""), "bearer_missing_claim"),
    "oversized": (changed(padding="x" * 8192), "bearer_too_large"),
}


class TestBearerTokens:
    @pytest.mark.parametrize("route", [TOKENS, INITIATE])
    def test_without_one_it_says_how_to_send_one(self, issuer: Service, route: str) -> None:
        answer = issuer.send(route)
        problem(answer, 401, "bearer_missing")
        assert answer.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize(
        "authorization", ["", "Bearer", "Bearer ", "Basic YWxpY2U6c2VjcmV0", "bearer-token abc"]
    )
    def test_another_header_is_malformed(self, issuer: Service, authorization: str) -> None:
        answer = issuer.send(TOKENS, headers={"authorization": authorization})
        problem(answer, 401, "bearer_malformed")

    @pytest.mark.parametrize(("make", "code"), BEARERS.values(), ids=BEARERS)
    def test_a_bad_one_is_refused_with_what_is_wrong(
        self, issuer: Service, make: Callable[[IdentityProvider], str], code: str
    ) -> None:
        answer = issuer.token(make(issuer.stack.identity_provider))
        document = problem(answer, 401, code)
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert document["retryable"] is False
        assert issuer.last_audit()["code"] == code

    def test_a_good_one_is_taken_by_the_same_process(self, issuer: Service) -> None:
        assert issuer.token().status == 201

    def test_one_in_the_query_or_in_a_cookie_is_none(self, issuer: Service) -> None:
        bearer = issuer.bearer()
        issuer.keep_secret(bearer)
        answer = issuer.send(TOKENS, headers={"cookie": f"access_token={bearer}"})
        problem(answer, 401, "bearer_missing")
        method_and_path = f"{TOKENS}?access_token={bearer}"
        problem(issuer.send(method_and_path), 401, "bearer_missing")

    def test_two_headers_are_not_one(self, issuer: Service) -> None:
        first, second = issuer.bearer(), issuer.bearer(sub="bob")
        answer = issuer.send(TOKENS, headers={"authorization": f"Bearer {first}, Bearer {second}"})
        problem(answer, 401, "bearer_malformed")


# --- Signing keys -------------------------------------------------------------------------------


def unknown_key(service_: Service) -> str:
    """A token that names a key which the identity provider does not have."""
    provider = service_.stack.identity_provider
    return provider.sign(provider.claims("alice"), kid="invented")


class Elsewhere(LoopbackServer):
    """A server that nobody should be sent to; it would give the identity provider's keys."""

    def __init__(self, provider: IdentityProvider) -> None:
        super().__init__()
        self._provider = provider

    def respond(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, body=json.dumps(self._provider.jwks()).encode())


class TestSigningKeys:
    def test_unknown_key_ids_cause_one_fetch(self, cold: Service, jwks: Faults) -> None:
        before = len(jwks.requests)
        for _ in range(10):
            problem(cold.token(unknown_key(cold)), 401, "bearer_unknown_key")
        assert cold.token().status == 201
        assert len(jwks.requests) - before == 1

    @pytest.mark.parametrize(
        "fault",
        [
            pytest.param(hanging_up, id="hangs up"),
            pytest.param(answering(500, b""), id="fails"),
            pytest.param(answering(200, b'{"keys": null}'), id="is no JWKS"),
        ],
    )
    def test_without_keys_no_token_can_be_judged(
        self, cold: Service, jwks: Faults, fault: Intercept
    ) -> None:
        before = len(jwks.requests)
        with jwks.of(fault):
            answers = [cold.token() for _ in range(3)]
        for answer in answers:
            document = problem(answer, 503, "signing_keys_unavailable")
            assert 0 < int(answer.headers["retry-after"]) <= 30
            assert document["retryable"] is True
            assert "127.0.0.1" not in document["detail"]
        assert len(jwks.requests) - before == 1

    def test_keys_that_are_too_large_are_not_read(self, cold: Service, jwks: Faults) -> None:
        keys = json.dumps(cold.stack.identity_provider.jwks()).encode()
        with jwks.of(answering(200, keys.ljust(256 * 1024 + 1))):
            problem(cold.token(), 503, "signing_keys_unavailable")
        assert "larger than 262144 bytes" in cold.last_audit()["reason"]

    def test_an_identity_provider_that_is_down_is_named_in_the_audit_event_only(
        self, cold: Service
    ) -> None:
        bearer = cold.bearer()
        with down(cold.stack.identity_provider):
            answer = cold.token(bearer)
        problem(answer, 503, "signing_keys_unavailable")
        assert "cannot be reached" in cold.last_audit()["reason"]
        assert "cannot be reached" not in answer.body.decode()

    def test_a_slow_one_is_not_waited_for(self, cold: Service, jwks: Faults) -> None:
        with jwks.of(slow(8.0)):
            started = time.monotonic()
            problem(cold.token(), 503, "signing_keys_unavailable")
            assert time.monotonic() - started < 7.0

    @pytest.mark.parametrize("status", [302, 308])
    def test_a_redirect_is_not_followed(self, cold: Service, jwks: Faults, status: int) -> None:
        with Elsewhere(cold.stack.identity_provider) as elsewhere:
            asked = Faults(elsewhere)
            with jwks.of(redirecting(f"{elsewhere.url}/jwks.json", status)):
                problem(cold.token(), 503, "signing_keys_unavailable")
            assert asked.requests == []


COOL_DOWN_SECONDS = 1.2
"""What the impatient issuer has."""


class TestSigningKeysThatAge:
    def test_an_unknown_key_id_causes_one_refetch_a_cool_down(
        self, impatient: Service, jwks: Faults
    ) -> None:
        assert impatient.token().status == 201
        fetches = len(jwks.requests)
        until(
            lambda: impatient.token(unknown_key(impatient)), lambda _: len(jwks.requests) > fetches
        )
        fetches, started = len(jwks.requests), time.monotonic()
        for _ in range(10):
            problem(impatient.token(unknown_key(impatient)), 401, "bearer_unknown_key")
        cool_downs = (time.monotonic() - started) / COOL_DOWN_SECONDS
        assert len(jwks.requests) - fetches <= cool_downs

    def test_while_the_keys_cannot_be_fetched_known_ones_verify_for_a_time_and_unknown_ones_wait(
        self, impatient: Service
    ) -> None:
        good, unknown = impatient.bearer(), unknown_key(impatient)
        impatient.restart()
        assert impatient.token(good).status == 201
        with down(impatient.stack.identity_provider):
            answer = until(lambda: impatient.token(unknown), lambda answer: answer.status == 503)
            problem(answer, 503, "signing_keys_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            assert impatient.token(good).status == 201
            gone = until(lambda: impatient.token(good), lambda answer: answer.status != 201)
            problem(gone, 503, "signing_keys_unavailable")
        healed = until(lambda: impatient.token(good), lambda answer: answer.status == 201)
        assert healed.status == 201


# --- Bodies -------------------------------------------------------------------------------------

BODIES: dict[str, tuple[object, int, str, str | None]] = {
    "not JSON": (b"{", 400, "invalid_json", None),
    "a form": (b"room_id=call_1", 400, "invalid_json", None),
    "NaN": (b'{"lifetime_seconds": NaN}', 400, "invalid_json", None),
    "nested without end": (b"[" * 10_000, 400, "invalid_json", None),
    "an array": ([], 400, "body_not_object", None),
    "a string": ("call_1", 400, "body_not_object", None),
    "a number": (5, 400, "body_not_object", None),
    "null": (None, 400, "body_not_object", None),
    "too large": (b"{}" + b" " * 16 * 1024, 413, "body_too_large", None),
    "an unknown field": ({"roomId": "call_1"}, 400, "unknown_field", "roomId"),
    "a user": ({"user_id": "bob", "room_id": "call_1"}, 400, "unknown_field", "user_id"),
    "room a number": ({"room_id": 1}, 400, "wrong_type", "room_id"),
    "room null": ({"room_id": None}, 400, "wrong_type", "room_id"),
    "room an object": ({"room_id": {"$ne": ""}}, 400, "wrong_type", "room_id"),
    "privileges a string": (
        {"room_id": "call_1", "privileges": "login"}, 400, "wrong_type", "privileges"),
    "streams numbers": ({"room_id": "call_1", "stream_ids": [1]}, 400, "wrong_type", "stream_ids"),
    "lifetime a string": ({"lifetime_seconds": "60"}, 400, "wrong_type", "lifetime_seconds"),
    "lifetime a fraction": ({"lifetime_seconds": 60.5}, 400, "wrong_type", "lifetime_seconds"),
    "lifetime 60.0": ({"lifetime_seconds": 60.0}, 400, "wrong_type", "lifetime_seconds"),
    "lifetime true": ({"lifetime_seconds": True}, 400, "wrong_type", "lifetime_seconds"),
    "room empty": ({"room_id": ""}, 422, "invalid_identifier", "room_id"),
    "room with NUL": ({"room_id": "call_\0"}, 422, "invalid_identifier", "room_id"),
    "room not ASCII": ({"room_id": "call_é"}, 422, "invalid_identifier", "room_id"),
    "room in Chinese": ({"room_id": "通话"}, 422, "invalid_identifier", "room_id"),
    "room half a surrogate pair": (b'{"room_id":"\\ud800"}', 422, "invalid_identifier", "room_id"),
    "room with a space": ({"room_id": "call_ 1"}, 422, "invalid_identifier", "room_id"),
    "room with a newline": ({"room_id": "call_1\n"}, 422, "invalid_identifier", "room_id"),
    "room too long": ({"room_id": "call_" + "1" * 123}, 422, "invalid_identifier", "room_id"),
    "stream too long": (
        {"room_id": "call_1", "stream_ids": ["s" * 256]}, 422, "invalid_stream_ids", "stream_ids"),
    "stream with a dot": (
        {"room_id": "call_1", "stream_ids": ["a.b"]}, 422, "invalid_stream_ids", "stream_ids"),
    "no streams": (
        {"room_id": "call_1", "stream_ids": []}, 422, "invalid_stream_ids", "stream_ids"),
    "no privileges": (
        {"room_id": "call_1", "privileges": []}, 422, "invalid_privileges", "privileges"),
    "another privilege": (
        {"room_id": "call_1", "privileges": ["admin"]}, 422, "invalid_privileges", "privileges"),
    "privileges without a room": ({"privileges": ["login"]}, 422, "room_id_required", "room_id"),
    "lifetime 0": ({"lifetime_seconds": 0}, 422, "lifetime_out_of_range", "lifetime_seconds"),
    "lifetime negative": (
        {"lifetime_seconds": -60}, 422, "lifetime_out_of_range", "lifetime_seconds"),
    "lifetime over 24 days": (
        {"lifetime_seconds": 2_073_601}, 422, "lifetime_out_of_range", "lifetime_seconds"),
    "lifetime over the cap": (
        {"room_id": "call_1", "lifetime_seconds": 7201},
        422, "lifetime_out_of_range", "lifetime_seconds"),
    "a room that is not granted": ({"room_id": "bob_desk"}, 403, "not_granted", None),
    "a room in capitals": ({"room_id": "CALL_1"}, 403, "not_granted", None),
    "a star for a room": ({"room_id": "*"}, 403, "not_granted", None),
}  # fmt: skip


class TestBodies:
    @pytest.mark.parametrize(("body", "status", "code", "field"), BODIES.values(), ids=BODIES)
    def test_a_bad_one_is_refused_with_its_field(
        self, issuer: Service, body: object, status: int, code: str, field: str | None
    ) -> None:
        document = problem(issuer.send(TOKENS, body, bearer=issuer.bearer()), status, code)
        assert document.get("field") == field
        audit = issuer.last_audit()
        assert (audit["decision"], audit["code"]) == ("refused", code)
        assert audit["request_id"] == document["request_id"]

    def test_bytes_that_are_no_text_are_not_json(self, issuer: Service) -> None:
        headers = {"content-type": "application/octet-stream"}
        bearer = issuer.bearer()
        answer = issuer.send(TOKENS, b'{"room_id": "\xff"}', bearer=bearer, headers=headers)
        problem(answer, 400, "invalid_json")

    def test_a_name_that_no_field_has_is_not_repeated(self, issuer: Service) -> None:
        secret = issuer.stack.secrets_manager.server_secret
        document = problem(
            issuer.send(TOKENS, {secret: 1, f"f{secret[1:]}": 1}, bearer=issuer.bearer()),
            400,
            "unknown_field",
        )
        assert "field" not in document

    @pytest.mark.parametrize("field", ["room_id", "user_id", "token"])
    def test_a_call_takes_no_room_and_no_user(self, issuer: Service, field: str) -> None:
        answer = issuer.send(INITIATE, {field: "call_1"}, bearer=issuer.bearer())
        assert problem(answer, 400, "unknown_field")["field"] == field

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({}, 400, "missing_field"),
            ({"user_id": None}, 400, "wrong_type"),
            ({"user_id": 5}, 400, "wrong_type"),
            ({"user_id": ""}, 422, "invalid_identifier"),
            ({"user_id": "a\0b"}, 422, "invalid_identifier"),
            ({"user_id": "é"}, 422, "invalid_identifier"),
            ({"user_id": "u" * 64}, 422, "invalid_identifier"),
            ({"user_id": "auth0|1"}, 422, "invalid_identifier"),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("route", [SERVICE_TOKENS, SERVICE_INITIATE])
    def test_a_backend_must_name_a_user_that_zego_takes(
        self, issuer: Service, route: str, body: object, status: int, code: str
    ) -> None:
        document = problem(issuer.send_signed(route, body), status, code)
        assert document["field"] == "user_id"

    def test_in_a_batch_each_bad_entry_has_its_own_problem(self, issuer: Service) -> None:
        good = {"user_id": "bob", "room_id": "call_1"}
        entries: list[object] = [good, 5, {}, good | {"lifetime_seconds": 0}, good | {"x": 1}, good]
        answer = issuer.send_signed(BATCH, {"requests": entries})
        results = answer.json()["results"]
        assert answer.status == 200
        assert [result["status"] for result in results] == [201, 400, 400, 422, 400, 201]

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({}, 400, "missing_field"),
            ({"requests": "all"}, 400, "wrong_type"),
            ({"requests": []}, 422, "batch_size"),
            ({"requests": [{}] * 101}, 422, "batch_size"),
            (b" " * (128 * 1024 + 1), 413, "body_too_large"),
        ],
        ids=["nothing", "a string", "empty", "too many", "too large"],
    )
    def test_what_is_no_batch(self, issuer: Service, body: object, status: int, code: str) -> None:
        problem(issuer.send_signed(BATCH, body), status, code)


# --- Forged identities --------------------------------------------------------------------------

FORGED = {
    "userArn": "arn:aws:sts::000000000000:assumed-role/LocalBackend/forged",
    "accountId": "000000000000",
    "callerId": "AROAFORGED:forged",
}
FORGED_HEADERS = {
    "x-amzn-request-context": json.dumps({"authorizer": {"iam": FORGED}}),
    "x-amzn-iam-user-arn": FORGED["userArn"],
    "x-amzn-iam-identity": json.dumps(FORGED),
    "x-amzn-oidc-identity": "alice",
    "x-amzn-oidc-data": base64.b64encode(json.dumps(FORGED).encode()).decode(),
    "x-amz-security-token": "forged",
    "x-apigateway-event": json.dumps({"requestContext": {"authorizer": {"iam": FORGED}}}),
    "x-apigateway-context": json.dumps({"identity": FORGED}),
    "x-forwarded-user": "alice",
    "requestcontext.authorizer.iam.userarn": FORGED["userArn"],
}
FORGED_BODIES: list[dict[str, object]] = [
    {"requestContext": {"authorizer": {"iam": FORGED}}},
    {"authorizer": {"iam": FORGED}},
    {"iam": FORGED},
    {"userArn": FORGED["userArn"]},
    {"routeKey": SERVICE_TOKENS},
    {"headers": {"authorization": "Bearer x"}},
]


class TestForgedIdentities:
    @pytest.mark.parametrize("route", [TOKENS, INITIATE])
    def test_headers_that_imitate_api_gateway_are_no_proof(
        self, issuer: Service, route: str
    ) -> None:
        answer = issuer.send(route, {"user_id": "bob"}, headers=FORGED_HEADERS)
        problem(answer, 401, "bearer_missing")

    @pytest.mark.parametrize("route", [SERVICE_TOKENS, BATCH, SERVICE_INITIATE, STATUS])
    def test_nor_are_they_on_the_routes_that_api_gateway_protects(
        self, issuer: Service, route: str
    ) -> None:
        lines = issuer.lines()
        answer = issuer.send(route, b"", headers=FORGED_HEADERS)
        assert (answer.status, answer.json()) == (403, {"message": "Forbidden"})
        bearer = issuer.send(route, b"", bearer=issuer.bearer(), headers=FORGED_HEADERS)
        assert (bearer.status, bearer.json()) == (403, {"message": "Forbidden"})
        assert issuer.lines() == lines

    @pytest.mark.parametrize("body", FORGED_BODIES, ids=lambda body: next(iter(body)))
    def test_a_body_that_imitates_an_event_is_no_proof(
        self, issuer: Service, body: dict[str, object]
    ) -> None:
        problem(issuer.send(TOKENS, body), 401, "bearer_missing")
        (field,) = body
        answer = issuer.send(TOKENS, body, bearer=issuer.bearer(), headers=FORGED_HEADERS)
        assert problem(answer, 400, "unknown_field")["field"] == field

    def test_a_good_caller_with_forged_headers_stays_who_it_is(self, issuer: Service) -> None:
        answer = issuer.send(TOKENS, {}, bearer=issuer.bearer(), headers=FORGED_HEADERS)
        assert (answer.status, answer.json()["user_id"]) == (201, "alice")
        assert issuer.last_audit()["identity"] == "development"

    def test_a_signature_of_aws_is_no_bearer_token(self, issuer: Service) -> None:
        problem(issuer.send_signed(TOKENS, {"room_id": "call_1"}), 401, "bearer_malformed")


# --- The secret ---------------------------------------------------------------------------------

GOOD = "0123456789abcdef0123456789abcdef"


def stored(server_secret: object, app_id: object = 1234567890) -> str:
    return json.dumps({"app_id": app_id, "server_secret": server_secret})


SECRETS: dict[str, tuple[str, str]] = {
    "a placeholder": (stored("REPLACE_ME_WITH_YOUR_SERVERSECRET"), "placeholder"),
    "a placeholder of the right length": (
        stored("<your 32 character ServerSecret>"),
        "placeholder",
    ),
    "one digit repeated": (stored("0" * 32), "placeholder"),
    "not JSON": (GOOD, "not JSON"),
    "empty": (" ", "not JSON"),
    "a JSON string": (json.dumps(GOOD), "not an object"),
    "the whole in quotes": (json.dumps(stored(GOOD)), "not an object"),
    "without an AppID": (json.dumps({"server_secret": GOOD}), "lacks app_id"),
    "without a ServerSecret": (json.dumps({"app_id": 5}), "lacks server_secret"),
    "AppID 0": (stored(GOOD, 0), "app_id must be 1 to"),
    "AppID negative": (stored(GOOD, -1), "app_id must be 1 to"),
    "AppID too large": (stored(GOOD, 2**32), "app_id must be 1 to"),
    "AppID a string": (stored(GOOD, "1234567890"), "app_id must be a whole number"),
    "AppID true": (stored(GOOD, True), "app_id must be a whole number"),
    "in quotes": (stored(f'"{GOOD}"'), "has quotes around it"),
    "with a quote before it": (stored(f"'{GOOD[1:]}"), "has quotes around it"),
    "in single quotes": (stored(f"'{GOOD}'"), "has quotes around it"),
    "with a newline": (stored(f"{GOOD}\n"), "newline around it"),
    "with a space": (stored(f" {GOOD}"), "white space"),
    "an AppSign": (stored(GOOD * 2), "AppSign"),
    "too short": (stored(GOOD[1:]), "has 31 characters"),
    "too long": (stored(f"{GOOD}0"), "has 33 characters"),
    "a number": (stored(5), "must be a string"),
    "not ASCII": (stored("é" * 31 + "a"), "not printable ASCII"),
}


SPOILT = "zego/spoilt"


@pytest.fixture(scope="module")
def spoilt(stack: LocalStack) -> Iterator[Service]:
    """The service on a secret that was never good, and that it asks for at each request."""
    stack.secrets_manager.call("CreateSecret", Name=SPOILT, SecretString=stored(""))
    with service(stack, "impatient_issuer.handler", SERVER_SECRET_ARN=SPOILT) as running:
        running.keep_secret(GOOD)
        yield running


SILENT: dict[str, tuple[Intercept, str]] = {
    "it finds none": (refusing("ResourceNotFoundException"), "ResourceNotFoundException"),
    "it forbids": (refusing("AccessDeniedException"), "AccessDeniedException"),
    "it cannot decrypt": (refusing("DecryptionFailure"), "DecryptionFailure"),
    "it throttles": (refusing("ThrottlingException"), "ThrottlingException"),
    "it fails": (refusing("InternalServiceError", 500), "InternalServiceError"),
    "it answers nothing": (answering(200, b"{}"), "no text value"),
    "it answers no JSON": (answering(200, b"<html>"), "cannot be read"),
    "it answers bytes": (
        answering(200, b'{"SecretBinary":"AA==","VersionId":"1","CreatedDate":1}'),
        "no text value",
    ),
    "a gateway answers": (answering(502, b"<html>Bad Gateway</html>"), "Http502"),
    "it redirects": (redirecting("https://secretsmanager.example.com/"), "Http302"),
    "it answers too much": (answering(200, b" " * 200_001), "larger than"),
    "it hangs up": (hanging_up, "Unreachable"),
}


class TestSecrets:
    @pytest.mark.parametrize(("value", "words"), SECRETS.values(), ids=SECRETS)
    def test_a_value_that_cannot_be_one_is_refused_and_the_log_says_why(
        self, spoilt: Service, value: str, words: str
    ) -> None:
        spoilt.stack.secrets_manager.call("PutSecretValue", SecretId=SPOILT, SecretString=value)
        answer = spoilt.token()
        document = problem(answer, 503, "secret_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert document["retryable"] is True
        assert words in spoilt.last_audit()["reason"]
        assert words not in answer.body.decode()

    @pytest.mark.parametrize(("fault", "words"), SILENT.values(), ids=SILENT)
    def test_a_secrets_manager_that_gives_none_is_named_in_the_log_only(
        self, spoilt: Service, secrets: Faults, fault: Intercept, words: str
    ) -> None:
        with secrets.of(fault):
            answer = spoilt.token()
        problem(answer, 503, "secret_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert words in spoilt.last_audit()["reason"]
        assert words not in answer.body.decode()

    def test_one_that_becomes_good_is_in_use_at_once(self, stack: LocalStack) -> None:
        name = "zego/late"
        stack.secrets_manager.call("CreateSecret", Name=name, SecretString=stored("REPLACE_ME"))
        changes = {"SERVER_SECRET_ARN": name}
        with service(stack, "impatient_issuer.handler", **changes) as late:
            problem(late.token(), 503, "secret_unavailable")
            late.keep_secret(GOOD)
            stack.secrets_manager.call("PutSecretValue", SecretId=name, SecretString=stored(GOOD))
            assert late.token().status == 201

    def test_a_secret_that_is_missing(self, stack: LocalStack) -> None:
        with service(stack, SERVER_SECRET_ARN="zego/absent") as absent:
            problem(absent.token(), 503, "secret_unavailable")
            assert "ResourceNotFoundException" in absent.last_audit()["reason"]
            problem(absent.send_signed(STATUS), 503, "secret_unavailable")
            batch = {"requests": [{"user_id": "bob", "room_id": "call_1"}]}
            problem(absent.send_signed(BATCH, batch), 503, "secret_unavailable")

    def test_without_credentials_it_says_what_is_missing(self, stack: LocalStack) -> None:
        with service(stack, AWS_SECRET_ACCESS_KEY="") as without_credentials:
            problem(without_credentials.token(), 503, "secret_unavailable")
            assert "AWS_SECRET_ACCESS_KEY" in without_credentials.last_audit()["reason"]

    def test_a_failure_is_not_repeated_by_the_next_request(
        self, cold: Service, secrets: Faults
    ) -> None:
        before = len(secrets.requests)
        with secrets.of(refusing("AccessDeniedException")):
            answers = [cold.token() for _ in range(5)]
        for answer in answers:
            problem(answer, 503, "secret_unavailable")
            assert answer.headers["retry-after"] == "5"
        assert len(secrets.requests) - before == 1

    def test_throttling_is_tried_once_more(self, cold: Service, secrets: Faults) -> None:
        before = len(secrets.requests)
        with secrets.of(refusing("ThrottlingException")):
            problem(cold.token(), 503, "secret_unavailable")
        assert len(secrets.requests) - before == 2


MALFORMED = b'{"SecretString":"{}","VersionId":"2","CreatedDate":1}'


class TestSecretsThatAge:
    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            pytest.param(refusing("ThrottlingException"), "ThrottlingException", id="throttling"),
            pytest.param(answering(200, MALFORMED), "lacks app_id", id="malformed"),
            pytest.param(slow(1.7), "Unreachable", id="slow"),
        ],
    )
    def test_the_last_good_one_serves_on(
        self, quickly_stale: Service, secrets: Faults, fault: Intercept, words: str
    ) -> None:
        quickly_stale.restart()
        assert quickly_stale.token().status == 201
        before = quickly_stale.lines()
        with secrets.of(fault):
            until(quickly_stale.token, lambda _: words in quickly_stale.log(since=before))
            started = time.monotonic()
            assert quickly_stale.token().status == 201
            assert time.monotonic() - started < 2.5, "a failure slows one request, not the next"
        log = quickly_stale.log(since=before)
        (line,) = (json.loads(line) for line in log.splitlines() if words in line)
        assert line["level"] == "ERROR"
        assert line["message"].endswith("the last good one still serves")
        assert "SecretStale" in log
        assert '"refused"' not in log

    def test_while_it_is_down_the_last_good_one_serves_then_none_then_all_is_well(
        self, stack: LocalStack
    ) -> None:
        changes = {"SECRET_TTL_SECONDS": "1", "SECRET_MAX_STALE_SECONDS": "3"}
        with service(stack, "impatient_issuer.handler", **changes) as short:
            assert short.token().status == 201
            with down(stack.secrets_manager):
                stale = until(short.token, lambda _: "SecretStale" in short.log())
                assert stale.status == 201
                gone = until(short.token, lambda answer: answer.status != 201)
                problem(gone, 503, "secret_unavailable")
            assert until(short.token, lambda answer: answer.status == 201).status == 201

    def test_a_new_value_is_in_use_within_its_time_to_live(self, quickly_stale: Service) -> None:
        quickly_stale.restart()
        before = quickly_stale.send_signed(STATUS).json()["secret"]["version_id"]
        manager = quickly_stale.stack.secrets_manager
        now = manager.put(stored(manager.server_secret, manager.app_id))
        assert now != before
        answer = until(
            lambda: quickly_stale.send_signed(STATUS).json()["secret"]["version_id"],
            lambda version: version == now,
        )
        assert answer == now


# --- The policy and the environment -------------------------------------------------------------


@dataclass(frozen=True)
class Start:
    """How a function started: the API's answer to its first request, and its log."""

    answer: Answer
    log: str

    def assert_failed(self, *words: str) -> None:
        """It failed, said why in its log, and the API says nothing of that."""
        message = {"message": "Internal Server Error"}
        assert (self.answer.status, self.answer.json()) == (500, message)
        for text in words:
            assert text in self.log


def start(stack: LocalStack, **changes: str) -> Start:
    """Start the function with changed variables, and send it a request."""
    with service(stack, **changes) as started:
        return Start(started.token(), started.log())


@pytest.fixture(scope="module")
def mistaken(
    stack: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Start]]]:
    """A start for each kind of mistake in a policy, by kind: two at a time, to save time."""
    folder = tmp_path_factory.mktemp("policies")
    with ThreadPoolExecutor(2) as pool:
        starts = {}
        for number, (kind, (mistake, *_)) in enumerate(MISTAKES.items()):
            policy = folder / str(number) / "prod.toml"
            policy.parent.mkdir()
            policy.write_text(mistake.policy, encoding="utf-8")
            starts[kind] = pool.submit(start, stack, ACCESS_POLICY_FILE=str(policy))
        yield starts
        pool.shutdown(cancel_futures=True)


class TestPolicies:
    @pytest.mark.parametrize("kind", MISTAKES)
    def test_with_a_mistake_the_function_does_not_start_and_says_why_in_its_log(
        self, mistaken: dict[str, Future[Start]], kind: str
    ) -> None:
        mistaken[kind].result().assert_failed("prod.toml", *MISTAKES[kind][0].words)

    def test_a_file_that_is_missing(self, stack: LocalStack, tmp_path: Path) -> None:
        started = start(stack, ACCESS_POLICY_FILE=str(tmp_path / "absent.toml"))
        started.assert_failed("absent.toml cannot be read")

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("STAGE", "production", "STAGE is 'production'"),
            ("STAGE", "prod", "AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            ("SECRET_TTL_SECONDS", "soon", "SECRET_TTL_SECONDS is 'soon'"),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13", "STAGE is local"),
        ],
    )
    def test_a_variable_that_cannot_be_meant(
        self, stack: LocalStack, name: str, value: str, words: str
    ) -> None:
        start(stack, **{name: value}).assert_failed(words)
