from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.aws.lambda_host import LambdaHost, ThrottledError
from tests.local.conftest import StartHost

ECHO = """
    def handler(event, context):
        return event
"""
SLEEPS = """
    import os, time

    def handler(event, context):
        time.sleep(event["seconds"])
        return os.getpid()
"""

SNAP_START = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


class TestInvoking:
    @pytest.mark.parametrize("event", [{"a": [1, None, "é\U0001f600"]}, "text", 7, None, []])
    def test_an_event_reaches_the_handler_and_its_result_comes_back(
        self, start_host: StartHost, event: Any
    ) -> None:
        result = start_host(ECHO).invoke(event)
        assert result.payload == event
        assert result.function_error is None

    def test_an_event_and_a_result_may_have_megabytes(self, start_host: StartHost) -> None:
        event = {"text": "x" * 4_000_000}
        assert start_host(ECHO).invoke(event).payload == event

    def test_an_event_may_be_given_as_json(self, start_host: StartHost) -> None:
        assert start_host(ECHO).invoke(b'{"a": 1}').payload == {"a": 1}

    def test_the_context_is_that_of_lambda(self, start_host: StartHost) -> None:
        host = start_host(
            """
            def handler(event, context):
                return {
                    "name": context.function_name,
                    "version": context.function_version,
                    "memory": context.memory_limit_in_mb,
                    "arn": context.invoked_function_arn,
                    "request_id": context.aws_request_id,
                    "left": context.get_remaining_time_in_millis(),
                }
            """,
            memory_mb=256,
            timeout_seconds=7,
            region="eu-west-1",
        )
        result = host.invoke({})
        left = result.payload.pop("left")
        assert result.payload == {
            "name": "issuer",
            "version": "$LATEST",
            "memory": "256",
            "arn": "arn:aws:lambda:eu-west-1:000000000000:function:issuer",
            "request_id": result.request_id,
        }
        assert 6000 < left <= 7000

    def test_an_exception_is_a_function_error_and_the_worker_continues(
        self, start_host: StartHost
    ) -> None:
        host = start_host(
            """
            import os

            def handler(event, context):
                if event == "fail":
                    raise LookupError("nothing there")
                return os.getpid()
            """
        )
        before = host.invoke("go on").payload
        failed = host.invoke("fail")
        assert failed.function_error == "Unhandled"
        assert failed.payload["errorType"] == "LookupError"
        assert failed.payload["errorMessage"] == "nothing there"
        assert host.invoke("go on").payload == before

    def test_concurrent_events_run_in_separate_processes(self, start_host: StartHost) -> None:
        host = start_host(SLEEPS, concurrency=3)
        with ThreadPoolExecutor(3) as threads:
            events = [{"seconds": 0.3}] * 3
            process_ids = {result.payload for result in threads.map(host.invoke, events)}
        assert len(process_ids) == 3
        assert process_ids == set(host.process_ids())

    def test_one_process_runs_one_event_after_the_other(self, start_host: StartHost) -> None:
        host = start_host(SLEEPS)
        process_ids = {host.invoke({"seconds": 0}).payload for _ in range(5)}
        assert process_ids == set(host.process_ids())
        assert len(process_ids) == 1

    def test_an_event_waits_for_a_worker_when_all_are_busy(self, start_host: StartHost) -> None:
        host = start_host(SLEEPS, concurrency=1)
        with ThreadPoolExecutor(3) as threads:
            results = list(threads.map(host.invoke, [{"seconds": 0.05}] * 3))
        assert len({result.payload for result in results}) == 1

    def test_an_event_that_waits_too_long_is_throttled(self, start_host: StartHost) -> None:
        host = start_host(SLEEPS, concurrency=1, queue_seconds=0.05)
        host.invoke({"seconds": 0})
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(host.invoke, {"seconds": 0.5})
            assert wait_until(lambda: not host._idle)
            with pytest.raises(ThrottledError, match="1 workers are busy"):
                host.invoke({"seconds": 0})
            assert running.result().function_error is None


class TestColdStarts:
    def test_the_first_event_of_a_worker_that_was_not_ready_is_cold(
        self, start_host: StartHost
    ) -> None:
        host = start_host(ECHO)
        first, second = host.invoke(1), host.invoke(2)
        assert (first.cold, second.cold) == (True, False)
        assert first.init_duration is not None
        assert second.init_duration is None

    def test_a_lazy_host_has_no_worker_before_the_first_event(self, start_host: StartHost) -> None:
        host = start_host(ECHO, lazy=True)
        assert host.process_ids() == []
        assert host.invoke(1).cold
        assert len(host.process_ids()) == 1
        assert not host.invoke(2).cold

    def test_a_prepared_worker_is_warm(self, start_host: StartHost) -> None:
        host = start_host(ECHO)
        assert host.prepare() is None
        assert not host.invoke(1).cold

    def test_after_a_recycling_the_next_event_is_cold(self, start_host: StartHost) -> None:
        host = start_host(ECHO)
        host.invoke(1)
        (before,) = host.process_ids()
        host.recycle()
        assert not is_running(before)
        result = host.invoke(2)
        assert result.cold
        assert result.init_duration is not None
        assert result.duration > result.init_duration

    def test_a_module_that_cannot_be_imported_is_a_function_error(
        self, start_host: StartHost
    ) -> None:
        host = start_host("raise ImportError('no such thing')")
        failure = host.prepare()
        assert failure is not None
        assert failure["errorType"] == "Runtime.ImportModuleError"
        result = host.invoke({})
        assert result.function_error == "Unhandled"
        assert "no such thing" in result.payload["errorMessage"]

    def test_an_interpreter_that_cannot_start_the_runtime_is_a_function_error(
        self, start_host: StartHost
    ) -> None:
        result = start_host(ECHO, python="/bin/false").invoke({})
        assert result.payload["errorType"] == "Runtime.ExitError"
        assert result.payload["errorMessage"].endswith("exit status 1")


