from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from local.identity_provider import ALGORITHMS, AUDIENCE, IdentityProvider
from local.loopback import HttpRequest, HttpResponse
from tests.local.exchange import Answer, exchange

NOW = 1_700_000_000
PAGE = "http://127.0.0.1:8083"
FORM = ("content-type", "application/x-www-form-urlencoded")
LOGIN = {"grant_type": "password", "username": "alice", "password": "development"}


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with IdentityProvider(allowed_origins=[PAGE], clock=lambda: NOW) as provider:
        yield provider


def log_in(provider: IdentityProvider, form: dict[str, str], *headers: tuple[str, str]) -> Answer:
    return exchange(f"{provider.url}/token", "POST", [FORM, *headers], urlencode(form).encode())


def decoded(provider: IdentityProvider, token: str) -> dict[str, Any]:
    """Returns the claims of a token, verified with the provider's published keys."""
    keys = jwt.PyJWKSet.from_dict(exchange(provider.jwks_uri).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        token,
        key,
        [key.algorithm_name],
        audience=AUDIENCE,
        issuer=provider.issuer,
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
    return claims


class TestLogin:
    def test_any_user_gets_a_bearer_token_with_the_development_password(
        self, provider: IdentityProvider
    ) -> None:
        answer = log_in(provider, LOGIN)
        assert answer.status == 200
        assert answer.headers["cache-control"] == "no-store"
        token = answer.json()
        assert (token["token_type"], token["expires_in"]) == ("Bearer", 3600)
        assert decoded(provider, token["access_token"]) == {
            "iss": provider.url,
            "aud": "zego-token-service-local",
            "sub": "alice",
            "iat": NOW,
            "nbf": NOW,
            "exp": NOW + 3600,
            "name": "alice",
            "email_verified": True,
            "team": "local",
        }

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            ({"password": "guessed"}, "invalid_grant"),
            ({"password": ""}, "invalid_request"),
            ({"username": ""}, "invalid_request"),
            ({"grant_type": ""}, "invalid_request"),
            ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
        ],
    )
    def test_an_invalid_login_is_refused_as_oauth_defines(
        self, provider: IdentityProvider, changes: dict[str, str], error: str
    ) -> None:
        answer = log_in(provider, LOGIN | changes)
        assert answer.status == 400
        assert answer.json()["error"] == error
        assert answer.json()["error_description"]

    def test_a_login_in_json_is_refused(self, provider: IdentityProvider) -> None:
        body = json.dumps(LOGIN).encode()
        answer = exchange(
            f"{provider.url}/token", "POST", [("content-type", "application/json")], body
        )
        assert (answer.status, answer.json()["error"]) == (400, "invalid_request")

    def test_a_repeated_parameter_is_refused(self, provider: IdentityProvider) -> None:
        body = f"{urlencode(LOGIN)}&username=mallory".encode()
        answer = exchange(f"{provider.url}/token", "POST", [FORM], body)
        assert (answer.status, answer.json()["error"]) == (400, "invalid_request")

    def test_the_page_may_log_in_and_other_pages_may_not(self, provider: IdentityProvider) -> None:
        ours = log_in(provider, LOGIN, ("origin", PAGE))
        other = log_in(provider, LOGIN, ("origin", "https://evil.example"))
        assert ours.headers["access-control-allow-origin"] == PAGE
        assert "access-control-allow-origin" not in other.headers


class TestDiscovery:
    def test_it_names_the_issuer_and_the_keys(self, provider: IdentityProvider) -> None:
        said = exchange(f"{provider.issuer}/.well-known/openid-configuration").json()
        assert said["issuer"] == provider.issuer
        assert said["jwks_uri"] == provider.jwks_uri
        assert said["token_endpoint"] == f"{provider.url}/token"

    def test_the_keys_are_public_and_have_different_ids(self, provider: IdentityProvider) -> None:
        keys = exchange(provider.jwks_uri).json()["keys"]
        assert [(key["alg"], key["kty"]) for key in keys] == [
            ("RS256", "RSA"),
            ("ES256", "EC"),
            ("EdDSA", "OKP"),
        ]
        assert len({key["kid"] for key in keys}) == 3
        assert not any({"d", "p", "q", "dp", "dq", "qi"} & set(key) for key in keys)

    def test_an_unknown_page_is_not_found(self, provider: IdentityProvider) -> None:
        assert exchange(f"{provider.url}/userinfo").status == 404


class TestSigning:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_a_token_is_signed_with_the_published_key_of_its_algorithm(
        self, provider: IdentityProvider, algorithm: str
    ) -> None:
        token = provider.sign(provider.claims("bob"), algorithm=algorithm)
        assert jwt.get_unverified_header(token)["alg"] == algorithm
        assert decoded(provider, token)["sub"] == "bob"

    def test_claims_may_be_changed(self, provider: IdentityProvider) -> None:
        claims = provider.claims("bob", exp=1, team=["a", "b"])
        assert (claims["exp"], claims["team"], claims["sub"]) == (1, ["a", "b"], "bob")

    def test_another_key_may_sign_under_the_published_id(self, provider: IdentityProvider) -> None:
        other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        token = provider.sign(provider.claims("bob"), key=other)
        with pytest.raises(jwt.InvalidSignatureError):
            decoded(provider, token)

    @pytest.mark.parametrize(
        ("algorithm", "key"),
        [("ES384", ec.generate_private_key(ec.SECP384R1())), ("HS256", b"k" * 32), ("none", None)],
    )
    def test_any_algorithm_can_be_chosen(
        self, provider: IdentityProvider, algorithm: str, key: Any
    ) -> None:
        token = provider.sign(provider.claims("bob"), algorithm=algorithm, key=key, kid="mine")
        assert jwt.get_unverified_header(token) == {"alg": algorithm, "typ": "JWT", "kid": "mine"}
        assert token.endswith(".") == (algorithm == "none")

    def test_the_header_can_be_chosen(self, provider: IdentityProvider) -> None:
        token = provider.sign({}, headers={"jku": "https://evil.example/keys", "typ": "at+jwt"})
        header = jwt.get_unverified_header(token)
        assert (header["jku"], header["typ"]) == ("https://evil.example/keys", "at+jwt")


class TestDisturbing:
    def test_an_interceptor_can_respond_instead(self) -> None:
        def moved(request: HttpRequest) -> HttpResponse | None:
            return HttpResponse(302, [("location", "/elsewhere")])

        with IdentityProvider() as provider:
            provider.intercept = moved
            assert exchange(provider.jwks_uri).status == 302
            provider.intercept = None
            assert exchange(provider.jwks_uri).status == 200

    def test_a_stopped_provider_does_not_respond_and_keeps_its_address(self) -> None:
        with IdentityProvider() as provider:
            jwks_uri = provider.jwks_uri
            keys = exchange(jwks_uri).json()
            provider.stop()
            with pytest.raises(ConnectionRefusedError):
                exchange(jwks_uri)
            provider.start()
            assert exchange(jwks_uri).json() == keys

    def test_another_host_name_is_refused(self, provider: IdentityProvider) -> None:
        assert exchange(provider.jwks_uri, host="rebound.example").status == 403
        assert exchange(provider.jwks_uri, host=f"localhost:{provider.port}").status == 200
