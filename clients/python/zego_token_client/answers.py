"""From an answer to what it grants, or to the error that it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from zego_token_client.errors import (
    BadAnswerError,
    TokenProblem,
    TokenServiceError,
    can_pass,
)
from zego_token_client.reading import ShapeError, read
from zego_token_client.results import Call, IssuedToken
from zego_token_client.retries import retry_after_seconds
from zego_token_client.signed_http import Answer
from zego_token_client.token_request import TokenRequest

T = TypeVar("T")

#: API Gateway's own answers by status: their code here, what it means and what to do. What the
#: gateway itself says is not repeated: of a signature it may say what was signed.
GATEWAY_CODES: Final[Mapping[int, tuple[str, str]]] = {
    403: ("gateway_forbidden", "Check the role's execute-api:Invoke, the region and the clock."),
    404: ("gateway_not_found", "The API has no such path: is the URL its base?"),
    413: ("gateway_too_large", "The request is over 10 MB."),
    429: ("gateway_throttled", "The route takes no more requests now; try again."),
    500: ("gateway_failed", "The service failed before it could say so; try again."),
    503: ("gateway_unavailable", "All of the service is busy; try again."),
}

_TOKEN04: Final = re.compile(r"04[A-Za-z0-9+/]+={0,2}")
_JSON: Final = "application/json"
_PROBLEM: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class _Problem:
    code: str
    detail: str
    retryable: bool
    request_id: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class _BatchResult:
    status: int
    token: Mapping[str, object] | None = None
    problem: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class _Batch:
    results: tuple[_BatchResult, ...]
    request_id: str


def result(answer: Answer, reader: Callable[[Mapping[str, object]], T]) -> T:
    """What an answer grants.

    :param reader: makes it from the answer's JSON object.
    :raises TokenProblem: it refuses.
    :raises BadAnswerError: it is none of this API's, or cannot be used.
    """
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if answer.status in (200, 201) and media_type == _JSON:
            return reader(_object(answer.body))
        refusal = _refusal(answer, media_type)
    except ShapeError as error:
        refusal = _bad(answer, f"the answer cannot be used: {error}")
    del answer  # may hold a token, and would stay with the error's traceback
    raise refusal


def issued(values: Mapping[str, object], request: TokenRequest) -> IssuedToken:
    """The token that was asked for.

    :raises ShapeError: it is none, or is for another user or room.
    """
    token = read(IssuedToken, values)
    _check(token, request)
    if token.room_id != request.room_id:
        raise ShapeError("room_id is not the one that was asked for")
    return token


def call(values: Mapping[str, object], request: TokenRequest) -> Call:
    """The call that was asked for, from the API's camelCase and its room.

    :raises ShapeError: it is none, or is for another user.
    """
    room = values.get("zegoRoom")
    flat = {**values, **(room if isinstance(room, dict) else {})}
    started = read(Call, {_snake(name): value for name, value in flat.items()})
    _check(started, request)
    return started


def batch(
    values: Mapping[str, object], requests: Sequence[TokenRequest]
) -> list[IssuedToken | TokenProblem]:
    """The results of a batch, each as it would have been answered alone.

    :raises ShapeError: they are none, or do not fit the requests one by one.
    """
    answered = read(_Batch, values)
    if len(answered.results) != len(requests):
        raise ShapeError("it has not one result a request")
    whole = {"request_id": answered.request_id}
    return [
        issued({**each.token, **whole}, request)
        if each.token is not None
        else _problem({**(each.problem or {}), **whole}, each.status)
        for each, request in zip(answered.results, requests, strict=True)
    ]


def _check(token: IssuedToken, request: TokenRequest) -> None:
    if not _TOKEN04.fullmatch(token.token):
        raise ShapeError("token is no Token04")
    if token.user_id != request.user_id:
        raise ShapeError("user_id is not the one that was asked for")
    if not token.issued_at <= token.renew_at < token.expires_at:
        raise ShapeError("renew_at is not between issued_at and expires_at")


def _object(body: bytes) -> dict[str, object]:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ShapeError("it is no JSON object")
    return values


def _refusal(answer: Answer, media_type: str) -> TokenServiceError:
    retry_after = retry_after_seconds(answer.headers)
    if media_type == _PROBLEM:
        return _problem(_object(answer.body), answer.status, retry_after)
    if answer.status in GATEWAY_CODES and media_type == _JSON:
        code, detail = GATEWAY_CODES[answer.status]
        retryable = can_pass(answer.status)
        return TokenProblem(
            code, answer.status, detail, _request_id(answer), retryable, retry_after
        )
    return _bad(answer, "the answer is none of this API's")


def _problem(
    values: Mapping[str, object], status: int, retry_after: int | None = None
) -> TokenProblem:
    said = read(_Problem, values)
    retryable = said.retryable and can_pass(status)
    return TokenProblem(
        said.code, status, said.detail, said.request_id, retryable, retry_after, said.field
    )


def _bad(answer: Answer, reason: str) -> BadAnswerError:
    retry_after = retry_after_seconds(answer.headers)
    return BadAnswerError(reason, answer.status, _request_id(answer), retry_after)


def _request_id(answer: Answer) -> str | None:
    return answer.headers.get("apigw-requestid")


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda upper: f"_{upper[0].lower()}", name)
