"""The two tiers of the suite, and the one switch between them.

``make test`` runs a fixed sample, the same each time, with a fault at every call.
``make prove`` (``EXHAUSTIVE=1``) runs the files that are marked ``exhaustive`` in full, with new
seeds each time, or with the one that ``SEED`` gives. The build server gives one, so that a build
depends on the commit alone; each night it tries new ones.
"""

from __future__ import annotations

import os
import random
from typing import Final, TypeVar

import pytest

T = TypeVar("T")

IS_EXHAUSTIVE: Final = bool(os.environ.get("EXHAUSTIVE"))
_SEED: Final = os.environ.get("SEED") if IS_EXHAUSTIVE else "0"
#: Whether random tests are the same in each run.
IS_REPEATABLE: Final = bool(_SEED)

#: Marks what takes long or needs more than ``make test`` sets up, such as the SAM CLI.
only_proved: Final = pytest.mark.skipif(not IS_EXHAUSTIVE, reason="only make prove runs it")


def tier(*, test: T, prove: T) -> T:
    """Return the value for the running tier."""
    return prove if IS_EXHAUSTIVE else test


def seed() -> int:
    """Return a seed: 0 in ``make test``; in ``make prove`` that of ``SEED``, or a new one."""
    return int(_SEED) if _SEED else random.SystemRandom().getrandbits(32)
