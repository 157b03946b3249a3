"""zego.cache with a ServerSecret: when it reads it, and what it returns if a read fails."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.clock import Clock
from zego import server_secret
from zego.aws import AwsError
from zego.cache import Cached, Reading, UnavailableError
from zego.secrets_manager import SecretValue, SecretVersion
from zego.server_secret import ServerSecret, ServerSecretError

Version = SecretVersion[ServerSecret]

SECRET = ServerSecret(1234567890, "0123456789abcdef" * 2)
DOWN = AwsError("Unreachable", "127.0.0.1 did not respond in 1.5 s")
DOWN_TEXT = "Unreachable: 127.0.0.1 did not respond in 1.5 s"


def version(version_id: str) -> Version:
    return SecretVersion(SECRET, version_id, created_at=1600000000.0)


def value(version_id: str, text: str | None = None) -> SecretValue:
    good = json.dumps({"app_id": SECRET.app_id, "server_secret": SECRET.value})
    return SecretValue(good if text is None else text, version_id, created_at=1600000000.0)


def cached(fetch: Callable[[], SecretValue], **times: Any) -> Cached[Version]:
    return Cached(
        lambda: SecretVersion.parse(fetch(), server_secret.parse),
        AwsError,
        ServerSecretError,
        **times,
    )


@dataclass
class FakeSecretsManager:
    """Gives what it has, or fails. May take its time for it, on both clocks."""

    clocks: tuple[Clock, Clock]
    has: SecretValue | Exception
    takes_seconds: float = 0.0
    asked: int = 0

    def __call__(self) -> SecretValue:
        self.asked += 1
        for clock in self.clocks:
            clock.turn(self.takes_seconds)
        if isinstance(self.has, Exception):
            raise self.has
        return self.has


@dataclass
class Scene:
    """A cache of the secret with a clock of each kind, and a Secrets Manager that has v1.

    The clock outside the environment shows no time unless a test sets it. The TTL is 60 s, a stale
    version is used for up to 900 s, and a failed read is retried after 5 s. If the version is
    doubted, it is read again 10 s after the last read.
    """

    ttl_seconds: float = 60.0
    jitter: float = 0.0
    wall: Clock = field(default_factory=Clock)
    monotonic: Clock = field(default_factory=lambda: Clock(50.0))
    jitter_draws: int = 0
    outside: float | None = None

    def __post_init__(self) -> None:
        self.secrets_manager = FakeSecretsManager((self.wall, self.monotonic), value("v1"))
        self.secret = cached(
            self.secrets_manager,
            ttl_seconds=self.ttl_seconds,
            max_stale_seconds=900.0,
            retry_seconds=5.0,
            refetch_seconds=10.0,
            clock=self.wall,
            monotonic=self.monotonic,
            outside_clock=lambda: self.outside,
            jitter=self._draw_jitter,
        )

    def _draw_jitter(self) -> float:
        self.jitter_draws += 1
        return self.jitter

    def after(self, seconds: float, *, refetch: bool = False) -> Reading[Version]:
        """The result of a read this much time after the last one."""
        self.wall.turn(seconds)
        self.monotonic.turn(seconds)
        return self.secret.get(refetch=refetch)

    def refusal_after(self, seconds: float) -> UnavailableError:
        """Why a read this much time after the last one fails."""
        with pytest.raises(UnavailableError) as caught:
            self.after(seconds)
        return caught.value


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def warm() -> Scene:
    """A scene in which v1 was read just now, and once."""
    warm = Scene()
    warm.secret.get()
    return warm


class TestFresh:
    def test_nothing_is_read_before_the_first_request(self) -> None:
        # A Lambda snapshot must contain no secret, no time and no randomness.
        asked = Mock()
        cached(asked.fetch, clock=asked.wall, monotonic=asked.monotonic, jitter=asked.jitter)
        assert asked.mock_calls == []

    def test_the_first_request_reads_it(self, scene: Scene) -> None:
        assert scene.secret.get() == Reading(version("v1"), refreshed=True)

    def test_within_its_time_to_live_it_comes_from_the_cache(self, warm: Scene) -> None:
        assert warm.after(59.9) == Reading(version("v1"))
        assert warm.secrets_manager.asked == 1

    def test_at_the_end_of_its_time_to_live_it_is_read_again(self, warm: Scene) -> None:
        assert warm.after(60.0) == Reading(version("v1"), refreshed=True)
        assert warm.secrets_manager.asked == 2

    def test_it_is_read_once_per_time_to_live(self, scene: Scene) -> None:
        for _ in range(600):
            scene.after(1.0)
        assert scene.secrets_manager.asked == 10

    def test_a_new_version_is_seen_at_the_next_reading(self, warm: Scene) -> None:
        warm.secrets_manager.has = value("v2")
        assert warm.after(59.9).value == version("v1")
        assert warm.after(0.1).value == version("v2")

    def test_its_age_counts_from_the_start_of_the_read(self, scene: Scene) -> None:
        scene.secrets_manager.takes_seconds = 2.0
        scene.secret.get()
        assert scene.after(57.9).refreshed is False
        assert scene.after(0.1).refreshed is True

    def test_it_returns_the_secret_its_version_and_its_time(self, scene: Scene) -> None:
        scene.secrets_manager.has = SecretValue(value("v7").text, "v7", 1650000000.0)
        assert scene.secret.get().value == SecretVersion(SECRET, "v7", 1650000000.0)


class TestJitter:
    @pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 60.0), (0.5, 54.0), (1.0, 48.0)])
    def test_it_shortens_the_time_to_live_by_a_fifth_at_most(
        self, jitter: float, seconds: float
    ) -> None:
        scene = Scene(jitter=jitter)
        scene.secret.get()
        assert scene.after(seconds - 0.1).refreshed is False
        assert scene.after(0.1).refreshed is True

    def test_it_is_drawn_again_for_each_read(self, scene: Scene) -> None:
        for _ in range(3):
            scene.after(60.0)
        assert scene.jitter_draws == 3


class TestTwoClocks:
    def test_a_frozen_monotonic_clock_does_not_keep_it_fresh(self, warm: Scene) -> None:
        # Lambda freezes the process between requests, and that clock with it.
        warm.wall.turn(60.0)
        assert warm.secret.get().refreshed is True

    def test_a_wall_clock_set_back_does_not_keep_it_fresh(self, warm: Scene) -> None:
        warm.wall.turn(-3600.0)
        warm.monotonic.turn(60.0)
        assert warm.secret.get().refreshed is True

    def test_a_wall_clock_set_back_does_not_make_it_old(self, warm: Scene) -> None:
        warm.wall.turn(-3600.0)
        warm.monotonic.turn(59.9)
        assert warm.secret.get() == Reading(version("v1"))

    @pytest.mark.parametrize("running", ["wall", "monotonic"])
    def test_either_clock_ends_the_wait_after_a_failure(self, warm: Scene, running: str) -> None:
        warm.secrets_manager.has = DOWN
        warm.after(60.0)
        warm.secrets_manager.has = value("v2")
        clock: Clock = getattr(warm, running)
        clock.turn(5.0)
        assert warm.secret.get().value == version("v2")

    @pytest.mark.parametrize("running", ["wall", "monotonic"])
    def test_either_clock_ends_the_time_it_may_be_stale(self, warm: Scene, running: str) -> None:
        warm.secrets_manager.has = DOWN
        clock: Clock = getattr(warm, running)
        clock.turn(900.0)
        with pytest.raises(UnavailableError):
            warm.secret.get()


class TestOutsideClock:
    """A clock outside the environment, such as API Gateway's. The other two do not move here."""

    @pytest.fixture
    def timed(self) -> Scene:
        """A scene in which v1 was read when the outside clock showed a known time."""
        timed = Scene(outside=1_700_000_000.0)
        timed.secret.get()
        timed.secrets_manager.has = value("v2")
        return timed

    def test_a_frozen_environment_whose_wall_clock_was_set_back_reads_it_again(
        self, timed: Scene
    ) -> None:
        timed.outside = 1_700_003_600.0
        assert timed.secret.get() == Reading(version("v2"), refreshed=True)

    def test_within_its_time_to_live_it_comes_from_the_cache(self, timed: Scene) -> None:
        timed.outside = 1_700_000_059.9
        assert timed.secret.get() == Reading(version("v1"))

    @pytest.mark.parametrize("outside", [None, 1_600_000_000.0, -math.inf])
    def test_a_clock_that_shows_no_time_or_an_earlier_one_changes_nothing(
        self, timed: Scene, outside: float | None
    ) -> None:
        timed.outside = outside
        assert timed.after(59.9) == Reading(version("v1"))
        assert timed.after(0.1) == Reading(version("v2"), refreshed=True)

    def test_a_read_at_an_unknown_time_does_not_make_it_older(self, warm: Scene) -> None:
        warm.outside = 1_700_000_000.0
        assert warm.after(59.9) == Reading(version("v1"))
        assert warm.after(0.1).refreshed is True

    def test_far_in_the_future_it_causes_one_reading_and_not_one_per_request(
        self, timed: Scene
    ) -> None:
        timed.outside = 4_000_000_000.0
        for _ in range(20):
            timed.outside += 1.0
            timed.after(1.0)
        assert timed.secrets_manager.asked == 2

    def test_after_a_time_far_in_the_future_it_is_still_read_again(self, timed: Scene) -> None:
        timed.outside = 4_000_000_000.0
        timed.secret.get()
        timed.outside = 1_700_000_000.0
        assert timed.after(59.9).refreshed is False
        assert timed.after(0.1).refreshed is True

    def test_wrong_times_between_right_ones_cause_few_readings(self, timed: Scene) -> None:
        for seconds in range(600):
            timed.outside = 4_000_000_000.0 if seconds % 2 else 1_700_000_000.0 + seconds
            timed.after(1.0)
        assert timed.secrets_manager.asked <= 1 + 2 * 600 / 60

    def test_it_ends_the_time_it_may_be_stale(self, timed: Scene) -> None:
        timed.secrets_manager.has = DOWN
        timed.outside = 1_700_000_900.0
        with pytest.raises(UnavailableError):
            timed.secret.get()


