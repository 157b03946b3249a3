"""Requests to the service with their responses, as tables: the valid ones, and every refusal."""

from __future__ import annotations

import gzip
import itertools
import json
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from local.aws.dynamodb import DynamoDb
from local.identity_provider import IdentityProvider
from tests.contract.openapi import Answer, load
from tests.contract.services import Headers, Service
from tests.support.routes import (
    BATCH,
    CALL,
    CALL_IN_CAMEL_CASE,
    DIAGNOSE,
    HEALTH,
    HELP,
    SERVICE_CALL,
    SERVICE_CALL_IN_CAMEL_CASE,
    SERVICE_TOKENS,
    STATUS,
    TOKENS,
    TOKENS_BATCH,
)
from zego.denials import Denial, budget_key

ROOM = "call_7f3c0a52e1b94d6c8a0d5e2f9b174c63"

JWT = load().at("/components/examples/JwtToDiagnose/value/token")
OTHERS_TOKEN = load().at("/components/examples/ExpiredTokenToDiagnose/value/token")
EXPECTED = {"user_id": "alice", "room_id": ROOM, "app_id": 1234567890}
EXPECTED_IN_VAIN = {"user_id": "auth0|é", "room_id": "", "app_id": -1, "sdk": "uikit"}

#: A line of the local policy, and what gives sessions an end.
SESSIONS = (
    "max_lifetime_seconds = 7200\n",
    "max_lifetime_seconds = 7200\nmax_session_seconds = 28800\n",
)

#: A line of the local policy, and what requires a scope and a recent sign-in.
CONDITIONS = (
    'user_ids = "subject"\n',
    'user_ids = "subject"\nscope = ["calls"]\nmax_age_seconds = 3600\n',
)

#: A key of each rule of the local policy, and what gives it a budget.
BUDGETS = ("max_lifetime_seconds = ", "max_tokens_per_hour = 1\nmax_lifetime_seconds = ")

#: The digest of a header that no request has.
EDGE_SHA256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"

Authorize = Callable[[IdentityProvider], str | None]
"""Makes an Authorization header; on signed routes the request is signed instead."""


def alice(provider: IdentityProvider) -> str:
    """A good bearer token."""
    return f"Bearer {provider.bearer('alice')}"


def backend(provider: IdentityProvider) -> str:
    """A good bearer token of a backend that names users."""
    return f"Bearer {provider.bearer('local-backend')}"


def limit(dynamodb: DynamoDb, policy: str) -> None:
    """Use up the budgets of Alice and Bob, and sign Carol out."""
    now = time.time()
    for rule in tomllib.loads(policy)["rules"]:
        for user_id, hour in itertools.product(("alice", "bob"), (now, now + 3600)):
            key = budget_key(rule["name"], user_id, hour)
            dynamodb.call("PutItem", Item=key | {"tokens": {"N": "1"}})
    tomorrow = int(now) + 86400
    carol = Denial("user", "carol", "a lost phone", "ops", int(now), not_before=tomorrow)
    dynamodb.call("PutItem", Item=carol.to_item())


@dataclass(frozen=True)
class Good:
    """A request that the service grants."""

    what: str
    route: str
    status: int
    body: Any = None
    authorize: Authorize = alice

    def __str__(self) -> str:
        return f"{self.route}: {self.what}"


@dataclass(frozen=True)
class Refusal:
    """A request that is refused with a code, and the field that the problem names."""

    what: str
    code: str
    route: str
    body: Any = None
    authorize: Authorize = alice
    field: str | None = None
    headers: Headers | None = None
    at: str = "api"
    """The fixture that is asked."""
    fits_others: bool = False
    """Whether the document allows this body, which others than this caller may send."""

    def __str__(self) -> str:
        return f"{self.route}: {self.what}"


def encoded(body: Any) -> bytes:
    """A body as it is sent: bytes unchanged, None as no body, other values as JSON."""
    if body is None:
        return b""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def send(service: Service, request: Good | Refusal) -> Answer:
    """The service's response to a request."""
    authorization = request.authorize(service.identity_provider)
    headers = request.headers if isinstance(request, Refusal) else None
    return service.send(request.route, encoded(request.body), authorization, headers or {})