class TestSnapStart:
    HOOKS = """
        import os
        from snapshot_restore_py import register_after_restore, register_before_snapshot

        steps = []
        register_before_snapshot(steps.append, "before snapshot")
        register_after_restore(steps.append, "after restore")

        def handler(event, context):
            return steps
    """

    def test_the_hooks_run_around_the_snapshot(self, start_host: StartHost) -> None:
        host = start_host(self.HOOKS, environment=SNAP_START)
        assert host.invoke({}).payload == ["before snapshot", "after restore"]

    def test_a_prepared_worker_waits_to_be_restored_by_its_first_event(
        self, start_host: StartHost
    ) -> None:
        host = start_host(self.HOOKS, environment=SNAP_START)
        assert host.prepare() is None
        first, second = host.invoke({}), host.invoke({})
        assert (first.cold, second.cold) == (True, False)
        assert first.init_duration is not None
        assert first.init_duration < first.duration

    def test_a_hook_that_fails_after_the_restore_is_a_function_error(
        self, start_host: StartHost
    ) -> None:
        source = """
            from snapshot_restore_py import register_after_restore

            @register_after_restore
            def fail():
                raise RuntimeError("no secret")

            def handler(event, context):
                return "never"
        """
        result = start_host(source, environment=SNAP_START).invoke({})
        assert result.function_error == "Unhandled"
        assert result.payload["errorMessage"] == "no secret"

    def test_a_hook_that_fails_before_the_snapshot_is_a_function_error(
        self, start_host: StartHost
    ) -> None:
        source = """
            from snapshot_restore_py import register_before_snapshot

            @register_before_snapshot
            def fail():
                raise RuntimeError("no policy")

            def handler(event, context):
                return "never"
        """
        result = start_host(source, environment=SNAP_START).invoke({})
        assert result.function_error == "Unhandled"
        assert result.payload["errorMessage"] == "no policy"


class TestWorkersThatFail:
    EXITS = """
        import os, sys

        def handler(event, context):
            if event == "exit":
                sys.exit(3)
            if event == "leave":
                os._exit(0)
            if event == "killed":
                os.kill(os.getpid(), 9)
            return os.getpid()
    """

    @pytest.mark.parametrize(
        ("event", "message"),
        [
            ("exit", "Runtime exited with error: exit status 3"),
            ("leave", "Runtime exited without providing a reason"),
            ("killed", "Runtime exited with error: signal: 9"),
        ],
    )
    def test_a_worker_that_dies_is_replaced(
        self, start_host: StartHost, event: str, message: str
    ) -> None:
        host = start_host(self.EXITS)
        before = host.invoke("go on").payload
        died = host.invoke(event)
        assert died.function_error == "Unhandled"
        assert died.payload == {
            "errorType": "Runtime.ExitError",
            "errorMessage": f"RequestId: {died.request_id} Error: {message}",
        }
        after = host.invoke("go on")
        assert after.cold
        assert after.payload != before
        assert host.process_ids() == [after.payload]

    def test_a_worker_that_died_while_idle_is_replaced_without_an_error(
        self, start_host: StartHost
    ) -> None:
        host = start_host(self.EXITS)
        before = host.invoke("go on").payload
        os.kill(before, signal.SIGKILL)
        assert wait_until(lambda: not host._idle[0].alive)
        after = host.invoke("go on")
        assert after.function_error is None
        assert after.payload != before

    def test_an_event_that_takes_too_long_is_ended_and_its_worker_replaced(
        self, start_host: StartHost
    ) -> None:
        host = start_host(SLEEPS, timeout_seconds=1)
        before = host.invoke({"seconds": 0}).payload
        late = host.invoke({"seconds": 60})
        assert late.function_error == "Unhandled"
        assert late.payload == {
            "errorType": "Sandbox.Timedout",
            "errorMessage": f"RequestId: {late.request_id} Error: "
            "Task timed out after 1.00 seconds",
        }
        assert not is_running(before)
        assert host.invoke({"seconds": 0}).payload != before

    def test_the_result_of_an_interrupted_invocation_is_discarded(
        self, start_host: StartHost
    ) -> None:
        host = start_host(SLEEPS)
        before = host.invoke({"seconds": 0}).payload

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        previous = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            with pytest.raises(KeyboardInterrupt):
                host.invoke({"seconds": 0.3})
        finally:
            signal.signal(signal.SIGALRM, previous)
        assert host.invoke({"seconds": 0}).payload != before


