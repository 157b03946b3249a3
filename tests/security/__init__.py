"""Tests that keep the service secure as it grows."""

from __future__ import annotations
