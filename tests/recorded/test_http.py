"""The HTTP API: the responses of each route, and its refusals."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.exchanges import GOOD, REFUSALS, Good
from tests.contract.openapi import load
from tests.recorded.issuer import MIXED, answered, serving
from tests.recorded.real_code import Parts
from tests.recorded.recording import check, normalised
from tests.support.routes import BATCH, DIAGNOSE


def test_the_responses_of_each_route(parts: Parts, request: pytest.FixtureRequest) -> None:
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


def test_the_refusals_of_each_route(parts: Parts, request: pytest.FixtureRequest) -> None:
    codes: dict[str, dict[str, str]] = {}
    problems: dict[str, list[Any]] = {}
    for at in dict.fromkeys(refusal.at for refusal in REFUSALS):
        with serving(parts, at) as function:
            for refusal in (refusal for refusal in REFUSALS if refusal.at == at):
                answer = normalised(answered(function, parts, refusal), parts.folder)
                code = answer["body"]["code"]
                codes.setdefault(refusal.route, {})[refusal.what] = code
                known = problems.setdefault(code, [])
                if answer not in known:
                    known.append(answer)
    assert set(problems) == set(load().problems)
    check("http_refusals", {"codes": codes, "problems": problems}, request)
