"""Turns a response into its dataclass or its error."""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar, cast

from zego_token_client.errors import (
    BadAnswerError,
    TokenProblem,
    TokenServiceError,
    can_pass,
)
from zego_token_client.models import Call, IssuedToken, TokenRequest
from zego_token_client.retries import retry_after_seconds
from zego_token_client.signed_http import Answer, Proof

T = TypeVar("T")

#: API Gateway's own responses by status: the code, and what it means and what to do. The gateway's
#: own text is not repeated: it may show the parts of a signature.
GATEWAY_CODES: Final[Mapping[int, tuple[str, str]]] = {
    403: (
        "gateway_forbidden",
        "Check execute-api:Invoke, the region, URL and clock. With make run, see its output.",
    ),
    404: ("gateway_not_found", "The API has no such path. Is the URL its base, without a path?"),
    413: ("gateway_too_large", "The request is larger than 10 MB."),
    429: ("gateway_throttled", "Too many requests for this route. Retry later."),
    431: ("gateway_headers_too_large", "The headers, such as the session token, are too long."),
    500: ("gateway_failed", "The service failed before it could respond. Retry later."),
    503: ("gateway_unavailable", "The service is at full capacity. Retry later."),
}

_TOKEN04: Final = re.compile(r"04[A-Za-z0-9+/]+={0,2}")
#: The texts of a response that an error may repeat. A word as long as a signature or a token is not
#: one of the service's.
_CODE: Final = re.compile(r"[a-z_]{1,64}")
_DETAIL: Final = re.compile(r".{1,1000}")
_FIELD: Final = re.compile(r"[A-Za-z_]\w{0,31}", re.ASCII)
_HELP: Final = re.compile(r"https?://[!-~]{1,400}")
_ID: Final = re.compile(r"[\w+/=:.-]{1,128}", re.ASCII)
_LONG_WORD: Final = re.compile(r"[\w+/=-]{64}", re.ASCII)
_NO_DETAIL: Final = "The service refused the request."
_JSON: Final = "application/json"
_PROBLEM: Final = "application/problem+json"


class ShapeError(ValueError):
    """A value does not fit its field. The message names the field, never the value."""


@dataclass(frozen=True, slots=True)
class _Problem:
    code: str
    detail: str
    retryable: bool
    request_id: str
    field: str | None = None
    help: str | None = None


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
    """Return what a response grants.

    :param reader: makes it from the JSON object of the response.
    :raises TokenProblem: the service refused.
    :raises BadAnswerError: the response is not from this API, or cannot be used.
    """
    media_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if answer.status in (200, 201) and media_type == _JSON:
            return _checked(reader(_object(answer.body)), answer.proof)
        refusal = _refusal(answer, media_type)
    except ShapeError as error:
        refusal = _bad(answer, f"the response is invalid: {error}")
    del answer  # may contain a token, and would stay in the error's traceback
    raise refusal


def issued(values: Mapping[str, object], request: TokenRequest) -> IssuedToken:
    """Return the requested token.

    :raises ShapeError: the object is not a token, or is for another user or room.
    """
    token = read(IssuedToken, values)
    _check(token, request)
    if token.room_id != request.room_id:
        raise ShapeError("room_id is not the requested one")
    return token


def call(values: Mapping[str, object], request: TokenRequest) -> Call:
    """Return the requested call.

    :raises ShapeError: the object is not a call, or is for another user.
    """
    started = read(Call, values)
    _check(started, request)
    return started


def batch(
    values: Mapping[str, object], requests: Sequence[TokenRequest]
) -> list[IssuedToken | TokenProblem]:
    """Return the results of a batch, each as for a single request.

    :raises ShapeError: the object is not a batch, or does not fit the requests one by one.
    """
    answered = read(_Batch, values)
    if len(answered.results) != len(requests):
        raise ShapeError("it does not have one result per request")
    whole = {"request_id": answered.request_id}
    return [
        issued({**each.token, **whole}, request)
        if each.token is not None
        else _problem({**(each.problem or {}), **whole}, each.status)
        for each, request in zip(answered.results, requests, strict=True)
    ]


def read(kind: type[T], values: Mapping[str, object]) -> T:
    """Return the dataclass that a JSON object describes.

    A type hint is the whole description: scalars, ``X | None``, tuples, mappings and other
    dataclasses. Fields that a newer service adds are ignored; one with a default may be missing.

    :raises ShapeError: the object does not fit.
    """
    return cast("T", _read(kind, values, "the response"))


