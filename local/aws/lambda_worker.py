"""One Lambda execution environment: a real `python -m awslambdaric` process, and its API."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from local.aws.process_group import ProcessGroup
from local.aws.runtime_api import RuntimeApi, RuntimeRequest, WorkerGoneError

ACCEPTED = HTTPStatus.ACCEPTED
EXIT_SECONDS = 1.0
"""How long a process that reported its own failure may take to exit before it is killed."""
LIMITS_SECONDS = {"init": 30.0, "restore": 10.0}
"""For initialization, where Lambda gives 10 s on a core of its own, and for the hooks after a
restore, as Lambda does."""


@dataclass(frozen=True)
class Answer:
    """What a worker made of an event: the handler's answer, or a function error's description."""

    payload: bytes
    function_error: bool


@dataclass(frozen=True)
class Invocation:
    """One event on its way to a worker."""

    request_id: str
    event: bytes
    function_arn: str
    timeout_seconds: float


class _WorkerError(Exception):
    """The worker failed and has ended; `payload` describes the error as Lambda would."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload)
        self.payload = payload


class LambdaWorker:
    """A worker process and its Runtime API.

    The process starts at once and initializes by itself; `prepare` waits for the end of that: the
    first `next`, or with SnapStart the point where the snapshot is taken. `invoke` prepares if need
    be, restores a snapshot, and runs one event. After `alive` turned false the worker is of no more
    use. It belongs to one thread at a time; only `kill` may be called from another.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        group: ProcessGroup,
        on_line: Callable[[str], None],
    ) -> None:
        self._on_line = on_line
        self._partial_line = b""
        self._pending: RuntimeRequest | None = None
        self._started = time.perf_counter()
        self.init_seconds: float | None = None
        """From the start of the process (SnapStart: of the restore) until it was ready."""
        self._used = False
        self._ended = False

        with contextlib.ExitStack() as opened, contextlib.ExitStack() as worker_side:
            lifeline, held = _pipe(opened, worker_side)
            output, written = _pipe(opened, worker_side)
            os.set_blocking(output, False)
            self._api = RuntimeApi(lifeline, output, self._on_output)
            opened.callback(self._api.close)
            self._process = subprocess.Popen(
                command,
                env={**environment, "AWS_LAMBDA_RUNTIME_API": self._api.address},
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                pass_fds=[held],
                process_group=group.id,
            )
            self._closing = opened.pop_all()

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether an event could run at once, with no initialization or restore before it."""
        return self._used or (self._pending is not None and not _awaits_restore(self._pending))

    @property
    def process_id(self) -> int:
        """The id of its process."""
        return self._process.pid

    def prepare(self) -> Answer | None:
        """Waits until the worker is initialized; the error where it could not be."""
        try:
            self._initialized("init")
        except _WorkerError as failure:
            return Answer(failure.payload, function_error=True)
        return None

    def invoke(self, invocation: Invocation) -> Answer:
        """Runs one event and gives its answer. A worker that dies or takes too long is ended."""
        self._used = True
        try:
            waiting = self._restored(self._initialized(invocation.request_id), invocation)
            self._pending = None
            return self._run(waiting, invocation)
        except _WorkerError as failure:
            return Answer(failure.payload, function_error=True)

    def kill(self) -> None:
        """Kills the process; whoever owns the worker sees it die."""
        self._process.kill()

    def end(self) -> None:
        """Kills the process, waits for it, and closes everything. May be called again."""
        if self._ended:
            return
        self._ended = True
        self.kill()
        self._process.wait()
        self._api.drain_output()
        if self._partial_line:
            self._on_output(b"\n")
        self._closing.close()

    def _initialized(self, request_id: str) -> RuntimeRequest:
        """The request in which the worker waits for an event, or for its restore."""
        if self._pending is None:
            self._pending = self._next(request_id, LIMITS_SECONDS["init"])
            if self.init_seconds is None:
                self.init_seconds = time.perf_counter() - self._started
        return self._pending

    def _restored(self, waiting: RuntimeRequest, invocation: Invocation) -> RuntimeRequest:
        """The request in which the worker waits for an event; restores a snapshot before."""
        if not _awaits_restore(waiting):
            return waiting
        started = time.perf_counter()
        self._api.reply(waiting, HTTPStatus.OK)
        waiting = self._next(invocation.request_id, LIMITS_SECONDS["restore"])
        self.init_seconds = time.perf_counter() - started
        return waiting

    def _run(self, waiting: RuntimeRequest, invocation: Invocation) -> Answer:
        now = time.time()
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((now + invocation.timeout_seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(now):08x}-{os.urandom(12).hex()};Sampled=0",
        }
        self._api.reply(waiting, HTTPStatus.OK, headers, invocation.event)
        answer = self._next(invocation.request_id, invocation.timeout_seconds)
        self._api.reply(answer, ACCEPTED)
        self._api.drain_output()
        return Answer(answer.body, function_error=answer.path.endswith("/error"))

    def _next(self, request_id: str, seconds: float) -> RuntimeRequest:
        """The next request; `_WorkerError` where the worker fails, dies or is late."""
        try:
            request = self._api.next_request(time.monotonic() + seconds)
        except TimeoutError:
            self.end()
            raise _WorkerError(
                _error(
                    "Sandbox.Timedout", request_id, f"Task timed out after {seconds:.2f} seconds"
                )
            ) from None
        except WorkerGoneError:
            raise self._exited(request_id) from None
        if request.path in ("/runtime/init/error", "/runtime/restore/error"):
            self._api.reply(request, ACCEPTED)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(EXIT_SECONDS)
            self.end()
            raise _WorkerError(request.body)
        return request

    def _exited(self, request_id: str) -> _WorkerError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_SECONDS)
        code = self._process.poll()
        self.end()
        if code is not None and code < 0:
            how = f"Runtime exited with error: signal: {-code}"
        elif code:
            how = f"Runtime exited with error: exit status {code}"
        else:
            how = "Runtime exited without providing a reason"
        return _WorkerError(_error("Runtime.ExitError", request_id, how))

    def _on_output(self, chunk: bytes) -> None:
        *lines, self._partial_line = (self._partial_line + chunk).split(b"\n")
        for line in lines:
            # The runtime client joins the lines of one error by carriage returns.
            self._on_line(line.decode("utf-8", "replace").replace("\r", "\n"))


def _awaits_restore(request: RuntimeRequest) -> bool:
    return request.path == "/runtime/restore/next"


def _error(error_type: str, request_id: str, message: str) -> bytes:
    text = f"RequestId: {request_id} Error: {message}"
    return json.dumps({"errorType": error_type, "errorMessage": text}).encode()


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe, each end closed by its own stack."""
    reading, writing = os.pipe()
    reader.callback(os.close, reading)
    writer.callback(os.close, writing)
    return reading, writing
