"""The parts of the issuer, the routes that issue tokens or diagnose one, and the health check.

The issuer makes every token in the same steps: authenticate the caller, read the request, check the
access policy, get the secret, mint. Each step can refuse the request.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from issuer import authentication, token_request
from issuer.audit import DiagnosisSummary, Exchange, audited, digest
from issuer.body import read_object
from issuer.http_event import ApiRequest, ApiResponse, respond
from issuer.issue import IssuedToken, issue
from issuer.jwks import SigningKeys, location
from issuer.problems import Problem, refused
from issuer.shared_keys import SharedKeys
from issuer.telemetry import record_secret_failure, record_secret_reading
from runtime.settings import IssuerSettings
from zego.cache import Cached, UnavailableError
from zego.policy.decide import decide
from zego.policy.model import (
    AccessPolicy,
    BearerIdentity,
    Caller,
    Refusal,
    TokenRequest,
    not_granted,
)
from zego.secrets_manager import SecretsReader, SecretVersion
from zego.server_secret import ServerSecret

if TYPE_CHECKING:
    from issuer.incoming_calls import IncomingCalls
    from issuer.limits import Limits

#: No fetch begins later than this: half of the time that a restore or a request may take.
FETCHING_SECONDS: Final = 5.0

Authenticate = Callable[[ApiRequest], Caller]
_T = TypeVar("_T")


class FirstReads:
    """What a new environment reads side by side: each read takes a round trip to AWS.

    Creating this reads nothing. The reads run once, in the first call of :meth:`during`. Their
    failures are ignored here: the step that needs the value tries again and reports them.
    """

    def __init__(self, *reads: Callable[[], object]) -> None:
        self._reads = reads

    def during(self, work: Callable[[], _T]) -> _T:
        """Return the result of some work. In the first call, the reads run meanwhile."""
        reads, self._reads = self._reads, ()
        threads = [threading.Thread(target=_quietly, args=(read,)) for read in reads]
        for thread in threads:
            thread.start()
        try:
            return work()
        finally:
            for thread in threads:
                thread.join()


def _quietly(read: Callable[[], object]) -> None:
    with suppress(Exception):
        read()


class Service(NamedTuple):
    """The parts of the issuer. Creating this reads no clock and no network.

    :ivar current: the secret that seals tokens.
    :ivar previous: the secret before it, only used to recognise the tokens that it sealed.
    :ivar incoming_calls: publishes whom a call invites; made for the first such call.
    :ivar limits: the denials and budgets, if the stack has a table for them.
    :ivar first_reads: of the secret and the denials, while a request is authenticated.
    """

    settings: IssuerSettings
    policy: AccessPolicy
    keys: SigningKeys
    shared_keys: SharedKeys
    secrets_manager: SecretsReader
    current: Cached[SecretVersion[ServerSecret]]
    previous: Cached[SecretVersion[ServerSecret]]
    incoming_calls: Callable[[], IncomingCalls]
    limits: Limits | None = None
    first_reads: FirstReads = FirstReads()

    def bearer(self, request: ApiRequest) -> Caller:
        """The user or the backend that the request's bearer token identifies.

        :raises Problem: a ``bearer_...`` code, or ``signing_keys_unavailable``.
        """
        return authentication.from_bearer(
            request.headers.get("authorization"), self.policy, self.keys, self.shared_keys
        )

    def prefetch_keys(self, identity: BearerIdentity) -> None:
        """Fetch the keys that verify an identity's tokens, before its first request."""
        if identity.shared_key is not None:
            self.shared_keys.prefetch(identity)
        else:
            url, issuer = location(identity)
            self.keys.prefetch(url, issuer=issuer)

    def role(self, request: ApiRequest) -> Caller:
        """The IAM role that API Gateway verified.

        :raises Problem: ``iam_identity_missing`` or ``not_granted``.
        """
        return authentication.from_role(request.iam, self.policy)

    def current_secret(self, *, refetch: bool = False) -> SecretVersion[ServerSecret]:
        """The secret that currently seals tokens.

        :param refetch: see :meth:`zego.cache.Cached.get`.
        :raises Problem: ``secret_unavailable``.
        """
        try:
            reading = self.current.get(refetch=refetch)
        except UnavailableError as error:
            if error.asked:
                record_secret_failure(str(error), "no token can be issued")
            raise Problem(
                "secret_unavailable",
                "The service cannot read its ServerSecret right now. Retry later.",
                retry_after_seconds=error.retry_after_seconds,
                reason=str(error),
            ) from None
        record_secret_reading(reading)
        return reading.value


def may_fetch(started: float) -> bool:
    """Whether there is time for another fetch. ``started`` is from ``time.monotonic()``."""
    return time.monotonic() - started < FETCHING_SECONDS


