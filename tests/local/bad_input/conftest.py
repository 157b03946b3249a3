"""The services that the tests of bad input share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.stack import LocalStack
from tests.support.faults import (
    Faults,
)
from tests.support.service import Service, service


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The parts that the services of this module share."""
    with LocalStack(directory=tmp_path_factory.mktemp("stack"), workers=1) as running:
        yield running


@pytest.fixture(scope="package")
def jwks(stack: LocalStack) -> Faults:
    """What the identity provider is asked, and how it fails."""
    return Faults(stack.identity_provider)


@pytest.fixture(scope="package")
def secrets(stack: LocalStack) -> Faults:
    """What Secrets Manager is asked, and how it fails."""
    return Faults(stack.secrets_manager)


@pytest.fixture(scope="package")
def issuer(stack: LocalStack) -> Iterator[Service]:
    """The service as it is deployed."""
    with service(stack) as running:
        yield running


@pytest.fixture(scope="package")
def quickly_stale(stack: LocalStack) -> Iterator[Service]:
    """The service, where a secret is old after a second."""
    with service(stack, SECRET_TTL_SECONDS="1", SECRET_MAX_STALE_SECONDS="3600") as running:
        yield running


@pytest.fixture(scope="package")
def disturbed(stack: LocalStack) -> Iterator[Service]:
    """The same service once more, for tests after which it must not be asked for a while."""
    with service(stack) as running:
        yield running


@pytest.fixture
def cold(disturbed: Service) -> Service:
    """The service with nothing cached: its next request starts a process."""
    disturbed.restart()
    return disturbed


@pytest.fixture(scope="package")
def impatient(stack: LocalStack) -> Iterator[Service]:
    """The service, but it asks for its keys and its secret again after a second or less."""
    with service(stack, "impatient_issuer.handler") as running:
        yield running
