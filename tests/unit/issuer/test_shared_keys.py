"""Shared keys: which versions of the secret verify, how often it is read, and unsafe keys."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable

import pytest

from issuer.authentication import from_bearer
from issuer.jwks import KeysReading, KeysUnavailableError, SigningKeys
from issuer.problems import Problem
from issuer.shared_keys import SharedKeys
from tests.support.bearer import JwksEndpoint, claims, jws, policy, signer
from tests.support.clock import Clock
from zego.aws import AwsError
from zego.cache import Cached
from zego.policy.model import BearerIdentity
from zego.shared_key import SharedKeyError

OLD, CURRENT, NEW = (
    f"the {name} key, with at least 32 bytes" for name in ("old", "current", "new")
)
APP = BearerIdentity("app", "app", (), None, ("HS256", "HS512"), shared_key="app/key")
MESSAGE = b"header.claims"
TTL, STALE, RETRY, REFETCH = 60.0, 900.0, 5.0, 30.0


class Secret:
    """A secret with versions under labels; it counts its reads."""

    def __init__(self, **versions: str) -> None:
        self.versions = versions
        self.reads: list[tuple[str, str]] = []
        self.down = False

    def __call__(self, secret_id: str, label: str) -> str:
        self.reads.append((secret_id, label))
        if self.down:
            raise AwsError("Unreachable", "secretsmanager cannot be reached", temporary=True)
        if label not in self.versions:
            raise AwsError("ResourceNotFoundException", "there is no such version")
        return self.versions[label]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(clock: Clock) -> Callable[[Secret], SharedKeys]:
    def cached(fetch: Callable[[], bytes]) -> Cached[bytes]:
        return Cached(
            fetch,
            AwsError,
            SharedKeyError,
            ttl_seconds=TTL,
            max_stale_seconds=STALE,
            retry_seconds=RETRY,
            refetch_seconds=REFETCH,
            clock=clock,
            monotonic=clock,
            jitter=lambda: 0.0,
        )

    return lambda secret: SharedKeys(secret, cached)


def signed_with(key: str, algorithm: str = "HS256") -> bytes:
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
    return hmac.new(key.encode(), MESSAGE, digest[algorithm]).digest()


Make = Callable[[Secret], SharedKeys]


class TestVersions:
    @pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
    def test_the_current_key_verifies(self, make: Make, algorithm: str) -> None:
        keys = make(Secret(AWSCURRENT=CURRENT))
        assert keys.verify(APP, algorithm, MESSAGE, signed_with(CURRENT, algorithm))
        assert not keys.verify(APP, algorithm, MESSAGE + b"x", signed_with(CURRENT, algorithm))

    @pytest.mark.parametrize("other", ["HS384", "HS512"])
    def test_a_signature_is_checked_with_the_algorithm_of_its_header(
        self, make: Make, other: str
    ) -> None:
        keys = make(Secret(AWSCURRENT=CURRENT))
        assert not keys.verify(APP, other, MESSAGE, signed_with(CURRENT, "HS256"))

    @pytest.mark.parametrize("cut", [0, 1, 16, 31])
    def test_a_shortened_signature_does_not_verify(self, make: Make, cut: int) -> None:
        keys = make(Secret(AWSCURRENT=CURRENT))
        assert not keys.verify(APP, "HS256", MESSAGE, signed_with(CURRENT)[:cut])

    def test_the_previous_key_verifies_so_that_a_rotation_ends_no_session(self, make: Make) -> None:
        keys = make(Secret(AWSCURRENT=CURRENT, AWSPREVIOUS=OLD))
        assert keys.verify(APP, "HS256", MESSAGE, signed_with(OLD))

    def test_the_previous_key_can_be_switched_off(self, make: Make) -> None:
        secret = Secret(AWSCURRENT=CURRENT, AWSPREVIOUS=OLD)
        keys, strict = make(secret), APP._replace(accept_previous_key=False)
        assert not keys.verify(strict, "HS256", MESSAGE, signed_with(OLD))
        assert keys.verify(strict, "HS256", MESSAGE, signed_with(CURRENT))
        assert {label for _, label in secret.reads} == {"AWSCURRENT"}

    def test_a_secret_that_was_never_rotated_has_no_previous_key(self, make: Make) -> None:
        assert not make(Secret(AWSCURRENT=CURRENT)).verify(APP, "HS256", MESSAGE, signed_with(OLD))

    def test_two_identities_have_two_keys(self, make: Make) -> None:
        texts = {"app/key": CURRENT, "other/key": NEW}
        keys = SharedKeys(lambda name, _label: texts[name])
        other = APP._replace(shared_key="other/key")
        assert keys.verify(other, "HS256", MESSAGE, signed_with(NEW))
        assert not keys.verify(other, "HS256", MESSAGE, signed_with(CURRENT))
        assert not keys.verify(APP, "HS256", MESSAGE, signed_with(NEW))

    def test_the_key_may_be_a_field_of_the_secret(self, make: Make) -> None:
        secret = Secret(AWSCURRENT=json.dumps({"jwt": CURRENT, "cookie": NEW}))
        keys, app = make(secret), APP._replace(shared_key_field="jwt")
        assert keys.verify(app, "HS256", MESSAGE, signed_with(CURRENT))
        assert not keys.verify(app, "HS256", MESSAGE, signed_with(NEW))


class TestReads:
    def test_a_key_is_read_once_while_it_is_fresh(self, make: Make) -> None:
        secret = Secret(AWSCURRENT=CURRENT)
        keys = make(secret)
        for _ in range(10):
            assert keys.verify(APP, "HS256", MESSAGE, signed_with(CURRENT))
        assert secret.reads == [("app/key", "AWSCURRENT")]

    def test_a_token_with_a_new_key_is_accepted_at_once(self, make: Make, clock: Clock) -> None:
        secret = Secret(AWSCURRENT=CURRENT)
        keys = make(secret)
        assert keys.verify(APP, "HS256", MESSAGE, signed_with(CURRENT))
        clock.turn(REFETCH)
        secret.versions = {"AWSCURRENT": NEW, "AWSPREVIOUS": CURRENT}
        assert keys.verify(APP, "HS256", MESSAGE, signed_with(NEW))
        assert keys.verify(APP, "HS256", MESSAGE, signed_with(CURRENT))

    def test_bad_signatures_cause_one_read_of_each_version_in_30_seconds(
        self, make: Make, clock: Clock
    ) -> None:
        secret = Secret(AWSCURRENT=CURRENT, AWSPREVIOUS=OLD)
        keys = make(secret)
        for _ in range(int(REFETCH)):
            assert not keys.verify(APP, "HS256", MESSAGE, signed_with("mallory" * 5))
            clock.turn(1)
        assert len(secret.reads) == 2
        assert not keys.verify(APP, "HS256", MESSAGE, signed_with("mallory" * 5))
        assert len(secret.reads) == 4

    def test_that_there_is_no_previous_version_is_cached_too(
        self, make: Make, clock: Clock
    ) -> None:
        secret = Secret(AWSCURRENT=CURRENT)
        keys = make(secret)
        for signature in (signed_with("mallory" * 5), hmac.digest(b"", MESSAGE, "sha256")) * 10:
            assert not keys.verify(APP, "HS256", MESSAGE, signature)
            clock.turn(1)
        assert len(secret.reads) == 2

    def test_after_a_rotation_that_ended_the_old_key_it_verifies_no_more(
        self, make: Make, clock: Clock
    ) -> None:
        secret = Secret(AWSCURRENT=CURRENT)
        keys = make(secret)
        assert keys.verify(APP, "HS256", MESSAGE, signed_with(CURRENT))
        secret.versions = {"AWSCURRENT": NEW}
        clock.turn(TTL)
        assert not keys.verify(APP, "HS256", MESSAGE, signed_with(CURRENT))

    def test_a_prefetch_spares_the_first_request_the_read(self, make: Make) -> None:
        secret = Secret(AWSCURRENT=CURRENT)
        keys = make(secret)
        keys.prefetch(APP)
        assert keys.verify(APP, "HS256", MESSAGE, signed_with(CURRENT))
        assert len(secret.reads) == 1

    def test_a_failed_prefetch_is_not_an_error(self, make: Make) -> None:
        secret = Secret()
        secret.down = True
        make(secret).prefetch(APP)
        assert len(secret.reads) == 1


class TestLooking:
    @pytest.mark.parametrize(
        ("versions", "count"),
        [({"AWSCURRENT": CURRENT}, 1), ({"AWSCURRENT": CURRENT, "AWSPREVIOUS": OLD}, 2)],
        ids=["never rotated", "rotated"],
    )
    def test_it_counts_the_keys_that_verify(
        self, make: Make, versions: dict[str, str], count: int
    ) -> None:
        assert make(Secret(**versions)).look(APP) == KeysReading(count, None)

    def test_an_unsafe_key_is_a_problem(self, make: Make) -> None:
        reading = make(Secret(AWSCURRENT="short")).look(APP)
        assert reading.keys is None
        assert "at least 32" in str(reading.problem)


class TestUnavailable:
    def test_a_key_that_was_never_read_is_unavailable(self, make: Make) -> None:
        secret = Secret()
        secret.down = True
        with pytest.raises(KeysUnavailableError, match="cannot be reached") as refused:
            make(secret).verify(APP, "HS256", MESSAGE, signed_with(CURRENT))
        assert refused.value.retry_after_seconds == RETRY

    def test_a_key_that_was_read_stays_in_use_for_a_while(self, make: Make, clock: Clock) -> None:
        secret = Secret(AWSCURRENT=CURRENT)
        keys = make(secret)
        assert keys.verify(APP, "HS256", MESSAGE, signed_with(CURRENT))
        secret.down = True
        clock.turn(STALE - 1)
        assert keys.verify(APP, "HS256", MESSAGE, signed_with(CURRENT))
        clock.turn(RETRY)
        with pytest.raises(KeysUnavailableError):
            keys.verify(APP, "HS256", MESSAGE, signed_with(CURRENT))

    def test_the_caller_gets_503_and_the_audit_log_the_reason(self) -> None:
        keys = SharedKeys(Secret(AWSCURRENT="short"))
        token = jws({"alg": "HS256"}, claims(iss="app"), lambda _: b"x" * 32)
        with pytest.raises(Problem) as refused:
            from_bearer(f"Bearer {token}", policy(APP), SigningKeys(JwksEndpoint()), keys)
        problem = refused.value
        assert (problem.code, problem.type.status) == ("signing_keys_unavailable", 503)
        assert problem.document("")["retryable"] is True
        assert "needs at least 32" in problem.reason
        assert "short" not in problem.reason

    @pytest.mark.parametrize(
        ("text", "field", "message"),
        [
            ("x" * 31, None, "31 bytes"),
            ("é" * 15, None, "30 bytes"),
            ("", None, "0 bytes"),
            (f"{CURRENT}\n", None, "ends with a line break"),
            (f"{CURRENT}\r\n", None, "ends with a line break"),
            (json.dumps({"key": CURRENT}), None, "set shared_key_field"),
            (json.dumps({"key": CURRENT}), "secret", "no text in the field"),
            (json.dumps({"key": 5}), "key", "no text in the field"),
            (json.dumps({"key": None}), "key", "no text in the field"),
            (CURRENT, "key", "no text in the field"),
            (json.dumps({"key": "short"}), "key", "5 bytes"),
            (signer().pem.decode().rstrip(), None, "a public key"),
            (json.dumps({"key": signer().pem.decode()}), "key", "a public key"),
            (json.dumps({"key": json.dumps(signer().jwk)}), "key", "a public key"),
        ],
        ids=range(14),
    )
    def test_an_unsafe_key_is_refused_with_what_to_do(
        self, make: Make, text: str, field: str | None, message: str
    ) -> None:
        app = APP._replace(shared_key_field=field)
        with pytest.raises(KeysUnavailableError, match=message) as refused:
            make(Secret(AWSCURRENT=text)).verify(app, "HS256", MESSAGE, signed_with(CURRENT))
        assert CURRENT not in str(refused.value)
        assert "BEGIN" not in str(refused.value)

    def test_an_invalid_new_version_leaves_the_last_good_key(
        self, make: Make, clock: Clock
    ) -> None:
        secret = Secret(AWSCURRENT=CURRENT)
        keys = make(secret)
        assert keys.verify(APP, "HS256", MESSAGE, signed_with(CURRENT))
        secret.versions = {"AWSCURRENT": "too short"}
        clock.turn(TTL)
        assert keys.verify(APP, "HS256", MESSAGE, signed_with(CURRENT))
