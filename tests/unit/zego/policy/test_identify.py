"""Whose a bearer token is: the conditions of an identity, and what a refusal says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.bearer import jws, policy
from zego import identifiers, printable
from zego.policy import identify
from zego.policy.identify import BearerToken
from zego.policy.model import BearerIdentity, Caller, Refusal

NOW = 1_800_000_000
ISSUER = "https://login.example.com/"
AUDIENCE = "https://calls.example.com"
WEB = BearerIdentity("web", ISSUER, (AUDIENCE,), "https://login.example.com/keys", ("RS256",))
APP = BearerIdentity("app", "calls-app", (), None, ("HS256",), shared_key="app/key")
NAMELESS = APP._replace(name="nameless", issuer=None, audience=("calls",))


def token(header: Mapping[str, object] | None = None, /, **changes: object) -> BearerToken:
    """A parsed token of Alice's; ``...`` leaves a claim out."""
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": NOW, "exp": NOW + 600} | changes
    claims = {name: value for name, value in said.items() if value is not ...}
    parsed = identify.parse(jws({"alg": "RS256"} | dict(header or {}), claims))
    assert isinstance(parsed, BearerToken)
    return parsed


def caller_of(bearer: BearerToken, *identities: BearerIdentity, **changes: Any) -> Caller:
    found = identify.identify(identities or (WEB._replace(**changes),), bearer, NOW)
    assert isinstance(found, Caller), found
    return found


def refusal_of(bearer: BearerToken, *identities: BearerIdentity, **changes: Any) -> Refusal:
    found = identify.identify(identities or (WEB._replace(**changes),), bearer, NOW)
    assert isinstance(found, Refusal), found
    return found


def unfound(bearer: BearerToken, *identities: BearerIdentity) -> Refusal:
    found = identify.candidates(policy(*(identities or (WEB,))), bearer)
    assert isinstance(found, Refusal), found
    return found


class TestCandidates:
    def test_they_have_the_issuer_and_the_algorithm_of_the_token(self) -> None:
        users, backends = WEB, WEB._replace(name="backends", names_users=True)
        other = WEB._replace(name="other", issuer="https://other.example.com/")
        elliptic = WEB._replace(name="elliptic", algorithms=("ES256",))
        known = policy(users, other, backends, elliptic, APP)
        assert identify.candidates(known, token()) == (users, backends)

    @pytest.mark.parametrize(
        ("issuer", "expected"), [("calls-app", "app"), (..., "nameless")], ids=["iss", "no iss"]
    )
    def test_an_hmac_selects_identities_with_a_shared_key(
        self, issuer: object, expected: str
    ) -> None:
        found = identify.candidates(policy(APP, NAMELESS), token({"alg": "HS256"}, iss=issuer))
        assert not isinstance(found, Refusal)
        assert [one.name for one in found] == [expected]

    @pytest.mark.parametrize("issuer", ["another-app", "", None, 5, ["calls-app"]], ids=str)
    def test_an_issuer_that_is_present_must_match(self, issuer: object) -> None:
        """An unknown one is not that of the identity without an issuer."""
        refusal = unfound(token({"alg": "HS256"}, iss=issuer), APP, NAMELESS)
        assert refusal.code in {"bearer_untrusted_issuer", "bearer_missing_claim"}

    def test_an_hmac_selects_no_other_identity_of_the_same_issuer(self) -> None:
        refusal = unfound(token({"alg": "HS256"}))
        assert refusal.code == "bearer_algorithm_refused"
        assert "HS256 needs an identity with shared_key" in refusal.detail
        assert 'alg is "HS256"; expected "RS256"' in refusal.reason

    def test_a_public_key_selects_no_identity_with_a_shared_key(self) -> None:
        refusal = unfound(token(iss="calls-app"), APP)
        assert refusal.code == "bearer_algorithm_refused"
        assert "RS256 needs an identity with jwks_uri" in refusal.detail

    def test_another_hmac_is_named(self) -> None:
        refusal = unfound(token({"alg": "HS512"}, iss="calls-app"), APP)
        assert refusal.detail.endswith("with HS256. This one is signed with HS512.")

    def test_one_hint_about_the_issuer_is_enough(self) -> None:
        no_issuer = APP._replace(name="sessions", issuer=None)
        refusal = unfound(token({"alg": "HS256"}, iss="calls-app/"), APP, no_issuer)
        assert refusal.detail.endswith("only by a slash at the end.")
        refusal = unfound(token({"alg": "HS256"}, iss="shop"), APP, no_issuer)
        assert refusal.detail.endswith("set issuer for its identity with shared_key.")

    @pytest.mark.parametrize("algorithm", [None, [], {}, 5, True, ["RS256"]], ids=str)
    def test_an_algorithm_of_another_type_selects_nothing(self, algorithm: object) -> None:
        assert unfound(token({"alg": algorithm})).code == "bearer_algorithm_refused"


