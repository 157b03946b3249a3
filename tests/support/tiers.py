"""The two tiers of the suite, and the one switch between them.

``make test`` runs a fixed sample, the same each time, with a fault at every call.
``make prove`` (``EXHAUSTIVE=1``) runs the files that are marked ``exhaustive`` in full, with new
seeds each time.
"""

from __future__ import annotations

import os
import random
from typing import Final, TypeVar

import pytest

T = TypeVar("T")

IS_EXHAUSTIVE: Final = bool(os.environ.get("EXHAUSTIVE"))

#: Marks what takes long or needs more than ``make test`` sets up, such as the SAM CLI.
only_proved: Final = pytest.mark.skipif(not IS_EXHAUSTIVE, reason="only make prove runs it")


def tier(*, test: T, prove: T) -> T:
    """Return the value for the running tier."""
    return prove if IS_EXHAUSTIVE else test


def seed() -> int:
    """Return a seed: always 0 in ``make test``, a new one each time in ``make prove``."""
    return random.SystemRandom().getrandbits(32) if IS_EXHAUSTIVE else 0
