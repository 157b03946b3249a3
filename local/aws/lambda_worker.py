"""One Lambda execution environment: a real `python -m awslambdaric` process and its Runtime API.

The process sends requests and this side responds: `GET .../invocation/next` is held open until an
event arrives, and so on (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html). The
Runtime API uses no threads: it waits on the sockets itself. Measured with an empty handler, that
halves the time of a warm invocation (docs/design-notes.md).
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from local import Part
from local.loopback import LOOPBACK

ACCEPTED = HTTPStatus.ACCEPTED
EXIT_SECONDS = 1.0
"""How long a process that reported its own failure may take to exit before it is killed."""
LIMITS_SECONDS = {"init": 30.0, "restore": 10.0}
"""Time limits of the initialization (in Lambda 10 s, but with one core per worker) and of the hooks
after a restore (as in Lambda)."""
_CHUNK = 1 << 16


@dataclass(frozen=True)
class HandlerResult:
    """The outcome of an event: what the handler returned, or a description of its error."""

    payload: bytes
    function_error: bool


class _WorkerError(Exception):
    """The worker failed and has ended; `payload` describes the error as Lambda would."""

    def __init__(self, payload: bytes) -> None:
        super().__init__(payload)
        self.payload = payload


class LambdaWorker:
    """A worker process and its Runtime API.

    The process starts at once and initializes by itself. `prepare` waits until that is done: until
    the first `next`, or with SnapStart until the point where the snapshot is taken. `invoke`
    prepares if necessary, restores a snapshot, and runs one event. Once `alive` is false, the
    worker cannot be used any more. One thread uses it at a time; only `kill` may be called from
    another.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        group: ProcessGroup,
        function_arn: str,
        timeout_seconds: float,
        on_line: Callable[[str], None],
    ) -> None:
        self._function_arn = function_arn
        self._timeout_seconds = timeout_seconds
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
        """Whether the process is still running."""
        return self._process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether an event could run at once, without an initialization or restore first."""
        return self._used or (self._pending is not None and not self._pending.awaits_restore)

    @property
    def process_id(self) -> int:
        """The id of its process."""
        return self._process.pid

    def prepare(self) -> HandlerResult | None:
        """Waits until the worker is initialized. Returns the error if that failed."""
        try:
            self._initialized("init")
        except _WorkerError as failure:
            return HandlerResult(failure.payload, function_error=True)
        return None

    def invoke(self, request_id: str, event: bytes) -> HandlerResult:
        """Runs one event in JSON. Returns its result; ends a worker that dies or takes too long."""
        self._used = True
        try:
            waiting = self._restored(self._initialized(request_id), request_id)
            self._pending = None
            return self._run(waiting, request_id, event)
        except _WorkerError as failure:
            return HandlerResult(failure.payload, function_error=True)

    def kill(self) -> None:
        """Kills the process. The owner of the worker notices its end."""
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
        """Returns the request with which the worker waits for an event, or for its restore."""
        if self._pending is None:
            self._pending = self._next(request_id, LIMITS_SECONDS["init"])
            if self.init_seconds is None:
                self.init_seconds = time.perf_counter() - self._started
        return self._pending

    def _restored(self, waiting: RuntimeRequest, request_id: str) -> RuntimeRequest:
        """Restores a snapshot. Returns the request with which the worker waits for an event."""
        if not waiting.awaits_restore:
            return waiting
        started = time.perf_counter()
        self._api.reply(waiting, HTTPStatus.OK)
        waiting = self._next(request_id, LIMITS_SECONDS["restore"])
        self.init_seconds = time.perf_counter() - started
        return waiting

    def _run(self, waiting: RuntimeRequest, request_id: str, event: bytes) -> HandlerResult:
        now = time.time()
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((now + self._timeout_seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": self._function_arn,
            "Lambda-Runtime-Trace-Id": f"Root=1-{int(now):08x}-{os.urandom(12).hex()};Sampled=0",
        }
        self._api.reply(waiting, HTTPStatus.OK, headers, event)
        answer = self._next(request_id, self._timeout_seconds)
        self._api.reply(answer, ACCEPTED)
        self._api.drain_output()
        return HandlerResult(answer.body, function_error=answer.path.endswith("/error"))

    def _next(self, request_id: str, seconds: float) -> RuntimeRequest:
        """Returns the next request. Raises `_WorkerError` if the worker fails, dies or is late."""
        try:
            request = self._api.next_request(time.monotonic() + seconds)
        except TimeoutError:
            self.end()
            how = f"Task timed out after {seconds:.2f} seconds"
            raise _WorkerError(_error("Sandbox.Timedout", request_id, how)) from None
        except WorkerGoneError:
            code = self._exit_code()
            raise _WorkerError(_error("Runtime.ExitError", request_id, _exit(code))) from None
        if request.path in ("/runtime/init/error", "/runtime/restore/error"):
            self._api.reply(request, ACCEPTED)
            self._exit_code()
            raise _WorkerError(request.body)
        return request

    def _exit_code(self) -> int | None:
        """Ends the worker. Returns the code with which it exits by itself, or None."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_SECONDS)
        code = self._process.poll()
        self.end()
        return code

    def _on_output(self, chunk: bytes) -> None:
        *lines, self._partial_line = (self._partial_line + chunk).split(b"\n")
        for line in lines:
            # The runtime client joins the lines of one error by carriage returns.
            self._on_line(line.decode("utf-8", "replace").replace("\r", "\n"))