def bearer_with(**changes: object) -> Authorize:
    """A bearer token of Alice's with changed claims; a claim that becomes None is left out."""

    def authorize(provider: IdentityProvider) -> str:
        claims = provider.claims("alice", **changes)
        present = {name: value for name, value in claims.items() if value is not None}
        return f"Bearer {provider.sign(present)}"

    return authorize


def bearer_at(claim: str, *, hours_from_now: int) -> Authorize:
    """A bearer token of Alice's with one of its times moved."""

    def authorize(provider: IdentityProvider) -> str | None:
        moved = provider.claims("alice")["iat"] + hours_from_now * 3600
        return bearer_with(**{claim: moved})(provider)

    return authorize


def bearer_with_bobs_signature(provider: IdentityProvider) -> str:
    """Alice's bearer token with the signature of Bob's."""
    signed, _, _ = provider.bearer("alice").rpartition(".")
    _, _, signature = provider.bearer("bob").rpartition(".")
    return f"Bearer {signed}.{signature}"


def bearer_of_a_shared_secret(provider: IdentityProvider) -> str:
    """A bearer token with an HMAC: whoever can verify it can also make it."""
    claims = provider.claims("alice")
    return f"Bearer {provider.sign(claims, algorithm='HS256', kid='shared', key=b'k' * 32)}"


def bearer_of_an_unknown_key(provider: IdentityProvider) -> str:
    """A bearer token that names a key which the identity provider does not have."""
    return f"Bearer {provider.sign(provider.claims('alice'), kid='nobodys')}"


def _bad_bodies(route: str, **good: Any) -> list[Refusal]:
    """Bodies that are not valid requests; `good` is what the route needs."""
    too_large = b" " * (129 if route in {BATCH, TOKENS_BATCH} else 17) * 1024
    packed = gzip.compress(json.dumps(good).encode(), mtime=0)
    codings = [
        Refusal(
            f"in {coding}",
            "content_encoding_refused",
            route,
            packed,
            headers={"content-encoding": coding},
        )
        for coding in ("gzip", "GZIP", "identity, gzip")
    ]
    return [
        *codings,
        Refusal("a body in gzip that does not say so", "invalid_json", route, packed),
        Refusal("a body that ends early", "invalid_json", route, b'{"room_id": '),
        Refusal("a body that is not UTF-8", "invalid_json", route, b"\xff"),
        Refusal("a number that is not JSON", "invalid_json", route, b'{"lifetime_seconds": NaN}'),
        Refusal("an array", "body_not_object", route, []),
        Refusal("null", "body_not_object", route, b"null"),
        Refusal("a field too many", "unknown_field", route, good | {"colour": 1}, field="colour"),
        Refusal("a field without a name", "unknown_field", route, good | {"": 1}),
        Refusal("a field with a long name", "unknown_field", route, good | {"x" * 70: 1}),
        Refusal("a large body", "body_too_large", route, too_large),
    ]


def _bad_values(
    route: str, good: dict[str, Any], field: str, code: str, values: dict[str, Any]
) -> list[Refusal]:
    """Values of one field that are refused with one code; `good` is the rest of the request."""
    return [
        Refusal(f"{field} {what}", code, route, good | {field: value}, field=field)
        for what, value in values.items()
    ]


def _bad_grants(route: str, **good: Any) -> list[Refusal]:
    """Privileges, lifetimes and refusals before; `good` is what the route needs."""
    names = {"that is a string": "login", "with a number": [1], "that is null": None}
    lists = {"without any": [], "with one twice": ["login", "login"], "unheard of": ["kick"]}
    types = {
        "that is a string": "20014",
        "with a fraction": 20014.5,
        "that is true": True,
        "that is null": None,
    }
    codes = {"of no token": 7, "next to the native ones": 1002080, "below 0": -20014}
    numbers = {"of 0": 0, "below 0": -60, "too short": 59, "too long": 2073601}
    return [
        *_bad_values(route, good, "privileges", "wrong_type", names),
        *_bad_values(route, good, "privileges", "invalid_privileges", lists),
        *_bad_values(route, good, "lifetime_seconds", "wrong_type", types),
        *_bad_values(route, good, "lifetime_seconds", "lifetime_out_of_range", numbers),
        *_bad_values(route, good, "refused_with", "wrong_type", types),
        *_bad_values(route, good, "refused_with", "invalid_refused_with", codes),
    ]