class TestStale:
    def test_if_the_read_fails_the_last_version_is_used_with_the_reason(self, warm: Scene) -> None:
        warm.secrets_manager.has = DOWN
        assert warm.after(60.0) == Reading(version("v1"), failure=DOWN_TEXT, stale=True)

    def test_the_reason_is_given_once_and_nothing_is_read_during_the_wait(
        self, warm: Scene
    ) -> None:
        warm.secrets_manager.has = DOWN
        warm.after(60.0)
        assert [warm.after(1.0) for _ in range(4)] == [Reading(version("v1"), stale=True)] * 4
        assert warm.secrets_manager.asked == 2

    def test_after_the_wait_it_is_read_again(self, warm: Scene) -> None:
        warm.secrets_manager.has = DOWN
        warm.after(60.0)
        assert warm.after(5.0).failure == DOWN_TEXT
        assert warm.secrets_manager.asked == 3

    def test_the_wait_begins_when_the_failure_came(self, warm: Scene) -> None:
        warm.secrets_manager.has = DOWN
        warm.secrets_manager.takes_seconds = 3.0
        warm.after(60.0)
        assert warm.after(4.9).failure is None
        assert warm.after(0.1).failure == DOWN_TEXT

    def test_a_failing_secrets_manager_is_called_once_per_wait(self, warm: Scene) -> None:
        warm.secrets_manager.has = DOWN
        for _ in range(60, 360):
            warm.after(1.0)
        assert warm.secrets_manager.asked == 1 + (360 - 60 - 60) // 5 + 1

    def test_a_success_ends_it(self, warm: Scene) -> None:
        warm.secrets_manager.has = DOWN
        warm.after(60.0)
        warm.secrets_manager.has = value("v2")
        assert warm.after(5.0) == Reading(version("v2"), refreshed=True)
        assert warm.after(59.9) == Reading(version("v2"))

    def test_a_success_leaves_no_wait_behind(self) -> None:
        scene = Scene(ttl_seconds=1.0)
        scene.secret.get()
        scene.secrets_manager.has = DOWN
        scene.after(1.0)
        scene.secrets_manager.has = value("v2")
        scene.wall.turn(5.0)
        scene.secret.get()
        scene.wall.turn(-5.0)  # by both clocks the failure is 0 seconds ago
        assert scene.after(1.0).refreshed is True

    def test_it_is_used_up_to_its_limit(self, warm: Scene) -> None:
        warm.secrets_manager.has = DOWN
        assert warm.after(899.9).value == version("v1")

    def test_at_its_limit_there_is_no_secret(self, warm: Scene) -> None:
        warm.secrets_manager.has = DOWN
        assert str(warm.refusal_after(900.0)) == DOWN_TEXT

    def test_the_limit_holds_while_it_waits_too(self, warm: Scene) -> None:
        warm.secrets_manager.has = DOWN
        warm.after(898.0)
        assert str(warm.refusal_after(2.0)) == DOWN_TEXT
        assert warm.secrets_manager.asked == 2

    def test_the_limit_counts_from_the_last_good_reading(self, warm: Scene) -> None:
        warm.after(600.0)
        warm.secrets_manager.has = DOWN
        assert warm.after(899.9).stale is True

    def test_a_slow_failure_may_reach_the_limit(self, warm: Scene) -> None:
        warm.secrets_manager.has = DOWN
        warm.secrets_manager.takes_seconds = 3.0
        assert str(warm.refusal_after(898.0)) == DOWN_TEXT


