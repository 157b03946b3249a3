"""The least that a Lambda function can do: the baseline of every invocation measured."""

from __future__ import annotations


def handler(_event: object, _context: object) -> dict[str, object]:
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": "{}"}
