"""Bearer tokens: those that are accepted, and each refusal with its code."""

from __future__ import annotations

from typing import Any

import pytest

from issuer import authentication
from issuer.jwks import SigningKeys
from issuer.problems import Problem
from tests.support import bearer
from tests.support.bearer import (
    AUDIENCE,
    ISSUER,
    JWKS_URI,
    JwksEndpoint,
    jws,
    policy,
    signer,
)
from tests.support.clock import Clock
from zego.policy.decide import LEEWAY_SECONDS
from zego.policy.identify import MAX_BYTES
from zego.policy.model import ALGORITHMS, AccessPolicy, BearerIdentity

WEB = BearerIdentity("web", ISSUER, (AUDIENCE,), JWKS_URI, ("RS256",))
NOW = 1_700_000_000


def claims(**changes: object) -> dict[str, Any]:
    """The claims of a token that is good now, with changes."""
    return bearer.claims(**{"iat": NOW, "exp": NOW + 600} | changes)


def verify(
    token: str,
    known: AccessPolicy | None = None,
    endpoint: JwksEndpoint | None = None,
    *,
    scheme: str = "Bearer",
) -> tuple[str, dict[str, Any]]:
    """The identity and the claims of a token."""
    keys = SigningKeys(endpoint or JwksEndpoint(signer().jwk))
    header = f"{scheme} {token}"
    caller = authentication.from_bearer(header, known or policy(WEB), keys, clock=lambda: NOW)
    return caller.identity, dict(caller.claims)


def refusal_of(
    token: str, known: AccessPolicy | None = None, endpoint: JwksEndpoint | None = None
) -> Problem:
    """Why the service refuses a token."""
    with pytest.raises(Problem) as refused:
        verify(token, known, endpoint)
    assert token not in refused.value.detail + refused.value.reason
    return refused.value


def refusal_of_header(header: str | None) -> Problem:
    """Why the service refuses an Authorization header."""
    with pytest.raises(Problem) as refused:
        authentication.from_bearer(header, policy(WEB), SigningKeys(JwksEndpoint()))
    return refused.value


