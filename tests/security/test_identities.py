"""Attacks on identities: tokens and keys that one identity must not accept, and another might."""

from __future__ import annotations

import base64
import hmac
import itertools
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from issuer.authentication import from_bearer
from issuer.jwks import SigningKeys
from issuer.problems import Problem
from issuer.shared_keys import REFETCH_SECONDS, SharedKeys
from tests.support.bearer import AUDIENCE, claims, jws, policy, signer
from tests.support.clock import Clock
from tests.support.table import table
from zego.aws import AwsError
from zego.bounded_http import Response
from zego.cache import Cached
from zego.policy import identify
from zego.policy.identify import BearerToken
from zego.policy.model import BearerIdentity, Caller
from zego.shared_key import SharedKeyError

KEY = "k" * 32
NEW_KEY = "n" * 32
SESSIONS = BearerIdentity("app", "calls-app", (), None, ("HS256",), shared_key="calls/session-key")
#: The header of a token of an application.
HS256 = {"alg": "HS256", "typ": "JWT"}


class Secret:
    """A secret in Secrets Manager, which counts how often it is read."""

    def __init__(self, **versions: str) -> None:
        self.versions = versions
        self.reads: list[str] = []

    def __call__(self, _secret_id: str, label: str) -> str:
        self.reads.append(label)
        if label not in self.versions:
            raise AwsError("ResourceNotFoundException", "no such version")
        return self.versions[label]


def shared_keys(secret: Secret, clock: Clock) -> SharedKeys:
    return SharedKeys(
        secret,
        lambda fetch: Cached(
            fetch,
            AwsError,
            SharedKeyError,
            refetch_seconds=REFETCH_SECONDS,
            clock=clock,
            monotonic=clock,
        ),
    )


def session(key: str = KEY, **changes: object) -> str:
    """Returns a session token of the application. ``...`` omits a claim."""
    content = claims(**{"iss": "calls-app", "aud": ...} | changes)
    return jws(HS256, content, lambda signed: hmac.digest(key.encode(), signed, "sha256"))


def attempt(
    token: str, *identities: BearerIdentity, keys: SharedKeys | None = None
) -> Caller | Problem:
    """Returns the caller that the service authenticates, or why it refuses."""
    keys = keys or shared_keys(Secret(AWSCURRENT=KEY), Clock())
    try:
        return from_bearer(
            f"Bearer {token}", policy(*(identities or (SESSIONS,))), SigningKeys(), keys
        )
    except Problem as problem:
        return problem


def code(result: Caller | Problem) -> str | None:
    return result.code if isinstance(result, Problem) else None


# --- Shared keys --------------------------------------------------------------------------------


class TestStrangersCannotMakeTheServiceCallAws:
    @table(
        "previous",
        [{}, {"AWSPREVIOUS": "placeholder"}, {"AWSPREVIOUS": "p" * 32}],
        ids=["no previous version", "a previous version without a key", "a previous key"],
    )
    def test_with_signatures_that_do_not_verify(self, previous: dict[str, str]) -> None:
        secret, clock = Secret(AWSCURRENT=KEY, **previous), Clock()
        keys = shared_keys(secret, clock)
        for _ in range(20):
            assert code(attempt(session("wrong" * 8), keys=keys)) == "bearer_bad_signature"
        assert sorted(secret.reads) == ["AWSCURRENT", "AWSPREVIOUS"]
        clock.turn(REFETCH_SECONDS)
        for _ in range(20):
            attempt(session("wrong" * 8), keys=keys)
        assert len(secret.reads) == 4