def _bad_rooms(route: str, **good: Any) -> list[Refusal]:
    """Rooms, and fields that require a room; `good` has the other fields that the route needs."""
    types = {"that is null": None, "that is a number": 1, "that is a list": ["a"]}
    rooms = {
        "that is empty": "",
        "with a space": "a b",
        "with a NUL": "a\0",
        "with an accent": "é",
        "with a slash": "a/b",
        "too long": "r" * 128,
    }
    alone = {"privileges": ["login"], "stream_ids": ["camera"]}
    return [
        *_bad_values(route, good, "room_id", "wrong_type", types),
        *_bad_values(route, good, "room_id", "invalid_identifier", rooms),
        *(
            Refusal(
                f"{name} without a room",
                "room_id_required",
                route,
                good | {name: value},
                field="room_id",
            )
            for name, value in alone.items()
        ),
    ]


def _bad_streams(route: str, **good: Any) -> list[Refusal]:
    """Streams; `good` has the other fields that the route needs."""
    types = {"that is null": None, "that is a string": "camera", "with a number": [1]}
    streams = {
        "without any": [],
        "with one twice": ["a", "a"],
        "with a space": ["a b"],
        "with a long one": ["s" * 256],
        "too many": [str(number) for number in range(51)],
    }
    return [
        *_bad_values(route, good, "stream_ids", "wrong_type", types),
        *_bad_values(route, good, "stream_ids", "invalid_stream_ids", streams),
    ]


def _bad_callees(route: str, caller: str, **good: Any) -> list[Refusal]:
    """Callees; `good` has the other fields that the route needs."""
    types = {"that is null": None, "that is a string": "dave", "with a number": [1]}
    callees = {
        "without any": [],
        "with one twice": ["dave", "dave"],
        "with a space": ["d ave"],
        "that are too long": ["u" * 64],
        "too many": [f"u{number}" for number in range(51)],
    }
    itself = Refusal(
        "the caller among the callees",
        "invalid_callees",
        route,
        good | {"callees": ["dave", caller]},
        field="callees",
        fits_others=True,
    )
    return [
        *_bad_values(route, good, "callees", "wrong_type", types),
        *_bad_values(route, good, "callees", "invalid_callees", callees),
        itself,
    ]


def _bad_keys(route: str, body: Any = None) -> list[Refusal]:
    """Idempotency keys."""
    keys = {"empty": "", "too long": "k" * 256, "with a space": "a b", "with an accent": "\xe9"}
    return [
        Refusal(
            f"a key: {what}",
            "invalid_idempotency_key",
            route,
            body,
            headers={"idempotency-key": key},
            fits_others=True,
        )
        for what, key in keys.items()
    ]


def _bad_users(route: str) -> list[Refusal]:
    """Users that the body names."""
    users = {"that is empty": "", "too long": "u" * 64, "with a bar": "auth0|123"}
    return [
        Refusal("no user", "missing_field", route, {}, field="user_id"),
        Refusal("no body", "missing_field", route, field="user_id"),
        *_bad_values(route, {}, "user_id", "wrong_type", {"that is null": None}),
        *_bad_values(route, {}, "user_id", "invalid_identifier", users),
    ]


def _bad_batches() -> list[Refusal]:
    """Batches that are refused as a whole."""
    return [
        Refusal("no requests", "missing_field", BATCH, {}, field="requests"),
        Refusal("requests in an object", "wrong_type", BATCH, {"requests": {}}, field="requests"),
        Refusal("an empty batch", "batch_size", BATCH, {"requests": []}, field="requests"),
        Refusal(
            "101", "batch_size", BATCH, {"requests": [{"user_id": "b"}] * 101}, field="requests"
        ),
    ]


