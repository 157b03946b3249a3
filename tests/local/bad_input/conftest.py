"""The services that the tests of invalid input share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.stack import LocalStack
from tests.support.clock import ClockFile
from tests.support.faults import Faults
from tests.support.service import Service, service


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The parts that the services of this module share."""
    with LocalStack(directory=tmp_path_factory.mktemp("stack"), workers=1) as running:
        yield running


@pytest.fixture(scope="package")
def jwks(stack: LocalStack) -> Faults:
    """The requests to the identity provider, and its faults."""
    return Faults(stack.identity_provider)


@pytest.fixture(scope="package")
def secrets(stack: LocalStack) -> Faults:
    """The requests to Secrets Manager, and its faults."""
    return Faults(stack.secrets_manager)


@pytest.fixture(scope="package")
def issuer(stack: LocalStack) -> Iterator[Service]:
    """The service as deployed."""
    with service(stack) as running:
        yield running


@pytest.fixture(scope="package")
def issuers_clock(tmp_path_factory: pytest.TempPathFactory) -> ClockFile:
    """The clock of `aging`."""
    return ClockFile(tmp_path_factory.mktemp("clock") / "ahead")


@pytest.fixture(scope="package")
def aging(stack: LocalStack, issuers_clock: ClockFile) -> Iterator[Service]:
    """The service with a clock that tests move, so that its keys and secret age."""
    changes = {"CLOCK_FILE": str(issuers_clock.path)}
    with service(stack, "aging_issuer.handler", **changes) as running:
        yield running


@pytest.fixture(scope="package")
def disturbed(stack: LocalStack) -> Iterator[Service]:
    """A second such service, for tests after which it refuses requests for a while."""
    with service(stack) as running:
        yield running


@pytest.fixture
def cold(disturbed: Service) -> Service:
    """The service with empty caches: the next request starts a process."""
    disturbed.restart()
    return disturbed
