"""The whole system on one machine: `python -m local` (or `make run`).

Each `Part` can be used alone; `local.stack.LocalStack` composes them. Everything listens on
127.0.0.1 only. The functions are not imported: they run as real processes under AWS' own runtime
client (`local.aws.lambda_host`).
"""

from __future__ import annotations

import abc
import sys
from pathlib import Path
from typing import Self

PROJECT = Path(__file__).resolve().parent.parent
DOMAIN_LAYER = PROJECT / "layers" / "domain"

# A checkout is not an installation: the package `zego` is in the layer's folder.
sys.path.append(str(DOMAIN_LAYER))


class Part(abc.ABC):
    """A part of the stack. It runs between `start` and `stop`, or within a `with` block."""

    @abc.abstractmethod
    def start(self) -> None:
        """Starts the part."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Stops the part."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
