"""The issuer accepts what a certified provider issues, and tokens that jose signs.

oidc-provider publishes the keys and makes every token here with its own code, except where a test
asks for a token that no provider would make.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from local.stack import LocalStack
from tests.docs.test_identity_providers import SAMPLES
from tests.support.oidc_provider import AUDIENCE, Key, OidcProvider
from tests.support.service import Service, service, until
from tests.support.table import table
from tests.support.tiers import tier

ALL_ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"),  # RFC 7518
    *("EdDSA", "Ed25519"),  # RFC 8037, RFC 9864
)
ALGORITHMS: Final = tier(test=("RS256", "ES256", "EdDSA"), prove=ALL_ALGORITHMS)

OLD_SECRET: Final = "0123456789abcdef" * 4
NEW_SECRET: Final = "fedcba9876543210" * 4

POLICY: Final = """
[identities.users]
issuer = "{issuer}"
audience = {audience}
jwks_uri = "{jwks_uri}"
algorithms = {algorithms}

[[rules]]
name = "users join calls"
callers = ["users"]
rooms = ["call_*"]
max_lifetime_seconds = 3600
"""


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    """The provider, with one key per algorithm."""
    with OidcProvider(*ALGORITHMS) as running:
        yield running


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The parts that the issuer needs besides the provider."""
    with LocalStack(directory=tmp_path_factory.mktemp("stack"), watch_seconds=None) as running:
        yield running


