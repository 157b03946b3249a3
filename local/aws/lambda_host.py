"""Runs a function as Lambda does: in processes of the real runtime client, one event at a time.

`python -m awslambdaric`, AWS' own runtime client, starts the handler in a clean environment: the
variables given and those that Lambda sets, but none of the developer's. AWS_EXECUTION_ENV is not
set, so code can tell this host from Lambda.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import Part
from local.aws import ACCOUNT_ID
from local.aws.lambda_worker import LambdaWorker, ProcessGroup

LOG_LINES_KEPT = 10_000


class ThrottledError(Exception):
    """All workers stayed busy for longer than the queue time."""


class NotRunningError(RuntimeError):
    """The host has not been started, or has been stopped."""


@dataclass(frozen=True)
class InvocationResult:
    """The outcome of one invocation, as Lambda's Invoke API returns it, with times in seconds."""

    raw: bytes
    """The handler's result as JSON, or the description of its error."""
    function_error: str | None
    """None, or `"Unhandled"`, as in the X-Amz-Function-Error header."""
    cold: bool
    """Whether it had to wait for a worker to be initialized or restored."""
    request_id: str
    duration: float
    """From the call of `invoke` to the result, including the start of a process if necessary."""
    init_duration: float | None
    """For a cold start: from the start of the process, or the restore, until it was ready."""

    @property
    def error_message(self) -> str:
        """Why the function failed; empty if it did not."""
        if not self.function_error:
            return ""
        return str(self.payload.get("errorMessage", "no reason given"))

    @functools.cached_property
    def payload(self) -> Any:
        """The decoded result; for an error `{"errorType": ..., "errorMessage": ...}`."""
        return json.loads(self.raw)


