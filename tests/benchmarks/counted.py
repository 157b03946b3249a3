"""The program whose instructions :mod:`tests.benchmarks.instructions` counts.

Its argument is a JSON document: what to do, and how often. It ends without tidying up, as Lambda
ends an environment.
"""

from __future__ import annotations

import importlib
import json
import os
import sys


def main() -> None:
    task = json.loads(sys.argv[1])
    sys.path[:0] = task["path"]
    if task["kind"] == "handler":
        before = _handler(task["name"], task["event"], task["times"])
        if task.get("modules"):
            print(json.dumps(sorted(sys.modules.keys() - before)))
    elif task["kind"] == "mint":
        _mint(task["times"])
    else:
        _plain_python(task["times"])
    sys.stdout.flush()
    os._exit(0)


def _handler(name: str, event: dict[str, object], times: int) -> set[str]:
    """Do what Lambda's runtime client does, without its loop. Return the modules that it loads."""
    importlib.import_module("awslambdaric.bootstrap")
    before = set(sys.modules)
    module, _, function = name.rpartition(".")
    handler = getattr(importlib.import_module(module), function)
    for _ in range(times):
        response = handler(event, None)
        if response["statusCode"] != 201:
            sys.exit(f"the handler refused the event: {response}")
    return before


def _mint(times: int) -> None:
    token04 = importlib.import_module("zego.token04")
    secret = "0123456789abcdef" * 2  # invented
    for _ in range(times):
        payload = token04.room_payload("room1", login=True, publish=True)
        token04.mint(
            1234567890,
            "user1",
            secret,
            issued_at=1_700_000_000,
            lifetime_seconds=3600,
            payload=payload,
        )


def _plain_python(times: int) -> None:
    """A fixed piece of work, with which the others are compared.

    It calls functions and methods, and builds strings, lists and dictionaries, as handlers do.
    """
    for number in range(times):
        record = {name: _Text(name).padded(number) for name in ("user", "room", "stream")}
        words = sorted(" ".join(record.values()).split(), key=len)
        if not any(word.startswith("room") for word in words):
            raise AssertionError(words)


class _Text:
    def __init__(self, text: str) -> None:
        self._text = text

    def padded(self, number: int) -> str:
        return f"{self._text}-{number:04} {self._text.upper()}"


if __name__ == "__main__":
    main()