class TestDoubted:
    """ZEGO refused a token, so the secret may have been replaced."""

    def test_it_is_read_again_although_it_is_fresh(self, warm: Scene) -> None:
        warm.secrets_manager.has = value("v2")
        assert warm.after(10.0, refetch=True) == Reading(version("v2"), refreshed=True)

    def test_what_was_read_is_fresh_for_the_next_callers(self, warm: Scene) -> None:
        warm.secrets_manager.has = value("v2")
        warm.after(10.0, refetch=True)
        assert warm.after(59.9) == Reading(version("v2"))
        assert warm.secrets_manager.asked == 2

    def test_within_ten_seconds_of_the_last_reading_it_is_not(self, warm: Scene) -> None:
        assert warm.after(9.9, refetch=True) == Reading(version("v1"))
        assert warm.secrets_manager.asked == 1

    def test_the_ten_seconds_do_not_jitter(self) -> None:
        scene = Scene(jitter=1.0)
        scene.secret.get()
        assert scene.after(9.9, refetch=True).refreshed is False
        assert scene.after(0.1, refetch=True).refreshed is True

    def test_a_first_reading_is_one_reading(self, scene: Scene) -> None:
        assert scene.after(0.0, refetch=True) == Reading(version("v1"), refreshed=True)
        assert scene.secrets_manager.asked == 1

    def test_when_reading_fails_it_is_as_fresh_as_before(self, warm: Scene) -> None:
        warm.secrets_manager.has = DOWN
        assert warm.after(10.0, refetch=True) == Reading(version("v1"), failure=DOWN_TEXT)
        assert warm.after(49.9) == Reading(version("v1"))
        assert warm.after(0.1).stale is True

    def test_a_malformed_value_does_not_replace_it(self, warm: Scene) -> None:
        warm.secrets_manager.has = value("v2", "REPLACE_ME")
        reading = warm.after(10.0, refetch=True)
        assert (reading.value, reading.stale) == (version("v1"), False)

    def test_after_a_failure_it_waits_as_long_as_after_a_success(self, warm: Scene) -> None:
        warm.secrets_manager.has = DOWN
        warm.after(10.0, refetch=True)
        assert warm.after(9.9, refetch=True) == Reading(version("v1"))
        assert warm.after(0.1, refetch=True).failure == DOWN_TEXT
        assert warm.secrets_manager.asked == 3

    def test_a_failure_does_not_delay_the_read_at_the_end_of_its_time(self, warm: Scene) -> None:
        warm.secrets_manager.has = DOWN
        warm.after(54.0, refetch=True)
        warm.secrets_manager.has = value("v2")
        assert warm.after(6.0) == Reading(version("v2"), refreshed=True)

    def test_a_failure_just_before_its_end_is_followed_by_the_usual_wait(self, warm: Scene) -> None:
        warm.secrets_manager.has = DOWN
        warm.after(58.0, refetch=True)
        assert warm.after(2.0) == Reading(version("v1"), stale=True)
        assert warm.secrets_manager.asked == 2

    def test_a_slow_failure_may_reach_the_end_of_its_time(self, warm: Scene) -> None:
        warm.secrets_manager.has = DOWN
        warm.secrets_manager.takes_seconds = 3.0
        assert warm.after(58.0, refetch=True).stale is True

    def test_a_stale_version_waits_no_longer_if_doubted(self, warm: Scene) -> None:
        warm.secrets_manager.has = DOWN
        warm.after(60.0)
        assert warm.after(4.9, refetch=True).failure is None
        assert warm.after(0.1, refetch=True).failure == DOWN_TEXT

    @pytest.mark.parametrize("running", ["wall", "monotonic"])
    def test_either_clock_ends_the_ten_seconds(self, warm: Scene, running: str) -> None:
        clock: Clock = getattr(warm, running)
        clock.turn(10.0)
        assert warm.secret.get(refetch=True).refreshed is True

    def test_if_always_doubted_it_is_read_every_ten_seconds(self, warm: Scene) -> None:
        for _ in range(600):
            warm.after(1.0, refetch=True)
        assert warm.secrets_manager.asked == 1 + 60


