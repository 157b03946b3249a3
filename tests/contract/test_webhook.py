"""The event of a call is the one that the document's webhook describes."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from local.stack import LocalStack
from tests.contract.exchanges import alice, encoded
from tests.contract.openapi import load
from tests.contract.services import EVENTS, Api
from tests.support.routes import CALL

DOCUMENT: Final = load()
PLACE: Final = "/webhooks/incomingCall/post/requestBody/content/application~1json"
SAMPLE: Final = EVENTS / "published" / "incoming_call.json"


def violations(event: Any) -> list[str]:
    return DOCUMENT.schema_violations(DOCUMENT.at(f"{PLACE}/schema"), event)


def test_the_event_of_a_real_call_is_as_described(api: Api, stack: LocalStack) -> None:
    body = encoded({"callees": ["bob", "carol"]})
    call = api.send(CALL, body, alice(api.identity_provider)).json
    (event,) = (
        event
        for event in stack.event_bus.events("Incoming Call")
        if event["detail"]["call_id"] == call["call_id"]
    )
    assert violations(event) == []
    described = DOCUMENT.at(f"{PLACE}/schema/properties/detail/properties")
    assert event["detail"].keys() == described.keys()
    assert call["token"] not in json.dumps(event)


def test_the_sample_is_the_example_of_the_document() -> None:
    sample = json.loads(SAMPLE.read_text(encoding="utf-8"))
    assert violations(sample) == []
    assert sample == DOCUMENT.at(f"{PLACE}/examples/bob")["value"]


@pytest.mark.parametrize("field", ["call_id", "room_id", "callees", "caller", "called_at"])
def test_an_event_without_a_field_is_another_one(field: str) -> None:
    sample = json.loads(SAMPLE.read_text(encoding="utf-8"))
    del sample["detail"][field]
    assert violations(sample) != []