class TestRotation:
    @table("previous", [KEY, "placeholder", '{"other": "json"}'])
    def test_a_new_key_verifies_whatever_the_version_before_it_was(self, previous: str) -> None:
        secret, clock = Secret(AWSCURRENT=previous if previous == KEY else KEY), Clock()
        keys = shared_keys(secret, clock)
        assert code(attempt(session(KEY), keys=keys)) is None
        clock.turn(REFETCH_SECONDS)
        secret.versions = {"AWSCURRENT": NEW_KEY, "AWSPREVIOUS": previous}
        assert code(attempt(session(NEW_KEY), keys=keys)) is None

    def test_after_a_leak_the_previous_key_verifies_nothing(self) -> None:
        keys = shared_keys(Secret(AWSCURRENT=NEW_KEY, AWSPREVIOUS=KEY), Clock())
        strict = SESSIONS._replace(accept_previous_key=False)
        assert code(attempt(session(KEY), SESSIONS, keys=keys)) is None
        assert code(attempt(session(KEY), strict, keys=keys)) == "bearer_bad_signature"


def certificate() -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "login.example.com")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    return (
        builder.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, SHA256())
    )


def public_texts() -> dict[str, str]:
    """Returns public keys and certificates as providers show them, all without a line end."""
    found: dict[str, str] = {}
    for algorithm in ("RS256", "ES256", "EdDSA"):
        public = signer(algorithm).private_key.public_key()
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        ssh = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        found |= {
            f"{algorithm} PEM": signer(algorithm).pem.decode().strip(),
            f"{algorithm} base64": base64.b64encode(der).decode(),
            f"{algorithm} SSH": ssh.decode(),
            f"{algorithm} JWK": json.dumps(signer(algorithm).jwk),
        }
    signed = certificate()
    found["certificate PEM"] = signed.public_bytes(Encoding.PEM).decode().strip()
    found["certificate base64"] = base64.b64encode(signed.public_bytes(Encoding.DER)).decode()
    found["base64 in lines"] = "\n".join(found["RS256 PEM"].splitlines()[1:-1])
    return found


@table("text", public_texts().values(), ids=public_texts())
def test_what_everyone_knows_cannot_be_a_shared_key(text: str) -> None:
    for field, stored in ((None, text), ("key", json.dumps({"key": text}))):
        identity = SESSIONS._replace(shared_key_field=field)
        keys = shared_keys(Secret(AWSCURRENT=stored), Clock())
        forged = session(text)
        assert code(attempt(forged, identity, keys=keys)) == "signing_keys_unavailable"


# --- What a stranger can put into a token -------------------------------------------------------


#: Around the depth at which Python's JSON gives up, which depends on where it is called.
DEPTHS = range(sys.getrecursionlimit() - 150, sys.getrecursionlimit() + 5)


@table("place", ["alg", "kid", "typ", "iss", "aud", "purpose", "scope", "sub", "exp"])
def test_a_deeply_nested_value_is_refused_like_any_other(place: str) -> None:
    identity = SESSIONS._replace(
        audience=("calls",), required_claims={"purpose": ("session",)}, scope=("calls",)
    )
    good = claims(iss="calls-app", aud="calls", purpose="session", scope="calls")
    for depth in DEPTHS:
        nested = "[" * depth + "]" * depth
        header, content = (
            json.dumps({name: "@" if name == place else value for name, value in part.items()})
            .replace('"@"', nested)
            .encode()
            for part in (HS256 | {"kid": "1"}, good)
        )
        token = jws(header, content, lambda signed: hmac.digest(KEY.encode(), signed, "sha256"))
        result = attempt(token, identity)
        assert isinstance(result, Problem)
        assert result.type.status == 401, result.code


@table("name", ["typ", "type", "token_type", "token_use"])
def test_a_token_to_get_or_end_sessions_is_not_a_session(name: str) -> None:
    for purpose in (
        *("refresh", "Refresh", "refresh_token", "refreshToken", "REFRESH"),
        *("Offline", "offline_access", "Logout", "logout_token"),
    ):
        assert code(attempt(session(**{name: purpose}))) == "bearer_wrong_type"


# --- When the user signed in --------------------------------------------------------------------


