from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.aws.events import EVENTS_KEPT, Event, EventBus, make_event
from tests.local.exchange import exchange
from tests.support.clock import Clock
from tests.support.in_process import client_of

GOOD = {"Source": "zego-token-service", "DetailType": "Something", "Detail": '{"a": 1}'}


@pytest.fixture
def bus() -> EventBus:
    return EventBus(region="eu-west-1", clock=Clock())


@pytest.fixture
def served() -> Iterator[EventBus]:
    with EventBus() as bus:
        yield bus


def put(bus: EventBus, *entries: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = client_of("events", bus).put_events(Entries=list(entries))
    return answer


def event(source: str, detail_type: str) -> Event:
    return make_event(source, detail_type, {}, region="us-east-1", now=0)


def test_the_aws_sdk_can_put_an_event(bus: EventBus) -> None:
    answer = put(bus, GOOD | {"Resources": ["arn:aws:x"]})
    assert answer["FailedEntryCount"] == 0
    (kept,) = bus.events()
    assert kept == {
        "version": "0",
        "id": answer["Entries"][0]["EventId"],
        "detail-type": "Something",
        "source": "zego-token-service",
        "account": "000000000000",
        "time": "2023-11-14T22:13:20Z",
        "region": "eu-west-1",
        "resources": ["arn:aws:x"],
        "detail": {"a": 1},
    }


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Source": ""}, "InvalidArgument"),
        ({"Source": ...}, "InvalidArgument"),
        ({"DetailType": ...}, "InvalidArgument"),
        ({"Detail": ...}, "InvalidArgument"),
        ({"Detail": "{"}, "MalformedDetail"),
        ({"Detail": "[1]"}, "MalformedDetail"),
        ({"Source": "aws.secretsmanager"}, "NotAuthorizedForSourceException"),
        ({"EventBusName": "other"}, "ResourceNotFoundException"),
    ],
)
def test_only_the_invalid_entry_fails(bus: EventBus, changes: dict[str, Any], code: str) -> None:
    wrong = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    answer = put(bus, wrong, GOOD)
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][0]["ErrorCode"] == code
    assert "EventId" in answer["Entries"][1]
    assert len(bus.events()) == 1


@pytest.mark.parametrize("count", [0, 11])
def test_a_call_takes_one_to_ten_entries(served: EventBus, count: int) -> None:
    body = json.dumps({"Entries": [GOOD] * count}).encode()
    answer = exchange(served.url, "POST", [("x-amz-target", "AWSEvents.PutEvents")], body)
    assert (answer.status, answer.json()["__type"]) == (400, "ValidationException")
    assert served.events() == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000], ids=repr)
def test_an_invalid_body_is_refused(served: EventBus, body: bytes) -> None:
    answer = exchange(served.url, "POST", [("x-amz-target", "AWSEvents.PutEvents")], body)
    assert (answer.status, answer.json()["__type"]) == (400, "SerializationException")


def test_other_actions_are_unknown(served: EventBus) -> None:
    answer = exchange(served.url, "POST", [("x-amz-target", "AWSEvents.PutRule")], b"{}")
    assert (answer.status, answer.json()["__type"]) == (400, "UnknownOperationException")


def test_a_subscriber_gets_the_events_that_match_its_pattern(bus: EventBus) -> None:
    everything, by_source, by_both = list[Event](), list[Event](), list[Event]()
    bus.subscribe(everything.append)
    bus.subscribe(by_source.append, source="a")
    bus.subscribe(by_both.append, source="a", detail_type="x")
    events = [event("a", "x"), event("a", "y"), event("b", "x")]
    for one in events:
        bus.publish(one)
    assert (everything, by_source, by_both) == (events, events[:2], events[:1])


def test_the_last_thousand_are_kept(bus: EventBus) -> None:
    for number in range(EVENTS_KEPT + 5):
        bus.publish(event("a", str(number)))
    kept = bus.events()
    assert len(kept) == EVENTS_KEPT == 1000
    assert (kept[0]["detail-type"], kept[-1]["detail-type"]) == ("5", "1004")
    assert bus.events("1004") == kept[-1:]


def test_get_shows_the_events(served: EventBus) -> None:
    served.publish(event("a", "x"))
    assert json.loads(exchange(served.url).body) == served.events()
