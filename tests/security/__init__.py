"""Rules that keep the service safe as it grows."""

from __future__ import annotations