class TestSeveralIdentities:
    ACCESS = WEB._replace(name="access", required_claims={"token_use": ("access",)})
    ID = WEB._replace(name="id", required_claims={"token_use": ("id",)})

    @pytest.mark.parametrize("use", ["access", "id"])
    def test_the_first_that_fits_is_the_callers(self, use: str) -> None:
        assert caller_of(token(token_use=use), self.ACCESS, self.ID).identity == use
        assert caller_of(token(token_use=use), WEB, self.ACCESS, self.ID).identity == "web"

    def test_a_refusal_is_that_of_the_one_that_fits_best_and_names_all(self) -> None:
        backends = WEB._replace(name="backends", audience=("backends",))
        refusal = refusal_of(token(token_use="device"), backends, self.ACCESS)
        assert refusal.code == "bearer_claims_refused"
        assert refusal.reason.startswith("backends: The access policy does not name")
        assert "; access: The token's claim token_use" in refusal.reason


class TestClaims:
    @pytest.mark.parametrize("claim", ["client_id", "azp", "cid"])
    def test_another_claim_may_name_the_audience(self, claim: str) -> None:
        bearer = token(aud=..., **{claim: AUDIENCE})
        assert caller_of(bearer, audience_claim=claim).user_id == "alice"
        assert refusal_of(token(), audience_claim=claim).code == "bearer_missing_claim"

    def test_without_an_audience_any_is_taken_for_a_shared_key(self) -> None:
        assert caller_of(token(iss="calls-app", aud="anything"), APP).identity == "app"
        assert caller_of(token(iss="calls-app", aud=...), APP).identity == "app"

    @pytest.mark.parametrize(
        ("value", "user_id"), [("alice", "alice"), (42, "42"), (0, "0"), (-7, "-7")], ids=str
    )
    def test_another_claim_may_name_the_user(self, value: object, user_id: str) -> None:
        caller = caller_of(token(sub=..., userId=value), user_id_claim="userId")
        assert (caller.user_id, caller.subject) == (user_id, f"{ISSUER} {user_id}")

    @pytest.mark.parametrize("value", [True, 1.5, 1.0, ["a"], {"id": 1}], ids=str)
    def test_a_user_of_another_type_is_refused(self, value: object) -> None:
        refusal = refusal_of(token(userId=value), user_id_claim="userId")
        assert refusal.code == "bearer_malformed"
        assert "a string or a whole number" in refusal.detail

    @pytest.mark.parametrize("value", [None, "", ...], ids=str)
    def test_a_token_without_the_user_is_refused(self, value: object) -> None:
        refusal = refusal_of(token(userId=value), user_id_claim="userId")
        assert (refusal.code, "userId" in refusal.detail) == ("bearer_missing_claim", True)

    def test_a_sub_must_be_a_string(self) -> None:
        refusal = refusal_of(token(sub=42))
        assert (refusal.code, refusal.detail) == (
            "bearer_malformed",
            "The bearer token's sub must be a string, not a number.",
        )

    def test_a_backend_names_users_and_is_not_a_user(self) -> None:
        caller = caller_of(token(), names_users=True)
        assert (caller.user_id, caller.subject) == (None, f"{ISSUER} alice")

    def test_without_an_issuer_a_hashed_user_id_depends_on_the_subject_only(self) -> None:
        app = NAMELESS._replace(hashed_user_ids=True)
        caller = caller_of(token(iss=..., aud="calls"), app)
        assert caller.user_id == identifiers.user_id_for_subject("", "alice", always_hash=True)
        assert caller.subject == "nameless alice"

    @pytest.mark.parametrize(
        ("claims", "is_met"),
        [
            ({"role": "host"}, True),
            ({"role": ["guest", "host"]}, True),
            ({"role": "Host"}, False),
            ({"role": "host guest"}, False),
            ({"role": None}, False),
            ({}, False),
        ],
        ids=str,
    )
    def test_a_claim_may_be_required(self, claims: dict[str, object], is_met: bool) -> None:
        wanted = {"required_claims": {"role": ("host", "admin")}}
        if is_met:
            assert caller_of(token(**claims), **wanted).user_id == "alice"
        else:
            assert refusal_of(token(**claims), **wanted).code == "bearer_claims_refused"

    @pytest.mark.parametrize(
        ("claims", "missing"),
        [
            ({"scope": "profile calls rooms"}, None),
            ({"scp": "rooms calls"}, None),
            ({"scp": ["calls", "rooms"]}, None),
            ({"scope": "calls", "scp": ["rooms"]}, None),
            ({"scope": "calls"}, "rooms"),
            ({"scope": "callsrooms"}, "calls and rooms"),
            ({"scope": 5}, "calls and rooms"),
            ({}, "calls and rooms"),
        ],
        ids=str,
    )
    def test_all_scopes_are_required(self, claims: dict[str, object], missing: str | None) -> None:
        wanted = {"scope": ("calls", "rooms")}
        if missing is None:
            assert caller_of(token(**claims), **wanted).user_id == "alice"
        else:
            refusal = refusal_of(token(**claims), **wanted)
            assert refusal.code == "bearer_claims_refused"
            assert refusal.detail == f"The token lacks the scope {missing}."