SECONDS = st.sampled_from([0.0, 0.1, 4.9, 5.0, 9.9, 10.0, 50.0, 59.9, 60.0, 890.0, 900.0])
STEPS = st.tuples(
    SECONDS | SECONDS.map(lambda seconds: -seconds) | st.floats(-1000.0, 1000.0),  # wall clock
    SECONDS | st.floats(0.0, 1000.0),  # monotonic clock
    st.none() | SECONDS | SECONDS.map(lambda seconds: -seconds),  # outside clock, or it shows none
    st.booleans(),  # doubted
    st.sampled_from([value("v1"), value("v2"), value("v3", "REPLACE_ME"), DOWN]),
    st.sampled_from([0.0, 3.0]),  # how long a response takes
)


class TestAnySequence:
    """Whatever happens, in any order, with any clock stopped or set back."""

    @given(st.lists(STEPS, max_size=30))
    def test_it_reads_when_it_must_and_returns_what_it_knows(
        self, steps: list[tuple[float, float, float | None, bool, SecretValue | Exception, float]]
    ) -> None:
        scene = Scene()
        manager = scene.secrets_manager
        good: str | None = None
        failed = False
        outside_now = 1_700_000_000.0
        read_at = asked_at = (-math.inf, -math.inf, math.nan)

        def instant() -> tuple[float, float, float]:
            outside = math.nan if scene.outside is None else scene.outside
            return scene.wall.now, scene.monotonic.now, outside

        def since(earlier: tuple[float, float, float]) -> float:
            ages = [now - then for now, then in zip(instant(), earlier, strict=True)]
            return max(age for age in ages if not math.isnan(age))

        for wall, monotonic, outside, doubted, has, takes in steps:
            scene.wall.turn(wall)
            scene.monotonic.turn(monotonic)
            outside_now += outside or 0.0
            scene.outside = None if outside is None else outside_now
            manager.has, manager.takes_seconds = has, takes
            now = instant()
            fresh = since(read_at) < 60.0
            due = not fresh or (doubted and since(asked_at) >= 10.0)
            due = due and not (failed and since(asked_at) < 5.0)
            before = manager.asked
            try:
                reading = scene.secret.get(refetch=doubted)
            except UnavailableError:
                reading = None
            assert manager.asked - before == due
            if due:
                failed = has not in (value("v1"), value("v2"))
                asked_at = instant() if failed else now
            if due and not failed:
                read_at, good = now, has.version_id if isinstance(has, SecretValue) else None
                assert reading == Reading(version(str(good)), refreshed=True)
            elif good is None or since(read_at) >= 900.0:
                assert reading is None
            else:
                assert reading is not None
                assert reading.value == version(good)
                assert reading.stale == (since(read_at) >= 60.0)
                assert (reading.failure is not None) == due

    @given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=300))
    def test_it_is_read_once_per_time_to_live_and_once_per_ten_seconds_of_doubt(
        self, steps: list[tuple[int, bool]]
    ) -> None:
        scene = Scene(jitter=1.0)
        passed = 0
        for seconds, doubted in steps:
            passed += seconds
            scene.after(seconds, refetch=doubted)
        doubts = any(doubted for _, doubted in steps)
        assert scene.secrets_manager.asked <= 1 + passed / 48.0 + (passed / 10.0 if doubts else 0)


