"""Each function, as it is built, in AWS' own Runtime Interface Emulator (RIE).

The local stack's function gets the same events in the same environment. What one responds, the
other must.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from local.aws.lambda_host import LambdaHost
from local.invoke import fill_in
from local.stack import PYTHON_PATH, LocalStack
from tests.contract.services import EVENTS
from tests.sam.emulator import Emulator
from tests.support.tiers import only_proved
from tools.sam_template import load
from zego import token04

pytestmark = [
    pytest.mark.exhaustive,
    only_proved,
    pytest.mark.skipif(sys.platform != "linux", reason="AWS' emulator is a program of Linux"),
]

#: For all functions. No function here needs it, unless its process is stopped.
TIMEOUT_SECONDS: Final = 10
FUNCTIONS: Final = ("Issuer", "Rotator", "Watcher")

Result = dict[str, Any] | None


class Pair:
    """A function in RIE and the same function in the local stack."""

    def __init__(self, rie: Emulator, host: LambdaHost, stack: LocalStack) -> None:
        self.rie = rie
        self.host = host
        self._stack = stack
        kept = stack.secrets_manager
        current = kept.call("GetSecretValue", SecretId=kept.secret_id)
        self._secret = str(json.loads(current["SecretString"])["server_secret"])
        self._places = {
            "{secret_arn}": current["ARN"],
            "{current_version}": current["VersionId"],
        }

    def results(self, event: Path) -> tuple[Result, Result]:
        """Return the result of each for one event, without what differs from moment to moment."""
        filled = fill_in(json.loads(event.read_text("utf-8")), self._stack.identity_provider.url)
        text = json.dumps(filled)
        for place, value in self._places.items():
            text = text.replace(place, value)
        local = self.host.invoke(text.encode())
        assert local.function_error is None, local.error_message
        return self._lasting(self.rie.invoke(text.encode()).json()), self._lasting(local.payload)

    def errors(self, event: object) -> tuple[Result, Result]:
        """Return the error of each for one event, without its request id and stack trace."""
        body = json.dumps(event).encode()
        local = self.host.invoke(body)
        assert local.function_error
        return _named(self.rie.invoke(body).json()), _named(local.payload)

    def _lasting(self, result: Result) -> Result:
        """Return a result with its tokens decoded, its times relative, and no random id."""
        if result is None or "body" not in result:
            return result
        text = re.sub(r"04A[\w+/=]{100,}", lambda found: self._opened(found[0]), result["body"])
        if made := re.search(r'"callId":"([0-9a-f]{32})"', text):
            text = text.replace(made[1], "random")
        times = sorted(set(map(int, re.findall(r'(?:At|_at)":(\d{10})', text))))
        for time in times:
            text = text.replace(str(time), f"+{time - times[0]}")
        return result | {"body": text}

    def _opened(self, token: str) -> str:
        claims = token04.decode(token, self._secret).claims
        lifetime = claims.expires_at - claims.issued_at
        return f"{claims.app_id} {claims.user_id} {lifetime} {claims.payload.encode()!r}"


def _named(error: dict[str, Any]) -> dict[str, Any]:
    return {name: error[name] for name in ("errorType", "errorMessage")}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    directory = tmp_path_factory.mktemp("stack")
    with LocalStack(directory=directory, workers=1, watch_seconds=None) as running:
        running.tick()  # the first check notes a verdict, which later ones repeat
        yield running


@contextmanager
def pair(
    function: str, tree: Path, stack: LocalStack, directory: Path, **changes: str
) -> Iterator[Pair]:
    """Start a function twice, with some variables changed."""
    resources = load()["Resources"]
    properties = resources[f"{function}Function"]["Properties"]
    layers = [resources[layer["Ref"]]["Properties"]["ContentUri"] for layer in properties["Layers"]]
    deployed = [properties["CodeUri"], *(f"{layer}/python" for layer in layers)]
    environment = stack.function_environment(function.lower()) | changes
    emulator = Emulator(
        properties["Handler"],
        python_path=[tree / part.removeprefix("build/") for part in deployed],
        environment=environment,
        timeout_seconds=TIMEOUT_SECONDS,
        directory=directory,
    )
    host = LambdaHost(
        properties["Handler"],
        environment=environment,
        python_path=PYTHON_PATH,
        timeout_seconds=TIMEOUT_SECONDS,
        region=stack.region,
    )
    with emulator, host:
        yield Pair(emulator, host, stack)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_event_gets_the_response_of_the_local_stack(
    function: str, tree: Path, stack: LocalStack, tmp_path: Path
) -> None:
    folder = {"Issuer": ".", "Rotator": "rotation", "Watcher": "watcher"}[function]
    events = sorted((EVENTS / folder).glob("*.json"))
    assert events
    with pair(function, tree, stack, tmp_path) as both:
        results = {event.name: both.results(event) for event in events}
    assert {name: rie for name, (rie, _) in results.items()} == {
        name: host for name, (_, host) in results.items()
    }


@pytest.mark.parametrize(
    ("function", "event"),
    [
        ("Issuer", {"Step": "createSecret"}),
        ("Rotator", {"Step": "dropSecret"}),
        ("Watcher", []),
    ],
    ids=FUNCTIONS,
)
def test_a_thrown_error_is_that_of_the_local_stack(
    function: str, event: object, tree: Path, stack: LocalStack, tmp_path: Path
) -> None:
    with pair(function, tree, stack, tmp_path) as both:
        rie, host = both.errors(event)
        assert rie == host
        assert rie is not None
        assert rie["errorMessage"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_crash_at_the_start_says_why_and_the_next_event_starts_again(
    function: str, tree: Path, stack: LocalStack, tmp_path: Path
) -> None:
    with pair(function, tree, stack, tmp_path, STAGE="nowhere") as both:
        for _ in range(2):
            rie, host = both.errors({})
            assert rie == host
            assert rie is not None
            assert rie["errorType"] == "SettingsError"
            assert "STAGE is 'nowhere'" in rie["errorMessage"]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_that_takes_too_long_is_ended(
    function: str, tree: Path, stack: LocalStack, tmp_path: Path
) -> None:
    with pair(function, tree, stack, tmp_path) as both:
        both.rie.invoke(b"{}")
        both.host.prepare()
        stopped = [*both.rie.process_ids(), *both.host.process_ids()]
        assert len(stopped) == 2
        for process_id in stopped:
            os.kill(process_id, signal.SIGSTOP)
        late = f"Task timed out after {TIMEOUT_SECONDS}.00 seconds"
        with ThreadPoolExecutor(1) as thread:  # wait for both at once
            local = thread.submit(both.host.invoke, b"{}")
            assert both.rie.invoke(b"{}").body.decode() == late
            assert local.result().error_message.endswith(late)
        assert set(stopped).isdisjoint([*both.rie.process_ids(), *both.host.process_ids()])
