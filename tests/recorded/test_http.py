"""The HTTP API: what each route answers, and every refusal of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from tests.contract.exchanges import GOOD, REFUSALS, ROOM, Good, Refusal, encoded
from tests.contract.openapi import load
from tests.recorded.real_code import (
    ROLE_SESSION,
    STRANGER_SESSION,
    Function,
    Parts,
    failing,
)
from tests.recorded.recording import check, normalised
from tests.support.application import event
from tests.support.routes import BATCH, DIAGNOSE

MIXED = [
    {"user_id": "bob", "room_id": ROOM},
    {"user_id": "bob", "lifetime_seconds": 59},
    {},
    "dave",
]


def answered(
    function: Function, parts: Parts, asked: Good | Refusal, role: str | None = ROLE_SESSION
) -> dict[str, Any]:
    """The answer to a request: its status, headers and body."""
    security = load().security.get(asked.route)
    made = event(asked.route, role=role if security == "sigv4" else None)
    made["body"] = base64.b64encode(encoded(asked.body)).decode()
    made["isBase64Encoded"] = True
    authorization = asked.authorize(parts.identity_provider)
    if authorization is not None and security == "bearer":
        made["headers"]["authorization"] = authorization
    raw = function(made)
    return {
        "status": raw["statusCode"],
        "headers": dict(sorted(raw["headers"].items())),
        "body": json.loads(raw["body"]),
    }


@contextmanager
def serving(parts: Parts, at: str) -> Iterator[Function]:
    """The issuer with what is wrong, by the names of :mod:`tests.contract.conftest`."""
    good = parts.policy.read_text(encoding="utf-8")
    policy = parts.folder / f"{at}.toml"
    changes: dict[str, str] = {"ACCESS_POLICY_FILE": str(policy)}
    match at:
        case "api_without_secret":
            changes["SERVER_SECRET_ARN"] = "zego/absent"
        case "api_without_keys":
            good = good.replace("/jwks.json", "/absent.json")
        case "api_without_rules":
            good = good.partition("[[rules]]")[0].replace("= true", "= false")
    policy.write_text(good, encoding="utf-8")
    with parts.function("issuer", **changes) as function:
        routes = function.module.ROUTES
        with patch.dict(routes, failing(list(routes)) if at == "failing_api" else {}):
            yield function


def test_what_each_route_answers(parts: Parts, request: pytest.FixtureRequest) -> None:
    with serving(parts, "api") as function:
        found = {str(good): answered(function, parts, good) for good in GOOD}
        token = found[str(GOOD[0])]["body"]["token"]
        more = [
            Good("the service's own token", DIAGNOSE, 200, {"token": token}),
            Good("good requests and bad ones", BATCH, 200, {"requests": MIXED}),
        ]
        found |= {str(good): answered(function, parts, good) for good in more}
    assert {good.route for good in GOOD} == set(load().routes)
    check("http_answers", {name: normalised(found[name], parts.folder) for name in found}, request)


def test_what_each_route_refuses(parts: Parts, request: pytest.FixtureRequest) -> None:
    codes: dict[str, dict[str, str]] = {}
    problems: dict[str, list[Any]] = {}
    for at in dict.fromkeys(refusal.at for refusal in REFUSALS):
        with serving(parts, at) as function:
            for refusal in (refusal for refusal in REFUSALS if refusal.at == at):
                role = {"function": None, "api_for_a_stranger": STRANGER_SESSION}
                answer = answered(function, parts, refusal, role.get(at, ROLE_SESSION))
                answer = normalised(answer, parts.folder)
                code = answer["body"]["code"]
                codes.setdefault(refusal.route, {})[refusal.what] = code
                known = problems.setdefault(code, [])
                if answer not in known:
                    known.append(answer)
    assert set(problems) == set(load().problems)
    check("http_refusals", {"codes": codes, "problems": problems}, request)