@pytest.fixture(scope="module")
def issuer(
    stack: LocalStack, provider: OidcProvider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The issuer, which trusts the provider for access tokens and ID tokens."""
    apps = [f"app-{name}" for name in ALGORITHMS]
    path = write_policy(tmp_path_factory.mktemp("policy"), provider, AUDIENCE, *apps)
    with service(stack, ACCESS_POLICY_FILE=str(path)) as running:
        yield running


Rotating = tuple[OidcProvider, Service, Key]


@pytest.fixture
def rotating(stack: LocalStack, tmp_path: Path) -> Iterator[Rotating]:
    """A provider, and an issuer that finds its keys by discovery and demands a scope."""
    with OidcProvider() as provider:
        key = provider.new_key("ES256")
        provider.publish(key)
        path = write_policy(tmp_path, provider, AUDIENCE)
        text = re.sub(
            r"^jwks_uri = .*$", 'scope = ["calls:join"]', path.read_text(), flags=re.MULTILINE
        )
        path.write_text(text)
        with service(stack, ACCESS_POLICY_FILE=str(path)) as running:
            yield provider, running, key


@pytest.fixture(scope="module")
def sessions(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The issuer, which has the secret of an Express app, after a rotation of that secret."""
    (express,) = (one for one in SAMPLES if one.name == "express")
    name = express.identity["shared_key"]
    stack.secrets_manager.call("CreateSecret", Name=name, SecretString=OLD_SECRET)
    stack.secrets_manager.call("PutSecretValue", SecretId=name, SecretString=NEW_SECRET)
    rule = POLICY.partition("[[rules]]")[2].replace('"users"', '"express"')
    path = tmp_path_factory.mktemp("express") / "policy.toml"
    path.write_text(f"{express.toml}\n[[rules]]{rule}")
    with service(stack, ACCESS_POLICY_FILE=str(path)) as running:
        yield running


def write_policy(folder: Path, provider: OidcProvider, *audience: str) -> Path:
    path = folder / "policy.toml"
    path.write_text(
        POLICY.format(
            issuer=provider.issuer,
            jwks_uri=provider.discovery()["jwks_uri"],
            audience=json.dumps(audience),
            algorithms=json.dumps(ALL_ALGORITHMS),
        )
    )
    return path


def claims(provider: OidcProvider, **changes: object) -> dict[str, Any]:
    """The claims of a valid token for alice, with changes. ``...`` omits a claim."""
    now = int(time.time())
    good: dict[str, Any] = {
        "iss": provider.issuer,
        "aud": AUDIENCE,
        "sub": "alice",
        "iat": now,
        "exp": now + 600,
    }
    good["scope"] = "calls:join"
    return {name: value for name, value in (good | changes).items() if value is not ...}


def outcome(issuer: Service, bearer: str) -> str:
    """Ask for a token. Return "granted", or the code of the refusal."""
    until(lambda: issuer.token(bearer), lambda answer: answer.status != 503)
    event = issuer.last_audit()
    return str(event.get("code", event["decision"]))


class TestTokens:
    @pytest.mark.exhaustive
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_access_tokens_by_client_credentials_are_accepted(
        self, provider: OidcProvider, issuer: Service, algorithm: str
    ) -> None:
        assert outcome(issuer, provider.service_token(algorithm)) == "granted"
        assert issuer.last_audit()["user_id"] == f"service-{algorithm}"

    @pytest.mark.exhaustive
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    @pytest.mark.parametrize("kind", ["access_token", "id_token"])
    def test_tokens_of_a_user_who_signed_in_with_pkce_are_accepted(
        self, provider: OidcProvider, issuer: Service, algorithm: str, kind: str
    ) -> None:
        token = provider.sign_in(algorithm, "alice")[kind]
        assert outcome(issuer, token) == "granted"
        assert issuer.last_audit()["user_id"] == "alice"

    @table(("named", "signed"), [("Ed25519", "EdDSA"), ("EdDSA", "Ed25519")])
    def test_both_names_of_an_algorithm_fit_a_key_that_has_one(
        self, named: str, signed: str, stack: LocalStack, tmp_path: Path
    ) -> None:
        """RFC 9864 gives EdDSA with that curve the name Ed25519."""
        with OidcProvider() as provider:
            key = provider.new_key(named)
            provider.publish(key)
            path = write_policy(tmp_path, provider, AUDIENCE)
            with service(stack, ACCESS_POLICY_FILE=str(path)) as issuer:
                token = provider.sign(key, claims(provider), alg=signed)
                assert outcome(issuer, token) == "granted"

    def test_an_algorithm_is_accepted_only_with_its_own_key(
        self, provider: OidcProvider, issuer: Service
    ) -> None:
        key = provider.new_key("ES256")  # never published
        assert outcome(issuer, provider.sign(key, claims(provider))) == "bearer_unknown_key"
        forged = provider.sign(key, claims(provider), kid="ES256-1")
        assert outcome(issuer, forged) == "bearer_bad_signature"

    def test_a_public_key_never_verifies_an_hmac(
        self, provider: OidcProvider, issuer: Service
    ) -> None:
        public = json.dumps(provider.new_key("RS256").jwk)
        token = provider.sign_with_secret(public, claims(provider), kid="RS256-1")
        assert outcome(issuer, token) == "bearer_algorithm_refused"

    def test_an_encrypted_token_is_refused_by_its_form(
        self, provider: OidcProvider, issuer: Service
    ) -> None:
        token = provider.encrypt("a secret", claims(provider))
        assert outcome(issuer, token) == "bearer_malformed"


class TestWhatIsNoBearerToken:
    def test_a_logout_token_is_refused(self, provider: OidcProvider, issuer: Service) -> None:
        """Its audience is the app, as of an ID token (OpenID Connect Back-Channel Logout, 2.4)."""
        token = provider.logout_token("ES256", "alice")
        assert outcome(issuer, token) == "bearer_wrong_type"

    def test_a_token_that_is_bound_to_a_key_is_refused(
        self, provider: OidcProvider, issuer: Service
    ) -> None:
        """Without a proof of that key, whoever has the token could use it (RFC 9449, 7.2)."""
        token = provider.service_token("ES256", bound_to_a_key=True)
        assert outcome(issuer, token) == "bearer_wrong_type"

    @table("kind", ["secevent+jwt", "token-introspection+jwt", "dpop+jwt", "logout+jwt", "JWE"])
    def test_a_token_of_another_type_is_refused(self, kind: str, rotating: Rotating) -> None:
        provider, issuer, key = rotating
        token = provider.sign(key, claims(provider), typ=kind)
        assert outcome(issuer, token) == "bearer_wrong_type"
        assert outcome(issuer, provider.sign(key, claims(provider), typ="at+JWT")) == "granted"


class TestPolicy:
    def test_the_keys_are_found_by_discovery(self, rotating: Rotating) -> None:
        """The policy of this fixture has no `jwks_uri`."""
        provider, issuer, _ = rotating
        assert outcome(issuer, provider.service_token("ES256")) == "granted"

    @table("scope", ["calls:join", "calls:join calls:publish", "calls:publish calls:join"])
    def test_a_scope_counts_among_others(self, scope: str, rotating: Rotating) -> None:
        provider, issuer, _ = rotating
        token = provider.service_token("ES256", scope=scope)
        assert outcome(issuer, token) == "granted"
        assert outcome(issuer, provider.service_token("ES256", scope="calls:publish")) == (
            "bearer_claims_refused"
        )


class TestSessionsOfAnExpressApp:
    """jsonwebtoken signs them, with the identity in docs/identity-providers.md."""

    @pytest.mark.parametrize("secret", [OLD_SECRET, NEW_SECRET], ids=["old", "new"])
    def test_the_secret_and_the_one_before_it_verify(
        self, provider: OidcProvider, sessions: Service, secret: str
    ) -> None:
        claims = {"id": 42, "type": "session"}
        token = provider.session(secret, claims, expiresIn="1h")
        assert outcome(sessions, token) == "granted"
        assert sessions.last_audit()["user_id"] == "42"
        assert (
            outcome(sessions, provider.sign_with_secret(secret, claims)) == "bearer_missing_claim"
        )

    def test_another_secret_does_not_verify(
        self, provider: OidcProvider, sessions: Service
    ) -> None:
        token = provider.session(
            "another secret!!" * 4, {"id": 42, "type": "session"}, expiresIn=60
        )
        assert outcome(sessions, token) == "bearer_bad_signature"

    def test_other_tokens_of_the_app_are_refused(
        self, provider: OidcProvider, sessions: Service
    ) -> None:
        token = provider.session(NEW_SECRET, {"id": 42, "type": "password-reset"}, expiresIn=60)
        assert outcome(sessions, token) == "bearer_claims_refused"


class TestRotationOfKeys:
    def test_a_key_that_is_published_before_it_signs_is_accepted_at_once(
        self, rotating: Rotating
    ) -> None:
        provider, issuer, _ = rotating
        old, new = provider.new_key("ES256"), provider.new_key("ES256")
        provider.publish(old, new)
        assert outcome(issuer, provider.service_token("ES256")) == "granted"
        provider.publish(new, old)
        token = provider.service_token("ES256")
        assert outcome(issuer, token) == "granted"

    def test_a_key_that_signs_as_soon_as_it_is_published_is_accepted_after_the_next_fetch(
        self, rotating: Rotating
    ) -> None:
        provider, issuer, _ = rotating
        old = provider.service_token("ES256")
        assert outcome(issuer, old) == "granted"
        provider.publish(provider.new_key("ES256"))
        new = provider.service_token("ES256")
        assert outcome(issuer, new) == "bearer_unknown_key"
        again = issuer.token(new)
        assert again.json()["retryable"] is True
        assert 1 <= int(again.headers["retry-after"]) <= 30
        assert outcome(issuer, old) == "granted"
        issuer.restart()
        assert outcome(issuer, new) == "granted"
        assert outcome(issuer, old) == "bearer_unknown_key"

    def test_known_keys_stay_in_use_while_the_provider_is_down(
        self, stack: LocalStack, tmp_path: Path
    ) -> None:
        with OidcProvider("ES256") as provider:
            path = write_policy(tmp_path, provider, AUDIENCE)
            token = provider.service_token("ES256")
            with service(stack, ACCESS_POLICY_FILE=str(path)) as issuer:
                assert outcome(issuer, token) == "granted"
                provider.__exit__()
                assert outcome(issuer, token) == "granted"
                issuer.restart()
                answer = issuer.token(token)
                assert answer.json()["code"] == "signing_keys_unavailable"
                assert int(answer.headers["retry-after"]) > 0


def test_the_provider_ends_with_the_process_that_started_it() -> None:
    """Even if that process is killed: its end of the pipe is closed then."""
    with OidcProvider() as provider:
        assert provider.process.stdin
        provider.process.stdin.close()
        assert provider.process.wait(timeout=60) == 0
