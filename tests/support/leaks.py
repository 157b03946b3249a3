"""Watches every output of the whole suite for a ServerSecret's value.

It learns secrets as they are made: every :class:`ServerSecret` in this process, and every value
stored in a local Secrets Manager. Outputs are what pytest captures (standard output, standard
error, log records, and what a test itself reads of them), the errors that a test expects, the lines
that Lambda workers write, the results and errors of invocations, the events on the bus, the tags
on secrets, and the output of commands that tests start.
"""

from __future__ import annotations

import json
import re
import subprocess
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final
from unittest.mock import patch

import pytest

from local.aws.events import Event, EventBus
from local.aws.lambda_host import InvocationResult, LambdaHost
from zego.server_secret import LENGTH, ServerSecret

_HEX: Final = re.compile(rf"[0-9a-f]{{{LENGTH},}}")


class LeakWatch:
    """Collects outputs and the secrets that must not appear in them.

    :ivar characters: the number of characters checked.
    """

    def __init__(self) -> None:
        self.secrets: set[str] = set()
        self.characters = 0
        self._outputs: list[tuple[str, str]] = []

    def learn(self, value: object) -> None:
        """Add a value that no output may contain. One repeated character is a placeholder."""
        if isinstance(value, str) and len(value) == LENGTH and len(set(value)) > 1:
            self.secrets.add(value)

    def see(self, where: str, output: object) -> None:
        """Add an output: text, bytes or nothing."""
        text = output.decode(errors="replace") if isinstance(output, bytes) else output
        if isinstance(text, str) and text:
            self.characters += len(text)
            self._outputs.append((where, text))

    def leaks(self) -> list[str]:
        """Return the outputs with a secret, each with the text before it."""
        unusual = [secret for secret in self.secrets if not _HEX.fullmatch(secret)]  # only a few
        return [
            f"{where}: ...{text[max(0, place - 60) : place]}<secret>..."
            for where, text in self._outputs
            for place in self._places(text, unusual)
        ]

    def _places(self, text: str, unusual: Sequence[str]) -> Iterator[int]:
        """Yield the places in a text where a secret begins."""
        for run in _HEX.finditer(text):
            for start in range(run.start(), run.end() - LENGTH + 1):
                if text[start : start + LENGTH] in self.secrets:
                    yield start
        for secret in unusual:
            if secret in text:
                yield text.index(secret)


@contextmanager
def watching(watch: LeakWatch) -> Iterator[None]:
    """Learn every secret and see every output that pytest does not capture."""
    from local.aws.secrets_manager.actions import Storage  # noqa: PLC0415  moto, which is slow

    noted: dict[tuple[type, str], Callable[..., None]] = {
        (ServerSecret, "__init__"): _secret_made,
        (Storage, "perform"): _action_done,
        (LambdaHost, "_note"): _line_written,
        (LambdaHost, "invoke"): _invoked,
        (EventBus, "publish"): _published,
        (subprocess.Popen, "communicate"): _ended,
        (pytest.CaptureFixture, "readouterr"): _captured,
        (pytest.RaisesExc, "__exit__"): _raised,
    }
    with ExitStack() as patches:
        for (owner, name), note in noted.items():
            method = _noting(getattr(owner, name), watch, note)
            patches.enter_context(patch.object(owner, name, method))
        yield


def _noting(
    method: Callable[..., Any], watch: LeakWatch, note: Callable[..., None]
) -> Callable[..., Any]:
    """Return the method, extended to note its arguments and its result."""

    def noting(self: Any, *arguments: Any, **named: Any) -> Any:
        result = method(self, *arguments, **named)
        note(watch, self, result, *arguments)
        return result

    return noting


def _secret_made(watch: LeakWatch, _secret: object, _result: None, _id: int, value: str) -> None:
    if _HEX.fullmatch(value):
        watch.learn(value)


def _action_done(
    watch: LeakWatch, _storage: object, _answer: str, action: str, given: Mapping[str, Any]
) -> None:
    if action == "TagResource":
        watch.see("a tag", json.dumps(given["Tags"]))
    with suppress(KeyError, TypeError, ValueError):
        watch.learn(json.loads(given["SecretString"])["server_secret"])


def _line_written(watch: LeakWatch, _host: LambdaHost, _result: None, line: str) -> None:
    watch.see("a function's log", line)


def _invoked(watch: LeakWatch, _host: LambdaHost, result: InvocationResult, _event: object) -> None:
    watch.see("an invocation's result", result.raw)


def _published(watch: LeakWatch, _bus: EventBus, _result: None, event: Event) -> None:
    watch.see("an event", json.dumps(event))


def _ended(
    watch: LeakWatch,
    process: subprocess.Popen[Any],
    printed: tuple[object, object],
    *_given: object,
) -> None:
    for output in printed:
        watch.see(f"the command {process.args!r}", output)


def _captured(
    watch: LeakWatch, _capture: pytest.CaptureFixture[Any], result: tuple[object, object]
) -> None:
    for output in result:
        watch.see("what a test captured", output)


def _raised(
    watch: LeakWatch,
    _raises: pytest.RaisesExc[Any],
    _swallowed: bool,
    _kind: object,
    error: BaseException | None,
    *_traceback: object,
) -> None:
    if error is not None:
        watch.see("an expected error", "".join(traceback.format_exception_only(error)))