class TestMalformed:
    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "the secret is not JSON"),
            ("{}", "the secret lacks app_id"),
            ('{"app_id": 0, "server_secret": "' + SECRET.value + '"}', "app_id must be 1 to"),
            ('{"app_id": 7, "server_secret": "REPLACE_ME"}', "server_secret is a placeholder"),
            ('{"app_id": 7, "server_secret": "' + SECRET.value + '\\n"}', "white space"),
        ],
        ids=["empty", "lacks", "app-id", "placeholder", "newline"],
    )
    def test_a_malformed_value_never_replaces_a_good_one(
        self, warm: Scene, text: str, reason: str
    ) -> None:
        warm.secrets_manager.has = value("v2", text)
        reading = warm.after(60.0)
        assert (reading.value, reading.stale, reading.refreshed) == (version("v1"), True, False)
        assert reason in str(reading.failure)

    def test_a_malformed_first_value_is_refused(self, scene: Scene) -> None:
        scene.secrets_manager.has = value("v1", "REPLACE_ME")
        assert "the secret is not JSON" in str(scene.refusal_after(0.0))

    def test_a_fixed_value_is_used(self, warm: Scene) -> None:
        warm.secrets_manager.has = value("v2", "REPLACE_ME")
        warm.after(60.0)
        warm.secrets_manager.has = value("v3")
        assert warm.after(5.0) == Reading(version("v3"), refreshed=True)

    def test_no_failure_shows_the_value(self, warm: Scene) -> None:
        text = json.dumps({"app_id": SECRET.app_id, "server_secret": f"'{SECRET.value}'"})
        warm.secrets_manager.has = value("v2", text)
        assert SECRET.value not in repr(warm.after(60.0))


