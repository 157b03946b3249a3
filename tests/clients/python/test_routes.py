"""Each call sends a request as in docs/openapi.yaml, and reads every response in it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from tests.clients.python.backend import CALL, ISSUED, TOKEN, Backend, answer
from tests.contract.openapi import load
from tests.unit.zego.scripted_server import serving
from zego_token_client import (
    Call,
    Diagnosis,
    Finding,
    IssuedToken,
    LastVerdict,
    PolicyStatus,
    Privileges,
    SecretStatus,
    SigningKeys,
    Status,
    TokenClient,
    TokenProblem,
    TokenRequest,
)

DOCUMENT: Final = load()

#: The call of each route, with a user and a room if it takes them.
CALLS: Final[dict[str, Callable[[TokenClient, str, str | None], object]]] = {
    "POST /v1/service/tokens": lambda client, user, room: client.token(user, room_id=room),
    "POST /v1/service/tokens/batch": lambda client, user, room: client.tokens(
        [TokenRequest(user, room_id=room), TokenRequest("carol", room_id="boardroom")]
    ),
    "POST /v1/service/calls": lambda client, user, room: client.start_call(user),
    "GET /v1/status": lambda client, user, room: client.status(),
    "POST /v1/diagnose": lambda client, user, room: client.diagnose("eyJhbGci"),
}


@dataclass(frozen=True)
class Example:
    """An example response in docs/openapi.yaml.

    :ivar name: the route, the status and the name of the example.
    """

    name: str
    route: str
    status: int
    media_type: str
    value: Any

    def asked(self, client: TokenClient) -> object:
        """The result of a client whose request matches the example."""
        first = self.value["results"][0]["token"] if "results" in self.value else self.value
        user = first.get("user_id") or "bob"
        return CALLS[self.route](client, user, first.get("room_id"))


def examples() -> Iterator[Example]:
    for route in CALLS:
        responses = DOCUMENT.at(DOCUMENT.routes[route])["responses"]
        for status in responses:
            place = f"{DOCUMENT.routes[route]}/responses/{status}/content"
            for media_type in DOCUMENT.at(place):
                held = f"{place}/{media_type.replace('/', '~1')}/examples"
                for name in DOCUMENT.at(held):
                    value = DOCUMENT.at(f"{held}/{name}")["value"]
                    yield Example(f"{route} {status} {name}", route, int(status), media_type, value)


EXAMPLES: Final = tuple(examples())
GRANTED: Final = tuple(example for example in EXAMPLES if example.status < 400)
REFUSED: Final = tuple(example for example in EXAMPLES if example.status >= 400)


def plain(value: object) -> Any:
    """A result as JSON; a problem as its code."""
    if isinstance(value, TokenProblem):
        return value.code
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return value


def as_results_are(route: str, value: Any) -> Any:
    """An example in the form that `plain` returns."""
    if route.endswith("/batch"):
        return [
            {**each["token"], "request_id": value["request_id"]}
            if "token" in each
            else each["problem"]["code"]
            for each in value["results"]
        ]
    return value


def test_every_route_for_iam_roles_has_a_call() -> None:
    in_camel_case = "POST /v1/service/calls/initiate"
    assert CALLS.keys() | {in_camel_case} == {
        route for route, scheme in DOCUMENT.security.items() if scheme == "sigv4"
    }


@pytest.mark.parametrize("example", GRANTED, ids=lambda example: example.name)
def test_a_granted_response_is_read_completely(example: Example, backend: Backend) -> None:
    with serving(answer(example.value, example.status)) as server:
        result = example.asked(backend.client(server))
    assert plain(result) == as_results_are(example.route, example.value)


@pytest.mark.parametrize("example", REFUSED, ids=lambda example: example.name)
def test_a_refusal_raises_a_problem(example: Example, backend: Backend) -> None:
    headers = {"apigw-requestid": "made-up-gateway-id"}
    reply = answer(example.value, example.status, example.media_type, headers)
    with serving(reply) as server, pytest.raises(TokenProblem) as refused:
        example.asked(backend.client(server, attempts=1))
    problem = refused.value
    assert problem.status == example.status
    if example.media_type == "application/problem+json":
        expected = {name: example.value.get(name) for name in ("code", "detail", "field")}
        assert {name: getattr(problem, name) for name in expected} == expected
        assert problem.retryable == example.value["retryable"]
        assert problem.request_id == example.value["request_id"]
    else:
        assert problem.code.startswith("gateway_")
        assert problem.retryable == (example.status in {429, 500, 503})
        assert problem.request_id == "made-up-gateway-id"


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ("TokenResponse", IssuedToken),
        ("StatusResponse", Status),
        ("StatusResponse/properties/secret", SecretStatus),
        ("StatusResponse/properties/policy", PolicyStatus),
        ("SigningKeys", SigningKeys),
        ("LastVerdict", LastVerdict),
        ("GrantedPrivileges", Privileges),
        ("DiagnosisResponse", Diagnosis),
        ("Finding", Finding),
        ("ServiceTokenRequest", TokenRequest),
        ("CallTokenResponse", Call),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_the_fields_are_those_of_the_document(schema: str, kind: type) -> None:
    described = DOCUMENT.at(f"/components/schemas/{schema}")["properties"].keys()
    assert {field.name for field in dataclasses.fields(kind)} == described


FULL: Final[dict[str, Any]] = {
    "privileges": ["login", "publish"],
    "stream_ids": ["bob_camera", "bob_screen"],
    "lifetime_seconds": 3600,
    "refused_with": 50119,
}


@pytest.mark.parametrize(
    ("route", "ask", "sent"),
    [
        (
            "POST /v1/service/tokens",
            lambda client: client.token("bob", room_id="call_1", **FULL),
            {"user_id": "bob", "room_id": "call_1", **FULL},
        ),
        ("POST /v1/service/tokens", lambda client: client.token("bob"), {"user_id": "bob"}),
        (
            "POST /v1/service/tokens/batch",
            lambda client: client.tokens(
                [TokenRequest("bob"), TokenRequest("carol", room_id="call_1", **FULL)]
            ),
            {
                "requests": [
                    {"user_id": "bob"},
                    {"user_id": "carol", "room_id": "call_1", **FULL},
                ]
            },
        ),
        (
            "POST /v1/service/calls",
            lambda client: client.start_call("bob", callees=iter(["carol"]), **FULL),
            {"user_id": "bob", "callees": ["carol"], **FULL},
        ),
        ("POST /v1/service/calls", lambda client: client.start_call("bob"), {"user_id": "bob"}),
        (
            "POST /v1/diagnose",
            lambda client: client.diagnose(
                "eyJhbGci", user_id="bob", room_id="call_1", app_id=1234567890, sdk="web"
            ),
            {
                "token": "eyJhbGci",
                "user_id": "bob",
                "room_id": "call_1",
                "app_id": 1234567890,
                "sdk": "web",
            },
        ),
        ("POST /v1/diagnose", lambda client: client.diagnose(""), {"token": ""}),
    ],
    ids=["token", "token-least", "batch", "call", "call-least", "diagnose", "diagnose-least"],
)
def test_a_request_matches_the_document(
    route: str, ask: Callable[[TokenClient], object], sent: Any, backend: Backend
) -> None:
    with serving(answer({"message": "Not Found"}, 404)) as server:
        with pytest.raises(TokenProblem):
            ask(backend.client(server))
        (received,) = server.received
    assert f"{received.method} {received.target}" == route
    assert received.headers["content-type"] == "application/json"
    assert json.loads(received.body) == sent
    assert DOCUMENT.request_violations(route, sent) == []


def test_all_attempts_of_a_call_have_one_key_and_the_next_call_another(backend: Backend) -> None:
    down = answer({"message": "Service Unavailable"}, 503)
    with serving(down, answer(CALL), answer(CALL), answer(CALL)) as server:
        client = backend.client(server)
        for key in (None, None, "k" * 255):
            client.start_call("bob", callees=["carol"], idempotency_key=key)
        first, retry, second, third = (one.headers["idempotency-key"] for one in server.received)
    assert first == retry
    assert len({first, second, third}) == 3
    assert third == "k" * 255


@pytest.mark.parametrize("key", ["", "k" * 256, "a b", "a\n", "é", "a\r\nX-Other: 1"], ids=ascii)
def test_an_invalid_key_is_not_sent(key: str, backend: Backend) -> None:
    with serving(answer(CALL)) as server:
        with pytest.raises(ValueError, match="1 to 255 visible ASCII characters"):
            backend.client(server).start_call("bob", idempotency_key=key)
        assert server.received == []


def test_a_string_of_callees_is_refused(backend: Backend) -> None:
    with serving(answer(CALL)) as server, pytest.raises(TypeError, match="callees must be a list"):
        backend.client(server).start_call("bob", callees="carol")


def test_any_collection_names_privileges_and_streams(backend: Backend) -> None:
    with serving(answer({**ISSUED, "room_id": "call_1"})) as server:
        backend.client(server).token(
            "bob", room_id="call_1", privileges={"login"}, stream_ids=("bob_camera",)
        )
        sent = json.loads(server.received[0].body)
    assert sent["privileges"] == ["login"]
    assert sent["stream_ids"] == ["bob_camera"]


def test_an_iterator_is_sent_in_every_attempt(backend: Backend) -> None:
    once: dict[str, Any] = {
        "privileges": iter(["login"]),
        "stream_ids": (stream for stream in ["bob_camera"]),
    }
    request = TokenRequest("bob", **once)
    for _time in range(2):
        assert request.document() == {
            "user_id": "bob",
            "privileges": ["login"],
            "stream_ids": ["bob_camera"],
        }


def test_the_requests_of_a_batch_may_be_a_generator(backend: Backend) -> None:
    (example,) = (one for one in GRANTED if one.name.startswith("POST /v1/service/tokens/batch"))
    first = example.value["results"][0]["token"]
    listed = [
        TokenRequest(first["user_id"], room_id=first["room_id"]),
        TokenRequest("carol", room_id="boardroom"),
    ]
    with serving(answer(example.value, example.status)) as server:
        result = backend.client(server).tokens(request for request in listed)
    assert plain(result) == as_results_are(example.route, example.value)


def test_the_requests_of_a_batch_are_token_requests(backend: Backend) -> None:
    given: Any = [TokenRequest("bob"), {"user_id": "bob"}]
    said = pytest.raises(TypeError, match="a request must be a TokenRequest, not dict")
    with serving(answer(ISSUED)) as server:
        with said:
            backend.client(server).tokens(given)
        assert server.received == []


@pytest.mark.parametrize("field", ["privileges", "stream_ids"])
def test_a_string_is_not_a_list_of_its_letters(field: str, backend: Backend) -> None:
    with serving(answer(ISSUED)) as server, pytest.raises(TypeError, match=field):
        backend.client(server).token("bob", **{field: "login"})  # type: ignore[arg-type]


def test_a_path_in_the_url_is_kept(backend: Backend) -> None:
    with serving(answer(ISSUED)) as server:
        client = TokenClient(f"{server.url}prod/", session=backend.session, region="us-east-1")
        client.token("bob")
        (received,) = server.received
    assert received.target == "/prod/v1/service/tokens"


def test_new_fields_in_a_response_are_ignored(backend: Backend) -> None:
    with serving(answer({**ISSUED, "new": {"in": [1]}})) as server:
        assert backend.client(server).token("bob").token == TOKEN


def test_an_age_may_be_a_whole_number(backend: Backend) -> None:
    (example,) = (one for one in GRANTED if one.name == "GET /v1/status 200 status")
    values = {**example.value, "secret": {**example.value["secret"], "age_days": 30}}
    with serving(answer(values, 200)) as server:
        assert backend.client(server).status().secret.age_days == 30.0
