"""The routes, and the common form of all refusals."""

from __future__ import annotations

from typing import Any

from tests.local.exchange import Answer


def problem(answer: Answer, status: int, code: str) -> dict[str, Any]:
    """Returns the problem of a response, after checking its code and its form."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    document: dict[str, Any] = answer.json()
    assert (answer.status, document["code"]) == (status, code), document
    assert document["status"] == status
    assert document["request_id"] == answer.headers["apigw-requestid"]
    assert document["type"] == f"urn:zego-token-service:problem:{code}"
    return document