def _bad_diagnoses() -> list[Refusal]:
    """What a token is not, and what cannot have been expected of one."""
    good = {"token": "04"}
    types = {"that is null": None, "that is a number": 1, "that is a list": ["04"]}
    lengths = {"that is far too long": "x" * 1025}
    numbers = {"that is text": "5", "with a fraction": 5.5, "that is true": True}
    sizes = {"over 53 bits": 2**53, "under 53 bits": -(2**53)}
    sdks = {"that is unheard of": "flutter", "in capitals": "WEB", "that is empty": ""}
    return [
        Refusal("no token", "missing_field", DIAGNOSE, {"user_id": "bob"}, field="token"),
        Refusal("no body", "missing_field", DIAGNOSE, field="token"),
        *_bad_values(DIAGNOSE, {}, "token", "wrong_type", types),
        *_bad_values(DIAGNOSE, good, "user_id", "wrong_type", types),
        *_bad_values(DIAGNOSE, good, "user_id", "invalid_identifier", lengths),
        *_bad_values(DIAGNOSE, good, "room_id", "wrong_type", types),
        *_bad_values(DIAGNOSE, good, "room_id", "invalid_identifier", lengths),
        *_bad_values(DIAGNOSE, good, "app_id", "wrong_type", numbers),
        *_bad_values(DIAGNOSE, good, "app_id", "invalid_identifier", sizes),
        *_bad_values(DIAGNOSE, good, "sdk", "wrong_type", types),
        *_bad_values(DIAGNOSE, good, "sdk", "invalid_sdk", sdks),
    ]


def _bad_bearers(route: str) -> list[Refusal]:
    """Invalid bearer tokens, and other texts in place of one."""
    table: list[tuple[str, str, Authorize]] = [
        ("no header", "bearer_missing", lambda _: None),
        ("a header without a token", "bearer_malformed", lambda _: "Bearer"),
        ("another scheme", "bearer_malformed", lambda _: "Basic YWxpY2U6cGFzc3dvcmQ="),
        ("three parts that are not a JWT", "bearer_malformed", lambda _: "Bearer not.a.jwt"),
        ("a token over 8 KiB", "bearer_too_large", lambda _: f"Bearer {'a' * 8193}"),
        ("an HMAC", "bearer_algorithm_refused", bearer_of_a_shared_secret),
        ("another issuer", "bearer_untrusted_issuer", bearer_with(iss="https://other.example/")),
        ("an unknown key", "bearer_unknown_key", bearer_of_an_unknown_key),
        ("another's signature", "bearer_bad_signature", bearer_with_bobs_signature),
        ("another audience", "bearer_wrong_audience", bearer_with(aud="https://other.example/")),
        ("a logout token", "bearer_wrong_type", bearer_with(events={"logout": {}})),
        ("an expired token", "bearer_expired", bearer_at("exp", hours_from_now=-1)),
        ("a token of later", "bearer_not_yet_valid", bearer_at("nbf", hours_from_now=1)),
        ("a token issued later", "bearer_not_yet_valid", bearer_at("iat", hours_from_now=1)),
    ]
    table += [
        (f"no {claim}", "bearer_missing_claim", bearer_with(**{claim: None}))
        for claim in ("iss", "aud", "exp", "iat", "sub")
    ]
    return [Refusal(what, code, route, authorize=authorize) for what, code, authorize in table]