def admit(
    service: Service, exchange: Exchange, request: ApiRequest, authenticate: Authenticate
) -> Caller:
    """Authenticate the caller, and refuse one that is denied.

    :raises Problem: the caller is not authenticated, or denied.
    """
    exchange.caller = caller = authenticate(request)
    if service.limits is not None:
        service.first_reads.during(lambda: None)
        service.limits.check_caller(caller)
    return caller


def tokens(service: Service, request: ApiRequest) -> ApiResponse:
    """Issue a token for the user of a bearer token, or for the user that its backend names."""
    return _token(service, request, service.bearer)


def tokens_batch(service: Service, request: ApiRequest) -> ApiResponse:
    """Issue a batch of tokens to a backend with a bearer token that may name users."""
    return _batch(service, request, service.bearer)


def service_tokens(service: Service, request: ApiRequest) -> ApiResponse:
    """Issue a token for the user that an IAM role names."""
    return _token(service, request, service.role)


def service_tokens_batch(service: Service, request: ApiRequest) -> ApiResponse:
    """Issue a batch of tokens to an IAM role."""
    return _batch(service, request, service.role)


def calls(service: Service, request: ApiRequest) -> ApiResponse:
    """Begin a call for the user of a bearer token, or for the user that its backend names."""
    return _call(service, request, service.bearer)


def service_calls(service: Service, request: ApiRequest) -> ApiResponse:
    """Begin a call for the user that an IAM role names."""
    return _call(service, request, service.role)


def calls_initiate(service: Service, request: ApiRequest) -> ApiResponse:
    """Begin a call as :func:`calls` does, with the response in camelCase."""
    return _call_in_camel_case(service, request, service.bearer)


def service_calls_initiate(service: Service, request: ApiRequest) -> ApiResponse:
    """Begin a call as :func:`service_calls` does, with the response in camelCase."""
    return _call_in_camel_case(service, request, service.role)


def diagnosis(service: Service, request: ApiRequest) -> ApiResponse:
    """Explain why ZEGO refuses a token, for an IAM role with ``diagnose_tokens``."""
    with audited(Exchange(request.request_id, request.route)) as exchange:
        caller = admit(service, exchange, request, service.role)
        if not caller.diagnose_tokens:
            raise refused(not_granted("the identity does not have diagnose_tokens"))
        from issuer import diagnose  # noqa: PLC0415  imported late, to keep cold starts short

        asked = diagnose.read_request(request.body)
        found = diagnose.diagnose(
            asked,
            lambda: diagnose.current_secret(service.current_secret),
            lambda: diagnose.previous_secret(service.previous),
            now=time.time(),
        )
        exchange.diagnosed = DiagnosisSummary(
            digest(asked.token),
            found.diagnosis.verdict,
            next((finding.kind for finding in found.diagnosis.findings), None),
            found.diagnosis.opened_by,
            found.secret_fingerprint,
        )
    return respond(200, found.document() | {"request_id": request.request_id})


def health(service: Service, _request: ApiRequest) -> ApiResponse:
    """Report that the issuer runs, and its version."""
    return respond(200, {"status": "ok", "version": service.settings.build_version})


def help_page(_service: Service, _request: ApiRequest) -> ApiResponse:
    """The page that explains each problem and what to do about it. ``make docs`` writes it."""
    headers = {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "public, max-age=3600",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
        "x-content-type-options": "nosniff",
    }
    page = Path(__file__).with_name("problems.html").read_text(encoding="utf-8")
    return {"statusCode": 200, "headers": headers, "body": page}


def _token(service: Service, request: ApiRequest, authenticate: Authenticate) -> ApiResponse:
    with audited(Exchange(request.request_id, request.route)) as exchange:
        caller = admit(service, exchange, request, authenticate)
        wanted = token_request.token_request(
            read_object(request.body), names_user=caller.user_id is None
        )
        issued = _issue(service, exchange, caller, wanted)
    return respond(201, _document(issued) | {"request_id": request.request_id})


def _batch(service: Service, request: ApiRequest, authenticate: Authenticate) -> ApiResponse:
    """Issue a batch of tokens. Each request of the batch gets a token or a problem."""
    started = time.monotonic()
    with audited(Exchange(request.request_id, request.route)) as exchange:
        caller = admit(service, exchange, request, authenticate)
        if caller.user_id is not None:
            raise refused(not_granted("the identity does not have names_users"))
        entries = [_read_entry(entry) for entry in token_request.read_batch(request.body)]
        service.current_secret()  # without it the whole batch fails, so one retry is enough
    _audit_mistakes(request, caller, entries)
    results = [
        _batch_entry(service, request, caller, started, *entry) for entry in enumerate(entries)
    ]
    return respond(200, {"results": results, "request_id": request.request_id})


def _read_entry(entry: object) -> TokenRequest | Problem:
    try:
        return token_request.token_request(entry, names_user=True)
    except Problem as problem:
        return problem


