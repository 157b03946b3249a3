"""The service accepts a request's body if, and only if, it satisfies the document's schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer import diagnose
from issuer.body import read_object
from issuer.problems import Problem
from issuer.token_request import call_request, token_request
from tests.contract.openapi import load
from tests.support.routes import (
    BATCH,
    CALL,
    CALL_IN_CAMEL_CASE,
    DIAGNOSE,
    SERVICE_CALL,
    SERVICE_CALL_IN_CAMEL_CASE,
    SERVICE_TOKENS,
    TOKENS,
    TOKENS_BATCH,
)

DOCUMENT = load()

Read = Callable[[bytes], object]


def _of_user_or_backend(read: Callable[..., object], body: bytes) -> object:
    """A bearer route takes a user's request or, from a backend, one that names the user."""
    try:
        return read(read_object(body), names_user=False)
    except Problem:
        return read(read_object(body), names_user=True)


READERS: dict[str, Read] = {
    TOKENS: lambda body: _of_user_or_backend(token_request, body),
    SERVICE_TOKENS: lambda body: token_request(read_object(body), names_user=True),
    CALL: lambda body: _of_user_or_backend(call_request, body),
    SERVICE_CALL: lambda body: call_request(read_object(body), names_user=True),
    CALL_IN_CAMEL_CASE: lambda body: _of_user_or_backend(call_request, body),
    SERVICE_CALL_IN_CAMEL_CASE: lambda body: call_request(read_object(body), names_user=True),
    DIAGNOSE: diagnose.read_request,
}

# Left out: line feeds, since Python's `$` overlooks one at the end and that of ECMAScript does not.
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers()
PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
TEXTS = st.text(PRINTABLE + "\0\t\x7féß€✓😀", max_size=130)
ANYTHING = st.none() | st.booleans() | NUMBERS | TEXTS | st.lists(TEXTS)

STREAM_IDS = st.text("aZ09_-", min_size=1, max_size=8) | st.just("s" * 255)
USER_IDS = st.text("aZ09_-.@\\~", min_size=1, max_size=8) | st.just("u" * 63)
GOOD: dict[str, st.SearchStrategy[Any]] = {
    "user_id": USER_IDS,
    "callees": st.lists(USER_IDS, min_size=1, max_size=3, unique=True),
    "room_id": st.text("aZ09_-.@\\~", min_size=1, max_size=8) | st.just("r" * 127),
    "privileges": st.lists(st.sampled_from(["login", "publish"]), min_size=1, unique=True),
    "stream_ids": st.lists(STREAM_IDS, min_size=1, max_size=3, unique=True),
    "lifetime_seconds": st.integers(60, 2073600) | st.just(60.0),
    "refused_with": st.sampled_from([20014, 50119.0, 1102016, 1002033, 6000103])
    | st.integers(1002070, 1002079),
    "token": TEXTS,
    "app_id": st.integers(-(2**53) + 1, 2**53 - 1) | st.just(5.0),
    "sdk": st.sampled_from(["web", "native", "zim", "uikit"]),
}
DOUBTFUL: dict[str, st.SearchStrategy[Any]] = {
    "user_id": TEXTS | st.just("u" * 64),
    "room_id": TEXTS | st.just("r" * 128),
    "privileges": st.lists(st.sampled_from(["login", "publish", "kick"]), max_size=3),
    "callees": st.lists(TEXTS, max_size=3) | st.just([f"u{n}" for n in range(51)]),
    "stream_ids": st.lists(TEXTS, max_size=3) | st.just([f"s{n}" for n in range(51)]),
    "lifetime_seconds": st.integers(-100, 100) | st.sampled_from([2073600, 2073601]),
    "refused_with": st.sampled_from([20013, 50120, 1102018]) | st.integers(1002069, 1002080),
    "token": st.just("x" * 1025),
    "app_id": st.sampled_from([2**53, -(2**53)]),
    "sdk": st.sampled_from(["WEB", "", "flutter"]),
    "colour": st.nothing(),
}


def _good(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Bodies that a schema allows, as far as single fields go."""
    required = schema.get("required", [])
    return st.fixed_dictionaries(
        {name: GOOD[name] for name in required},
        optional={name: GOOD[name] for name in schema["properties"] if name not in required},
    )


def bodies(route: str) -> st.SearchStrategy[dict[str, Any]]:
    """Bodies of the fields that a route has, with one of them or another one in doubt."""
    place = f"{DOCUMENT.routes[route]}/requestBody/content/application~1json/schema"
    references = [each["$ref"] for each in DOCUMENT.at(place).get("anyOf", ())]
    places = [reference.removeprefix("#") for reference in references] or [place]
    good = st.one_of(*(_good(DOCUMENT.at(each)) for each in places))
    doubt = st.sampled_from(sorted(DOUBTFUL)).flatmap(
        lambda name: st.fixed_dictionaries({name: DOUBTFUL[name] | ANYTHING})
    )
    return st.tuples(good, st.just({}) | doubt).map(lambda pair: pair[0] | pair[1])


def refusal(route: str, body: dict[str, Any]) -> str | None:
    """The code with which the service refuses a body; None if it accepts it."""
    try:
        READERS[route](json.dumps(body).encode())
    except Problem as problem:
        return problem.code
    return None


@pytest.mark.parametrize("route", READERS)
@given(data=st.data())
def test_the_service_accepts_what_the_document_describes_and_nothing_else(
    route: str, data: st.DataObject
) -> None:
    body = data.draw(bodies(route))
    code = refusal(route, body)
    assert (code is None) == (DOCUMENT.request_violations(route, body) == [])
    assert code is None or code in DOCUMENT.codes(route, DOCUMENT.problems[code].status)


def test_the_routes_here_are_all_that_accept_one_request() -> None:
    posts = {route for route in DOCUMENT.routes if route.startswith("POST ")}
    assert posts - set(READERS) == {BATCH, TOKENS_BATCH}
