"""What the recordings are made of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.recorded.real_code import Parts


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """The service with nothing wrong; a test leaves no change that another would see."""
    with Parts(tmp_path_factory.mktemp("recorded")) as running:
        yield running