class LambdaHost(Part):
    """A function and its workers.

    One worker is started ahead and kept warm, unless the host is `lazy`. If all are busy, another
    is started, up to `concurrency`; beyond that, an invocation waits up to `queue_seconds` and then
    raises `ThrottledError`. The worker used last is reused first. A worker that dies, or exceeds
    `timeout_seconds`, is dropped: the invocation gets a function error, and the next one gets a new
    worker.

    With AWS_LAMBDA_INITIALIZATION_TYPE=snap-start in the environment, a worker waits at the point
    where Lambda takes the snapshot, and is restored before its first event.

    `command` starts another runtime client than Python's; the handler is added to it.

    `python_path` has the folders that the handler and its modules are imported from; the first is
    the working directory, as /var/task is. `on_log` gets each line that a worker writes; the last
    ones are also kept.
    """

    def __init__(
        self,
        handler: str = "issuer.app.handler",
        *,
        environment: Mapping[str, str],
        python_path: Sequence[Path],
        concurrency: int = 4,
        function_name: str = "issuer",
        timeout_seconds: float = 10.0,
        memory_mb: int = 512,
        queue_seconds: float = 5.0,
        lazy: bool = False,
        region: str = "us-east-1",
        python: str | Path = sys.executable,
        command: Sequence[str] = (),
        on_log: Callable[[str], None] | None = None,
    ) -> None:
        self.function_name = function_name
        self.function_arn = f"arn:aws:lambda:{region}:{ACCOUNT_ID}:function:{function_name}"
        self._command = [*(command or (str(python), "-m", "awslambdaric")), handler]
        python_path = [Path(path).resolve() for path in python_path]
        self._directory = python_path[0]
        self._concurrency = concurrency
        self._timeout_seconds = timeout_seconds
        self._queue_seconds = queue_seconds
        self._lazy = lazy
        self._on_log = on_log
        self._log: deque[str] = deque(maxlen=LOG_LINES_KEPT)
        self._group = ProcessGroup()
        self._idle: list[LambdaWorker] = []
        self._workers: set[LambdaWorker] = set()
        self._running = False
        self._changed = threading.Condition()
        self._environment = {
            **_lambda_environment(handler, function_name, memory_mb, region, python_path),
            **environment,
        }

    def start(self) -> None:
        """Starts one worker without waiting for it, unless the host is lazy."""
        self._group.start()
        self._running = True
        if not self._lazy:
            self._check_in(self._start_worker())

    def stop(self) -> None:
        """Ends every worker. Invocations under way get a function error."""
        with self._changed:
            self._running = False
        self.recycle()
        with self._changed:
            for busy in self._workers:
                busy.kill()
            self._changed.wait_for(lambda: not self._workers, timeout=2)
        self._group.stop()

    def prepare(self) -> Any | None:
        """Waits until a worker is initialized. Returns the error payload if that failed, else None.

        With SnapStart, it waits until a snapshot could be taken.
        """
        worker = self._check_out()
        try:
            failure = worker.prepare()
        finally:
            self._check_in(worker)
        return None if failure is None else json.loads(failure.payload)

    def invoke(self, event: Any) -> InvocationResult:
        """Runs one event, given as a JSON value or as JSON bytes.

        Raises `ThrottledError` or `NotRunningError`.
        """
        started = time.perf_counter()
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        request_id = str(uuid.uuid4())
        worker = self._check_out()
        cold = not worker.ready
        try:
            answer = worker.invoke(request_id, body)
        except BaseException:
            worker.end()  # its late result must not become the next event's
            raise
        finally:
            self._check_in(worker)
        return InvocationResult(
            raw=answer.payload,
            function_error="Unhandled" if answer.function_error else None,
            cold=cold,
            request_id=request_id,
            duration=time.perf_counter() - started,
            init_duration=worker.init_seconds if cold else None,
        )

    def recycle(self) -> None:
        """Ends the idle workers, so that the next invocation is a cold start."""
        with self._changed:
            idle, self._idle = self._idle, []
            self._workers.difference_update(idle)
        for worker in idle:
            worker.end()

    def process_ids(self) -> list[int]:
        """Returns the ids of the worker processes."""
        with self._changed:
            return [worker.process_id for worker in self._workers]

    def log_lines(self) -> list[str]:
        """Returns the last lines that workers wrote, oldest first."""
        return list(self._log)

    def _check_out(self) -> LambdaWorker:
        """Returns a worker for the caller's exclusive use: an idle one, or a new one."""
        deadline = time.monotonic() + self._queue_seconds
        with self._changed:
            while True:
                if not self._running:
                    raise NotRunningError("the Lambda host is not started")
                while self._idle:
                    worker = self._idle.pop()
                    if worker.alive:
                        return worker
                    self._workers.discard(worker)
                    worker.end()
                if len(self._workers) < self._concurrency:
                    return self._start_worker()
                if not self._changed.wait(deadline - time.monotonic()):
                    raise ThrottledError(f"{self._concurrency} workers are busy")

    def _check_in(self, worker: LambdaWorker) -> None:
        with self._changed:
            if worker.alive and self._running:
                self._idle.append(worker)
            else:
                self._workers.discard(worker)
                worker.end()
            self._changed.notify_all()

    def _start_worker(self) -> LambdaWorker:
        stream = f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}"
        worker = LambdaWorker(
            self._command,
            environment={**self._environment, "AWS_LAMBDA_LOG_STREAM_NAME": stream},
            directory=self._directory,
            group=self._group,
            function_arn=self.function_arn,
            timeout_seconds=self._timeout_seconds,
            on_line=self._note,
        )
        with self._changed:
            self._workers.add(worker)
        return worker

    def _note(self, line: str) -> None:
        self._log.append(line)
        if self._on_log:
            self._on_log(line)


def _lambda_environment(
    handler: str, function_name: str, memory_mb: int, region: str, python_path: Sequence[Path]
) -> dict[str, str]:
    """The variables that Lambda sets: https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html."""
    return {
        "_HANDLER": handler,
        "AWS_DEFAULT_REGION": region,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function_name}",
        "AWS_REGION": region,
        "LAMBDA_TASK_ROOT": str(python_path[0]),
        "LANG": "en_US.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": os.pathsep.join(str(path) for path in python_path),
        "TZ": ":UTC",
    }
