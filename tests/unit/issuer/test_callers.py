"""Who is calling: each proof that is taken, and each refusal with its code."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from issuer.access_policy import AccessPolicy, Caller, OidcIdentity, RoleIdentity
from issuer.bearer_token import MAX_BYTES, REQUIRED_CLAIMS
from issuer.callers import from_bearer, from_role
from issuer.problems import Problem
from issuer.signing_keys import ALGORITHMS, SigningKeys
from tests.support.bearer import (
    AUDIENCE,
    ISSUER,
    JWKS_URI,
    JwksEndpoint,
    claims,
    jws,
    policy,
    signer,
)
from zego import identifiers

WEB = OidcIdentity("web", ISSUER, (AUDIENCE,), JWKS_URI, ("RS256",))


def caller_of(
    token: str, known: AccessPolicy | None = None, endpoint: JwksEndpoint | None = None
) -> Caller:
    """Whom the service takes the bearer of a token for."""
    keys = SigningKeys(endpoint or JwksEndpoint(signer().jwk))
    return from_bearer(f"Bearer {token}", known or policy(WEB), keys)


def refusal_of(
    token: str, known: AccessPolicy | None = None, endpoint: JwksEndpoint | None = None
) -> Problem:
    """Why the service refuses a token."""
    with pytest.raises(Problem) as refused:
        caller_of(token, known, endpoint)
    assert token not in refused.value.detail + refused.value.reason
    return refused.value


def padded_to(size: int) -> str:
    """A good token of so many bytes."""
    filler = 0
    while True:
        token = signer().sign(claims(filler="x" * filler))
        if len(token) >= size:
            return token
        filler += max(1, (size - len(token)) * 3 // 4)


class TestGoodTokens:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_each_asymmetric_algorithm_is_taken_where_the_policy_names_it(
        self, algorithm: str
    ) -> None:
        endpoint = JwksEndpoint(signer(algorithm).jwk)
        caller = caller_of(
            signer(algorithm).sign(claims()), policy(algorithms=(algorithm,)), endpoint
        )
        assert caller.user_id == "alice"

    def test_the_caller_is_the_identity_the_subject_and_the_claims(self) -> None:
        said = claims(team="red", groups=["a", "b"])
        caller = caller_of(signer().sign(said))
        assert caller == Caller("web", f"{ISSUER} alice", "alice", said)
        assert caller.read_status is False

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
    def test_the_scheme_is_spelt_in_any_case(self, scheme: str) -> None:
        header = f"{scheme} {signer().sign(claims())}"
        keys = SigningKeys(JwksEndpoint(signer().jwk))
        assert from_bearer(header, policy(), keys).user_id == "alice"

    def test_a_token_without_a_key_id_is_verified_by_the_only_key(self) -> None:
        assert caller_of(signer().sign(claims(), kid=None)).user_id == "alice"

    def test_a_subject_that_zego_refuses_becomes_a_hashed_user_id(self) -> None:
        caller = caller_of(signer().sign(claims(sub="auth0|123")))
        assert caller.user_id == identifiers.user_id_for_subject(ISSUER, "auth0|123")
        assert caller.user_id is not None
        assert caller.user_id.startswith("u_")
        assert caller.subject == f"{ISSUER} auth0|123"

    def test_an_issuer_with_hashed_user_ids_gives_every_subject_one(self) -> None:
        known = policy(replace(WEB, hashed_user_ids=True))
        caller = caller_of(signer().sign(claims()), known)
        assert caller.user_id == identifiers.user_id_for_subject(ISSUER, "alice", always_hash=True)
        assert caller.user_id != "alice"

    def test_one_of_several_audiences_is_enough(self) -> None:
        known = policy(replace(WEB, audience=("https://other.example.com", AUDIENCE)))
        assert caller_of(signer().sign(claims()), known).user_id == "alice"

    def test_a_token_of_exactly_eight_kibibytes_is_taken(self) -> None:
        token = padded_to(MAX_BYTES - 2)
        assert MAX_BYTES - 2 <= len(token) <= MAX_BYTES
        assert caller_of(token).user_id == "alice"


class TestLeeway:
    """Clocks differ: a minute on either side of what a token says is overlooked."""

    def test_a_token_that_expired_within_the_leeway_is_taken(self) -> None:
        assert caller_of(signer().sign(claims(exp=int(time.time()) - 30))).user_id == "alice"

    def test_a_token_that_expired_before_the_leeway_is_refused(self) -> None:
        problem = refusal_of(signer().sign(claims(exp=int(time.time()) - 90)))
        assert problem.code == "bearer_expired"

    @pytest.mark.parametrize("claim", ["iat", "nbf"])
    def test_a_token_from_within_the_leeway_ahead_is_taken(self, claim: str) -> None:
        ahead = {claim: int(time.time()) + 30}
        assert caller_of(signer().sign(claims(**ahead))).user_id == "alice"

    @pytest.mark.parametrize("claim", ["iat", "nbf"])
    def test_a_token_from_further_ahead_is_refused(self, claim: str) -> None:
        ahead = {claim: int(time.time()) + 90}
        assert refusal_of(signer().sign(claims(**ahead))).code == "bearer_not_yet_valid"


GOOD_FORM = signer().sign({"iss": ISSUER})

NO_JWT = {
    "one letter": "x",
    "two dots": "..",
    "two parts": "x.y",
    "three parts that are no JSON": "x.y.z",
    "a header that is a list": jws([], claims()),
    "a header that is no JSON": jws(b"{", claims()),
    "a header that is not UTF-8": jws(b"\xff", claims()),
    "a header nested too deeply": jws(b"[" * 3000, claims()),
    "claims that are a list": jws({"alg": "RS256"}, [1]),
    "claims that are a string": jws({"alg": "RS256"}, "claims"),
    "claims that are no JSON": jws({"alg": "RS256"}, b"\xff"),
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
        with pytest.raises(Problem) as refused:
            from_bearer(None, policy(), SigningKeys(JwksEndpoint()))
        assert refused.value.code == "bearer_missing"
        assert "Authorization: Bearer" in refused.value.detail

    @pytest.mark.parametrize(
        "header",
        ["", "Bearer", "Bearer ", "Bearer  ", "Basic YTpi", "Bearer\tabc", "Token x.y.z", "x.y.z"],
    )
    def test_a_header_of_another_form(self, header: str) -> None:
        with pytest.raises(Problem) as refused:
            from_bearer(header, policy(), SigningKeys(JwksEndpoint()))
        assert refused.value.code == "bearer_malformed"

    @pytest.mark.parametrize("token", NO_JWT.values(), ids=NO_JWT)
    def test_what_is_no_jwt(self, token: str) -> None:
        assert refusal_of(token).code == "bearer_malformed"

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

    @pytest.mark.parametrize("claim", REQUIRED_CLAIMS)
    def test_a_claim_that_is_missing_is_named(self, claim: str) -> None:
        problem = refusal_of(signer().sign(claims(**{claim: ...})))
        assert problem.code == "bearer_missing_claim"
        assert f"the claim {claim}" in problem.detail

    @pytest.mark.parametrize("claim", REQUIRED_CLAIMS)
    def test_a_claim_that_is_null_is_missing(self, claim: str) -> None:
        assert refusal_of(signer().sign(claims(**{claim: None}))).code == "bearer_missing_claim"

    def test_a_subject_that_is_empty_is_missing(self) -> None:
        problem = refusal_of(signer().sign(claims(sub="")))
        assert (problem.code, "sub" in problem.detail) == ("bearer_missing_claim", True)

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
    def test_an_issuer_that_the_policy_does_not_name_letter_by_letter(self, issuer: str) -> None:
        problem = refusal_of(signer().sign(claims(iss=issuer)))
        assert problem.code == "bearer_untrusted_issuer"

    def test_an_issuer_that_is_not_trusted_is_not_asked_for_keys(self) -> None:
        endpoint = JwksEndpoint(signer().jwk)
        refusal_of(signer().sign(claims(iss="https://evil.example.com/")), endpoint=endpoint)
        assert endpoint.requests == []

    def test_an_algorithm_that_is_refused_asks_nobody_for_keys(self) -> None:
        endpoint = JwksEndpoint(signer().jwk)
        refusal_of(jws({"alg": "none"}, claims()), endpoint=endpoint)
        assert endpoint.requests == []

    def test_a_key_id_that_the_issuer_does_not_have(self) -> None:
        problem = refusal_of(signer(key_id="key-2").sign(claims()))
        assert problem.code == "bearer_unknown_key"

    def test_keys_that_cannot_be_fetched_are_the_issuers_fault(self) -> None:
        endpoint = JwksEndpoint()
        endpoint.down = True
        problem = refusal_of(signer().sign(claims()), endpoint=endpoint)
        assert (problem.code, problem.retry_after_seconds) == ("signing_keys_unavailable", 30)
        assert problem.type.retryable
        assert "login.example.com" not in problem.detail
        assert "ConnectionRefusedError" in problem.reason

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
            [AUDIENCE, 5],
            [[AUDIENCE]],
            {AUDIENCE: True},
            5,
            True,
            "",
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
        ],
    )
    def test_a_claim_of_the_wrong_type(self, claim: str, value: object) -> None:
        problem = refusal_of(signer().sign(claims(**{claim: value})))
        assert problem.code == "bearer_malformed"

    @pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
    def test_a_time_that_is_a_string_of_digits_is_of_the_wrong_type(self, claim: str) -> None:
        """RFC 7519, 2: a NumericDate is a JSON number."""
        said = claims(**{claim: str(int(time.time()) + (600 if claim == "exp" else -600))})
        assert refusal_of(signer().sign(said)).code == "bearer_malformed"

    @pytest.mark.parametrize("key_id", [5, True, [], {}, ["key-1"]], ids=str)
    def test_a_key_id_that_is_not_text(self, key_id: object) -> None:
        problem = refusal_of(signer().sign(claims(), kid=key_id))
        assert problem.code == "bearer_malformed"


class TestOrder:
    """Cheapest first, and nothing in a token is believed before its signature."""

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
    OTHER = OidcIdentity(
        "partner",
        "https://partner.example.com/",
        ("partner-audience",),
        "https://partner.example.com/jwks",
        ("ES256",),
        hashed_user_ids=True,
    )

    def test_each_is_held_to_its_own_algorithms(self) -> None:
        known = policy(WEB, self.OTHER)
        token = signer().sign(claims(iss=self.OTHER.issuer, aud="partner-audience"))
        assert refusal_of(token, known).code == "bearer_algorithm_refused"

    def test_each_is_held_to_its_own_audience(self) -> None:
        known, endpoint = policy(WEB, self.OTHER), JwksEndpoint(signer("ES256").jwk)
        token = signer("ES256").sign(claims(iss=self.OTHER.issuer))
        assert refusal_of(token, known, endpoint).code == "bearer_wrong_audience"

    def test_the_same_subject_is_another_user(self) -> None:
        known, endpoint = policy(WEB, self.OTHER), JwksEndpoint(signer("ES256").jwk)
        said = claims(iss=self.OTHER.issuer, aud="partner-audience")
        caller = caller_of(signer("ES256").sign(said), known, endpoint)
        assert (caller.identity, caller.user_id == "alice") == ("partner", False)


ROLE = "arn:aws:iam::111122223333:role/CallBackend"


def role_caller(arn: object, *roles: RoleIdentity) -> Caller:
    known = policy(*(roles or (RoleIdentity("backend", ROLE),)))
    return from_role({"userArn": arn, "accountId": "111122223333"}, known)


class TestRoles:
    def test_an_assumed_role_is_its_account_and_name(self) -> None:
        arn = "arn:aws:sts::111122223333:assumed-role/CallBackend/session-1"
        assert role_caller(arn) == Caller("backend", arn, None, {})

    def test_a_role_that_may_read_the_status_does(self) -> None:
        arn = "arn:aws:sts::111122223333:assumed-role/CallBackend/session-1"
        assert role_caller(arn, RoleIdentity("ops", ROLE, read_status=True)).read_status

    @pytest.mark.parametrize(
        "session", ["session-1", "alice@example.com", "a=b,c.d_e+f", "0123456789"]
    )
    def test_any_session_of_the_role_is_taken(self, session: str) -> None:
        arn = f"arn:aws:sts::111122223333:assumed-role/CallBackend/{session}"
        assert role_caller(arn).subject == arn

    @pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
    def test_a_role_is_taken_in_the_partition_that_the_policy_names(self, partition: str) -> None:
        role = RoleIdentity("backend", f"arn:{partition}:iam::111122223333:role/CallBackend")
        arn = f"arn:{partition}:sts::111122223333:assumed-role/CallBackend/s"
        assert role_caller(arn, role).identity == "backend"

    @pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
    def test_the_same_role_in_another_partition_is_another_role(self, partition: str) -> None:
        with pytest.raises(Problem) as refused:
            role_caller(f"arn:{partition}:sts::111122223333:assumed-role/CallBackend/s")
        assert refused.value.code == "not_granted"

    @pytest.mark.parametrize("iam", [None, {}, {"userArn": None}, {"userArn": 5}, {"userArn": []}])
    def test_without_a_verified_identity_there_is_no_caller(
        self, iam: dict[str, object] | None
    ) -> None:
        with pytest.raises(Problem) as refused:
            from_role(iam, policy(RoleIdentity("backend", ROLE)))
        assert refused.value.code == "iam_identity_missing"
        assert refused.value.type.status == 401

    @pytest.mark.parametrize(
        "arn",
        [
            "",
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:user/CallBackend",
            "arn:aws:iam::111122223333:role/CallBackend",
            "arn:aws:sts::111122223333:federated-user/CallBackend",
            "arn:aws:sts::444455556666:assumed-role/CallBackend/s",
            "arn:aws:sts::111122223333:assumed-role/callbackend/s",
            "arn:aws:sts::111122223333:assumed-role/CallBackend2/s",
            "arn:aws:sts::111122223333:assumed-role/CallBackend",
            "arn:aws:sts::111122223333:assumed-role/CallBackend/",
            "arn:aws:sts::111122223333:assumed-role//CallBackend/s",
            "arn:aws:sts::111122223333:assumed-role/team/CallBackend/s",
            "arn:aws:sts::111122223333:assumed-role/Other/CallBackend",
            "arn:aws:sts::111122223333:assumed-role/Other/arn:aws:sts::111122223333:assumed-role/CallBackend/s",
            "arn:aws:sts::11112222333:assumed-role/CallBackend/s",
            "arn:aws:sts::1111222233334:assumed-role/CallBackend/s",
            "arn:aws:sts::١١١١٢٢٢٢٣٣٣٣:assumed-role/CallBackend/s",
            "arn:aws:sts::111122223333:assumed-role/CallBackend/s\n",
            "\narn:aws:sts::111122223333:assumed-role/CallBackend/s",
            "arn:aws:sts::111122223333:assumed-role/*/s",
            "arn:aws:sts::111122223333:assumed-role/CallBackend*/s",
            "arn:aws:sts::*:assumed-role/CallBackend/s",
            "arn:*:sts::111122223333:assumed-role/CallBackend/s",
            "ARN:AWS:STS::111122223333:ASSUMED-ROLE/CallBackend/s",
            "arn:aws:sts:us-east-1:111122223333:assumed-role/CallBackend/s",
            f"{ROLE} arn:aws:sts::111122223333:assumed-role/CallBackend/s",
        ],
    )
    def test_whoever_is_not_that_role_is_refused(self, arn: str) -> None:
        with pytest.raises(Problem) as refused:
            role_caller(arn)
        assert refused.value.code == "not_granted"
        assert "111122223333" not in refused.value.detail
        assert arn in refused.value.reason

    def test_only_the_arn_says_who_it_is(self) -> None:
        iam = {
            "userArn": "arn:aws:sts::444455556666:assumed-role/Other/s",
            "callerId": "arn:aws:sts::111122223333:assumed-role/CallBackend/s",
            "role": ROLE,
            "accountId": "111122223333",
            "cognitoIdentity": {"identityId": ROLE},
        }
        with pytest.raises(Problem) as refused:
            from_role(iam, policy(RoleIdentity("backend", ROLE)))
        assert refused.value.code == "not_granted"