@table("ahead", [120, 86400, 10**12], ids=["minutes", "a day", "milliseconds"])
def test_a_sign_in_in_the_future_is_not_forever_recent(ahead: int) -> None:
    for claim in ("auth_time", "signedInAt"):
        identity = SESSIONS._replace(max_age_seconds=600, session_start_claim=claim)
        token = session(KEY, **{claim: int(time.time()) + ahead})
        assert code(attempt(token, identity)) == "bearer_not_yet_valid"


def test_a_session_without_any_time_is_not_recent() -> None:
    identity = SESSIONS._replace(max_age_seconds=600)
    assert code(attempt(session(iat=...), identity)) == "bearer_missing_claim"
    assert code(attempt(session(iat=...), SESSIONS)) is None


# --- Several identities of one issuer -----------------------------------------------------------

#: Some conditions of an identity, and tokens that meet some of them.
CONDITIONS: dict[str, list[Any]] = {
    "audience": [(), ("a",), ("a", "b")],
    "audience_claim": ["aud", "azp"],
    "required_claims": [{}, {"kind": ("x",)}, {"kind": ("x", "y")}],
    "scope": [(), ("s",)],
    "token_types": [None, ("JWT",), ("at+jwt", "application/JWT")],
    "max_age_seconds": [None, 60, 6000],
}
NOW = 1_700_000_000
TOKENS = [
    BearerToken(
        {"alg": "HS256"} | ({} if typ is None else {"typ": typ}),
        {"sub": "u", "exp": NOW + 60, "aud": aud, "azp": azp, "kind": kind, "scope": scope}
        | {"iat": NOW - age},
        b"",
        b"",
    )
    for typ in (None, "jwt", "at+jwt")
    for aud in ("a", "b")
    for azp in ("a", "b")
    for kind in ("x", "y")
    for scope in ("", "s")
    for age in (0, 600, 10**6)
]


def _identities() -> list[BearerIdentity]:
    combined = itertools.product(*CONDITIONS.values())
    return [SESSIONS._replace(**dict(zip(CONDITIONS, values, strict=True))) for values in combined]


def test_an_identity_covers_another_only_if_it_accepts_all_of_its_tokens() -> None:
    identities = _identities()
    accepted = [
        {at for at, token in enumerate(TOKENS) if identify.mismatch(one, token, NOW) is None}
        for one in identities
    ]
    covered = 0
    for first, then in itertools.product(range(0, len(identities), 5), range(len(identities))):
        if identify.covers(identities[first], identities[then]):
            covered += first != then
            assert accepted[then] <= accepted[first], (identities[first], identities[then])
    assert covered > 1000
    assert all(identify.covers(identity, identity) for identity in identities)


# --- Discovery ----------------------------------------------------------------------------------

EXACT, SLASH = "https://login.example.com", "https://login.example.com/"


def discovered_by(issuer: str) -> Callable[[str], Response]:
    """Returns an identity provider whose OpenID configuration has that issuer."""

    def fetch(url: str) -> Response:
        is_configuration = url.endswith("/.well-known/openid-configuration")
        found = {"issuer": issuer, "jwks_uri": "https://login.example.com/keys"}
        body = found if is_configuration else {"keys": [signer().jwk]}
        return Response(200, {}, json.dumps(body).encode())

    return fetch


@table("first", [EXACT, SLASH])
def test_keys_that_one_issuer_discovered_do_not_verify_another_ones_tokens(first: str) -> None:
    identities = {
        issuer: BearerIdentity(f"web{issuer}", issuer, (AUDIENCE,), None, ("RS256",))
        for issuer in sorted((EXACT, SLASH), key=lambda issuer: issuer != first)
    }
    keys = SigningKeys(discovered_by(EXACT), clock=Clock())
    codes = {}
    for issuer in identities:
        token = signer().sign(claims(iss=issuer))
        try:
            from_bearer(f"Bearer {token}", policy(*identities.values()), keys)
            codes[issuer] = "accepted"
        except Problem as problem:
            codes[issuer] = problem.code
    assert codes == {EXACT: "accepted", SLASH: "signing_keys_unavailable"}
