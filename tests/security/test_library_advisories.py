"""Advisories of PyJWT, jsonwebtoken and jose from 2022 to 2026, as attacks on this service.

``test_advisories.py`` has the attacks that many libraries had in common. Sources: the projects'
advisories on GitHub and the release notes of PyJWT 2.12.0 and 2.13.0.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from issuer.authentication import from_bearer
from issuer.jwks import KeysUnavailableError, SigningKeys
from issuer.problems import Problem
from issuer.shared_keys import SharedKeys
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
from tests.support.clock import Clock
from zego.bounded_http import Response
from zego.policy.model import ALGORITHMS, BearerIdentity

IDP = signer()
SECRET = "an app's own key of at least 32 bytes"
WEB = BearerIdentity("web", ISSUER, (AUDIENCE,), JWKS_URI, ("RS256", "ES256", "EdDSA"))
#: An identity with a shared key and the same issuer: the worst case of a confusion of keys.
APP = BearerIdentity(
    "app", ISSUER, (AUDIENCE,), None, ("HS256",), hashed_user_ids=True, shared_key="app/key"
)


def refused(token: str, *jwks: object, secret: str = SECRET) -> str:
    """Returns the code with which a service with both kinds of keys refuses a token."""
    keys = SigningKeys(JwksEndpoint(*(jwks or (IDP.jwk,))), clock=Clock())
    with pytest.raises(Problem) as problem:
        from_bearer(f"Bearer {token}", policy(WEB, APP), keys, SharedKeys(lambda *_: secret))
    return problem.value.code


def hmac_token(key: bytes, **header: Any) -> str:
    def sign(signed: bytes) -> bytes:
        return hmac.new(key, signed, hashlib.sha256).digest()

    return jws({"alg": "HS256"} | header, claims(), sign)


class TestPyJwt:
    @pytest.mark.parametrize("kind", ["PEM", "DER", "OpenSSH", "JWK", "JWKS"])
    @pytest.mark.parametrize("owner", ["RS256", "ES256", "EdDSA"])
    def test_a_public_key_is_not_a_shared_key(self, owner: str, kind: str) -> None:
        """CVE-2022-29217, and CVE-2026-48526 (GHSA-xgmm-8j9v-c9wx) for JWKs."""
        public = signer(owner).private_key.public_key()
        text = {
            "PEM": signer(owner).pem,
            "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "OpenSSH": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
            "JWK": json.dumps(signer(owner).jwk).encode(),
            "JWKS": json.dumps({"keys": [signer(owner).jwk]}).encode(),
        }[kind]
        for key_id in ({}, {"kid": "key-1"}):
            token = hmac_token(text, **key_id)
            assert refused(token, signer(owner).jwk) == "bearer_bad_signature"

    @pytest.mark.parametrize("kind", ["PEM", "OpenSSH", "JWK", "JWKS"])
    def test_an_operator_cannot_store_a_public_key_as_a_shared_key(self, kind: str) -> None:
        """The same advisories, if an operator configures what they warn of."""
        public = IDP.private_key.public_key()
        text = {
            "PEM": IDP.pem.decode().strip(),
            "OpenSSH": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
            "JWK": json.dumps(IDP.jwk),
            "JWKS": json.dumps({"keys": [IDP.jwk]}),
        }[kind]
        assert refused(hmac_token(text.encode()), secret=text) == "signing_keys_unavailable"

    @pytest.mark.parametrize(
        ("named", "bound"),
        [
            (named, bound)
            for named, bound in itertools.permutations(ALGORITHMS, 2)
            if {named, bound} != {"EdDSA", "Ed25519"}
        ],
    )
    def test_the_algorithm_of_the_key_is_that_of_the_header(self, named: str, bound: str) -> None:
        """CVE-2026-48523 (GHSA-jq35-7prp-9v3f): the allow-list saw the header's name only."""
        owner = signer(bound)
        token = jws({"alg": named, "kid": "key-1"}, claims(), owner.signature)
        keys = SigningKeys(JwksEndpoint(owner.jwk), clock=Clock())
        with pytest.raises(Problem) as problem:
            from_bearer(f"Bearer {token}", policy(algorithms=(named,)), keys)
        assert problem.value.code == "bearer_unknown_key"

    @pytest.mark.parametrize("scheme", ["file", "ftp", "data", "gopher", "http"])
    def test_keys_come_from_https_only(self, scheme: str) -> None:
        """CVE-2026-48522 (GHSA-993g-76c3-p5m4), with an address that discovery gives."""
        asked = []

        def fetch(url: str) -> Response:
            asked.append(url)
            found = {"issuer": ISSUER, "jwks_uri": f"{scheme}://keys.example.com/jwks"}
            return Response(200, {}, json.dumps(found).encode())

        with pytest.raises(KeysUnavailableError):
            SigningKeys(fetch).get("https://login.example.com/x", "key-1", "RS256", issuer=ISSUER)
        assert len(asked) == 1

    def test_unknown_key_ids_do_not_cause_a_request_each(self) -> None:
        """PYSEC-2026-177."""
        endpoint, clock = JwksEndpoint(IDP.jwk), Clock()
        keys = SigningKeys(endpoint, clock=clock)
        for number in range(100):
            token = IDP.sign(claims(), kid=f"invented-{number}")
            with pytest.raises(Problem):
                from_bearer(f"Bearer {token}", policy(WEB), keys)
        assert len(endpoint.requests) == 1

    def test_a_failed_request_does_not_empty_the_cache(self) -> None:
        """Fixed in PyJWT 2.13.0 too: one bad response of the provider stopped every sign-in."""
        endpoint, clock = JwksEndpoint(IDP.jwk), Clock()
        keys = SigningKeys(endpoint, clock=clock)
        token = f"Bearer {IDP.sign(claims())}"
        assert from_bearer(token, policy(WEB), keys).user_id == "alice"
        endpoint.down = True
        clock.turn(1800)
        assert from_bearer(token, policy(WEB), keys).user_id == "alice"

    @pytest.mark.parametrize("payload", ["", "x", "e30"])
    def test_a_detached_payload_is_refused_before_it_is_read(self, payload: str) -> None:
        """PYSEC-2026-178."""
        head, _, signature = IDP.sign(claims(), b64=False, crit=["b64"]).split(".")
        assert refused(f"{head}.{payload}.{signature}") == "bearer_malformed"

    @pytest.mark.parametrize("critical", [["exp"], ["x-mfa"], ["b64"], [], None, "x"], ids=str)
    def test_critical_headers_are_refused(self, critical: object) -> None:
        """CVE-2026-32597 (GHSA-752w-5fwx-jx9f)."""
        assert refused(IDP.sign(claims(), crit=critical or [])) == "bearer_malformed"
        token = hmac_token(SECRET.encode(), crit=critical)
        assert refused(token) == "bearer_malformed"

    @pytest.mark.parametrize(
        "issuer",
        [ISSUER[1:], ISSUER[:-1], ISSUER[8:13], "h", "", [ISSUER], [ISSUER, "x"]],
        ids=str,
    )
    def test_a_part_of_the_issuer_is_not_the_issuer(self, issuer: object) -> None:
        """CVE-2024-53861."""
        expected = {"bearer_untrusted_issuer", "bearer_missing_claim"}
        assert refused(IDP.sign(claims(iss=issuer))) in expected

    @pytest.mark.parametrize("size", [0, 1, 8, 16, 31])
    def test_a_short_shared_key_verifies_nothing(self, size: int) -> None:
        """CVE-2025-45768."""
        token = hmac_token(b"k" * size)
        assert refused(token, secret="k" * size) == "signing_keys_unavailable"


