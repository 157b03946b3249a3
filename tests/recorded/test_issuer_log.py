"""The issuer's audit events and metrics, one per outcome."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from tests.contract.exchanges import GOOD, REFUSALS, Good, Refusal
from tests.contract.openapi import load
from tests.recorded.issuer import MIXED, answered, serving
from tests.recorded.logs import log_lines, metrics
from tests.recorded.real_code import Parts
from tests.recorded.recording import check, normalised
from tests.support.routes import BATCH, DIAGNOSE, STATUS, TOKENS

GRANTED = [
    *(good for good in GOOD if good.what in {"a room", "no room", "a call", "once more"}),
    *(good for good in GOOD if good.what in {"a room with streams", "a call with a camera"}),
    Good("good requests and bad ones", BATCH, 200, {"requests": MIXED}),
    *(good for good in GOOD if good.route in {STATUS, DIAGNOSE}),
]
REFUSED = [
    *{refusal.code: refusal for refusal in REFUSALS if refusal.at == "api"}.values(),
    *(refusal for refusal in REFUSALS if refusal.at != "api"),
    *(
        Refusal(what, "not_granted", TOKENS, {"room_id": "bob_desk", field: value})
        for what, field, value in (
            ("after a refused token", "refused_with", 20014),
            ("streams", "stream_ids", ["camera"]),
        )
    ),
]


def exchanges(parts: Parts) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each exchange with its log lines."""
    for at in dict.fromkeys(("api", *(refusal.at for refusal in REFUSED))):
        asked: list[Good | Refusal] = [
            *(GRANTED if at == "api" else []),
            *(one for one in REFUSED if one.at == at),
        ]
        with serving(parts, at) as function:
            for one in asked:
                answered(function, parts, one)
                yield f"{at}: {one}", function.lines()
    with serving(parts, "api") as function:
        token = answered(function, parts, GRANTED[0])["body"]["token"]
        function.lines()
        answered(function, parts, Good("", DIAGNOSE, 200, {"token": token}))
        yield "api: its own token", function.lines()
        with patch("os.urandom", side_effect=RuntimeError):
            answered(function, parts, Good("", TOKENS, 500))
        yield "api: a fault within a route", function.lines()


def test_what_the_issuer_logs(parts: Parts, request: pytest.FixtureRequest) -> None:
    found = {name: log_lines(lines) for name, lines in exchanges(parts)}
    codes = {
        line["audit"]["code"]
        for lines in found.values()
        for line in lines
        if line.get("audit", {}).get("decision") == "refused"
    }
    assert codes == set(load().problems) - {"route_not_found", "edge_required"}
    check("issuer_log", {name: normalised(found[name], parts.folder) for name in found}, request)


def test_what_the_issuer_measures(parts: Parts, request: pytest.FixtureRequest) -> None:
    found = {name: metrics(lines) for name, lines in exchanges(parts)}
    check("issuer_metrics", {name: normalised(found[name]) for name in found}, request)