class TestTypes:
    @pytest.mark.parametrize(
        "typ", [None, "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "application/jwt"]
    )
    def test_the_usual_types_are_taken(self, typ: str | None) -> None:
        header = {} if typ is None else {"typ": typ}
        assert caller_of(token(header)).user_id == "alice"

    @pytest.mark.parametrize(
        "typ",
        [
            "logout+jwt",
            "secevent+jwt",
            "dpop+jwt",
            "token-introspection+jwt",
            "oauth-authz-req+jwt",
            "JWE",
            "",
            5,
            ["JWT"],
            "JWT ",
        ],
        ids=str,
    )
    def test_others_are_not(self, typ: object) -> None:
        """RFC 8725, 3.11."""
        refusal = refusal_of(token({"typ": typ}))
        assert refusal.code == "bearer_wrong_type"
        assert "typ is" in refusal.reason

    @pytest.mark.parametrize("typ", [None, "JWT", "logout+jwt"])
    def test_a_policy_may_require_one_type(self, typ: str | None) -> None:
        required = {"token_types": ("at+jwt",)}
        header = {} if typ is None else {"typ": typ}
        assert refusal_of(token(header), **required).code == "bearer_wrong_type"
        assert caller_of(token({"typ": "at+jwt"}), **required).user_id == "alice"

    @pytest.mark.parametrize(
        "claims",
        [
            {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
            {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
            {"typ": "Refresh"},
            {"typ": "Offline"},
            {"typ": "Logout"},
            {"token_type": "refresh"},
            {"type": "refresh"},
            {"token_use": "refresh"},
        ],
        ids=str,
    )
    def test_a_token_of_another_purpose_is_refused(self, claims: dict[str, object]) -> None:
        assert refusal_of(token(**claims)).code == "bearer_wrong_type"

    @pytest.mark.parametrize("name", ["crit", "b64", "enc", "zip"])
    def test_an_extension_is_refused_before_all_else(self, name: str) -> None:
        parsed = identify.parse(jws({"alg": "RS256", name: "x"}, {}))
        assert isinstance(parsed, Refusal)
        assert (parsed.code, name in parsed.detail) == ("bearer_malformed", True)


class TestTimes:
    def test_a_token_without_exp_is_refused_for_every_kind_of_key(self) -> None:
        for identity in (WEB, APP._replace(issuer=ISSUER)):
            refusal = refusal_of(token(exp=...), identity)
            assert refusal.code == "bearer_missing_claim"
            assert "exp" in refusal.detail

    def test_only_an_application_may_leave_iat_out(self) -> None:
        assert refusal_of(token(iat=...)).code == "bearer_missing_claim"
        assert caller_of(token(iss="calls-app", iat=...), APP).signed_in_at is None

    @pytest.mark.parametrize("claim", ["iat", "nbf"])
    def test_a_start_in_milliseconds_is_named(self, claim: str) -> None:
        refusal = refusal_of(token(**{claim: NOW * 1000}))
        assert refusal.code == "bearer_not_yet_valid"
        assert "milliseconds" in refusal.detail

    def test_an_expiry_in_milliseconds_is_malformed(self) -> None:
        refusal = refusal_of(token(exp=NOW * 1000))
        assert (refusal.code, "milliseconds" in refusal.detail) == ("bearer_malformed", True)

    @pytest.mark.parametrize("value", [10**400, -(10**400), 1e300, "soon", [], True], ids=repr)
    @pytest.mark.parametrize("claim", ["exp", "iat", "nbf", "auth_time"])
    def test_no_time_is_an_error_of_the_service(self, claim: str, value: object) -> None:
        found = identify.identify((WEB._replace(max_age_seconds=60),), token(**{claim: value}), NOW)
        assert isinstance(found, Refusal | Caller)

    @pytest.mark.parametrize(
        ("claims", "is_recent"),
        [
            ({"auth_time": NOW - 3660}, True),
            ({"auth_time": NOW - 3661}, False),
            ({"auth_time": None}, True),
            ({}, True),
            ({"iat": NOW - 3661}, False),
            ({"iat": NOW - 3661, "auth_time": NOW}, True),
        ],
        ids=str,
    )
    def test_a_sign_in_may_have_a_largest_age(
        self, claims: dict[str, object], is_recent: bool
    ) -> None:
        if is_recent:
            assert caller_of(token(**claims), max_age_seconds=3600).user_id == "alice"
        else:
            assert refusal_of(token(**claims), max_age_seconds=3600).code == "bearer_too_old"

    def test_without_any_time_the_age_is_unknown_and_refused(self) -> None:
        app = APP._replace(max_age_seconds=3600)
        assert refusal_of(token(iss="calls-app", iat=...), app).code == "bearer_missing_claim"

    def test_the_caller_knows_when_the_user_signed_in(self) -> None:
        assert caller_of(token()).signed_in_at == NOW
        assert caller_of(token(auth_time=NOW - 60)).signed_in_at == NOW - 60
        began = caller_of(token(began=NOW - 90), session_start_claim="began")
        assert began.signed_in_at == NOW - 90


NEAR_ISSUERS = {
    ISSUER.rstrip("/"): "a slash at the end",
    ISSUER.replace("https", "http"): "http or https",
    ISSUER.replace("login", "Login"): "upper and lower case",
    f" {ISSUER}": "white space",
    ISSUER.replace("login", "login-dev"): "the name of a stage",
    ISSUER.replace("login.", "staging.login."): "the name of a stage",
}


class TestWhatARefusalSays:
    @pytest.mark.parametrize(("issuer", "difference"), NEAR_ISSUERS.items(), ids=NEAR_ISSUERS)
    def test_an_issuer_that_almost_fits(self, issuer: str, difference: str) -> None:
        refusal = unfound(token(iss=issuer))
        assert refusal.code == "bearer_untrusted_issuer"
        assert refusal.detail.endswith(f"differs from the expected one only by {difference}.")
        assert f'iss is "{issuer}"; expected "{ISSUER}"' in refusal.reason
        assert ISSUER not in refusal.detail

    @pytest.mark.parametrize("issuer", ["https://evil.example.com/", "https://login.example.org/"])
    def test_an_issuer_that_is_quite_another(self, issuer: str) -> None:
        assert "differs" not in unfound(token(iss=issuer)).detail

    @pytest.mark.parametrize(
        ("audience", "difference"),
        [
            (f"{AUDIENCE}/", "a slash at the end"),
            ("http://calls.example.com", "http or https"),
            ("https://calls-staging.example.com", "the name of a stage"),
            ("https://dev.calls.example.com", "the name of a stage"),
        ],
    )
    def test_an_audience_that_almost_fits(self, audience: str, difference: str) -> None:
        for value in (audience, ["other", audience]):
            refusal = refusal_of(token(aud=value))
            assert refusal.code == "bearer_wrong_audience"
            assert f"only by {difference}." in refusal.detail
            assert f'expected "{AUDIENCE}"' in refusal.reason

    @pytest.mark.parametrize("claim", ["azp", "client_id", "cid", "appid"])
    def test_an_audience_in_another_claim(self, claim: str) -> None:
        for refusal in (
            refusal_of(token(aud="account", **{claim: AUDIENCE})),
            refusal_of(token(aud=..., **{claim: AUDIENCE})),
        ):
            assert f'set audience_claim = "{claim}"' in refusal.detail

    @pytest.mark.parametrize("audience", [[[AUDIENCE]], {"aud": AUDIENCE}, 5, [None]], ids=str)
    def test_an_audience_of_another_type(self, audience: object) -> None:
        refusal = refusal_of(token(aud=audience))
        assert refusal.code == "bearer_malformed"
        assert "a string or an array of strings" in refusal.detail

    def test_what_a_stranger_sent_is_cut_and_has_no_control_characters(self) -> None:
        hostile = "\x1b[2J\n\u202e" + "x" * 1000
        for refusal in (
            unfound(token(iss=hostile)),
            unfound(token({"alg": hostile})),
            refusal_of(token({"typ": hostile})),
            refusal_of(token(aud=hostile)),
            refusal_of(token(aud=[hostile] * 3, azp=hostile)),
            refusal_of(token(role=hostile), required_claims={"role": ("a",)}),
            refusal_of(token(token_use=hostile), required_claims={"token_use": ("access",)}),
            refusal_of(token(scope=hostile), scope=("calls",)),
        ):
            assert refusal.reason.isprintable()
            assert refusal.detail.isprintable()
            assert len(refusal.reason) < 1200
            assert len(refusal.detail) < 500


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("alice", "alice"),
        ("jürgen 😀", "jürgen 😀"),
        ("a\nb\x1b[0m\0", r"a\nb\x1b[0m\x00"),
        ("\u202eevil\u2028", r"\u202eevil\u2028"),
        ("\ud800", r"\ud800"),
        ("x" * 201, "x" * 200 + "..."),
        ("", ""),
    ],
    ids=ascii,
)
def test_text_of_a_stranger_is_one_printable_line(text: str, shown: str) -> None:
    assert printable(text) == shown