def _audit_mistakes(
    request: ApiRequest, caller: Caller, entries: Sequence[TokenRequest | Problem]
) -> None:
    """Audit the entries of a batch that cannot be read, those with the same mistake together."""
    alike: dict[tuple[str | None, ...], tuple[Problem, list[int]]] = {}
    for position, entry in enumerate(entries):
        if isinstance(entry, Problem):
            key = (entry.code, entry.detail, entry.field)
            alike.setdefault(key, (entry, []))[1].append(position)
    for problem, (first, *others) in alike.values():
        exchange = Exchange(request.request_id, request.route, first, caller, tuple(others))
        with suppress(Problem), audited(exchange):
            raise problem


def _batch_entry(
    service: Service,
    request: ApiRequest,
    caller: Caller,
    started: float,
    position: int,
    entry: TokenRequest | Problem,
) -> dict[str, Any]:
    try:
        if isinstance(entry, Problem):
            raise entry
        with audited(Exchange(request.request_id, request.route, position, caller)) as exchange:
            issued = _issue(service, exchange, caller, entry, may_count=may_fetch(started))
    except Problem as problem:
        return {"status": problem.type.status, "problem": problem.document(request.base_url)}
    return {"status": 201, "token": _document(issued)}


def _call(service: Service, request: ApiRequest, authenticate: Authenticate) -> ApiResponse:
    _, document = _begin_call(service, request, authenticate)
    return respond(201, document | {"request_id": request.request_id})


def _call_in_camel_case(
    service: Service, request: ApiRequest, authenticate: Authenticate
) -> ApiResponse:
    """Begin a call, and respond as the first route for calls did: in camelCase."""
    issued, document = _begin_call(service, request, authenticate)
    return respond(
        201,
        {
            "callId": document["call_id"],
            "zegoRoom": {
                "roomId": issued.grant.room_id,
                "appId": issued.app_id,
                "token": issued.token,
            },
            "userId": issued.grant.user_id,
            "privileges": issued.privileges,
            "streamIds": issued.grant.stream_ids,
            "issuedAt": issued.issued_at,
            "expiresAt": issued.expires_at,
            "renewAt": issued.renew_at,
            "callees": document["callees"],
            "eventAccepted": document["event_accepted"],
            "requestId": request.request_id,
        },
    )


def _begin_call(
    service: Service, request: ApiRequest, authenticate: Authenticate
) -> tuple[IssuedToken, dict[str, Any]]:
    """Make a room, issue a token for it, and publish whom the call invites.

    :returns: the token, and the fields of the response without the request id.
    """
    started = time.monotonic()
    with audited(Exchange(request.request_id, request.route)) as exchange:
        caller = admit(service, exchange, request, authenticate)
        wanted = token_request.call_request(
            read_object(request.body), names_user=caller.user_id is None
        )
        key = request.headers.get(token_request.IDEMPOTENCY_KEY)
        call_id = token_request.call_id(key, caller, wanted.user_id)
        exchange.call_id = call_id
        issued = _issue(service, exchange, caller, wanted._replace(room_id=f"call_{call_id}"))
        if wanted.callees:
            from issuer.incoming_calls import IncomingCall  # noqa: PLC0415  as for a diagnosis

            call = IncomingCall(call_id, wanted.callees, issued, request.request_id)
            exchange.event_accepted = service.incoming_calls().publish(
                call, lambda: may_fetch(started)
            )
    return issued, _document(issued) | {
        "call_id": call_id,
        "callees": wanted.callees,
        "event_accepted": exchange.event_accepted,
    }


def _issue(
    service: Service,
    exchange: Exchange,
    caller: Caller,
    wanted: TokenRequest,
    *,
    may_count: bool = True,
) -> IssuedToken:
    """Issue a token to an authenticated caller.

    If the caller reports that ZEGO refused its last token, the secret is read again. That happens
    only for requests that the policy grants.

    :param may_count: whether there is time to count the token in the user's budget.
    """
    exchange.request = wanted
    if service.limits is not None:
        service.limits.check_token(wanted.user_id, wanted.room_id)
    grant = decide(service.policy, caller, wanted, now=time.time())
    if isinstance(grant, Refusal):
        raise refused(grant)
    secret = service.current_secret(refetch=wanted.refused_with is not None).secret
    if service.limits is not None:
        service.limits.spend(grant, may_call=may_count)
    exchange.issued = issue(grant, secret, service.settings.cipher, now=time.time())
    return exchange.issued


def _document(issued: IssuedToken) -> dict[str, Any]:
    grant = issued.grant
    return {
        "token": issued.token,
        "app_id": issued.app_id,
        "user_id": grant.user_id,
        "room_id": grant.room_id,
        "privileges": issued.privileges,
        "stream_ids": grant.stream_ids,
        "issued_at": issued.issued_at,
        "expires_at": issued.expires_at,
        "renew_at": issued.renew_at,
    }