class TestNeverRead:
    def test_there_is_no_secret_and_the_reason_is_given(self, scene: Scene) -> None:
        scene.secrets_manager.has = DOWN
        assert str(scene.refusal_after(0.0)) == DOWN_TEXT

    def test_it_says_when_to_retry(self, scene: Scene) -> None:
        scene.secrets_manager.has = DOWN
        assert scene.refusal_after(0.0).retry_after_seconds == 5

    def test_nothing_is_read_during_the_wait(self, scene: Scene) -> None:
        scene.secrets_manager.has = DOWN
        scene.refusal_after(0.0)
        assert str(scene.refusal_after(4.9)) == DOWN_TEXT
        assert scene.secrets_manager.asked == 1

    def test_after_the_wait_it_is_read(self, scene: Scene) -> None:
        scene.secrets_manager.has = DOWN
        scene.refusal_after(0.0)
        scene.secrets_manager.has = value("v1")
        assert scene.after(5.0) == Reading(version("v1"), refreshed=True)

    def test_a_wait_of_less_than_a_second_is_reported_as_one(self) -> None:
        def fetch() -> SecretValue:
            raise DOWN

        secret = cached(fetch, retry_seconds=0.2)
        with pytest.raises(UnavailableError) as caught:
            secret.get()
        assert caught.value.retry_after_seconds == 1


class TestDefaults:
    def test_fresh_for_a_minute(self) -> None:
        wall = Clock()
        fetch = FakeSecretsManager((wall, wall), value("v1"))
        secret = cached(fetch, clock=wall, monotonic=lambda: 0.0, jitter=lambda: 0.0)
        secret.get()
        wall.turn(59.9)
        assert secret.get().refreshed is False
        wall.turn(0.1)
        assert secret.get().refreshed is True

    def test_if_doubted_it_is_read_after_10_seconds(self) -> None:
        wall = Clock()
        fetch = FakeSecretsManager((wall, wall), value("v1"))
        secret = cached(fetch, clock=wall, monotonic=lambda: 0.0)
        secret.get()
        wall.turn(9.9)
        assert secret.get(refetch=True).refreshed is False
        wall.turn(0.1)
        assert secret.get(refetch=True).refreshed is True

    def test_stale_for_15_minutes_and_a_wait_of_5_seconds(self) -> None:
        wall = Clock()
        fetch = FakeSecretsManager((wall, wall), value("v1"))
        secret = cached(fetch, clock=wall, monotonic=lambda: 0.0)
        secret.get()
        fetch.has = DOWN
        wall.turn(899.9)
        assert secret.get().stale is True
        wall.turn(0.1)
        with pytest.raises(UnavailableError) as caught:
            secret.get()
        assert caught.value.retry_after_seconds == 5

    def test_its_jitter_spreads_what_started_together(self) -> None:
        wall = Clock(0.0)
        secrets = [
            cached(lambda: value("v1"), clock=wall, monotonic=lambda: 0.0) for _ in range(100)
        ]
        for secret in secrets:
            secret.get()
        wall.now = 54.0
        refreshed = sum(secret.get().refreshed for secret in secrets)
        assert 0 < refreshed < 100


def test_a_version_does_not_show_its_secret() -> None:
    assert SECRET.value not in repr(Reading(version("v1")))
