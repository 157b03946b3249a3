"""Denials on the local stack: when they are in force in many environments, and after restarts."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.aws.lambda_worker import LambdaWorker
from local.stack import LocalStack
from tests.contract.services import sample_event
from tests.support.tiers import only_proved
from zego.denials import Denial

ENVIRONMENTS = 16
IN_FORCE_SECONDS = 60.0

pytestmark = [pytest.mark.exhaustive, only_proved]  # it lasts half a minute


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[LocalStack]:
    with LocalStack(directory=tmp_path, workers=ENVIRONMENTS, watch_seconds=None) as running:
        yield running


def event(stack: LocalStack) -> bytes:
    """Alice's request, at this time."""
    made: dict[str, Any] = sample_event("tokens_room")
    made["headers"]["authorization"] = f"Bearer {stack.identity_provider.bearer('alice')}"
    made["requestContext"]["timeEpoch"] = int(time.time() * 1000)
    return json.dumps(made).encode()


def status(stack: LocalStack, worker: LambdaWorker) -> int:
    """The status of the response that this environment sends to Alice."""
    answer = worker.invoke(str(uuid.uuid4()), event(stack))
    code: int = json.loads(answer.payload)["statusCode"]
    return code


def test_a_denial_is_in_force_in_every_environment_in_time_and_survives_restarts(
    stack: LocalStack, record_property: Callable[[str, object], None]
) -> None:
    host = stack.function
    workers = [host._check_out() for _ in range(ENVIRONMENTS)]
    assert {status(stack, worker) for worker in workers} == {201}  # one cold start at a time
    with ThreadPoolExecutor(ENVIRONMENTS) as pool:
        denial = Denial("user", "alice", "spam", "op", int(time.time()))
        stack.dynamodb.call("PutItem", Item=denial.to_item())
        denied_at = time.monotonic()
        pause = threading.Event()

        def denied_after(worker: LambdaWorker) -> float:
            while status(stack, worker) == 201:
                asked_after = time.monotonic() - denied_at
                assert asked_after < IN_FORCE_SECONDS
                pause.wait(0.5)
            return time.monotonic() - denied_at

        seconds = sorted(pool.map(denied_after, workers))
    assert {status(stack, worker) for worker in workers} == {403}
    for worker in workers:
        host._check_in(worker)
    host.recycle()
    stack.dynamodb.stop()
    stack.dynamodb.start()
    restarted = host._check_out()
    assert status(stack, restarted) == 403
    host._check_in(restarted)
    record_property(
        "how much",
        f"in force in {ENVIRONMENTS} environments after {seconds[0]:.1f} to {seconds[-1]:.1f} s",
    )