class ProcessGroup(Part):
    """Child processes started with `process_group=group.id` never outlive this program.

    The group's leader is a shell that waits until its standard input is closed; only this program
    has the other end. When this program stops the group, exits or is killed, the system closes that
    end, and the shell kills the whole group. This needs only POSIX, so it also works on macOS. The
    group is not the terminal's foreground group: Ctrl-C reaches only this program.
    """

    def __init__(self) -> None:
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def id(self) -> int:
        """The group's id; only while started."""
        if self._guard is None:
            raise RuntimeError("the process group is not started")
        return self._guard.pid

    def start(self) -> None:
        """Starts the leader; processes may join from here on."""
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", "read _; kill -KILL 0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            process_group=0,
        )

    def stop(self) -> None:
        """Kills whatever is left of the group and waits for the leader."""
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait()
            self._guard = None


@dataclass(frozen=True)
class RuntimeRequest:
    """A request from the worker. `path` has no version prefix: `/runtime/...`."""

    path: str
    body: bytes
    connection: socket.socket

    @property
    def awaits_restore(self) -> bool:
        """Whether the worker waits at the point where Lambda takes the snapshot."""
        return self.path == "/runtime/restore/next"


class WorkerGoneError(Exception):
    """The worker process has ended and sends no more requests."""


class RuntimeApi:
    """Listens for one worker on a separate port, and watches two of its pipes.

    `lifeline` is the reading end of a pipe that only the worker keeps open: it closes when the
    worker ends. `output` is the worker's standard output and error; what arrives there goes to
    `on_output` at once, so that a worker never waits for a reader.
    """

    def __init__(self, lifeline: int, output: int, on_output: Callable[[bytes], None]) -> None:
        self._lifeline = lifeline
        self._output = output
        self._on_output = on_output
        self._buffers: dict[socket.socket, bytearray] = {}
        self._listener = socket.create_server((LOOPBACK, 0))
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        for source in (self._listener, lifeline, output):
            self._selector.register(source, selectors.EVENT_READ)

    @property
    def address(self) -> str:
        """The value of AWS_LAMBDA_RUNTIME_API in the worker."""
        return f"{LOOPBACK}:{self._listener.getsockname()[1]}"

    def next_request(self, deadline: float) -> RuntimeRequest:
        """Returns the worker's next request.

        Raises `TimeoutError` at `deadline`, of the monotonic clock, and `WorkerGoneError`.
        """
        while True:
            for connection, inbox in self._buffers.items():
                if request := _take(inbox, connection):
                    return request
            left = deadline - time.monotonic()
            ready = [key.fileobj for key, _ in self._selector.select(max(left, 0))]
            if not ready and left <= 0:
                raise TimeoutError
            for source in ready:
                if source == self._output:
                    self._read_output()
                elif source == self._listener:
                    self._accept()
                elif isinstance(source, socket.socket):
                    self._receive(source)
            if ready == [self._lifeline]:
                raise WorkerGoneError

    def reply(
        self,
        request: RuntimeRequest,
        status: HTTPStatus,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> None:
        """Responds to a request from `next_request`, which also notices if the worker has died."""
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        with contextlib.suppress(ConnectionError):
            request.connection.sendall("\r\n".join([*lines, "\r\n"]).encode() + body)

    def drain_output(self) -> None:
        """Passes on what the worker has written so far, without waiting."""
        while self._output >= 0 and self._read_output():
            pass

    def close(self) -> None:
        """Closes the port and all connections; the pipes stay with their owner."""
        self._selector.close()
        self._listener.close()
        for connection in self._buffers:
            connection.close()
        self._buffers.clear()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(True)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffers[connection] = bytearray()
        self._selector.register(connection, selectors.EVENT_READ)

    def _receive(self, connection: socket.socket) -> None:
        try:
            chunk = connection.recv(_CHUNK)
        except ConnectionError:
            chunk = b""
        if chunk:
            self._buffers[connection] += chunk
        else:
            self._selector.unregister(connection)
            del self._buffers[connection]
            connection.close()

    def _read_output(self) -> bool:
        try:
            chunk = os.read(self._output, _CHUNK)
        except BlockingIOError:
            return False
        if chunk:
            self._on_output(chunk)
        else:
            self._selector.unregister(self._output)
            self._output = -1
        return bool(chunk)


def _take(inbox: bytearray, connection: socket.socket) -> RuntimeRequest | None:
    """Removes the first complete request from what a connection has sent, or returns None."""
    end = inbox.find(b"\r\n\r\n")
    if end < 0:
        return None
    first, *lines = inbox[:end].decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    start, size = end + 4, int(headers.get("content-length", "0"))
    if len(inbox) < start + size:
        return None
    body = bytes(inbox[start : start + size])
    del inbox[: start + size]
    path = first.split(" ")[1].removeprefix("/2018-06-01")
    return RuntimeRequest(path, body, connection)


def _exit(code: int | None) -> str:
    if not code:
        return "Runtime exited without providing a reason"
    how = f"signal: {-code}" if code < 0 else f"exit status {code}"
    return f"Runtime exited with error: {how}"


def _error(error_type: str, request_id: str, message: str) -> bytes:
    text = f"RequestId: {request_id} Error: {message}"
    return json.dumps({"errorType": error_type, "errorMessage": text}).encode()


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe, each end closed by its own stack."""
    reading, writing = os.pipe()
    reader.callback(os.close, reading)
    writer.callback(os.close, writing)
    return reading, writing
