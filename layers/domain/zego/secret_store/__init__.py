"""The ServerSecret in Secrets Manager.

:class:`CachedSecret` reads it through a cache: all that the issuer needs. What changes it is in
:mod:`zego.secret_store.versions`, which needs boto3 and is imported by those who rotate.
"""

from __future__ import annotations

from zego.secret_store.cached import (
    CachedSecret,
    Reading,
    SecretUnavailableError,
    SecretVersion,
)
from zego.secret_store.labels import CANDIDATE, CURRENT, FILLED, PENDING, PREVIOUS

__all__ = [
    "CANDIDATE",
    "CURRENT",
    "FILLED",
    "PENDING",
    "PREVIOUS",
    "CachedSecret",
    "Reading",
    "SecretUnavailableError",
    "SecretVersion",
]
