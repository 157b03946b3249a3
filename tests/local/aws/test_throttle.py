"""A route accepts its burst at once, and its rate in the long run."""

from __future__ import annotations

import pytest

from local.aws.http_api import Route, Throttle
from tests.support.clock import Clock

ROUTE = Route("POST", "/v1/diagnose", "AWS_IAM", rate=5, burst=10)
OTHER = Route("GET", "/v1/status", "AWS_IAM", rate=5, burst=10)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(clock)


def taken(throttle: Throttle, route: Route, requests: int) -> int:
    """Returns how many of these simultaneous requests are accepted."""
    return sum(throttle.takes(route) for _ in range(requests))


def test_a_route_accepts_its_burst_at_once(throttle: Throttle) -> None:
    assert taken(throttle, ROUTE, 50) == 10


@pytest.mark.parametrize(("seconds", "more"), [(0.19, 0), (0.21, 1), (1.01, 5), (2.01, 10)])
def test_after_the_burst_it_accepts_its_rate(
    throttle: Throttle, clock: Clock, seconds: float, more: int
) -> None:
    taken(throttle, ROUTE, 50)
    clock.turn(seconds)
    assert taken(throttle, ROUTE, 50) == more


def test_a_caller_below_the_rate_is_never_refused(throttle: Throttle, clock: Clock) -> None:
    for _ in range(100):
        clock.turn(0.25)
        assert throttle.takes(ROUTE)


def test_refused_requests_do_not_delay_the_next_accepted_one(
    throttle: Throttle, clock: Clock
) -> None:
    taken(throttle, ROUTE, 10)
    for _ in range(50):
        clock.turn(0.1)
        assert taken(throttle, ROUTE, 20) <= 1
    clock.turn(0.25)
    assert throttle.takes(ROUTE)


def test_after_a_long_pause_a_route_accepts_only_its_burst(
    throttle: Throttle, clock: Clock
) -> None:
    throttle.takes(ROUTE)
    clock.turn(86400)
    assert taken(throttle, ROUTE, 50) == 10


def test_routes_have_separate_limits(throttle: Throttle) -> None:
    assert (taken(throttle, ROUTE, 50), taken(throttle, OTHER, 50)) == (10, 10)


def test_setting_the_clock_back_changes_nothing(throttle: Throttle, clock: Clock) -> None:
    taken(throttle, ROUTE, 10)
    clock.turn(-3600)
    assert not throttle.takes(ROUTE)
    clock.turn(1.01)
    assert taken(throttle, ROUTE, 50) == 5
