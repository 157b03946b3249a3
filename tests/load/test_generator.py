"""The generator counts from the schedule, so a stall shows in every request that it delayed."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter

import pytest

from tests.load.generator import SERVED, LoadRun, poisson, run


def test_a_stall_delays_every_request_that_arrives_during_it() -> None:
    def send(number: int) -> str:
        if number == 0:
            time.sleep(0.5)
        return SERVED

    arrivals = [number / 100 for number in range(50)]
    done = run(send, arrivals, senders=1)
    assert done.latency(0.5) >= 0.2, "a closed loop would have waited and sent the rest later"
    assert done.latencies == sorted(done.latencies)


def test_requests_that_arrive_together_are_sent_together() -> None:
    together = threading.Barrier(8, timeout=30)

    def send(_number: int) -> str:
        together.wait()
        return SERVED

    assert run(send, [0.0] * 8, senders=8).served == 8


def test_each_outcome_is_counted() -> None:
    done = run(lambda number: SERVED if number else "lost", [0.0] * 5, senders=2)
    assert (done.served, done.errors, done.outcomes) == (4, 1, Counter({SERVED: 4, "lost": 1}))


def test_a_quantile_is_a_latency_that_was_measured() -> None:
    done = LoadRun(Counter(), [float(number) for number in range(1, 1001)], 1.0)
    assert [done.latency(each) for each in (0.0, 0.5, 0.99, 0.999, 1.0)] == [1, 500, 990, 999, 1000]


@pytest.mark.parametrize("rate", [10.0, 1000.0])
def test_independent_users_arrive_at_the_rate_and_not_evenly(rate: float) -> None:
    arrivals = poisson(rate, 100, seed=1)
    assert len(arrivals) == pytest.approx(100 * rate, rel=0.15)
    gaps = [later - earlier for earlier, later in itertools.pairwise(arrivals)]
    assert sum(gap < 0.5 / rate for gap in gaps) / len(gaps) == pytest.approx(0.39, abs=0.06)
    assert poisson(rate, 100, seed=1) == arrivals
