"""issuer.http_event: API Gateway's clock. What else it reads is in the tests of the handler."""

from __future__ import annotations

import pytest

from issuer.http_event import GatewayClock
from tests.support.clock import Clock


class TestGatewayClock:
    def test_before_the_first_request_it_shows_no_time(self) -> None:
        clock = GatewayClock(Clock())
        clock.set(None)
        assert clock() is None

    @pytest.mark.parametrize("time", [0.0, 1_700_000_000.25, 4_000_000_000.0])
    def test_it_shows_the_time_of_the_latest_request(self, time: float) -> None:
        clock = GatewayClock(Clock(50.0))
        clock.set(1_700_000_000.0)
        clock.set(time)
        assert clock() == time

    def test_while_a_request_lasts_it_goes_on(self) -> None:
        # Otherwise a failure that took 5 s would seem 5 s old when the next request comes.
        monotonic = Clock(50.0)
        clock = GatewayClock(monotonic)
        clock.set(1_700_000_000.0)
        monotonic.turn(5.0)
        assert clock() == 1_700_000_005.0

    def test_a_request_without_a_time_leaves_it_alone(self) -> None:
        clock = GatewayClock(Clock(50.0))
        clock.set(1_700_000_000.0)
        clock.set(None)
        assert clock() == 1_700_000_000.0
