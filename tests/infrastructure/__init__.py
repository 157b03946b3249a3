"""The deployed shape of the service, and the project's own files."""

from __future__ import annotations
