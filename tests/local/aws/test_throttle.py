"""A route takes its burst at once, and in the long run its rate."""

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
    """How many of so many requests at once are taken."""
    return sum(throttle.takes(route) for _ in range(requests))


def test_at_once_a_route_takes_its_burst(throttle: Throttle) -> None:
    assert taken(throttle, ROUTE, 50) == 10


@pytest.mark.parametrize(("seconds", "more"), [(0.19, 0), (0.21, 1), (1.01, 5), (2.01, 10)])
def test_after_that_it_takes_its_rate(
    throttle: Throttle, clock: Clock, seconds: float, more: int
) -> None:
    taken(throttle, ROUTE, 50)
    clock.turn(seconds)
    assert taken(throttle, ROUTE, 50) == more


def test_who_keeps_to_the_rate_is_never_refused(throttle: Throttle, clock: Clock) -> None:
    for _ in range(100):
        clock.turn(0.25)
        assert throttle.takes(ROUTE)


def test_requests_that_are_refused_do_not_keep_it_from_taking_more(
    throttle: Throttle, clock: Clock
) -> None:
    taken(throttle, ROUTE, 10)
    for _ in range(50):
        clock.turn(0.1)
        assert taken(throttle, ROUTE, 20) <= 1
    clock.turn(0.25)
    assert throttle.takes(ROUTE)


def test_a_route_that_was_idle_for_long_takes_its_burst_and_no_more(
    throttle: Throttle, clock: Clock
) -> None:
    throttle.takes(ROUTE)
    clock.turn(86400)
    assert taken(throttle, ROUTE, 50) == 10


def test_no_route_takes_from_another(throttle: Throttle) -> None:
    assert (taken(throttle, ROUTE, 50), taken(throttle, OTHER, 50)) == (10, 10)


def test_a_clock_that_is_set_back_neither_gives_nor_takes(throttle: Throttle, clock: Clock) -> None:
    taken(throttle, ROUTE, 10)
    clock.turn(-3600)
    assert not throttle.takes(ROUTE)
    clock.turn(1.01)
    assert taken(throttle, ROUTE, 50) == 5
