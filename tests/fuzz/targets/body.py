"""The body of a request, and the whole event: through the handler, to its response and its log."""

from __future__ import annotations

import base64
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from issuer.http_event import ApiEventError
from tests.contract.openapi import Answer, load
from tests.fuzz.choices import Choices, as_text
from tests.fuzz.targets import TELLTALE, check_message
from tests.support.application import (
    APP_ID,
    OPERATOR_SESSION,
    ROLE_SESSION,
    SERVER_SECRET,
    SUPPORT_SESSION,
    Application,
    bearer,
    event,
)
from tests.support.routes import (
    BATCH,
    CALL,
    CALL_IN_CAMEL_CASE,
    DIAGNOSE,
    SERVICE_CALL,
    SERVICE_CALL_IN_CAMEL_CASE,
    SERVICE_TOKENS,
    STATUS,
    TOKENS,
    TOKENS_BATCH,
)
from zego import token04

INVARIANT: Final = (
    "Each response is as the OpenAPI document says and never a failure; a granted request is valid"
    " there too, its token says what the response says, and the log has no secret and no token."
)

EVENTS: Final = Path(__file__).parents[3] / "events"
ROUTES: Final = (
    *(TOKENS, SERVICE_TOKENS, CALL, SERVICE_CALL, BATCH, TOKENS_BATCH, DIAGNOSE, STATUS),
    *(CALL_IN_CAMEL_CASE, SERVICE_CALL_IN_CAMEL_CASE),
)
ROLES: Final = (ROLE_SESSION, SUPPORT_SESSION, OPERATOR_SESSION, None)
FAR: Final = int(time.time()) + 10 * 365 * 86400
CODINGS: Final = (None, None, None, "", "identity", "gzip", "identity, gzip")
KEYS: Final = (None, None, None, "7c9e6679-7425-40de", "", "a b", "k" * 256)

#: Values for the fields of a body of known fields; those in range first.
FIELDS: Final[dict[str, tuple[Any, ...]]] = {
    "user_id": ("bob", "alice", "", "é", "a" * 64, "a b", 7, None, "user_1"),
    "room_id": ("call_1", "lobby", "", "r" * 128, "a/b", ["x"], None, "call_{user_id}"),
    "privileges": (["login"], ["login", "publish"], [], ["login", "login"], "login", [1], None),
    "stream_ids": (["a_1"], ["x"] * 2, [], [f"s{n}" for n in range(51)], ["é"], [None], "s", None),
    "lifetime_seconds": (60, 7200, 59, 60.0, 60.5, 1e300, -1, True, "60", 10**30, None),
    "refused_with": (20014, 1002070, 1002080, 0, 20014.0, False, "20014", None),
    "callees": (["bob"], ["user_1", "user_2"], ["alice"], [], ["bob"] * 2, [""], "bob", [{}], None),
    "token": ("", "04", "04AAAA", "eyJhbGciOiJIUzI1NiJ9.e30.x", 7, None, "\x00"),
    "sdk": ("web", "zim", "native", "uikit", "express", 1, None),
    "app_id": (APP_ID, 0, -1, 2**53, 2**53 - 1, 1.5, "1", None),
    "requests": ([], [{"user_id": "bob"}], [{}], [7], {}, None, [{"user_id": "a"}] * 101),
    "colour": (1,),
}

WORDS: Final = (
    *(f'"{name}":' for name in FIELDS),
    *('"login"', '"publish"', '"web"', '"call_1"', '"alice"', '"bob"', "20014", "1002070", "7200"),
    *(
        "1e999",
        "-0",
        "60.0",
        "null",
        "true",
        "NaN",
        "\\ud800",
        "\\u0000",
        "[[[[",
        "{}",
        "\xef\xbb\xbf",
    ),
    *('"headers":', '"body":', '"isBase64Encoded":true', '"requestContext":', '"routeKey":'),
)

_document: Final = load()
_patches: Final = pytest.MonkeyPatch()
_folder: Final = tempfile.TemporaryDirectory(prefix="fuzz-body-")
_application: Final = Application(Path(_folder.name), _patches)
_bearer: Final = bearer(exp=FAR)


def check(data: bytes) -> None:
    """Send a body of any bytes or of known fields, or a whole event."""
    choices = Choices(data)
    mode = choices.byte() % 3
    if mode == 2:
        _check_event(choices.rest())
        return
    route, role = choices.pick(ROUTES), choices.pick(ROLES)
    headers = {"content-encoding": choices.pick(CODINGS), "idempotency-key": choices.pick(KEYS)}
    is_base64 = choices.flag()
    body = choices.rest() if mode == 0 else _known_fields(choices)
    _check_body(route, role, headers, body, is_base64=is_base64)


