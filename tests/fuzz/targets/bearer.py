"""The bearer token: any header, any claims under any signature, and any JWKS."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from issuer import authentication
from issuer.jwks import SigningKeys
from issuer.problems import PROBLEMS, Problem
from issuer.shared_keys import SharedKeys
from tests.fuzz.choices import Choices
from tests.fuzz.targets import check_message
from tests.support.bearer import AUDIENCE, ISSUER, JWKS_URI, Signer, jws
from zego.aws import AwsError
from zego.bounded_http import Response
from zego.cache import Cached
from zego.identifiers import user_id_for_subject
from zego.policy.model import AccessPolicy, BearerIdentity, Caller
from zego.shared_key import SharedKeyError

INVARIANT: Final = (
    "A caller is identified only by claims that meet the policy and that a key of the issuer"
    " signed; everything else is refused with a bearer problem that repeats no part of the token."
)

NOW: Final = 1_700_000_000.0
PARTNER: Final = "https://partner.example.com/"
APPLICATION: Final = "https://app.example.com/"
#: An HMAC key, and the key of another application.
SHARED: Final = b"0123456789abcdef" * 2
OTHER_SHARED: Final = SHARED[::-1]
LEEWAY: Final = 60

WORDS: Final = (
    *('"alg":"EdDSA"', '"alg":"ES256"', '"alg":"HS256"', '"alg":"none"', '"kid":"ed"', '"typ":'),
    *('"crit":["exp"]', '"b64":false', '"jwk":{}', '"jku":', '"x5c":', '"at+jwt"', '"JWT"'),
    *('"iss":', '"aud":', '"sub":', '"exp":', '"iat":', '"nbf":', '"auth_time":', '"scope":'),
    *('"cnf":{}', '"events":{}', '"token_use":"id"', '"azp":', '"client_id":', '"email":', "calls"),
    *(ISSUER, PARTNER, APPLICATION, AUDIENCE, "1700000600", "1e999", "-1", "true", "null", "[]"),
    *("Bearer ", '"kty":"OKP"', '"crv":"Ed25519"', '"x":', '"keys":[', '"use":"enc"', "\\ud800"),
)


def _ed25519(seed: int) -> Signer:
    private = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return Signer("EdDSA", "ed", private)


def _es256(number: int) -> Signer:
    return Signer("ES256", "ec", ec.derive_private_key(number, ec.SECP256R1()))


OURS: Final = {"EdDSA": _ed25519(1), "ES256": _es256(7)}
FOREIGN: Final = {"EdDSA": _ed25519(2), "ES256": _es256(8)}
JWKS: Final = json.dumps({"keys": [one.jwk for one in OURS.values()]}).encode()
IDENTITIES: Final = (
    BearerIdentity(
        "strict",
        ISSUER,
        (AUDIENCE,),
        JWKS_URI,
        ("EdDSA",),
        required_claims={"email": ("a@example.com", True)},
        scope=("calls",),
        max_age_seconds=3600,
    ),
    BearerIdentity("web", ISSUER, (AUDIENCE, "other"), JWKS_URI, ("EdDSA", "ES256")),
    BearerIdentity(
        "partner",
        PARTNER,
        (AUDIENCE,),
        JWKS_URI,
        ("ES256", "EdDSA"),
        hashed_user_ids=True,
        audience_claim="client_id",
        user_id_claim="email",
        token_types=("at+jwt",),
    ),
    BearerIdentity(
        "application", APPLICATION, (AUDIENCE,), None, ("HS256",), shared_key="zego/application"
    ),
    BearerIdentity("sessions", None, (), None, ("HS256",), shared_key="zego/sessions"),
)
POLICY: Final = AccessPolicy("0" * 64, IDENTITIES, {}, ())

HEADERS: Final = (
    {"alg": "EdDSA", "typ": "JWT", "kid": "ed"},
    {"alg": "ES256", "typ": "at+jwt", "kid": "ec"},
    {"alg": "HS256"},
    {"alg": "none"},
    {"alg": "EdDSA"},
)
_times: Final = {"iat": 1_699_999_990, "exp": 1_700_000_600}
CLAIMS: Final[tuple[dict[str, Any], ...]] = (
    {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice"} | _times,
    {"iss": ISSUER, "aud": ["x", AUDIENCE], "sub": "a|b", "scope": "calls x"}
    | _times
    | {"email": "a@example.com", "auth_time": 1_699_999_000, "nbf": 1_699_999_990},
    {"iss": PARTNER, "client_id": AUDIENCE, "email": 7} | _times,
    {"iss": APPLICATION, "aud": AUDIENCE, "sub": "bob"} | _times,
    {"sub": "carol", "exp": 1_700_000_600.5},
)


def check(data: bytes) -> None:
    """Send a header, a signed token or a token for the keys of a JWKS."""
    choices = Choices(data)
    match choices.byte() % 3:
        case 0:
            assert _outcome(choices.text()) is None, "accepts what no key signed"
        case 1:
            _check_signed(choices)
        case 2:
            _check_jwks(choices)


def seeds() -> Iterator[bytes]:
    """Good tokens of each identity, under each signature."""
    yield b"\0Bearer eyJ.e30.AAAA"
    yield b"\0bearer  e30.e30."
    for signature in range(len(SIGNATURES)):
        for header in HEADERS:
            for claims in CLAIMS:
                parts = (json.dumps(each).encode() for each in (header, claims))
                yield bytes([1, signature, 0]) + b"\xff".join(parts)
    for number in range(len(HEADERS)):
        yield bytes([2, number]) + JWKS
    weak = {"kty": "OKP", "crv": "Ed25519", "x": "A" * 43, "kid": "ed"}
    for jwk in (weak, {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "ed"}, {"kty": "EC"}):
        yield bytes([2, 0]) + json.dumps({"keys": [jwk]}).encode()


Sign = Callable[[bytes, str], bytes]


def _with(signers: Mapping[str, Signer], shared: bytes) -> Sign:
    """Return what signs with the key that fits an algorithm, as its owner does."""

    def sign(message: bytes, algorithm: str) -> bytes:
        if algorithm == "HS256":
            return hmac.digest(shared, message, hashlib.sha256)
        return signers.get(algorithm, signers["EdDSA"]).signature(message)

    return sign


_rightly: Final = _with(OURS, SHARED)

#: Ways to sign. Only the first is right.
SIGNATURES: Final[tuple[Sign, ...]] = (
    _rightly,
    _with(FOREIGN, OTHER_SHARED),
    lambda _message, _algorithm: b"",
    lambda message, algorithm: _rightly(message + b"A", algorithm),
    lambda message, algorithm: _rightly(message, algorithm)[:-1],
    lambda message, algorithm: _rightly(message, "ES256" if algorithm == "EdDSA" else "EdDSA"),
    # The mistake of libraries that take a public key as the key of an HMAC.
    lambda message, _: hmac.digest(OURS["EdDSA"].pem, message, hashlib.sha256),
    lambda message, _: hmac.digest(JWKS, message, hashlib.sha256),
)


def _check_signed(choices: Choices) -> None:
    sign, is_altered = choices.pick(SIGNATURES), choices.flag()
    header_part, claims_part = choices.parts(2)
    header, claims = _object(header_part), _object(claims_part)
    algorithm = str((header or {}).get("alg"))
    token = jws(header_part, claims_part, lambda message: sign(message, algorithm))
    if is_altered:
        place = sum(claims_part) % (token.rindex(".") + 1)
        token = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
    caller = _outcome(f"Bearer {token}")
    if caller is None:
        return
    assert sign is _rightly, "accepts a wrong signature"
    assert not is_altered, "accepts an altered token"
    assert header is not None
    assert claims is not None
    _meets_the_policy(caller, header, claims)


def _check_jwks(choices: Choices) -> None:
    header = choices.pick(HEADERS)
    sign = _rightly
    token = jws(header, CLAIMS[0], lambda message: sign(message, str(header["alg"])))
    document = choices.rest()
    caller = _outcome(f"Bearer {token}", document)
    if caller is not None:
        jwks = _object(document)
        assert jwks is not None
        public = {_key(one.jwk) for one in OURS.values()}
        assert public & {*map(_key, jwks["keys"])}, "no key of the JWKS signed it"


def _key(jwk: object) -> bytes:
    """The x of a public key. Characters that are not base64url are ignored."""
    try:
        return urlsafe_b64decode(f"{jwk['x']}===") if isinstance(jwk, dict) else b""
    except (KeyError, ValueError):
        return b""


def _meets_the_policy(caller: Caller, header: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
    """Check an accepted token again, by the policy's document and not by the code."""
    identity = next(one for one in IDENTITIES if one.name == caller.identity)
    assert claims.get("iss") == identity.issuer
    assert ("iss" in claims) == (identity.issuer is not None)
    assert header["alg"] in identity.algorithms
    assert not {"crit", "b64", "enc", "zip"} & header.keys()
    assert not {"cnf", "events"} & claims.keys()
    assert claims["exp"] > NOW - LEEWAY
    assert all(claims[name] <= NOW + LEEWAY for name in ("iat", "nbf") if name in claims)
    if identity.audience:
        audience = claims[identity.audience_claim]
        named = audience if isinstance(audience, list) else [audience]
        assert set(named) & set(identity.audience)
    if identity.scope:
        granted = [claims.get(name, "") for name in ("scope", "scp")]
        words = [word for one in granted for word in (one.split() if isinstance(one, str) else one)]
        assert set(identity.scope) <= set(words)
    for name, wanted in identity.required_claims.items():
        value = claims[name]
        assert any(one in wanted for one in (value if isinstance(value, list) else [value]))
    if identity.max_age_seconds is not None:
        began = claims.get("auth_time")
        began = claims["iat"] if began is None else began
        assert NOW - began <= identity.max_age_seconds + LEEWAY
    subject = str(claims[identity.user_id_claim])
    hashed = identity.hashed_user_ids
    assert subject
    assert caller.user_id == user_id_for_subject(identity.issuer or "", subject, always_hash=hashed)


def _outcome(authorization: str, jwks: bytes = JWKS) -> Caller | None:
    """The caller; ``None`` if the header is refused as it should be."""
    keys = SigningKeys(lambda _url: Response(200, {}, jwks), clock=lambda: NOW)
    try:
        return authentication.from_bearer(
            authorization, POLICY, keys, SHARED_KEYS, clock=lambda: NOW
        )
    except Problem as problem:
        _is_of_a_bearer(problem, authorization)
        return None


def _is_of_a_bearer(problem: Problem, authorization: str) -> None:
    assert problem.code in PROBLEMS
    assert problem.code.startswith("bearer_") or problem.code == "signing_keys_unavailable"
    check_message(f"{problem.detail} {problem.reason}", *authorization.split(".")[1:])


def _shared_key(_secret_id: str, label: str) -> str:
    if label == "AWSPREVIOUS":
        raise AwsError("ResourceNotFoundException", "there is no such version")
    return SHARED.decode()


SHARED_KEYS: Final = SharedKeys(
    _shared_key, lambda fetch: Cached(fetch, AwsError, SharedKeyError, ttl_seconds=1e9)
)


def _object(data: bytes) -> dict[str, Any] | None:
    """A JSON object, as any parser reads it."""
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None
