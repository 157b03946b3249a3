"""The keys of identity providers, through the states of an entry: fresh, old, gone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from issuer.jwks import (
    KeysReading,
    KeysUnavailableError,
    SigningKeys,
    UnknownKeyError,
    location,
)
from tests.support.bearer import JWKS_URI, JwksEndpoint, Signer, signer
from tests.support.clock import Clock
from zego.bounded_http import Response
from zego.policy.model import ALGORITHMS, BearerIdentity

OTHER_URI = "https://other.example.com/jwks.json"
FRESH, STALE, COOL_DOWN, RETRY = 600.0, 3600.0, 30.0, 5.0


def signed(owner: Signer) -> tuple[bytes, bytes]:
    """Some bytes and their signature, for the function that verifies with the owner's key."""
    return b"signed", owner.signature(b"signed")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def endpoint() -> JwksEndpoint:
    return JwksEndpoint(signer().jwk)


@pytest.fixture
def keys(endpoint: JwksEndpoint, clock: Clock) -> SigningKeys:
    return SigningKeys(
        endpoint,
        fresh_seconds=FRESH,
        max_stale_seconds=STALE,
        cool_down_seconds=COOL_DOWN,
        retry_seconds=RETRY,
        clock=clock,
        jitter=lambda: 0.0,
    )


def keys_of(*jwks: object) -> SigningKeys:
    """Keys, and a valid one with them, because a JWKS without any would be a failure."""
    return SigningKeys(JwksEndpoint(*jwks, signer("EdDSA", "beside").jwk), clock=Clock())