GOOD = [
    Good("a room", TOKENS, 201, {"room_id": ROOM}),
    Good("a room to listen in", TOKENS, 201, {"room_id": ROOM, "privileges": ["login"]}),
    Good("a room with streams", TOKENS, 201, {"room_id": ROOM, "stream_ids": ["alice_camera"]}),
    Good("a minute in a room", TOKENS, 201, {"room_id": ROOM, "lifetime_seconds": 60}),
    Good("a room once more", TOKENS, 201, {"room_id": ROOM, "refused_with": 20014}),
    Good("no room", TOKENS, 201, {}),
    Good("no body", TOKENS, 201),
    Good("Bob's room", TOKENS, 201, {"user_id": "bob", "room_id": "bob_desk"}, backend),
    Good("two", TOKENS_BATCH, 200, {"requests": [{"user_id": "bob"}, {"user_id": "a"}]}, backend),
    Good("a room", SERVICE_TOKENS, 201, {"user_id": "bob", "room_id": ROOM}),
    Good("no room", SERVICE_TOKENS, 201, {"user_id": "bob"}),
    Good("once more", SERVICE_TOKENS, 201, {"user_id": "bob", "refused_with": 1102016}),
    Good("two", BATCH, 200, {"requests": [{"user_id": name} for name in ("bob", "carol")]}),
    Good("once more", BATCH, 200, {"requests": [{"user_id": "bob", "refused_with": 50119}]}),
    Good("a hundred", BATCH, 200, {"requests": [{"user_id": "bob", "room_id": ROOM}] * 100}),
    Good("a call", CALL, 201, {}),
    Good("no body", CALL, 201),
    Good("a minute to listen", CALL, 201, {"privileges": ["login"], "lifetime_seconds": 60}),
    Good("a call once more", CALL, 201, {"refused_with": 1002070}),
    Good("Bob's call", CALL, 201, {"user_id": "bob"}, backend),
    Good("a call with a camera", CALL, 201, {"stream_ids": ["alice_camera"]}),
    Good("one callee", CALL, 201, {"callees": ["bob"]}),
    Good("50 callees", CALL, 201, {"callees": [f"u{number}" * 15 for number in range(10, 60)]}),
    Good("a call", SERVICE_CALL, 201, {"user_id": "bob", "lifetime_seconds": 3600}),
    Good("one callee", SERVICE_CALL, 201, {"user_id": "bob", "callees": ["alice"]}),
    Good("a call", CALL_IN_CAMEL_CASE, 201, {}),
    Good("one callee", CALL_IN_CAMEL_CASE, 201, {"callees": ["bob"]}),
    Good("a call", SERVICE_CALL_IN_CAMEL_CASE, 201, {"user_id": "bob"}),
    Good("one callee", SERVICE_CALL_IN_CAMEL_CASE, 201, {"user_id": "bob", "callees": ["a"]}),
    Good("a call once more", SERVICE_CALL, 201, {"user_id": "bob", "refused_with": 1002033}),
    Good("nothing", HEALTH, 200),
    Good("nothing", HELP, 200),
    Good("nothing", STATUS, 200),
    Good("no token at all", DIAGNOSE, 200, {"token": ""}),
    Good("a JWT", DIAGNOSE, 200, {"token": JWT, "sdk": "web"}),
    Good("a token of another project", DIAGNOSE, 200, {"token": OTHERS_TOKEN}),
    Good("what was expected", DIAGNOSE, 200, {"token": OTHERS_TOKEN, "sdk": "zim"} | EXPECTED),
    Good("what was expected in vain", DIAGNOSE, 200, {"token": "x"} | EXPECTED_IN_VAIN),
]

# The routes that authenticate the caller, each with a valid body.
PROVEN = {
    TOKENS: None,
    SERVICE_TOKENS: {"user_id": "bob"},
    BATCH: {"requests": [{"user_id": "bob"}]},
    TOKENS_BATCH: {"requests": [{"user_id": "bob"}]},
    CALL: None,
    SERVICE_CALL: {"user_id": "bob"},
    STATUS: None,
    DIAGNOSE: {"token": ""},
}

