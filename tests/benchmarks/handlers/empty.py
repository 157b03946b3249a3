"""The smallest possible Lambda function: the baseline of the measured invocations."""

from __future__ import annotations


def handler(_event: object, _context: object) -> dict[str, object]:
    return {"statusCode": 201, "headers": {"content-type": "application/json"}, "body": "{}"}