class TestFresh:
    def test_creating_the_cache_fetches_nothing(
        self, endpoint: JwksEndpoint, keys: SigningKeys
    ) -> None:
        assert endpoint.requests == []

    def test_the_first_use_fetches_the_keys(
        self, endpoint: JwksEndpoint, keys: SigningKeys
    ) -> None:
        assert keys.get(JWKS_URI, "key-1", "RS256")(*signed(signer()))
        assert endpoint.requests == [JWKS_URI]

    def test_known_keys_are_used_without_another_fetch(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        first = keys.get(JWKS_URI, "key-1", "RS256")
        clock.turn(FRESH - 1)
        assert keys.get(JWKS_URI, "key-1", "RS256") is first
        assert len(endpoint.requests) == 1

    def test_a_key_is_parsed_once_for_each_algorithm(self) -> None:
        jwk = signer().jwk
        del jwk["alg"]
        keys = keys_of(jwk)
        rs256, ps256 = (keys.get(JWKS_URI, "key-1", name) for name in ("RS256", "PS256"))
        assert rs256(*signed(signer()))
        assert ps256(b"signed", signer().signature(b"signed", "PS256"))
        assert not ps256(*signed(signer()))
        assert keys.get(JWKS_URI, "key-1", "RS256") is rs256

    def test_environments_that_started_together_do_not_fetch_together(
        self, endpoint: JwksEndpoint, clock: Clock
    ) -> None:
        """The random part is at most a fifth."""
        keys = SigningKeys(endpoint, fresh_seconds=FRESH, clock=clock, jitter=lambda: 0.5)
        keys.get(JWKS_URI, "key-1", "RS256")
        clock.turn(FRESH * 0.9 - 1)
        keys.get(JWKS_URI, "key-1", "RS256")
        assert len(endpoint.requests) == 1
        clock.turn(1)
        keys.get(JWKS_URI, "key-1", "RS256")
        assert len(endpoint.requests) == 2

    def test_issuers_are_cached_apart(self, endpoint: JwksEndpoint, keys: SigningKeys) -> None:
        keys.get(JWKS_URI, "key-1", "RS256")
        keys.get(OTHER_URI, "key-1", "RS256")
        assert endpoint.requests == [JWKS_URI, OTHER_URI]

    def test_the_same_key_id_at_another_issuer_is_another_key(self, clock: Clock) -> None:
        ours, theirs = signer(), signer(owner="another issuer")

        def fetch(uri: str) -> Response:
            keys = [(ours if uri == JWKS_URI else theirs).jwk]
            return Response(200, {}, json.dumps({"keys": keys}).encode())

        keys = SigningKeys(fetch, clock=clock)
        for uri, owner in ((JWKS_URI, ours), (OTHER_URI, theirs)):
            verify = keys.get(uri, "key-1", "RS256")
            assert [verify(*signed(each)) for each in (ours, theirs)] == [
                each is owner for each in (ours, theirs)
            ]

    def test_a_prefetch_spares_the_first_request_the_fetch(
        self, endpoint: JwksEndpoint, keys: SigningKeys
    ) -> None:
        keys.prefetch(JWKS_URI)
        keys.get(JWKS_URI, "key-1", "RS256")
        assert endpoint.requests == [JWKS_URI]

    def test_a_failed_prefetch_is_silent_and_the_first_request_reports_it(
        self, endpoint: JwksEndpoint, keys: SigningKeys
    ) -> None:
        endpoint.down = True
        keys.prefetch(JWKS_URI)
        with pytest.raises(KeysUnavailableError, match="it refused the connection"):
            keys.get(JWKS_URI, "key-1", "RS256")


class TestOld:
    def test_old_keys_are_fetched_again(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        keys.get(JWKS_URI, "key-1", "RS256")
        clock.turn(FRESH)
        keys.get(JWKS_URI, "key-1", "RS256")
        assert len(endpoint.requests) == 2

    def test_a_key_that_the_issuer_withdrew_verifies_nothing_after_the_next_fetch(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        keys.get(JWKS_URI, "key-1", "RS256")
        endpoint.keys = [signer(key_id="key-2").jwk]
        clock.turn(FRESH)
        with pytest.raises(UnknownKeyError):
            keys.get(JWKS_URI, "key-1", "RS256")

    def test_a_key_that_was_replaced_under_its_id_is_parsed_again(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        assert keys.get(JWKS_URI, "key-1", "RS256")(*signed(signer()))
        endpoint.keys = [signer(owner="next").jwk]
        clock.turn(FRESH)
        verify = keys.get(JWKS_URI, "key-1", "RS256")
        assert verify(*signed(signer(owner="next")))
        assert not verify(*signed(signer()))

    def test_known_keys_stay_in_use_for_an_hour_while_fetching_fails(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        first = keys.get(JWKS_URI, "key-1", "RS256")
        endpoint.down = True
        clock.turn(STALE - 1)
        assert keys.get(JWKS_URI, "key-1", "RS256") is first

    def test_while_fetching_fails_it_is_tried_once_per_cool_down(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        keys.get(JWKS_URI, "key-1", "RS256")
        endpoint.down = True
        clock.turn(FRESH)
        for _ in range(5):
            keys.get(JWKS_URI, "key-1", "RS256")
        assert len(endpoint.requests) == 2
        clock.turn(COOL_DOWN)
        keys.get(JWKS_URI, "key-1", "RS256")
        assert len(endpoint.requests) == 3

    def test_an_unknown_key_id_while_fetching_fails_is_the_issuers_fault_not_the_callers(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        keys.get(JWKS_URI, "key-1", "RS256")
        endpoint.down = True
        clock.turn(FRESH)
        with pytest.raises(KeysUnavailableError) as refused:
            keys.get(JWKS_URI, "key-2", "RS256")
        assert refused.value.retry_after_seconds == COOL_DOWN

    def test_a_clock_that_was_set_back_fetches_rather_than_trusting_keys_of_the_future(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        keys.get(JWKS_URI, "key-1", "RS256")
        clock.turn(-86400)
        keys.get(JWKS_URI, "key-1", "RS256")
        assert len(endpoint.requests) == 2


class TestGone:
    def test_after_an_hour_without_a_successful_fetch_nothing_can_be_verified(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        keys.get(JWKS_URI, "key-1", "RS256")
        endpoint.down = True
        clock.turn(STALE)
        with pytest.raises(KeysUnavailableError):
            keys.get(JWKS_URI, "key-1", "RS256")

    def test_keys_that_were_never_fetched_are_unavailable_not_unknown(
        self, endpoint: JwksEndpoint, keys: SigningKeys
    ) -> None:
        endpoint.down = True
        with pytest.raises(KeysUnavailableError, match="cannot be reached"):
            keys.get(JWKS_URI, "key-1", "RS256")

    def test_it_says_when_the_next_fetch_may_happen(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        endpoint.down = True
        waits = []
        for _ in range(3):
            with pytest.raises(KeysUnavailableError) as refused:
                keys.get(JWKS_URI, "key-1", "RS256")
            waits.append(refused.value.retry_after_seconds)
            clock.turn(2.25)
        assert waits == [5, 3, 1]
        assert len(endpoint.requests) == 1

    def test_without_a_usable_key_it_fetches_again_sooner(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        endpoint.down = True
        for _ in range(10):
            with pytest.raises(KeysUnavailableError):
                keys.get(JWKS_URI, "key-1", "RS256")
            clock.turn(RETRY / 2)
        assert len(endpoint.requests) == 5

    def test_a_successful_fetch_ends_the_outage(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        endpoint.down = True
        with pytest.raises(KeysUnavailableError):
            keys.get(JWKS_URI, "key-1", "RS256")
        endpoint.down = False
        clock.turn(RETRY)
        assert keys.get(JWKS_URI, "key-1", "RS256")(*signed(signer()))
        with pytest.raises(UnknownKeyError):
            keys.get(JWKS_URI, "key-2", "RS256")


class TestUnknownKeyIds:
    def test_a_key_that_the_issuer_added_is_found_by_one_fetch(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        keys.get(JWKS_URI, "key-1", "RS256")
        endpoint.keys.append(signer(key_id="key-2").jwk)
        clock.turn(COOL_DOWN)
        assert keys.get(JWKS_URI, "key-2", "RS256")(*signed(signer(key_id="key-2")))
        assert len(endpoint.requests) == 2

    def test_invented_key_ids_cause_one_fetch_per_cool_down(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        keys.get(JWKS_URI, "key-1", "RS256")
        clock.turn(COOL_DOWN)
        for number in range(100):
            with pytest.raises(UnknownKeyError):
                keys.get(JWKS_URI, f"invented-{number}", "RS256")
        assert len(endpoint.requests) == 2

    def test_the_cool_down_is_each_issuers_own(
        self, endpoint: JwksEndpoint, keys: SigningKeys
    ) -> None:
        for uri in (JWKS_URI, OTHER_URI):
            for _ in range(3):
                with pytest.raises(UnknownKeyError):
                    keys.get(uri, "invented", "RS256")
        assert endpoint.requests == [JWKS_URI, OTHER_URI]

    def test_a_fetch_for_an_unknown_key_id_that_fails_leaves_the_known_keys(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        first = keys.get(JWKS_URI, "key-1", "RS256")
        endpoint.down = True
        clock.turn(COOL_DOWN)
        with pytest.raises(KeysUnavailableError):
            keys.get(JWKS_URI, "invented", "RS256")
        assert keys.get(JWKS_URI, "key-1", "RS256") is first

    def test_a_fetch_that_succeeds_for_an_unknown_key_id_makes_the_known_ones_fresh(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        keys.get(JWKS_URI, "key-1", "RS256")
        clock.turn(FRESH - 1)
        with pytest.raises(UnknownKeyError):
            keys.get(JWKS_URI, "invented", "RS256")
        clock.turn(FRESH - 1)
        keys.get(JWKS_URI, "key-1", "RS256")
        assert len(endpoint.requests) == 2


class TestWhenAnUnknownKeyMayBeTriedAgain:
    """A provider may sign with a new key at once. Until the next fetch it looks like an invented
    one, so the caller must come back."""

    def test_within_the_cool_down_the_error_says_when_the_next_fetch_is_allowed(
        self, keys: SigningKeys, clock: Clock
    ) -> None:
        keys.get(JWKS_URI, "key-1", "RS256")
        clock.turn(0.5)
        with pytest.raises(UnknownKeyError) as refused:
            keys.get(JWKS_URI, "key-2", "RS256")
        assert refused.value.retry_after_seconds == COOL_DOWN
        clock.turn(COOL_DOWN - 1)
        with pytest.raises(UnknownKeyError) as refused:
            keys.get(JWKS_URI, "key-2", "RS256")
        assert refused.value.retry_after_seconds == 1

    def test_after_that_wait_the_new_key_is_found(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        keys.get(JWKS_URI, "key-1", "RS256")
        endpoint.keys.append(signer(key_id="key-2").jwk)
        clock.turn(COOL_DOWN / 2)
        with pytest.raises(UnknownKeyError) as refused:
            keys.get(JWKS_URI, "key-2", "RS256")
        clock.turn(refused.value.retry_after_seconds or 0)
        assert keys.get(JWKS_URI, "key-2", "RS256")(*signed(signer(key_id="key-2")))

    def test_if_the_keys_were_just_fetched_the_error_is_final(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        for _ in range(2):
            with pytest.raises(UnknownKeyError) as refused:
                keys.get(JWKS_URI, "key-2", "RS256")
            assert refused.value.retry_after_seconds is None
            clock.turn(COOL_DOWN)
        assert len(endpoint.requests) == 2

    def test_a_key_that_is_known_and_too_weak_is_final(self, clock: Clock) -> None:
        keys = SigningKeys(JwksEndpoint(weak_rsa(), signer(key_id="key-2").jwk), clock=clock)
        keys.get(JWKS_URI, "key-2", "RS256")
        clock.turn(1)
        with pytest.raises(UnknownKeyError) as refused:
            keys.get(JWKS_URI, "key-1", "RS256")
        assert refused.value.retry_after_seconds is None


class TestTokensWithoutAKeyId:
    def test_the_only_key_that_fits_the_algorithm_is_used(self) -> None:
        keys = keys_of(signer().jwk, signer("ES256", "key-2").jwk)
        assert keys.get(JWKS_URI, None, "ES256")(*signed(signer("ES256", "key-2")))

    def test_if_two_keys_fit_none_is_used(self) -> None:
        keys = keys_of(signer().jwk, signer(key_id="key-2").jwk)
        with pytest.raises(UnknownKeyError):
            keys.get(JWKS_URI, None, "RS256")

    def test_a_key_without_an_id_is_used(self) -> None:
        keys = keys_of(signer(key_id=None).jwk)
        assert keys.get(JWKS_URI, None, "RS256")(*signed(signer(key_id=None)))

    def test_a_key_without_an_id_does_not_match_an_id(self) -> None:
        keys = keys_of(signer(key_id=None).jwk)
        with pytest.raises(UnknownKeyError):
            keys.get(JWKS_URI, "key-1", "RS256")

    def test_keys_without_ids_of_different_types_do_not_hide_one_another(self) -> None:
        keys = keys_of(signer(key_id=None).jwk, signer("ES256", None).jwk)
        assert keys.get(JWKS_URI, None, "RS256")(*signed(signer(key_id=None)))
        assert keys.get(JWKS_URI, None, "ES256")(*signed(signer("ES256", None)))


class TestSharedKeyIds:
    def test_keys_of_different_types_may_share_an_id(self) -> None:
        """RFC 7517, 4.5, allows it."""
        keys = keys_of(signer().jwk, signer("ES256").jwk)
        assert keys.get(JWKS_URI, "key-1", "RS256")(*signed(signer()))
        assert keys.get(JWKS_URI, "key-1", "ES256")(*signed(signer("ES256")))


def weak_rsa() -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return dict(RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)) | {"kid": "key-1"}


def es256k() -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256K1())
    return dict(ECAlgorithm.to_jwk(key.public_key(), as_dict=True)) | {"kid": "key-1"}


class TestKeysThatMayNotVerify:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_a_key_verifies_its_own_algorithm(self, algorithm: str) -> None:
        owner, message = signer(algorithm), b"signed"
        verify = keys_of(owner.jwk).get(JWKS_URI, "key-1", algorithm)
        assert verify(message, owner.signature(message))
        assert not verify(b"changed", owner.signature(message))

    @pytest.mark.parametrize("bound", ALGORITHMS)
    def test_a_key_that_is_bound_to_one_algorithm_verifies_no_other(self, bound: str) -> None:
        keys = keys_of(signer(bound).jwk)
        same = {"EdDSA", "Ed25519"} if bound in {"EdDSA", "Ed25519"} else {bound}
        for other in ALGORITHMS.keys() - same:
            with pytest.raises(UnknownKeyError):
                keys.get(JWKS_URI, "key-1", other)

    @pytest.mark.parametrize(
        ("key_algorithm", "asked"),
        [
            ("RS256", "ES256"),
            ("RS256", "EdDSA"),
            ("ES256", "RS256"),
            ("ES256", "ES384"),
            ("ES384", "ES256"),
            ("ES512", "ES384"),
            ("Ed25519", "ES256"),
            ("EdDSA", "ES256"),
            ("EdDSA", "RS256"),
        ],
    )
    def test_a_key_that_names_no_algorithm_must_have_the_right_type_and_curve(
        self, key_algorithm: str, asked: str
    ) -> None:
        jwk = signer(key_algorithm).jwk
        del jwk["alg"]
        with pytest.raises(UnknownKeyError):
            keys_of(jwk).get(JWKS_URI, "key-1", asked)

    def test_a_symmetric_key_is_ignored(self) -> None:
        jwk = {"kty": "oct", "k": "c2VjcmV0", "kid": "key-1", "alg": "HS256"}
        keys = keys_of(jwk, signer(key_id="key-2").jwk)
        for algorithm in ALGORITHMS:
            with pytest.raises(UnknownKeyError):
                keys.get(JWKS_URI, "key-1", algorithm)

    def test_a_symmetric_key_that_claims_an_asymmetric_algorithm_is_ignored(self) -> None:
        with pytest.raises(UnknownKeyError):
            keys_of({"kty": "oct", "k": "c2VjcmV0", "kid": "key-1", "alg": "RS256"}).get(
                JWKS_URI, "key-1", "RS256"
            )

    def test_a_key_for_encryption_is_ignored(self) -> None:
        with pytest.raises(UnknownKeyError):
            keys_of(signer().jwk | {"use": "enc"}).get(JWKS_URI, "key-1", "RS256")

    def test_a_key_that_may_only_sign_is_ignored(self) -> None:
        with pytest.raises(UnknownKeyError):
            keys_of(signer().jwk | {"key_ops": ["sign"]}).get(JWKS_URI, "key-1", "RS256")

    def test_a_key_that_may_also_verify_is_accepted(self) -> None:
        keys = keys_of(signer().jwk | {"key_ops": ["sign", "verify"]})
        assert keys.get(JWKS_URI, "key-1", "RS256")(*signed(signer()))

    def test_a_key_without_a_use_is_accepted(self) -> None:
        jwk = signer().jwk
        del jwk["use"]
        assert keys_of(jwk).get(JWKS_URI, "key-1", "RS256")(*signed(signer()))

    def test_an_rsa_key_under_2048_bits_is_refused(self) -> None:
        with pytest.raises(UnknownKeyError, match="2048 bits"):
            keys_of(weak_rsa()).get(JWKS_URI, "key-1", "RS256")

    def test_a_curve_that_no_algorithm_here_has_is_refused(self) -> None:
        for algorithm in ("ES256", "ES384", "ES512"):
            with pytest.raises(UnknownKeyError):
                keys_of(es256k()).get(JWKS_URI, "key-1", algorithm)

    @pytest.mark.parametrize("named", ["EdDSA", "Ed25519"])
    @pytest.mark.parametrize("used", ["EdDSA", "Ed25519"])
    def test_both_names_of_ed25519_are_one_algorithm(self, named: str, used: str) -> None:
        """RFC 9864 renames EdDSA; providers publish either name."""
        verify = keys_of(signer("EdDSA").jwk | {"alg": named}).get(JWKS_URI, "key-1", used)
        assert verify(*signed(signer("EdDSA")))

    @pytest.mark.parametrize("name", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
    def test_a_key_with_any_private_parameter_verifies_nothing(self, name: str) -> None:
        """RFC 7518, 6.2.2, 6.3.2 and 6.4.1. Whoever reads the JWKS can sign with such a key."""
        with pytest.raises(UnknownKeyError):
            keys_of(signer().jwk | {name: "AQAB"}).get(JWKS_URI, "key-1", "RS256")

    def test_a_private_rsa_key_that_was_published_verifies_nothing(self) -> None:
        private: dict[str, Any] = dict(RSAAlgorithm.to_jwk(signer().private_key, as_dict=True))
        del private["key_ops"]
        with pytest.raises(UnknownKeyError):
            keys_of(private | {"kid": "key-1"}).get(JWKS_URI, "key-1", "RS256")


class TestWhyAKeyIsNotFound:
    """Each message says what the issuer lacks, so that its operators know what to change."""

    @pytest.mark.parametrize(
        ("key_id", "algorithm", "message"),
        [
            ("key-9", "RS256", "publishes no key with this token's kid"),
            ("key-1", "ES256", "The issuer's key with this token's kid is not for ES256"),
            ("twice", "RS256", "publishes several RS256 keys with this token's kid"),
            (None, "RS256", r"names no key \(kid\), and several of the issuer's fit RS256"),
            (None, "ES384", r"names no key \(kid\), and the issuer publishes none for ES384"),
            ("weak", "RS256", "too weak: it has 1024 bits, fewer than 2048 bits"),
            ("broken", "RS256", "cannot be read"),
        ],
        ids=str,
    )
    def test_the_message_names_it(self, key_id: str | None, algorithm: str, message: str) -> None:
        twice = signer(key_id="twice")
        keys = keys_of(
            signer().jwk,
            twice.jwk,
            twice.jwk,
            weak_rsa() | {"kid": "weak"},
            signer().jwk | {"kid": "broken", "n": "*"},
        )
        with pytest.raises(UnknownKeyError, match=message):
            keys.get(JWKS_URI, key_id, algorithm)


class TestManyKeys:
    def test_a_jwks_with_as_many_keys_as_allowed_is_read(self) -> None:
        jwks = [signer().jwk | {"kid": f"key-{number}"} for number in range(100)]
        keys = SigningKeys(JwksEndpoint(*jwks), clock=Clock())
        assert keys.get(JWKS_URI, "key-99", "RS256")(*signed(signer()))

    def test_a_jwks_with_more_is_a_failure_because_each_request_searches_them(self) -> None:
        tiny = [{"kty": "RSA", "kid": str(number)} for number in range(9000)]
        with pytest.raises(KeysUnavailableError, match="has 9000 keys; the limit is 100"):
            SigningKeys(JwksEndpoint(*tiny), clock=Clock()).get(JWKS_URI, "key-1", "RS256")

    def test_keys_that_cannot_verify_do_not_count(self) -> None:
        encryption = [{"kty": "RSA", "use": "enc", "kid": str(number)} for number in range(500)]
        keys = keys_of(signer().jwk, *encryption)
        assert keys.get(JWKS_URI, "key-1", "RS256")(*signed(signer()))


MALFORMED_KEYS: dict[str, dict[str, Any]] = {
    "no modulus": {"n": None},
    "a modulus that is a number": {"n": 5},
    "a modulus that is not base64url": {"n": "*"},
    "an empty modulus": {"n": ""},
    "an even exponent": {"e": "AA"},
    "a type that is a list": {"kty": ["RSA"]},
    "no type": {"kty": None},
    "a key id that is a list": {"kid": ["key-1"]},
    "a key id that is an object": {"kid": {"key": 1}},
    "a key id that is a number": {"kid": 1},
    "a use that is a list": {"use": ["sig"]},
    "an algorithm that is a list": {"alg": ["RS256"]},
    "operations that are null": {"key_ops": None},
    "operations that are a number": {"key_ops": 5},
    "a curve": {"crv": "P-256"},
}


@pytest.mark.parametrize("change", MALFORMED_KEYS.values(), ids=MALFORMED_KEYS)
class TestMalformedKeys:
    def test_a_malformed_key_verifies_nothing(self, change: dict[str, Any]) -> None:
        with pytest.raises(UnknownKeyError):
            keys_of(signer().jwk | change).get(JWKS_URI, "key-1", "RS256")

    def test_a_malformed_key_does_not_spoil_the_others(self, change: dict[str, Any]) -> None:
        keys = keys_of(signer().jwk | change, signer(key_id="key-2").jwk)
        assert keys.get(JWKS_URI, "key-2", "RS256")(*signed(signer(key_id="key-2")))


class TestLooking:
    """How many keys can verify an issuer's tokens, as the next token would find them."""

    def test_reading_the_state_fetches_missing_keys(
        self, endpoint: JwksEndpoint, keys: SigningKeys
    ) -> None:
        assert keys.look(JWKS_URI, ["RS256"]) == KeysReading(1, None)
        assert endpoint.requests == [JWKS_URI]

    def test_reading_the_state_does_not_fetch_fresh_keys(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        keys.get(JWKS_URI, "key-1", "RS256")
        clock.turn(FRESH - 1)
        keys.look(JWKS_URI, ["RS256"])
        assert len(endpoint.requests) == 1
        clock.turn(1)
        keys.look(JWKS_URI, ["RS256"])
        assert len(endpoint.requests) == 2

    def test_the_cool_down_holds_if_the_issuer_is_down(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        endpoint.down = True
        for _ in range(10):
            assert keys.look(JWKS_URI, ["RS256"]).keys is None
        assert len(endpoint.requests) == 1
        clock.turn(RETRY)
        keys.look(JWKS_URI, ["RS256"])
        assert len(endpoint.requests) == 2

    def test_it_reports_why_no_keys_are_cached(
        self, endpoint: JwksEndpoint, keys: SigningKeys
    ) -> None:
        endpoint.answer = Response(404, {}, b"s3cret")
        assert keys.look(JWKS_URI, ["RS256"]) == KeysReading(
            None, "the JWKS endpoint responded with status 404"
        )

    def test_known_keys_are_counted_with_the_reason_why_a_fetch_failed(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        keys.look(JWKS_URI, ["RS256"])
        endpoint.down = True
        clock.turn(FRESH)
        reading = keys.look(JWKS_URI, ["RS256"])
        assert reading.keys == 1
        assert "cannot be reached" in str(reading.problem)
        clock.turn(STALE)
        assert keys.look(JWKS_URI, ["RS256"]).keys is None

    def test_without_time_to_fetch_it_reports_what_is_cached(
        self, endpoint: JwksEndpoint, keys: SigningKeys
    ) -> None:
        reading = keys.look(JWKS_URI, ["RS256"], may_fetch=False)
        assert reading == KeysReading(None, "not fetched: there was no time")
        assert endpoint.requests == []
        keys.look(JWKS_URI, ["RS256"])
        assert keys.look(JWKS_URI, ["RS256"], may_fetch=False) == KeysReading(1, None)

    @pytest.mark.parametrize(
        ("algorithms", "count"),
        [(["RS256"], 2), (["ES256"], 1), (["RS256", "ES256"], 3), (["ES256", "EdDSA"], 2)],
        ids=str,
    )
    def test_only_keys_for_the_accepted_algorithms_count(
        self, algorithms: list[str], count: int
    ) -> None:
        keys = keys_of(signer().jwk, signer(key_id="key-2").jwk, signer("ES256", "key-3").jwk)
        assert keys.look(JWKS_URI, algorithms) == KeysReading(count, None)

    def test_an_issuer_without_a_key_for_them_has_a_problem(self) -> None:
        reading = keys_of(signer().jwk).look(JWKS_URI, ["ES256", "ES384"])
        assert reading == KeysReading(0, "the issuer has no key for ES256 or ES384")

    @pytest.mark.parametrize("change", MALFORMED_KEYS.values(), ids=MALFORMED_KEYS)
    def test_a_malformed_key_does_not_count(self, change: dict[str, Any]) -> None:
        keys = keys_of(signer().jwk | change, signer(key_id="key-2").jwk)
        assert keys.look(JWKS_URI, ["RS256"]) == KeysReading(1, None)


def answered(status: int, body: bytes) -> Callable[[str], Response]:
    return lambda _uri: Response(status, {"location": "https://elsewhere.example/"}, body)


UNUSABLE: dict[str, list[object]] = {
    "no keys": [],
    "a number": [1],
    "null": [None],
    "an empty object": [{}],
    "a symmetric key's type only": [{"kty": "oct", "use": "enc"}],
    "for encryption": [signer().jwk | {"use": "enc"}],
    "a private key": [signer().jwk | {"d": "AQAB"}],
}


class TestAnswersThatAreNoJwks:
    @pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 400, 404, 429, 500, 503])
    def test_any_status_but_200_is_a_failure_redirects_too(self, status: int) -> None:
        body = json.dumps({"keys": [signer().jwk]}).encode()
        with pytest.raises(KeysUnavailableError, match=f"status {status}"):
            SigningKeys(answered(status, body), clock=Clock()).get(JWKS_URI, "key-1", "RS256")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>",
            b"\xff\xfe\xff",
            b"[]",
            b"null",
            b"{}",
            b'{"keys": null}',
            b'{"keys": {"a": 1}}',
            b'{"keys": "RSA"}',
            b"[" * 100_000,
        ],
        ids=lambda body: body[:16].decode("latin-1") or "nothing",
    )
    def test_another_document_is_a_failure(self, body: bytes) -> None:
        with pytest.raises(KeysUnavailableError, match="is not a JWKS"):
            SigningKeys(answered(200, body), clock=Clock()).get(JWKS_URI, "key-1", "RS256")

    def test_a_failure_does_not_repeat_the_responses_body(self) -> None:
        with pytest.raises(KeysUnavailableError) as refused:
            SigningKeys(answered(500, b"s3cret"), clock=Clock()).get(JWKS_URI, "key-1", "RS256")
        assert "s3cret" not in str(refused.value)

    @pytest.mark.parametrize("unusable", UNUSABLE.values(), ids=UNUSABLE)
    def test_a_jwks_without_a_usable_key_is_a_failure(
        self, endpoint: JwksEndpoint, keys: SigningKeys, unusable: list[object]
    ) -> None:
        endpoint.keys = unusable
        with pytest.raises(KeysUnavailableError, match="no key that verifies signatures"):
            keys.get(JWKS_URI, "key-1", "RS256")

    def test_a_failure_does_not_replace_the_known_keys(
        self, endpoint: JwksEndpoint, keys: SigningKeys, clock: Clock
    ) -> None:
        first = keys.get(JWKS_URI, "key-1", "RS256")
        endpoint.keys = []
        clock.turn(FRESH)
        assert keys.get(JWKS_URI, "key-1", "RS256") is first


ISSUER = "https://tenant.example.com/"
DISCOVERY = "https://tenant.example.com/.well-known/openid-configuration"
DISCOVERED = "https://keys.example.com/jwks.json"


class Provider:
    """An identity provider with an OpenID configuration; it keeps the requests."""

    def __init__(self, **configuration: object) -> None:
        self.configuration: object = {"issuer": ISSUER, "jwks_uri": DISCOVERED} | configuration
        self.keys = [signer().jwk]
        self.responses: dict[str, Response] = {}
        self.requests: list[str] = []

    def __call__(self, url: str) -> Response:
        self.requests.append(url)
        if url in self.responses:
            return self.responses[url]
        document = self.configuration if url == DISCOVERY else {"keys": self.keys}
        return Response(200, {}, json.dumps(document).encode())


def discovering(provider: Provider, clock: Clock | None = None) -> SigningKeys:
    return SigningKeys(provider, fresh_seconds=FRESH, clock=clock or Clock(), jitter=lambda: 0.0)


def found_by(keys: SigningKeys) -> bool:
    return keys.get(DISCOVERY, "key-1", "RS256", issuer=ISSUER)(*signed(signer()))


class TestDiscovery:
    def test_the_keys_are_where_the_openid_configuration_says(self) -> None:
        provider = Provider()
        assert found_by(discovering(provider))
        assert provider.requests == [DISCOVERY, DISCOVERED]

    @pytest.mark.parametrize("issuer", [ISSUER, ISSUER.rstrip("/"), f"{ISSUER}realms/a"])
    def test_the_configuration_is_below_the_issuer(self, issuer: str) -> None:
        """OpenID Connect Discovery 1.0, 4: a terminating slash is removed first."""
        web = BearerIdentity("web", issuer, ("a",), None, ("RS256",))
        base = issuer.rstrip("/")
        assert location(web) == (f"{base}/.well-known/openid-configuration", issuer)

    def test_an_identity_with_a_jwks_uri_needs_no_discovery(self) -> None:
        web = BearerIdentity("web", ISSUER, ("a",), JWKS_URI, ("RS256",))
        assert location(web) == (JWKS_URI, None)

    def test_the_configuration_is_cached_with_the_keys(self) -> None:
        provider, clock = Provider(), Clock()
        keys = discovering(provider, clock)
        for _ in range(5):
            found_by(keys)
        assert len(provider.requests) == 2
        clock.turn(FRESH)
        found_by(keys)
        assert len(provider.requests) == 4

    def test_invented_key_ids_do_not_cause_more_requests(self) -> None:
        provider = Provider()
        keys = discovering(provider)
        for number in range(20):
            with pytest.raises(UnknownKeyError):
                keys.get(DISCOVERY, f"invented-{number}", "RS256", issuer=ISSUER)
        assert len(provider.requests) == 2

    def test_keys_that_moved_are_found_at_their_new_address(self) -> None:
        provider, clock = Provider(), Clock()
        keys = discovering(provider, clock)
        found_by(keys)
        provider.configuration = {"issuer": ISSUER, "jwks_uri": "https://keys.example.com/new"}
        clock.turn(FRESH)
        found_by(keys)
        assert provider.requests[-1] == "https://keys.example.com/new"

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"issuer": ISSUER.rstrip("/")}, 'another issuer: "https://tenant.example.com"'),
            ({"issuer": "https://evil.example.com/"}, "another issuer"),
            ({"issuer": ISSUER + "\x1b[2J"}, r"\\x1b\[2J"),
            ({"issuer": None}, "names no issuer: check issuer, or set jwks_uri"),
            ({"issuer": [ISSUER]}, "names no issuer"),
            ({"jwks_uri": "http://keys.example.com/"}, "not an https URL"),
            ({"jwks_uri": "http://169.254.169.254/latest/"}, "not an https URL"),
            ({"jwks_uri": "http://127.0.0.1/keys"}, "not an https URL"),
            ({"jwks_uri": "file:///etc/passwd"}, "not a URL"),
            ({"jwks_uri": "https://user@keys.example.com/"}, "contains a user name"),
            ({"jwks_uri": None}, "not a URL"),
            ({"jwks_uri": [DISCOVERED]}, "not a URL"),
        ],
        ids=str,
    )
    def test_a_configuration_that_may_not_be_used_is_a_failure(
        self, changes: dict[str, object], message: str
    ) -> None:
        provider = Provider(**changes)
        with pytest.raises(KeysUnavailableError, match=message):
            found_by(discovering(provider))
        assert provider.requests == [DISCOVERY]

    def test_a_configuration_without_the_address_is_a_failure(self) -> None:
        provider = Provider()
        provider.configuration = {"issuer": ISSUER}
        with pytest.raises(KeysUnavailableError, match="has no jwks_uri"):
            found_by(discovering(provider))

    def test_on_this_machine_plain_http_is_enough(self) -> None:
        issuer = "http://127.0.0.1:8080"
        provider = Provider(issuer=issuer, jwks_uri=f"{issuer}/keys")
        keys = discovering(provider)
        assert keys.get(DISCOVERY, "key-1", "RS256", issuer=issuer)(*signed(signer()))

    @pytest.mark.parametrize("url", [DISCOVERY, DISCOVERED])
    @pytest.mark.parametrize("status", [302, 404, 500])
    def test_neither_address_may_redirect_or_fail(self, url: str, status: int) -> None:
        provider = Provider()
        provider.responses[url] = Response(status, {"location": "https://a.example/"}, b"")
        with pytest.raises(KeysUnavailableError, match=f"status {status}"):
            found_by(discovering(provider))


PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

WRONG_ADDRESSES: dict[str, tuple[int, bytes, str]] = {
    "X.509 certificates, as Firebase has them too": (
        200,
        json.dumps({"a1": PEM, "b2": PEM}).encode(),
        "X.509 certificates: use the address of the provider's JWKS",
    ),
    "the OpenID configuration": (
        200,
        json.dumps({"issuer": ISSUER, "jwks_uri": DISCOVERED}).encode(),
        "an OpenID configuration: leave jwks_uri out",
    ),
    "a web page": (200, b"\n<!doctype html><p>Sign in", "a web page"),
    "a redirect": (301, b"", "a redirect, which is not followed"),
}


@pytest.mark.parametrize("wrong", WRONG_ADDRESSES.values(), ids=WRONG_ADDRESSES)
def test_a_wrong_jwks_uri_is_explained(wrong: tuple[int, bytes, str]) -> None:
    status, body, message = wrong
    with pytest.raises(KeysUnavailableError, match=message):
        SigningKeys(answered(status, body), clock=Clock()).get(JWKS_URI, "key-1", "RS256")
