"""A running local stack, and services with faults that a healthy stack does not show.

The faulty services are separate functions and gateways that use the stack's other parts. Only the
gateway for throttling throttles.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from local.aws import http_api
from local.aws.http_api import ROUTES, ApiGateway, Route
from local.aws.http_api_access import AccessKey
from local.aws.lambda_host import LambdaHost, ThrottledError
from local.stack import PYTHON_PATH, LocalStack
from tests.contract.exchanges import BUDGETS, CONDITIONS, EDGE_SHA256, SESSIONS, limit
from tests.contract.services import Api, Function
from tests.support.routes import UNTHROTTLED

FAULTS = Path(__file__).parent / "faults"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A healthy local stack, which the tests do not change."""
    with LocalStack(directory=tmp_path_factory.mktemp("stack"), workers=2) as running:
        yield running


@pytest.fixture(scope="session")
def api(stack: LocalStack) -> Iterator[Api]:
    """The healthy service."""
    with _in_front_of(stack.function, stack) as api:
        yield api


@pytest.fixture(scope="session")
def function(stack: LocalStack) -> Function:
    """The healthy function, without an API in front of it."""
    return Function(stack.function, stack.identity_provider)


@pytest.fixture(scope="session")
def api_without_secret(stack: LocalStack) -> Iterator[Api]:
    """The service whose secret does not exist."""
    with _service(stack, SERVER_SECRET_ARN="zego/absent") as api:
        yield api


@pytest.fixture(scope="session")
def api_without_keys(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The service that cannot fetch the identity provider's signing keys."""
    policy = stack.policy_file.read_text().replace("/jwks.json", "/absent.json")
    path = tmp_path_factory.mktemp("without_keys") / "policy.toml"
    path.write_text(policy)
    with _service(stack, ACCESS_POLICY_FILE=str(path)) as api:
        yield api


@pytest.fixture(scope="session")
def api_without_rules(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The service whose policy has identities but no rules."""
    identities, _, _ = stack.policy_file.read_text().partition("[[rules]]")
    path = tmp_path_factory.mktemp("without_rules") / "policy.toml"
    path.write_text(identities.replace("= true", "= false"))
    with _service(stack, ACCESS_POLICY_FILE=str(path)) as api:
        yield api


@pytest.fixture(scope="session")
def api_with_sessions(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The service whose users must sign in again after eight hours."""
    path = tmp_path_factory.mktemp("with_sessions") / "policy.toml"
    path.write_text(stack.policy_file.read_text().replace(*SESSIONS, 1))
    with _service(stack, ACCESS_POLICY_FILE=str(path)) as api:
        yield api


@pytest.fixture(scope="session")
def api_with_conditions(
    stack: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Api]:
    """The service whose users need a scope and a sign-in that is an hour old at most."""
    path = tmp_path_factory.mktemp("with_conditions") / "policy.toml"
    path.write_text(stack.policy_file.read_text().replace(*CONDITIONS, 1))
    with _service(stack, ACCESS_POLICY_FILE=str(path)) as api:
        yield api


@pytest.fixture(scope="session")
def api_with_limits(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The service in which Alice and Bob have no tokens left, and Carol is signed out."""
    path = tmp_path_factory.mktemp("with_limits") / "policy.toml"
    path.write_text(stack.policy_file.read_text().replace(*BUDGETS))
    limit(stack.dynamodb, path.read_text())
    with _service(stack, ACCESS_POLICY_FILE=str(path)) as api:
        yield api


@pytest.fixture(scope="session")
def api_without_denials(stack: LocalStack) -> Iterator[Api]:
    """The service whose table does not exist."""
    with _service(stack, LIMITS_TABLE="absent") as api:
        yield api


@pytest.fixture(scope="session")
def api_behind_edge(stack: LocalStack) -> Iterator[Api]:
    """The service that requires the header of an edge, without the edge."""
    with _service(stack, ORIGIN_HEADER_SHA256=EDGE_SHA256) as api:
        yield api


@pytest.fixture(scope="session")
def api_for_a_stranger(stack: LocalStack) -> Iterator[Api]:
    """The service whose access key belongs to a role that the policy does not name."""
    stranger = stack.access_key.user_arn.replace("LocalBackend", "Stranger")
    access_key = replace(stack.access_key, user_arn=stranger)
    with _in_front_of(stack.function, stack, access_key=access_key) as api:
        yield api


@pytest.fixture(scope="session")
def failing_api(stack: LocalStack) -> Iterator[Api]:
    """The service that fails on every route."""
    with _service(stack, "failing_issuer.handler") as api:
        yield api


@pytest.fixture(scope="session")
def unstartable_api(stack: LocalStack) -> Iterator[Api]:
    """The API in front of a function whose environment is invalid."""
    with _service(stack, STAGE="nowhere") as api:
        yield api


@pytest.fixture(scope="session")
def busy_api(stack: LocalStack) -> Iterator[Api]:
    """The API in front of a function that Lambda throttles."""
    with _in_front_of(BusyFunction(), stack) as api:
        yield api


@pytest.fixture(scope="session")
def throttling_api(stack: LocalStack) -> Iterator[Api]:
    """The API whose routes have all used up their rate limit."""
    with _in_front_of(stack.function, stack, routes=[replace(r, burst=0) for r in ROUTES]) as api:
        yield api


class BusyFunction:
    """A function whose workers are all busy."""

    def invoke(self, event: object) -> NoReturn:
        """Runs nothing."""
        raise ThrottledError("all workers are busy")


@contextmanager
def _service(
    stack: LocalStack, handler: str = "issuer.app.handler", **changes: str
) -> Iterator[Api]:
    """A function with changed variables, and an API in front of it."""
    host = LambdaHost(
        handler,
        environment=stack.function_environment() | changes,
        python_path=(*PYTHON_PATH, FAULTS),
        concurrency=1,
        region=stack.region,
    )
    with host, _in_front_of(host, stack) as api:
        yield api


@contextmanager
def _in_front_of(
    function: http_api.Function,
    stack: LocalStack,
    *,
    routes: Sequence[Route] = UNTHROTTLED,
    access_key: AccessKey | None = None,
) -> Iterator[Api]:
    """A separate API; its access key belongs to another role if one is given."""
    gateway = ApiGateway(
        function,
        routes=routes,
        region=stack.region,
        access_keys=[access_key or stack.access_key],
    )
    with gateway:
        yield Api(gateway, stack.identity_provider, stack.access_key, stack.region)
