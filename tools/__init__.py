"""What the Makefile runs to check and to build. Nothing in production imports it."""

from __future__ import annotations
