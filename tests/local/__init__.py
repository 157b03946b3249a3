"""The parts of the local stack, each by itself, and the whole as `make run` starts it."""

from __future__ import annotations