class TestEnvironment:
    SHOWS = """
        import os

        def handler(event, context):
            return dict(os.environ) | {"working directory": os.getcwd()}
    """

    def test_a_worker_gets_the_given_variables_and_those_of_lambda(
        self, start_host: StartHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_PROFILE", "the-developers-own")
        seen = start_host(self.SHOWS, environment={"STAGE": "local"}).invoke({}).payload
        assert seen["STAGE"] == "local"
        assert seen["AWS_LAMBDA_FUNCTION_NAME"] == "issuer"
        assert seen["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
        assert seen["AWS_REGION"] == "us-east-1"
        assert seen["_HANDLER"] == "tiny.handler"
        assert seen["LAMBDA_TASK_ROOT"] == seen["working directory"] == str(tmp_path.resolve())
        assert "$LATEST" in seen["AWS_LAMBDA_LOG_STREAM_NAME"]
        assert not {"AWS_PROFILE", "AWS_EXECUTION_ENV", "HOME", "USER"} & set(seen)

    def test_each_worker_has_its_own_log_stream(self, start_host: StartHost) -> None:
        host = start_host(self.SHOWS)
        first = host.invoke({}).payload["AWS_LAMBDA_LOG_STREAM_NAME"]
        host.recycle()
        assert host.invoke({}).payload["AWS_LAMBDA_LOG_STREAM_NAME"] != first


class TestLog:
    def test_the_log_is_complete_when_the_invocation_returns(self, start_host: StartHost) -> None:
        seen: list[str] = []
        host = start_host(
            """
            import sys

            def handler(event, context):
                print("to the output: é")
                print("to the error", file=sys.stderr)
            """,
            on_log=seen.append,
        )
        host.invoke({})
        assert host.log_lines() == seen == ["to the output: é", "to the error"]

    def test_an_exceptions_traceback_is_one_entry(self, start_host: StartHost) -> None:
        host = start_host("def handler(event, context): raise ValueError('no')")
        host.invoke({})
        (entry,) = host.log_lines()
        assert entry.startswith("[ERROR] ValueError: no\nTraceback (most recent call last):\n")

    def test_a_worker_that_writes_much_is_not_blocked(self, start_host: StartHost) -> None:
        host = start_host(
            """
            def handler(event, context):
                for number in range(5000):
                    print(number, "x" * 100)
            """
        )
        assert host.invoke({}).function_error is None
        assert host.log_lines()[-1].startswith("4999 ")

    def test_the_last_words_of_a_worker_that_dies_are_kept(self, start_host: StartHost) -> None:
        host = start_host(
            """
            import os, sys

            def handler(event, context):
                sys.stdout.write("good")
                sys.stdout.write("bye")
                os._exit(1)
            """
        )
        host.invoke({})
        assert host.log_lines() == ["goodbye"]


class TestEnding:
    def test_stopping_ends_every_process(self, start_host: StartHost) -> None:
        host = start_host(SLEEPS, concurrency=2)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(host.invoke, [{"seconds": 0.1}] * 2))
        process_ids = host.process_ids()
        assert len(process_ids) == 2
        host.stop()
        assert not any(is_running(process_id) for process_id in process_ids)
        assert host.process_ids() == []

    def test_stopping_ends_a_running_event(self, start_host: StartHost) -> None:
        host = start_host(SLEEPS)
        host.prepare()
        with ThreadPoolExecutor(1) as threads:
            running = threads.submit(host.invoke, {"seconds": 60})
            assert wait_until(lambda: not host._idle)
            host.stop()
            assert running.result(timeout=60).payload["errorType"] == "Runtime.ExitError"

    def test_a_host_that_is_not_started_refuses_events(self, tmp_path: Path) -> None:
        host = LambdaHost("tiny.handler", environment={}, python_path=[tmp_path])
        with pytest.raises(RuntimeError, match="not started"):
            host.invoke({})

    def test_no_worker_outlives_a_killed_program(self, tmp_path: Path) -> None:
        (tmp_path / "tiny.py").write_text(textwrap.dedent(SLEEPS))
        program = f"""
            import threading
            from pathlib import Path
            from local.aws.lambda_host import LambdaHost

            path = [Path({str(tmp_path)!r})]
            host = LambdaHost("tiny.handler", environment={{}}, python_path=path)
            host.start()
            host.prepare()
            threading.Thread(target=host.invoke, args=[{{"seconds": 60}}]).start()
            print(*host.process_ids(), flush=True)
        """
        with subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(program)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        ) as started:
            assert started.stdout is not None
            worker = int(started.stdout.readline())
            assert is_running(worker)
            started.kill()
        assert wait_until(lambda: not is_running(worker))
