"""Requests from the tables of exchanges to the issuer in this process, healthy or with a fault."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from tests.contract.exchanges import (
    BUDGETS,
    CONDITIONS,
    EDGE_SHA256,
    ROOM,
    SESSIONS,
    Good,
    Refusal,
    encoded,
    limit,
)
from tests.contract.openapi import load
from tests.recorded.real_code import (
    ROLE_SESSION,
    STRANGER_SESSION,
    Function,
    Parts,
    failing,
)
from tests.support.application import event

MIXED = [
    {"user_id": "bob", "room_id": ROOM},
    {"user_id": "bob", "lifetime_seconds": 59},
    {},
    "dave",
]


def answered(function: Function, parts: Parts, asked: Good | Refusal) -> dict[str, Any]:
    """The response to a request: its status, headers and body."""
    at = asked.at if isinstance(asked, Refusal) else "api"
    role = {"function": None, "api_for_a_stranger": STRANGER_SESSION}.get(at, ROLE_SESSION)
    security = load().security.get(asked.route)
    made = event(asked.route, role=role if security == "sigv4" else None)
    made["body"] = base64.b64encode(encoded(asked.body)).decode()
    made["isBase64Encoded"] = True
    authorization = asked.authorize(parts.identity_provider)
    if authorization is not None and security == "bearer":
        made["headers"]["authorization"] = authorization
    if isinstance(asked, Refusal) and asked.headers is not None:
        made["headers"] |= asked.headers
    raw = function(made)
    is_page = raw["headers"]["content-type"].startswith("text/html")
    headers = dict(sorted(raw["headers"].items()))
    if raw["statusCode"] == 401 and "retry-after" in headers:
        headers["retry-after"] = "<what is left of 30 s>"
    if "too_many_tokens" in raw["body"]:
        headers["retry-after"] = "<what is left of the hour>"
    return {
        "status": raw["statusCode"],
        "headers": headers,
        "body": "<a page>" if is_page else json.loads(raw["body"]),
    }


@contextmanager
def serving(parts: Parts, at: str) -> Iterator[Function]:
    """The issuer with a fault, named as in :mod:`tests.contract.conftest`."""
    good = parts.policy.read_text(encoding="utf-8")
    policy = parts.folder / f"{at}.toml"
    changes: dict[str, str] = {"ACCESS_POLICY_FILE": str(policy)}
    match at:
        case "api_without_secret":
            changes["SERVER_SECRET_ARN"] = "zego/absent"
        case "api_behind_edge":
            changes["ORIGIN_HEADER_SHA256"] = EDGE_SHA256
        case "api_without_keys":
            good = good.replace("/jwks.json", "/absent.json")
        case "api_with_conditions":
            good = good.replace(*CONDITIONS, 1)
        case "api_with_sessions":
            good = good.replace(*SESSIONS, 1)
        case "api_without_denials":
            changes["LIMITS_TABLE"] = "absent"
        case "api_with_limits":
            good = good.replace(*BUDGETS)
            limit(parts.dynamodb, good)
        case "api_without_rules":
            good = good.partition("[[rules]]")[0].replace("= true", "= false")
    policy.write_text(good, encoding="utf-8")
    with parts.function("issuer", **changes) as function:
        function.module._first_reads._reads = ()  # threads log in any order
        routes = function.module.ROUTES
        with patch.dict(routes, failing(list(routes)) if at == "failing_api" else {}):
            yield function
