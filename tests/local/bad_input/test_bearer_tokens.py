"""Invalid bearer tokens."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt import PyJWK

from local.identity_provider import IdentityProvider
from tests.local.bad_input.exchanges import problem
from tests.support.bearer import jws
from tests.support.routes import CALL, TOKENS
from tests.support.service import Service


def public_key(provider: IdentityProvider) -> dict[str, Any]:
    """Returns the RSA key in the provider's JWKS."""
    return next(key for key in provider.jwks()["keys"] if key["kty"] == "RSA")


def public_pem(provider: IdentityProvider) -> bytes:
    pem: bytes = PyJWK(public_key(provider)).key.public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return pem


def changed(**changes: object) -> Callable[[IdentityProvider], str]:
    """Returns a valid token, except for these claims."""
    return lambda provider: provider.sign(provider.claims("alice", **changes))


def without(claim: str) -> Callable[[IdentityProvider], str]:
    """Returns a valid token, except that one claim is missing."""

    def sign(provider: IdentityProvider) -> str:
        said = provider.claims("alice")
        del said[claim]
        return provider.sign(said)

    return sign


def ahead(claim: str, seconds: int) -> Callable[[IdentityProvider], str]:
    """Returns a token with a time that is this many seconds from now."""
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
    "oversized": (changed(padding="x" * 6400), "bearer_too_large"),
}


class TestBearerTokens:
    @pytest.mark.parametrize("route", [TOKENS, CALL])
    def test_without_a_token_the_response_names_the_scheme(
        self, issuer: Service, route: str
    ) -> None:
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
    def test_an_invalid_token_is_refused_with_its_own_code(
        self, issuer: Service, make: Callable[[IdentityProvider], str], code: str
    ) -> None:
        answer = issuer.token(make(issuer.stack.identity_provider))
        document = problem(answer, 401, code)
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert document["retryable"] is False
        assert issuer.last_audit()["code"] == code

    def test_the_same_process_accepts_a_valid_token(self, issuer: Service) -> None:
        assert issuer.token().status == 201

    def test_a_token_in_the_query_or_in_a_cookie_is_ignored(self, issuer: Service) -> None:
        bearer = issuer.bearer()
        issuer.keep_secret(bearer)
        answer = issuer.send(TOKENS, headers={"cookie": f"access_token={bearer}"})
        problem(answer, 401, "bearer_missing")
        method_and_path = f"{TOKENS}?access_token={bearer}"
        problem(issuer.send(method_and_path), 401, "bearer_missing")

    def test_two_authorization_headers_are_refused(self, issuer: Service) -> None:
        first, second = issuer.bearer(), issuer.bearer(sub="bob")
        answer = issuer.send(TOKENS, headers={"authorization": f"Bearer {first}, Bearer {second}"})
        problem(answer, 401, "bearer_malformed")