def padded_to(size: int) -> str:
    """A valid token of about this many bytes, never more."""
    token, filler = signer().sign(claims()), 0
    while len(longer := signer().sign(claims(filler="x" * filler))) <= size:
        token, filler = longer, filler + max(1, (size - len(longer)) * 3 // 4)
    return token


class TestGoodTokens:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_each_asymmetric_algorithm_is_accepted_if_the_policy_names_it(
        self, algorithm: str
    ) -> None:
        endpoint, said = JwksEndpoint(signer(algorithm).jwk), claims(team="red", groups=["a"])
        token = signer(algorithm).sign(said)
        assert verify(token, policy(algorithms=(algorithm,)), endpoint) == ("web", said)

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
    def test_the_scheme_is_spelt_in_any_case(self, scheme: str) -> None:
        assert verify(signer().sign(claims()), scheme=scheme)[0] == "web"

    def test_a_token_without_a_key_id_is_verified_by_the_only_key(self) -> None:
        assert verify(signer().sign(claims(), kid=None))[0] == "web"

    @pytest.mark.parametrize("audience", [AUDIENCE, [AUDIENCE], ["https://a.example/", AUDIENCE]])
    def test_one_of_several_audiences_is_enough(self, audience: object) -> None:
        known = policy(WEB._replace(audience=("https://b.example/", AUDIENCE)))
        assert verify(signer().sign(claims(aud=audience)), known)[0] == "web"

    def test_a_token_of_eight_kibibytes_is_accepted(self) -> None:
        token = padded_to(MAX_BYTES)
        assert MAX_BYTES - 2 <= len(token) <= MAX_BYTES
        assert verify(token)[0] == "web"


class TestLeeway:
    """Clocks differ, so the times in a token may be off by a minute either way."""

    def test_a_token_that_expired_within_the_leeway_is_accepted(self) -> None:
        assert verify(signer().sign(claims(exp=NOW - LEEWAY_SECONDS + 1)))[0] == "web"

    def test_a_token_that_expired_before_the_leeway_is_refused(self) -> None:
        problem = refusal_of(signer().sign(claims(exp=NOW - LEEWAY_SECONDS)))
        assert problem.code == "bearer_expired"

    @pytest.mark.parametrize("claim", ["iat", "nbf"])
    def test_a_token_from_the_future_within_the_leeway_is_accepted(self, claim: str) -> None:
        said = claims(**{claim: NOW + LEEWAY_SECONDS})
        assert verify(signer().sign(said))[0] == "web"

    @pytest.mark.parametrize("claim", ["iat", "nbf"])
    def test_a_token_from_further_in_the_future_is_refused(self, claim: str) -> None:
        said = claims(**{claim: NOW + LEEWAY_SECONDS + 1})
        assert refusal_of(signer().sign(said)).code == "bearer_not_yet_valid"

    def test_fractions_of_a_second_count(self) -> None:
        assert verify(signer().sign(claims(exp=NOW - LEEWAY_SECONDS + 0.5)))[0] == "web"

    def test_the_leeway_is_a_minute(self) -> None:
        assert LEEWAY_SECONDS == 60


GOOD_FORM = signer().sign({"iss": ISSUER})

NO_JWT = {
    "one letter": "x",
    "two dots": "..",
    "two parts": "x.y",
    "three parts that are not JSON": "x.y.z",
    "a header that is a list": jws([], claims()),
    "a header that is not JSON": jws(b"{", claims()),
    "a header that is not UTF-8": jws(b"\xff", claims()),
    "a header nested too deeply": jws(b"[" * 3000, claims()),
    "claims that are a list": jws({"alg": "RS256"}, [1]),
    "claims that are a string": jws({"alg": "RS256"}, "claims"),
    "claims that are not JSON": jws({"alg": "RS256"}, b"\xff"),
    "claims nested too deeply": jws({"alg": "RS256"}, b"[" * 3000),
    "letters that are not ASCII": "é.é.é",
    "half a surrogate pair": "\ud800.a.b",
    "an empty part between": GOOD_FORM.replace(".", "..", 1),
    "a fourth part": f"{GOOD_FORM}.x",
    "a part before": f"x.{GOOD_FORM}",
    "two tokens": f"{GOOD_FORM},{GOOD_FORM}",
    "a space within": GOOD_FORM.replace(".", " .", 1),
}


class TestRefusals:
    def test_no_authorization_header(self) -> None:
        problem = refusal_of_header(None)
        assert problem.code == "bearer_missing"
        assert "Authorization: Bearer" in problem.detail

    @pytest.mark.parametrize(
        "header",
        ["", "Bearer", "Bearer ", "Bearer  ", "Basic YTpi", "Bearer\tabc", "Token x.y.z", "x.y.z"],
    )
    def test_a_header_of_another_form(self, header: str) -> None:
        assert refusal_of_header(header).code == "bearer_malformed"

    @pytest.mark.parametrize("token", NO_JWT.values(), ids=NO_JWT)
    def test_what_is_not_a_jwt(self, token: str) -> None:
        assert refusal_of(token).code == "bearer_malformed"

    @pytest.mark.parametrize(
        ("token", "named"),
        [
            ("2YotnFZFEjr1zCsicMWpAA", "opaque"),
            ("eyJhbGciOiJkaXIifQ..aXY.c2VhbGVk.dGFn", "encrypted (JWE)"),
        ],
    )
    def test_another_kind_of_token_is_named(self, token: str, named: str) -> None:
        problem = refusal_of(token)
        assert problem.code == "bearer_malformed"
        assert named in problem.detail
        assert token not in problem.detail

    @pytest.mark.parametrize("size", [MAX_BYTES + 1, 1_000_000])
    def test_a_token_over_eight_kibibytes_is_refused_before_it_is_read(self, size: int) -> None:
        problem = refusal_of("x" * size)
        assert problem.code == "bearer_too_large"
        assert str(MAX_BYTES) in problem.detail

    def test_an_algorithm_that_the_issuer_does_not_use(self) -> None:
        problem = refusal_of(signer("RS384").sign(claims()))
        assert problem.code == "bearer_algorithm_refused"
        assert "RS256" in problem.detail

    def test_a_header_without_an_algorithm(self) -> None:
        assert refusal_of(jws({"typ": "JWT"}, claims())).code == "bearer_algorithm_refused"

    @pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "sub"])
    def test_a_claim_that_is_missing_is_named(self, claim: str) -> None:
        problem = refusal_of(signer().sign(claims(**{claim: ...})))
        assert problem.code == "bearer_missing_claim"
        assert f"the claim {claim}" in problem.detail

    @pytest.mark.parametrize("claim", ["iss", "aud", "exp", "iat", "sub"])
    def test_a_claim_that_is_null_is_missing(self, claim: str) -> None:
        assert refusal_of(signer().sign(claims(**{claim: None}))).code == "bearer_missing_claim"

    @pytest.mark.parametrize("claim", ["aud", "exp", "iat", "sub"])
    def test_a_claim_that_is_an_empty_string_is_missing(self, claim: str) -> None:
        problem = refusal_of(signer().sign(claims(**{claim: ""})))
        assert problem.code == "bearer_missing_claim"
        assert f"the claim {claim}" in problem.detail

    @pytest.mark.parametrize(
        "issuer",
        [
            "https://evil.example.com/",
            ISSUER.rstrip("/"),
            ISSUER.upper(),
            f" {ISSUER}",
            f"{ISSUER}\0",
            "",
        ],
    )
    def test_an_issuer_that_differs_in_any_character(self, issuer: str) -> None:
        problem = refusal_of(signer().sign(claims(iss=issuer)))
        assert problem.code == "bearer_untrusted_issuer"

    def test_no_keys_are_fetched_from_an_untrusted_issuer(self) -> None:
        endpoint = JwksEndpoint(signer().jwk)
        refusal_of(signer().sign(claims(iss="https://evil.example.com/")), endpoint=endpoint)
        assert endpoint.requests == []

    def test_no_keys_are_fetched_for_a_refused_algorithm(self) -> None:
        endpoint = JwksEndpoint(signer().jwk)
        refusal_of(jws({"alg": "none"}, claims()), endpoint=endpoint)
        assert endpoint.requests == []

    def test_a_key_id_that_the_issuer_does_not_have(self) -> None:
        problem = refusal_of(signer(key_id="key-2").sign(claims()))
        assert problem.code == "bearer_unknown_key"
        assert problem.document("")["retryable"] is False
        assert "retry-after" not in problem.headers()

    def test_a_key_id_that_may_be_new_is_retryable_when_the_keys_may_be_fetched_again(self) -> None:
        """Otherwise clients stop renewing while their identity provider rotates its keys."""
        clock = Clock()
        keys = SigningKeys(JwksEndpoint(signer().jwk), cool_down_seconds=30, clock=clock)
        keys.get(JWKS_URI, "key-1", "RS256")
        clock.turn(12)
        with pytest.raises(Problem) as refused:
            authentication.from_bearer(
                f"Bearer {signer(key_id='key-2').sign(claims())}",
                policy(WEB),
                keys,
                clock=lambda: NOW,
            )
        assert (refused.value.code, refused.value.type.status) == ("bearer_unknown_key", 401)
        assert refused.value.document("")["retryable"] is True
        assert refused.value.headers()["retry-after"] == "18"

    def test_keys_that_cannot_be_fetched_are_the_issuers_fault(self) -> None:
        endpoint = JwksEndpoint()
        endpoint.down = True
        problem = refusal_of(signer().sign(claims()), endpoint=endpoint)
        assert (problem.code, problem.retry_after_seconds) == ("signing_keys_unavailable", 5)
        assert problem.type.retryable
        assert "login.example.com" not in problem.detail
        assert "it refused the connection" in problem.reason

    def test_another_key_under_the_same_id(self) -> None:
        problem = refusal_of(signer(owner="mallory").sign(claims()))
        assert problem.code == "bearer_bad_signature"

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_claims_that_were_changed_after_signing(self, algorithm: str) -> None:
        known, endpoint = policy(algorithms=(algorithm,)), JwksEndpoint(signer(algorithm).jwk)
        head, _, signature = signer(algorithm).sign(claims()).split(".")
        other = signer(algorithm).sign(claims(sub="bob")).split(".")[1]
        problem = refusal_of(f"{head}.{other}.{signature}", known, endpoint)
        assert problem.code == "bearer_bad_signature"

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_a_signature_that_was_cut_off(self, algorithm: str) -> None:
        known, endpoint = policy(algorithms=(algorithm,)), JwksEndpoint(signer(algorithm).jwk)
        signed = signer(algorithm).sign(claims()).rpartition(".")[0]
        assert refusal_of(f"{signed}.", known, endpoint).code == "bearer_bad_signature"

    @pytest.mark.parametrize(
        "audience",
        [
            "https://other.example.com",
            f"{AUDIENCE}/",
            AUDIENCE.upper(),
            ["https://other.example.com"],
            [],
        ],
        ids=str,
    )
    def test_another_audience(self, audience: object) -> None:
        problem = refusal_of(signer().sign(claims(aud=audience)))
        assert problem.code == "bearer_wrong_audience"

    @pytest.mark.parametrize(
        ("claim", "value"),
        [
            ("sub", 5),
            ("sub", ["alice"]),
            ("sub", True),
            ("exp", "tomorrow"),
            ("exp", []),
            ("exp", {}),
            ("iat", "yesterday"),
            ("iat", []),
            ("nbf", "now"),
            ("nbf", None),
            ("aud", 5),
            ("aud", True),
            ("aud", {AUDIENCE: True}),
            ("aud", [AUDIENCE, 5]),
            ("aud", [[AUDIENCE]]),
        ],
    )
    def test_a_claim_of_the_wrong_type(self, claim: str, value: object) -> None:
        problem = refusal_of(signer().sign(claims(**{claim: value})))
        assert problem.code == "bearer_malformed"

    @pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
    def test_a_time_that_is_a_string_of_digits_is_of_the_wrong_type(self, claim: str) -> None:
        """RFC 7519, 2: a NumericDate is a JSON number."""
        said = claims(**{claim: str(NOW + (600 if claim == "exp" else -600))})
        assert refusal_of(signer().sign(said)).code == "bearer_malformed"

    @pytest.mark.parametrize("key_id", [5, True, [], {}, ["key-1"]], ids=str)
    def test_a_key_id_that_is_not_text(self, key_id: object) -> None:
        problem = refusal_of(signer().sign(claims(), kid=key_id))
        assert problem.code == "bearer_malformed"


