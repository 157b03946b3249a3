"""The network of the rotation's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rotation.world import network


@pytest.fixture(autouse=True)
def _network() -> Iterator[None]:
    with network():
        yield