def seeds() -> Iterator[bytes]:
    """The examples of the document, and the events of the project."""
    for number, route in enumerate(ROUTES):
        role = 1 if route == DIAGNOSE else 2 if route == STATUS else 0
        place = _document.routes[route]
        if "requestBody" in _document.at(place):
            content = _document.at(f"{place}/requestBody/content/application~1json")
            for name in content["examples"]:
                value = _document.at(
                    f"{place}/requestBody/content/application~1json/examples/{name}/value"
                )
                yield bytes([0, number, role, 0, 0, 0]) + json.dumps(value).encode()
        yield bytes([0, number, role, 0, 0, 0])
        yield bytes([0, number, 3, 5, 4, 1]) + b"{}"
        if route in {TOKENS, SERVICE_CALL, DIAGNOSE}:
            user = (1, 0) if route == SERVICE_CALL else (0,)
            room = (1, [*FIELDS].index("room_id"), 0) if route == TOKENS else ()
            for field, values in enumerate(FIELDS.values()):
                for value in range(len(values)):
                    yield bytes([1, number, role, 0, 3, 0, *user, 1, field, value, *room])
    for file in sorted(EVENTS.glob("*.json")):
        yield b"\2" + file.read_bytes()


def _known_fields(choices: Choices) -> bytes:
    """A body with some of the known fields: those of a good request first."""
    body: dict[str, Any] = {}
    names = [*FIELDS]
    if choices.flag():
        body["user_id"] = choices.pick(FIELDS["user_id"])
    for _ in range(6):
        if choices.byte() == 0 and not choices.rest():
            break
        name = choices.pick(names)
        body[name] = choices.pick(FIELDS[name])
    if choices.flag():
        body = {"requests": [body, dict(reversed(body.items()))]}
    if text := choices.rest():
        body["room_id"] = as_text(text)
    return json.dumps(body).encode()


def _check_body(
    route: str,
    role: str | None,
    headers: dict[str, str | None],
    body: bytes,
    *,
    is_base64: bool,
) -> None:
    security = _document.security[route]
    sent = event(
        route,
        base64.b64encode(body).decode() if is_base64 else as_text(body),
        bearer=_bearer if security == "bearer" else None,
        role=role if security == "sigv4" else None,
        isBase64Encoded=is_base64,
    )
    sent["headers"] |= {name: value for name, value in headers.items() if value is not None}
    answer, log = _exchange(sent)
    if answer.status == 200 and route == STATUS:
        return
    assert not _document.violations(route, answer), _document.violations(route, answer)
    assert answer.status < 500, answer.body
    if answer.status >= 300:
        return
    if body.strip():
        _is_valid(route, json.loads(body), answer.json)
    for issued in _tokens(answer.json):
        token = issued["token"]
        claims = token04.decode(token, SERVER_SECRET).claims
        assert claims.app_id == APP_ID
        assert "user_id" not in issued or claims.user_id == issued["user_id"]
        assert "expires_at" not in issued or claims.expires_at == issued["expires_at"]
        room = issued.get("room_id", issued.get("roomId"))
        assert json.loads(claims.payload or '{"room_id": null}')["room_id"] == room
        assert token not in log
        assert token[2 : 2 + TELLTALE] not in log


def _is_valid(route: str, body: Any, response: Any) -> None:
    """What the service grants, the document allows. A batch may have requests that are refused."""
    if route in {BATCH, TOKENS_BATCH}:
        results = zip(body["requests"], response["results"], strict=True)
        granted = [one for one, result in results if result["status"] == 201]
        if not granted:
            return
        body = {"requests": granted}
    violations = _document.request_violations(route, body)
    assert not violations, violations


def _check_event(content: bytes) -> None:
    try:
        sent = json.loads(content)
    except (ValueError, RecursionError):
        return
    try:
        _exchange(sent)
    except ApiEventError as error:
        check_message(error)


def _exchange(sent: Any) -> tuple[Answer, str]:
    """The response to an event, and what was logged of it; neither contains a secret."""
    _application.forget_output()
    response = _application.handle(sent)
    log = _application.output()
    for line in log.splitlines():
        assert isinstance(json.loads(line), dict)
    for secret in (SERVER_SECRET, *_bearer.split(".")[1:]):
        assert secret not in log, "the log contains a secret"
        assert secret not in response.text, "the response contains a secret"
    assert "Traceback" not in response.text
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, response.text.encode()), log


def _tokens(document: Any) -> Iterator[dict[str, Any]]:
    """The tokens of a response, each with what the response says about it."""
    for holder in (document, document.get("zegoRoom"), *document.get("results", ())):
        if isinstance(holder, dict):
            token = holder.get("token")
            if isinstance(token, dict):
                yield token
            elif isinstance(token, str):
                yield holder
