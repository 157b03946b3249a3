"""Reads a token request and checks it against what ZEGO accepts.

A wrong type or an unknown field results in status 400, a value out of bounds in 422. Each problem
names the field and the bound.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from typing import Final, Literal, cast

from issuer.body import as_object, optional, read_object, refuse_unknown, wrong_type
from issuer.problems import Problem
from zego import identifiers, strict_json
from zego.identifiers import IdentifierError
from zego.policy.model import (
    MAX_CALLEES,
    MAX_STREAM_IDS,
    MIN_LIFETIME_SECONDS,
    PRIVILEGES,
    Caller,
    Privilege,
    TokenRequest,
)
from zego.token04 import MAX_LIFETIME_SECONDS

MAX_BATCH: Final = 100
#: The header that makes repeated requests to begin a call one call.
IDEMPOTENCY_KEY: Final = "idempotency-key"
#: The codes with which ZEGO's SDKs (web; native; ZIM) refuse a token if a wrong ServerSecret may
#: have sealed it.
REFUSAL_CODES: Final = frozenset(
    {20014, 50119, 1102016, 1002033, *range(1002070, 1002080), 6000103}
)
#: Largest body of a batch, in bytes. A full batch with long ids needs more than a single request.
MAX_BATCH_BODY_BYTES: Final = 128 * 1024


_TOKEN_FIELDS: Final = frozenset(
    {"room_id", "privileges", "stream_ids", "lifetime_seconds", "refused_with"}
)
_CALL_FIELDS: Final = (_TOKEN_FIELDS | {"callees"}) - {"room_id"}
_IDEMPOTENCY_KEY: Final = re.compile(r"[!-~]{1,255}")
_USER: Final = frozenset({"user_id"})


def token_request(values: object, *, names_user: bool) -> TokenRequest:
    """Read a request for one token.

    :param values: the body, or an entry of a batch, as parsed JSON.
    :param names_user: whether the request must name the user (service routes) or must not.
    :raises Problem: names the field and what is wrong with it.
    """
    sent = as_object(values)
    request = _request(sent, _TOKEN_FIELDS, names_user=names_user)
    if request.room_id is None:
        for field in ("privileges", "stream_ids"):
            if field in sent:
                detail = f"{field} applies to one room: add room_id, or leave {field} out."
                raise Problem("room_id_required", detail, field="room_id")
    return request


def call_request(values: Mapping[str, object], *, names_user: bool) -> TokenRequest:
    """Read a request to begin a call, as :func:`token_request` does. The service makes the room."""
    return _request(values, _CALL_FIELDS, names_user=names_user)


def call_id(key: str | None, caller: Caller, user_id: str | None) -> str:
    """The id of a call: 32 hex digits, random unless the caller sends a key.

    With a key, it is the same for the same caller, user and key, and for no others. A role counts
    without its session, because the next attempt may come from another instance of a backend.

    :param key: the value of the header ``Idempotency-Key``.
    :param user_id: the user that the request names, if it names one.
    :raises Problem: ``invalid_idempotency_key``.
    """
    if key is None:
        return os.urandom(16).hex()
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        detail = "Idempotency-Key must have 1 to 255 visible ASCII characters, without spaces."
        raise Problem("invalid_idempotency_key", detail)
    subject = caller.subject if caller.claims else None
    call = strict_json.dumps([caller.identity, subject, user_id, key])
    return hashlib.sha256(call.encode()).hexdigest()[:32]


def read_batch(body: bytes) -> list[object]:
    """The entries of a batch, for :func:`token_request` to read one by one.

    :raises Problem: the batch itself is invalid.
    """
    values = read_object(body, max_bytes=MAX_BATCH_BODY_BYTES)
    refuse_unknown(values, frozenset({"requests"}))
    requests = optional(values, "requests", list, "an array of requests")
    if requests is None:
        raise Problem("missing_field", "Set requests to an array of requests.", field="requests")
    if not 1 <= len(requests) <= MAX_BATCH:
        detail = f"A batch may have 1 to {MAX_BATCH} requests; this one has {len(requests)}."
        raise Problem("batch_size", detail, field="requests")
    return requests


def _request(
    values: Mapping[str, object], fields: frozenset[str], *, names_user: bool
) -> TokenRequest:
    refuse_unknown(values, fields | _USER if names_user else fields)
    if names_user and "user_id" not in values:
        raise Problem("missing_field", "Set user_id to the user of the token.", field="user_id")
    return TokenRequest(
        user_id=_identifier(values, "user_id"),
        room_id=_identifier(values, "room_id"),
        privileges=_privileges(values),
        stream_ids=_stream_ids(values),
        lifetime_seconds=_lifetime(values),
        refused_with=_refused_with(values),
        callees=_callees(values),
    )


def _identifier(values: Mapping[str, object], field: Literal["user_id", "room_id"]) -> str | None:
    value = optional(values, field, str, "a string")
    try:
        return None if value is None else identifiers.check(field, value)
    except IdentifierError as error:
        raise Problem("invalid_identifier", f"{error}.", field=field) from None


def _privileges(values: Mapping[str, object]) -> frozenset[Privilege] | None:
    names = _strings(values, "privileges")
    if names is None:
        return None
    unknown = [name for name in names if name not in PRIVILEGES]
    if unknown or not names or len(set(names)) < len(names):
        detail = 'privileges must list "login", "publish" or both, each at most once.'
        raise Problem("invalid_privileges", detail, field="privileges")
    return frozenset(cast("list[Privilege]", names))


def _stream_ids(values: Mapping[str, object]) -> tuple[str, ...] | None:
    ids = _strings(values, "stream_ids")
    if ids is None:
        return None
    if not 1 <= len(ids) <= MAX_STREAM_IDS or len(set(ids)) < len(ids):
        detail = f"stream_ids must list 1 to {MAX_STREAM_IDS} different ids."
        raise Problem("invalid_stream_ids", detail, field="stream_ids")
    try:
        return tuple(identifiers.check("stream_id", value) for value in ids)
    except IdentifierError as error:
        raise Problem("invalid_stream_ids", f"{error}.", field="stream_ids") from None


def _callees(values: Mapping[str, object]) -> tuple[str, ...]:
    ids = _strings(values, "callees")
    if ids is None:
        return ()
    if not 1 <= len(ids) <= MAX_CALLEES or len(set(ids)) < len(ids):
        detail = f"callees must list 1 to {MAX_CALLEES} different user ids."
        raise Problem("invalid_callees", detail, field="callees")
    try:
        return tuple(identifiers.check("user_id", value) for value in ids)
    except IdentifierError as error:
        raise Problem("invalid_callees", f"callees: {error}.", field="callees") from None


def _lifetime(values: Mapping[str, object]) -> int | None:
    value = optional(values, "lifetime_seconds", int, "a whole number of seconds")
    if value is not None and not MIN_LIFETIME_SECONDS <= value <= MAX_LIFETIME_SECONDS:
        detail = f"lifetime_seconds must be {MIN_LIFETIME_SECONDS} to {MAX_LIFETIME_SECONDS}."
        raise Problem("lifetime_out_of_range", detail, field="lifetime_seconds")
    return value


def _refused_with(values: Mapping[str, object]) -> int | None:
    value = optional(values, "refused_with", int, "a whole number, the code that ZEGO gave")
    if value is not None and value not in REFUSAL_CODES:
        codes = "20014, 50119, 1102016, 1002033, 1002070 to 1002079 or 6000103"
        detail = f"refused_with must be {codes}."
        raise Problem("invalid_refused_with", detail, field="refused_with")
    return value


def _strings(values: Mapping[str, object], field: str) -> list[str] | None:
    items = optional(values, field, list, "an array of strings")
    for item in items or ():
        if not isinstance(item, str):
            raise wrong_type(field, "an array of strings", item)
    return cast("list[str] | None", items)
