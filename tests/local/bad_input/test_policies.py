"""Invalid policies and settings, with which the function must not start."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.stack import LocalStack
from tests.local.exchange import Answer
from tests.support.policy_mistakes import MISTAKES
from tests.support.service import service


@dataclass(frozen=True)
class Start:
    """The start of a function: the API's response to its first request, and its log."""

    answer: Answer
    log: str

    def assert_failed(self, *words: str) -> None:
        """Asserts that it failed with a reason in its log that the API does not reveal."""
        message = {"message": "Internal Server Error"}
        assert (self.answer.status, self.answer.json()) == (500, message)
        for text in words:
            assert json.dumps(text)[1:-1] in self.log  # whose lines are JSON


def start(stack: LocalStack, **changes: str) -> Start:
    """Starts the function with changed variables and sends it a request."""
    with service(stack, **changes) as started:
        return Start(started.token(), started.log())


@pytest.fixture(scope="module")
def mistaken(
    stack: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Start]]]:
    """Starts the function with one mistake per kind, two at a time to save time."""
    folder = tmp_path_factory.mktemp("policies")
    with ThreadPoolExecutor(2) as pool:
        starts = {}
        for number, (kind, (mistake, *_)) in enumerate(MISTAKES.items()):
            policy = folder / str(number) / "prod.toml"
            policy.parent.mkdir()
            policy.write_text(mistake.policy, encoding="utf-8")
            starts[kind] = pool.submit(start, stack, ACCESS_POLICY_FILE=str(policy))
        yield starts
        pool.shutdown(cancel_futures=True)


class TestPolicies:
    @pytest.mark.parametrize("kind", MISTAKES)
    def test_with_a_mistake_the_function_does_not_start_and_logs_why(
        self, mistaken: dict[str, Future[Start]], kind: str
    ) -> None:
        mistaken[kind].result().assert_failed("prod.toml", *MISTAKES[kind][0].words)

    def test_a_missing_file(self, stack: LocalStack, tmp_path: Path) -> None:
        started = start(stack, ACCESS_POLICY_FILE=str(tmp_path / "absent.toml"))
        started.assert_failed("absent.toml cannot be read")

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("STAGE", "production", "STAGE is 'production'"),
            ("STAGE", "prod", "AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            ("SECRET_TTL_SECONDS", "soon", "SECRET_TTL_SECONDS is 'soon'"),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13", "STAGE is local"),
        ],
    )
    def test_an_invalid_variable(
        self, stack: LocalStack, name: str, value: str, words: str
    ) -> None:
        start(stack, **{name: value}).assert_failed(words)
