"""An open-loop load generator: requests arrive by a schedule, whether or not earlier ones ended.

The latency of a request counts from the time at which the schedule says that it arrives, not from
when a thread is free to send it. So a service that stalls for a second shows in every request that
arrived in that second. A closed loop sends the next request only after the last response, and shows
the stall once: that is "coordinated omission". wrk, hey and locust are closed loops; wrk2, vegeta
and k6, which are not, are not in Debian or on PyPI, and none of them can invoke a Lambda function.
"""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

#: Sends the request with this number. Returns its outcome in a word; ``SERVED`` is the good one.
Send = Callable[[int], str]
SERVED = "served"


@dataclass(frozen=True, slots=True)
class LoadRun:
    """What happened to the requests of one schedule. Times are seconds.

    :ivar latencies: of all requests, in ascending order.
    :ivar took: from the first scheduled time to the last response.
    """

    outcomes: Counter[str]
    latencies: Sequence[float]
    took: float

    @property
    def served(self) -> int:
        """How many requests were served."""
        return self.outcomes[SERVED]

    @property
    def errors(self) -> int:
        """How many were not."""
        return self.outcomes.total() - self.served

    def latency(self, quantile: float) -> float:
        """The latency that this part of the requests does not exceed: ``0.99`` for the p99."""
        return self.latencies[max(0, ceil(quantile * len(self.latencies)) - 1)]


def poisson(rate: float, seconds: float, seed: int) -> list[float]:
    """Arrival times of independent users: on average ``rate`` per second, for ``seconds``."""
    draw = random.Random(seed).expovariate
    times = itertools.accumulate(draw(rate) for _ in itertools.repeat(None))
    return list(itertools.takewhile(lambda at: at < seconds, times))


def run(
    send: Send, arrivals: Sequence[float], senders: int, on_progress: Callable[[], object] = int
) -> LoadRun:
    """Send one request per arrival time.

    A request that arrives while all senders are busy waits for the first that is free. Give as many
    senders as the service has environments: then it waits as it would in a queue before them.

    :param arrivals: seconds from the start, in ascending order.
    :param on_progress: called about once per second.
    """
    outcomes: list[str] = [""] * len(arrivals)
    latencies = [0.0] * len(arrivals)
    numbers = itertools.count()
    began = time.perf_counter() + 0.05  # until then, the threads start

    def sender() -> None:
        while (number := next(numbers)) < len(arrivals):
            intended = began + arrivals[number]
            if (wait := intended - time.perf_counter()) > 0:
                time.sleep(wait)
            outcomes[number] = send(number)
            latencies[number] = time.perf_counter() - intended

    threads = [threading.Thread(target=sender, daemon=True) for _ in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive():
            thread.join(1.0)
            on_progress()
    return LoadRun(Counter(outcomes), sorted(latencies), time.perf_counter() - began)


def capacity(send: Send, senders: int, seconds: float) -> float:
    """Requests per second if each sender sends the next request at once: the most that there is."""
    ends = time.perf_counter() + seconds
    done = [0] * senders

    def sender(place: int) -> None:
        while time.perf_counter() < ends:
            send(place)
            done[place] += 1

    threads = [threading.Thread(target=sender, args=(at,), daemon=True) for at in range(senders)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - began)
