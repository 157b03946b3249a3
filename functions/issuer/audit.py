"""One audit event per exchange, granted or refused: the caller, the request and the decision.

An event is a log line with the key ``audit``. It contains the token's SHA-256 and the secret's
fingerprint, never the token, its content, or the secret. ``docs/operations.md`` has queries for
them: for example all tokens of a room, or a refusal by its request id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, NamedTuple

from issuer.issue import IssuedToken
from issuer.problems import Problem
from issuer.telemetry import telemetry
from zego import printable
from zego.policy.model import Caller, TokenRequest

#: The longest text of a stranger in an event, in characters. Control characters are escaped.
MAX_SHOWN: Final = 2000
#: ``opened_by`` if no secret opened the token. A Contributor Insights rule in ``template.yaml``
#: counts these per caller; it can only compare texts, so this is not null.
NOT_OPENED: Final = "none"


class DiagnosisSummary(NamedTuple):
    """The result of a diagnosis.

    :ivar finding: the kind of the first finding, if there is one.
    :ivar opened_by: the label of the secret that opened the token, if one did.
    :ivar secret_fingerprint: of that secret.
    """

    token_sha256: str
    verdict: str
    finding: str | None
    opened_by: str | None
    secret_fingerprint: str | None


@dataclass(slots=True)
class Exchange:
    """What is known about a request so far. Each step adds what it found.

    :ivar position: the position of the request in its batch, if it is in one.
    :ivar repeated_at: the positions of other requests of the batch with the same mistake.
    :ivar diagnosed: the result, if the request was to diagnose a token.
    :ivar call_id: the id of the call, if the request was to begin one.
    :ivar event_accepted: whether EventBridge accepted the call's event, if it has callees.
    """

    request_id: str
    route: str
    position: int | None = None
    caller: Caller | None = None
    repeated_at: tuple[int, ...] = ()
    request: TokenRequest | None = None
    issued: IssuedToken | None = None
    diagnosed: DiagnosisSummary | None = None
    call_id: str | None = None
    event_accepted: bool | None = None

    @property
    def refused_with(self) -> int | None:
        """The code with which ZEGO refused the caller's last token, if the caller reports one."""
        return None if self.request is None else self.request.refused_with


@contextmanager
def audited(exchange: Exchange) -> Iterator[Exchange]:
    """Write the exchange's audit event when its work ends, whether it succeeds or fails.

    Work that succeeds without issuing or diagnosing a token writes no event. In a batch, each entry
    writes its own, but those that cannot be read share one if they have the same mistake: otherwise
    200 bytes of a body could write 100 kB of log. A report that ZEGO refused a token is counted
    even if this exchange is refused. Only authenticated callers can report one, because the body is
    read after authentication.
    """
    try:
        yield exchange
    except Problem as problem:
        _refused(exchange, problem)
        raise
    except BaseException:
        _refused(exchange, Problem("internal_error", "", reason="the service failed"))
        raise
    finally:
        if exchange.refused_with is not None:
            telemetry.add("RefusalsReported")
    if exchange.issued is not None:
        _granted(exchange, exchange.issued)
    if exchange.diagnosed is not None:
        _diagnosed(exchange, exchange.diagnosed)


def _granted(exchange: Exchange, issued: IssuedToken) -> None:
    telemetry.add("TokensIssued")
    grant = issued.grant
    event = _event(exchange, "granted")
    event["rule"] = grant.rule
    event["user_id"] = grant.user_id
    event["room_id"] = grant.room_id
    event["privileges"] = sorted(grant.privileges)
    event["stream_ids"] = grant.stream_ids
    event["lifetime_seconds"] = grant.lifetime_seconds
    event["expires_at"] = issued.expires_at
    event["secret_fingerprint"] = issued.secret_fingerprint
    event["token_sha256"] = digest(issued.token)
    if exchange.call_id is not None and exchange.request is not None:
        event["call_id"] = exchange.call_id
        event["callees"] = exchange.request.callees
        event["event_accepted"] = exchange.event_accepted
    where = "any room" if grant.room_id is None else f"room {grant.room_id}"
    telemetry.logger.info(
        "Token issued for user %s in %s%s", grant.user_id, where, _after(exchange), audit=event
    )


def _diagnosed(exchange: Exchange, diagnosed: DiagnosisSummary) -> None:
    event = _event(exchange, "granted")
    event["token_sha256"] = diagnosed.token_sha256
    event["verdict"] = diagnosed.verdict
    event["finding"] = diagnosed.finding
    event["opened_by"] = diagnosed.opened_by or NOT_OPENED
    event["secret_fingerprint"] = diagnosed.secret_fingerprint
    telemetry.logger.info(
        "Token diagnosed: %s, %s", diagnosed.verdict, diagnosed.finding or "no finding", audit=event
    )


def _refused(exchange: Exchange, problem: Problem) -> None:
    count = 1 + len(exchange.repeated_at)
    if not _is_expected(problem):
        telemetry.add("Refusals", count)
    telemetry.count_by("ExchangesRefused", count, code=problem.code)
    event = _event(exchange, "refused")
    event["code"] = problem.code
    event["reason"] = printable(problem.reason, most=MAX_SHOWN)
    event["field"] = problem.field
    event["rule"] = problem.rule
    if problem.denial is not None:
        event["denial"] = problem.denial
    if exchange.caller is not None and exchange.caller.user_id is not None:
        event["user_id"] = exchange.caller.user_id
    if exchange.request is not None:
        event["room_id"] = exchange.request.room_id
        event["privileges"] = sorted(exchange.request.privileges or ())
        event["stream_ids"] = exchange.request.stream_ids
        event["lifetime_seconds"] = exchange.request.lifetime_seconds
        if exchange.request.callees:
            event["callees"] = exchange.request.callees
        if exchange.request.user_id is not None:
            event["user_id"] = exchange.request.user_id
    telemetry.logger.warning(
        "Refused %s: %s%s", exchange.route, problem.code, _after(exchange), audit=event
    )


def _is_expected(problem: Problem) -> bool:
    """Whether a stranger, a user over budget or who is denied causes it: none raises an alarm."""
    is_unauthenticated = problem.type.status == HTTPStatus.UNAUTHORIZED
    return is_unauthenticated or problem.code == "too_many_tokens" or problem.denial is not None


def digest(token: str) -> str:
    """The SHA-256 of any text that was sent as a token, even with a lone surrogate."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _after(exchange: Exchange) -> str:
    code = exchange.refused_with
    return "" if code is None else f", after ZEGO refused the last one with {code}"


def _event(exchange: Exchange, decision: str) -> dict[str, object]:
    event: dict[str, object] = {
        "decision": decision,
        "request_id": exchange.request_id,
        "route": exchange.route,
    }
    if exchange.position is not None:
        event["position"] = exchange.position
    if exchange.repeated_at:
        event["repeated_at"] = exchange.repeated_at
    if exchange.caller is not None:
        event["identity"] = exchange.caller.identity
        event["subject"] = printable(exchange.caller.subject, most=MAX_SHOWN)
    if exchange.refused_with is not None:
        event["refused_with"] = exchange.refused_with
    return event