class TestJsonWebToken:
    def test_a_key_of_another_kind_is_not_used_as_rsa(self) -> None:
        """CVE-2022-23539: DSA keys verified RS256."""
        key = dsa.generate_private_key(1024).public_key().public_numbers()
        jwk = {"kty": "DSA", "kid": "key-1", "y": str(key.y), "p": "AQAB"}
        assert refused(IDP.sign(claims()), jwk, signer("ES256", "b").jwk) == "bearer_unknown_key"
        renamed = signer("ES256").jwk | {"kty": "RSA", "alg": "RS256"}
        assert refused(IDP.sign(claims()), renamed) == "bearer_unknown_key"

    @pytest.mark.parametrize("key", [b"", b"null", b"undefined", b"false", b"0"])
    def test_no_empty_key_verifies(self, key: bytes) -> None:
        """CVE-2022-23540: with a falsy key, "none" was the default algorithm."""
        assert refused(hmac_token(key)) == "bearer_bad_signature"
        for algorithm in ("none", "None", ""):
            unsigned = jws({"alg": algorithm, "kid": "key-1"}, claims())
            assert refused(unsigned) == "bearer_algorithm_refused"

    @pytest.mark.parametrize("key_id", [None, "key-1", "app/key", "../app/key"])
    def test_one_issuer_with_both_kinds_of_keys_does_not_confuse_them(
        self, key_id: str | None
    ) -> None:
        """CVE-2022-23541: one function found the keys of both kinds."""
        header = {} if key_id is None else {"kid": key_id}
        assert refused(hmac_token(IDP.pem, **header)) == "bearer_bad_signature"
        signed_as_rsa = jws(
            {"alg": "RS256", "kid": "key-1"},
            claims(),
            lambda signed: hmac.new(SECRET.encode(), signed, hashlib.sha256).digest(),
        )
        assert refused(signed_as_rsa) == "bearer_bad_signature"

    @pytest.mark.parametrize("field", [{"toString": "x" * 40}, ["x" * 40], 10**40, True])
    def test_a_key_that_is_not_text_is_refused(self, field: object) -> None:
        """CVE-2022-23529: an object was taken as a key."""
        app = BearerIdentity(
            "app", "app", (), None, ("HS256",), shared_key="app/key", shared_key_field="key"
        )
        keys = SharedKeys(lambda *_: json.dumps({"key": field}))
        with pytest.raises(KeysUnavailableError, match="no text"):
            keys.verify(app, "HS256", b"", b"")


