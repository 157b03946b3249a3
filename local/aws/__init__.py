"""What AWS does for the service, on this machine: each part is a server on loopback."""

from __future__ import annotations