_REFUSALS = [
    *_bad_bodies(TOKENS),
    *_bad_bodies(SERVICE_TOKENS, user_id="bob"),
    *_bad_bodies(BATCH, requests=[{"user_id": "bob"}]),
    *(
        replace(each, authorize=backend)
        for each in _bad_bodies(TOKENS_BATCH, requests=[{"user_id": "bob"}])
    ),
    *(replace(each, route=TOKENS_BATCH, authorize=backend) for each in _bad_batches()),
    *_bad_batches(),
    *_bad_bodies(CALL),
    *_bad_bodies(SERVICE_CALL, user_id="bob"),
    *_bad_bodies(DIAGNOSE, token="04"),
    *_bad_grants(TOKENS, room_id=ROOM),
    *_bad_grants(SERVICE_TOKENS, user_id="bob", room_id=ROOM),
    *_bad_grants(CALL),
    *_bad_grants(SERVICE_CALL, user_id="bob"),
    *_bad_rooms(TOKENS),
    *_bad_rooms(SERVICE_TOKENS, user_id="bob"),
    *_bad_streams(TOKENS, room_id=ROOM),
    *_bad_streams(SERVICE_TOKENS, user_id="bob", room_id=ROOM),
    *_bad_streams(CALL),
    *_bad_streams(SERVICE_CALL, user_id="bob"),
    *_bad_callees(CALL, "alice"),
    *_bad_callees(SERVICE_CALL, "bob", user_id="bob"),
    *_bad_keys(CALL),
    *_bad_keys(SERVICE_CALL, {"user_id": "bob"}),
    *_bad_users(SERVICE_TOKENS),
    *_bad_users(SERVICE_CALL),
    *_bad_diagnoses(),
    *_bad_bearers(TOKENS),
    *_bad_bearers(CALL),
    *_bad_bearers(TOKENS_BATCH),
    *(
        Refusal(what, code, route, body, authorize, "user_id", fits_others=True)
        for route in (TOKENS, CALL)
        for what, code, body, authorize in (
            ("a user", "unknown_field", {"user_id": "bob"}, alice),
            ("a backend that names no user", "missing_field", {}, backend),
        )
    ),
    *(
        Refusal("an empty user", "invalid_identifier", route, {"user_id": ""}, backend, "user_id")
        for route in (TOKENS, CALL)
    ),
    Refusal("a room", "unknown_field", CALL, {"room_id": ROOM}, field="room_id"),
    Refusal("a user", "not_granted", TOKENS_BATCH, {"requests": [{"user_id": "alice"}]}),
    Refusal("Bob's room", "not_granted", TOKENS, {"room_id": "bob_desk"}),
    Refusal("a route without a handler", "route_not_found", "POST /v1/renew", at="function"),
    *(
        Refusal("not through the edge", "edge_required", route, at="api_behind_edge")
        for route in load().routes
    ),
    *(
        Refusal("no IAM identity", "iam_identity_missing", route, at="function")
        for route in PROVEN
        if load().security[route] == "sigv4"
    ),
    *(
        Refusal("a role of no policy", "not_granted", route, body, at="api_for_a_stranger")
        for route, body in PROVEN.items()
        if load().security[route] == "sigv4"
    ),
    *(
        Refusal("no signing keys", "signing_keys_unavailable", route, at="api_without_keys")
        for route in PROVEN
        if load().security[route] == "bearer"
    ),
    *(
        Refusal(what, code, route, authorize=authorize, at="api_with_conditions")
        for route in (TOKENS, TOKENS_BATCH, CALL)
        for what, code, authorize in (
            ("no scope", "bearer_claims_refused", alice),
            (
                "a sign-in of this morning",
                "bearer_too_old",
                bearer_with(scope="profile calls", auth_time=1_700_000_000),
            ),
        )
    ),
    *(
        Refusal(what, code, route, authorize=authorize, at="api_with_sessions")
        for route in (TOKENS, CALL)
        for what, code, authorize in (
            (
                "a session of yesterday",
                "bearer_session_ended",
                bearer_at("auth_time", hours_from_now=-9),
            ),
            (
                "a session of later",
                "bearer_not_yet_valid",
                bearer_at("auth_time", hours_from_now=1),
            ),
            ("a session without a beginning", "bearer_missing_claim", alice),
        )
    ),
    *(
        Refusal("all tokens of the hour", "too_many_tokens", route, body, at="api_with_limits")
        for route, body in PROVEN.items()
        if route in (TOKENS, SERVICE_TOKENS, CALL, SERVICE_CALL)
    ),
    *(
        Refusal(
            "signed out everywhere",
            "bearer_too_old",
            route,
            authorize=bearer_with(sub="carol"),
            at="api_with_limits",
        )
        for route in (TOKENS, CALL)
    ),
    *(
        Refusal("no denials", "denials_unavailable", route, body, at="api_without_denials")
        for route, body in PROVEN.items()
    ),
    *(
        Refusal("no rule", "not_granted", route, body, at="api_without_rules")
        for route, body in PROVEN.items()
        if route not in {BATCH, TOKENS_BATCH}
    ),
    *(
        Refusal(
            "no secret",
            "secret_unavailable",
            route,
            body,
            backend if route == TOKENS_BATCH else alice,
            at="api_without_secret",
        )
        for route, body in PROVEN.items()
        if route != DIAGNOSE
    ),
    *(
        Refusal("a fault of the service", "internal_error", route, at="failing_api")
        for route in load().routes
    ),
]

#: The routes whose response is in camelCase, each with the one that refuses the same requests.
_IN_CAMEL_CASE = {CALL_IN_CAMEL_CASE: CALL, SERVICE_CALL_IN_CAMEL_CASE: SERVICE_CALL}


def _one_for_each_code(route: str, like: str) -> list[Refusal]:
    """A refusal for each code of another route."""
    by_code = {each.code: each for each in _REFUSALS if each.route == like}
    return [replace(each, route=route) for each in by_code.values()]


REFUSALS = [
    *(each for each in _REFUSALS if each.route not in _IN_CAMEL_CASE),
    *(each for names in _IN_CAMEL_CASE.items() for each in _one_for_each_code(*names)),
]