class TestOrder:
    """The cheapest check comes first; nothing is trusted before the signature is verified."""

    def test_size_comes_before_form(self) -> None:
        assert refusal_of("x" * (MAX_BYTES + 1)).code == "bearer_too_large"

    def test_the_issuer_comes_before_the_algorithm_which_is_the_issuers(self) -> None:
        token = jws({"alg": "none"}, claims(iss="https://evil.example.com/"))
        assert refusal_of(token).code == "bearer_untrusted_issuer"

    def test_the_key_comes_before_the_claims(self) -> None:
        token = signer(key_id="key-2").sign(claims(exp=0))
        assert refusal_of(token).code == "bearer_unknown_key"

    def test_the_signature_comes_before_the_claims(self) -> None:
        for changed in (claims(exp=0), claims(aud="x"), claims(sub=...), claims(iat=2**40)):
            token = signer(owner="mallory").sign(changed)
            assert refusal_of(token).code == "bearer_bad_signature"

    def test_expiry_comes_before_the_audience(self) -> None:
        assert refusal_of(signer().sign(claims(exp=0, aud="x"))).code == "bearer_expired"


class TestTwoIssuers:
    OTHER = BearerIdentity(
        "partner",
        "https://partner.example.com/",
        ("partner-audience",),
        "https://partner.example.com/jwks",
        ("ES256",),
        hashed_user_ids=True,
    )

    def test_each_issuer_has_its_own_algorithms(self) -> None:
        known = policy(WEB, self.OTHER)
        token = signer().sign(claims(iss=self.OTHER.issuer, aud="partner-audience"))
        assert refusal_of(token, known).code == "bearer_algorithm_refused"

    def test_each_issuer_has_its_own_audience(self) -> None:
        known, endpoint = policy(WEB, self.OTHER), JwksEndpoint(signer("ES256").jwk)
        token = signer("ES256").sign(claims(iss=self.OTHER.issuer))
        assert refusal_of(token, known, endpoint).code == "bearer_wrong_audience"

    def test_each_issuer_is_found_by_its_own_name(self) -> None:
        known, endpoint = policy(WEB, self.OTHER), JwksEndpoint(signer("ES256").jwk)
        token = signer("ES256").sign(claims(iss=self.OTHER.issuer, aud="partner-audience"))
        assert verify(token, known, endpoint)[0] == "partner"