class TestJose:
    @pytest.mark.parametrize(
        "header",
        [
            {"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2s": "AAAA", "p2c": 2**31},
            {"alg": "dir", "enc": "A256GCM", "zip": "DEF"},
        ],
        ids=["CVE-2022-36083, PBES2 with many rounds", "CVE-2024-28176, a compressed bomb"],
    )
    def test_an_encrypted_token_is_refused_without_any_work(self, header: dict[str, Any]) -> None:
        three_parts = jws(header, claims(), lambda _: b"x")
        assert refused(three_parts) == "bearer_malformed"
        assert refused(f"{three_parts.split('.')[0]}.AA.AA.AA.AA") == "bearer_malformed"


# --- Ed25519 keys of small order ----------------------------------------------------------------

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P


def encodings_of_small_order() -> list[bytes]:
    """Every 32 bytes that decode to one of the eight points of small order (RFC 8032, 5.1.3).

    Found by arithmetic on the curve, not from a list. Each y may be written as y or as y + p, if
    that fits into 255 bits, and with either sign.
    """

    def on_curve(y: int) -> int | None:
        """Return x^2 for a y, or None if no point has that y."""
        square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
        return square if square == 0 or pow(square, (P - 1) // 2, P) == 1 else None

    root = pow(2, (P - 1) // 4, P)  # a square root of -1
    # The points of order 8 double to one with y = 0: x^2 = -y^2, so D y^4 + 2 y^2 - 1 = 0.
    found = {0, 1, P - 1}
    discriminant = pow(1 + D, (P + 3) // 8, P)
    for sqrt in (discriminant, discriminant * root % P):
        if sqrt * sqrt % P != (1 + D) % P:
            continue
        for sign in (1, -1):
            square = (-1 + sign * sqrt) * pow(D, -1, P) % P
            y = pow(square, (P + 3) // 8, P)
            for candidate in (y, y * root % P):
                if candidate * candidate % P == square and on_curve(candidate) is not None:
                    found |= {candidate, P - candidate}
    values = [y + more for y in found for more in (0, P) if y + more < 2**255]
    return [(value | sign << 255).to_bytes(32, "little") for value in values for sign in (0, 1)]


def test_a_key_of_small_order_verifies_nothing() -> None:
    """With the identity point as key, R = s B is a signature of every message."""
    encodings = encodings_of_small_order()
    assert len(encodings) == 14
    identity = Ed25519PublicKey.from_public_bytes((1).to_bytes(32, "little"))
    identity.verify(forged(), b"every message")  # the attack works on the library
    honest = signer("EdDSA")
    for encoded in encodings:
        jwk = honest.jwk | {"x": base64url(encoded)}
        token = jws({"alg": "EdDSA", "kid": "key-1"}, claims(), lambda _: forged())
        assert refused(token, jwk) == "bearer_unknown_key", encoded.hex()


def base64url(content: bytes) -> str:
    return jws(b"", content).split(".")[1]


def forged() -> bytes:
    """R = B, the base point, and s = 1: valid for every message if A is the identity."""
    base_y = 4 * pow(5, -1, P) % P
    return base_y.to_bytes(32, "little") + (1).to_bytes(32, "little")
