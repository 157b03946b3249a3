"""Programs of the Makefile that check and build. Production code does not import them."""

from __future__ import annotations
