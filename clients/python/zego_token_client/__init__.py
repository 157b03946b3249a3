"""Tokens for ZEGO's SDKs from a zego-token-service, for backends.

client = TokenClient("https://tokens.example.com")
token = client.token("alice", room_id="call_1")
"""

from __future__ import annotations

from zego_token_client.client import TokenClient
from zego_token_client.errors import (
    BadAnswerError,
    CredentialsError,
    NoAnswerError,
    TokenProblem,
    TokenServiceError,
)
from zego_token_client.models import (
    Call,
    Diagnosis,
    Finding,
    IssuedToken,
    LastVerdict,
    Limits,
    PolicyStatus,
    Privilege,
    Privileges,
    SecretStatus,
    SharedKeys,
    SigningKeys,
    Status,
    TokenRequest,
)

__all__ = [
    "BadAnswerError",
    "Call",
    "CredentialsError",
    "Diagnosis",
    "Finding",
    "IssuedToken",
    "LastVerdict",
    "Limits",
    "NoAnswerError",
    "PolicyStatus",
    "Privilege",
    "Privileges",
    "SecretStatus",
    "SharedKeys",
    "SigningKeys",
    "Status",
    "TokenClient",
    "TokenProblem",
    "TokenRequest",
    "TokenServiceError",
]
