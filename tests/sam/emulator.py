"""AWS' own Runtime Interface Emulator (RIE) with a function, as `sam local` runs it in a container.

It is a program of Linux, in the wheel of the SAM CLI. Unlike Lambda, it initializes the function at
the first event, and sends no header that tells an error from a result.

Source: https://github.com/aws/aws-lambda-runtime-interface-emulator, `README.md` and
`internal/lambda/rie/handlers.go`.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, Self

from local.loopback import LOOPBACK, HttpResponse, post
from tests.support.environments import part_of

#: What Lambda's Python runtime provides, with what these packages need.
_RUNTIME: Final = ("awslambdaric", "simplejson", "snapshot-restore-py")
_MACHINES: Final = {"x86_64": "x86_64", "aarch64": "arm64"}
_PATIENCE_SECONDS: Final = 60


class Emulator:
    """One function in RIE. It starts and stops as a context manager.

    The function can import only the folders of `python_path` and what Lambda's runtime has.
    """

    def __init__(
        self,
        handler: str,
        *,
        python_path: list[Path],
        environment: Mapping[str, str],
        timeout_seconds: int,
        directory: Path,
    ) -> None:
        self._handler = handler
        self._python_path = [*python_path, _runtime(directory / "runtime")]
        self._environment = environment
        self._timeout_seconds = timeout_seconds
        self._log = directory / "emulator.log"
        self._output: IO[bytes]
        self._process: subprocess.Popen[bytes]
        self._url = ""

    def __enter__(self) -> Self:
        self._output = self._log.open("wb")
        while True:
            port, api_port = _free_ports()
            self._url = f"http://{LOOPBACK}:{port}/2015-03-31/functions/function/invocations"
            self._process = self._start(port, api_port)
            if self._accepts(port):
                return self

    def __exit__(self, *_: object) -> None:
        runtimes = self.process_ids()
        self._process.kill()
        self._process.wait()
        for process_id in runtimes:
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)
        self._output.close()

    def invoke(self, event: bytes) -> HttpResponse:
        """Run one event, in JSON. The response is RIE's, with its status."""
        return post(self._url, event)

    def process_ids(self) -> list[int]:
        """Return the ids of the processes that RIE has started: the runtime's."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has ended meanwhile
                fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
                if int(fields[1]) == self._process.pid:
                    found.append(int(stat.parent.name))
        return found

    def log(self) -> str:
        """Return what RIE and the function have printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _start(self, port: int, api_port: int) -> subprocess.Popen[bytes]:
        options = {
            "--runtime-interface-emulator-address": f"{LOOPBACK}:{port}",
            "--runtime-api-address": f"{LOOPBACK}:{api_port}",
            "--log-level": "warn",
        }
        runtime = [sys.executable, "-S", "-m", "awslambdaric", self._handler]
        environment = {
            "AWS_LAMBDA_FUNCTION_NAME": self._handler.partition(".")[0],
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self._timeout_seconds),
            "AWS_REGION": "us-east-1",
            "LANG": "en_US.UTF-8",
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(map(str, self._python_path)),
            "TZ": ":UTC",
            "_HANDLER": self._handler,
        }
        return subprocess.Popen(
            [_program(), *(word for option in options.items() for word in option), *runtime],
            cwd=self._python_path[0],
            env=environment | dict(self._environment),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
        )

    def _accepts(self, port: int) -> bool:
        """Wait until it accepts connections. False if it ended, as if another took its port."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._process.poll() is None:
            with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
                return True
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)
        assert "address already in use" in self.log(), self.log()
        return False


def _program() -> Path:
    machine = _MACHINES[platform.machine()]
    program = part_of(
        "sam", f"lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"
    )
    program.chmod(0o755)  # an installed wheel has no executable data files
    return program


def _runtime(folder: Path) -> Path:
    """Make a folder with the packages that Lambda's runtime provides, and no others."""
    folder.mkdir(parents=True)
    for package in _RUNTIME:
        installed = importlib.metadata.distribution(package)
        for name in {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
            (folder / name).symlink_to(str(installed.locate_file(name)))
    return folder


def _free_ports() -> tuple[int, int]:
    """Two ports that are free at this moment."""
    with socket.create_server((LOOPBACK, 0)) as one, socket.create_server((LOOPBACK, 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]
