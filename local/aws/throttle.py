"""How many requests a route takes: a bucket of tokens each, as API Gateway throttles.

A bucket holds `burst` tokens and is refilled with `rate` of them a second; a request takes one, or
is refused. Source:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html. That page
calls both best effort, and is silent about requests that would be refused anyway, such as unsigned
ones: here both are exact, and every request to a route counts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from local.aws.routes import Route


@dataclass
class _Bucket:
    tokens: float
    filled_at: float


class Throttle:
    """The buckets of one API, full at first. Called from several threads."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}
        self._lock = threading.Lock()

    def takes(self, route: Route) -> bool:
        """Whether the route takes one more request."""
        with self._lock:
            now = self._clock()
            bucket = self._buckets.setdefault(route.key, _Bucket(route.burst, now))
            refill = max(0.0, now - bucket.filled_at) * route.rate
            bucket.tokens = min(route.burst, bucket.tokens + refill)
            bucket.filled_at = now
            if bucket.tokens < 1:
                return False
            bucket.tokens -= 1
            return True
