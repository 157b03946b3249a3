"""Tests of each part of the local stack, and of the whole as `make run` starts it."""

from __future__ import annotations