def _check(token: IssuedToken, request: TokenRequest) -> None:
    if not _TOKEN04.fullmatch(token.token):
        raise ShapeError("token is not a Token04")
    if token.user_id != request.user_id:
        raise ShapeError("user_id is not the requested one")
    if not token.issued_at <= token.renew_at < token.expires_at:
        raise ShapeError("renew_at is not between issued_at and expires_at")


def _object(body: bytes) -> dict[str, object]:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise ShapeError("it is not a JSON object")
    return values


def _refusal(answer: Answer, media_type: str) -> TokenServiceError:
    retry_after = retry_after_seconds(answer.headers)
    if media_type == _PROBLEM:
        problem = _problem(_object(answer.body), answer.status, retry_after)
        return _safe(problem, answer.proof)
    if answer.status in GATEWAY_CODES and media_type == _JSON and _is_gateways(answer.body):
        code, detail = GATEWAY_CODES[answer.status]
        retryable = can_pass(answer.status)
        return TokenProblem(
            code, answer.status, detail, _request_id(answer), retryable, retry_after
        )
    return _bad(answer, "the response is not from this API; check the URL and any proxy")


def _is_gateways(body: bytes) -> bool:
    """Whether a body is of API Gateway itself. Other servers name their reason differently."""
    with suppress(ShapeError):
        return isinstance(_object(body).get("message"), str)
    return False


def _problem(
    values: Mapping[str, object], status: int, retry_after: int | None = None
) -> TokenProblem:
    said = read(_Problem, values)
    # The service marks a 401 as retryable if it may soon know the bearer token's key.
    retryable = said.retryable and (status == 401 or can_pass(status))
    known = (said.code, status, said.detail, said.request_id)
    return TokenProblem(*known, retryable, retry_after, said.field, said.help)


def _checked(read: T, proof: Proof) -> T:
    """What a response grants; the problems of a batch without texts that no error may show."""
    if isinstance(read, list):
        read[:] = [_safe(each, proof) if isinstance(each, TokenProblem) else each for each in read]
    return read


def _safe(problem: TokenProblem, proof: Proof) -> TokenProblem:
    """The problem without texts that no error may show."""
    if _shown(problem.code, _CODE, proof) is None:
        raise ShapeError("code is not the code of a problem")
    return dataclasses.replace(
        problem,
        detail=_shown(problem.detail, _DETAIL, proof) or _NO_DETAIL,
        request_id=_shown(problem.request_id, _ID, proof),
        field=_shown(problem.field, _FIELD, proof),
        help=_shown(problem.help, _HELP, proof),
    )


def _shown(text: str | None, form: re.Pattern[str], proof: Proof) -> str | None:
    """The text, if it has the form and no control character, secret or token."""
    if text is None or not form.fullmatch(text) or not text.isprintable():
        return None
    return None if _LONG_WORD.search(text) or proof.is_in(text) else text


def _bad(answer: Answer, reason: str) -> BadAnswerError:
    retry_after = retry_after_seconds(answer.headers)
    return BadAnswerError(reason, answer.status, _request_id(answer), retry_after)


def _request_id(answer: Answer) -> str | None:
    return _shown(answer.headers.get("apigw-requestid"), _ID, answer.proof)


def _read(hint: Any, value: Any, place: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):  # X | None or Optional[X]
        return None if value is None else _read(arguments[0], value, place)
    if origin is tuple and isinstance(value, list):
        return tuple(_read(arguments[0], item, place) for item in value)
    if isinstance(value, dict):
        if dataclasses.is_dataclass(hint):
            return _read_fields(hint, value)
        if origin is Mapping:
            return {name: _read(arguments[1], item, place) for name, item in value.items()}
    if hint is object or type(value) is hint:
        return value
    if hint is float and type(value) is int:
        with suppress(OverflowError):  # a JSON number may be too large for a float
            return float(value)
    raise ShapeError(f"{place} has the wrong type")


def _read_fields(kind: Any, values: Mapping[str, Any]) -> Any:
    read = {}
    for field in dataclasses.fields(kind):
        if field.name in values:
            read[field.name] = _read(_hints(kind)[field.name], values[field.name], field.name)
        elif field.default is dataclasses.MISSING:
            raise ShapeError(f"{field.name} is missing")
    return kind(**read)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)
