"""The issuer Lambda: its entry, its routes, and what each of them answers.

A request goes one way, with no step back: who is calling, what may that caller have, which
secret, mint, answer; the audit event is written once, at the end.
"""

from __future__ import annotations

import contextlib
import gc
import os
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import snapshot_restore_py

from issuer import callers, http_event, policy_file, settings, telemetry, token_request
from issuer.access_policy import Caller, not_granted
from issuer.audit import Diagnosed, Exchange, audited
from issuer.http_event import HttpRequest
from issuer.problems import Problem
from issuer.signing_keys import SigningKeys
from issuer.token_issuer import IssuedToken, TokenIssuer
from zego.aws_credentials import AwsCredentials
from zego.secret_store import CURRENT, PREVIOUS, CachedSecret, SecretUnavailableError
from zego.secret_store.notes import VERDICT_TAG, VerdictNote
from zego.secrets_manager import SecretsManager, SecretsManagerError, SecretValue
from zego.server_secret import ServerSecret

Answer = dict[str, Any]

_settings = settings.read(os.environ)
_policy = policy_file.load(_settings.policy_file, allow_loopback=_settings.is_local)
_keys = SigningKeys()
_secrets_manager = SecretsManager(
    _settings.region, AwsCredentials(os.environ), endpoint=_settings.secrets_manager_endpoint
)
_gateway_clock = http_event.GatewayClock()


def _fetch(label: str) -> SecretValue:
    return _secrets_manager.get_secret_value(_settings.secret_id, version_stage=label)


def _cached(label: str) -> CachedSecret:
    return CachedSecret(
        lambda: _fetch(label),
        ttl_seconds=_settings.secret_ttl_seconds,
        max_stale_seconds=_settings.secret_max_stale_seconds,
        outside_clock=_gateway_clock,
    )


_issuer = TokenIssuer(_policy, _cached(CURRENT), _settings.cipher)
#: Seals nothing: it tells which tokens the last secret made.
_previous = _cached(PREVIOUS)
telemetry.set_stage(_settings.stage)


def handler(event: Mapping[str, Any], _context: object) -> Answer:
    """Answer one request of the HTTP API, payload format 2.0.

    :raises EventError: invoked with something else; all other failures are answers.
    """
    started = time.perf_counter()
    request = http_event.read(event)
    _gateway_clock.set(request.received_at)
    try:
        route = ROUTES.get(request.route)
        if route is None:
            raise Problem("route_not_found", "The API has no such route.")
        return route(request)
    except Problem as problem:
        return _refusal(request, problem)
    except Exception as error:  # noqa: BLE001  a person gets a problem, operators the place
        telemetry.logger.error(
            "The service failed",
            request_id=request.request_id,
            error=type(error).__name__,
            frames=traceback.format_tb(error.__traceback__),
        )
        return _refusal(request, Problem("internal_error", "Report this with the request's id."))
    finally:
        if request.route != _HEALTH:
            telemetry.record_latency((time.perf_counter() - started) * 1000)
            telemetry.flush()


def _tokens(request: HttpRequest) -> Answer:
    return _token(request, _bearer, names_user=False)


def _service_tokens(request: HttpRequest) -> Answer:
    return _token(request, _role, names_user=True)


def _service_tokens_batch(request: HttpRequest) -> Answer:
    with audited(_exchange(request)) as exchange:
        exchange.caller = caller = _role(request)
        entries = token_request.read_batch(request.body)
        _issuer.current_secret()  # without one the whole batch fails, for one retry
    results = [_batch_entry(request, caller, *entry) for entry in enumerate(entries)]
    return http_event.answer(200, {"results": results, "request_id": request.request_id})


def _calls_initiate(request: HttpRequest) -> Answer:
    return _call(request, _bearer, names_user=False)


def _service_calls_initiate(request: HttpRequest) -> Answer:
    return _call(request, _role, names_user=True)


def _health(_request: HttpRequest) -> Answer:
    return http_event.answer(200, {"status": "ok", "version": _settings.build_version})


def _status(request: HttpRequest) -> Answer:
    started = time.monotonic()
    with audited(_exchange(request)) as exchange:
        exchange.caller = caller = _role(request)
        if not caller.read_status:
            raise not_granted("the identity has no read_status")
        current = _issuer.current_secret()
    document = {
        "secret": {
            "version_id": current.version_id,
            "fingerprint": current.secret.fingerprint,
            "app_id": current.secret.app_id,
            "created_at": int(current.created_at),
            "age_days": round((time.time() - current.created_at) / 86400, 2),
            "last_verdict": _last_verdict(),
        },
        "policy": {"sha256": _policy.sha256, "stage": _settings.stage},
        "signing_keys": _signing_keys(started),
        "token_cipher": _settings.cipher,
        "version": _settings.build_version,
        "request_id": request.request_id,
    }
    return http_event.answer(200, document)


def _last_verdict() -> Answer | None:
    """What the watcher noted last on the secret; ``None`` where there is nothing to be read."""
    try:
        tags = _secrets_manager.describe_tags(_settings.secret_id)
    except SecretsManagerError as error:
        telemetry.logger.warning("The watcher's last verdict cannot be read", reason=str(error))
        return None
    note = VerdictNote.from_tag(tags.get(VERDICT_TAG))
    if note is None:
        return None
    return {
        "verdict": note.outcome,
        "fingerprint": note.fingerprint,
        "since": note.since,
        "code": note.code,
    }


def _signing_keys(started: float) -> list[Answer]:
    """What there is of each identity provider's keys, asked for while there is time."""
    found = []
    for identity in _policy.issuers.values():
        may_fetch = time.monotonic() - started < _FETCHING_SECONDS
        reading = _keys.look(identity.jwks_uri, identity.algorithms, may_fetch=may_fetch)
        found.append(
            {
                "identity": identity.name,
                "issuer": identity.issuer,
                "jwks_uri": identity.jwks_uri,
                "keys": reading.keys,
                "problem": reading.problem,
            }
        )
    return found


def _diagnose(request: HttpRequest) -> Answer:
    with audited(_exchange(request)) as exchange:
        exchange.caller = caller = _role(request)
        if not caller.diagnose_tokens:
            raise not_granted("the identity has no diagnose_tokens")
        from issuer import token_diagnosis  # noqa: PLC0415  no cold start waits for it

        asked = token_diagnosis.read_request(request.body)
        found = token_diagnosis.diagnose(asked, _current_secret, _previous_secret, now=time.time())
        exchange.diagnosed = Diagnosed(
            asked.token,
            found.diagnosis.verdict,
            found.first_finding,
            found.diagnosis.opened_by,
            found.secret_fingerprint,
        )
    return http_event.answer(200, found.document() | {"request_id": request.request_id})


def _current_secret() -> ServerSecret | None:
    """Looked for anew, as is due where a token is in doubt; ``None`` where it cannot be had."""
    try:
        return _issuer.current_secret(refetch=True).secret
    except Problem:
        return None  # the log says why


def _previous_secret() -> ServerSecret | None:
    """The same of the last one. That there is none is no fault: nothing was rotated yet."""
    try:
        reading = _previous.get(refetch=True)
    except SecretUnavailableError as error:
        if error.asked:
            telemetry.record_no_previous_secret(str(error))
        return None
    if reading.failure is not None:
        telemetry.record_no_previous_secret(reading.failure)
    return reading.version.secret


_HEALTH: Final = "GET /v1/health"

#: API Gateway's route keys. ``template.yaml`` says which of them it protects with IAM.
ROUTES: Final[Mapping[str, Callable[[HttpRequest], Answer]]] = {
    "POST /v1/tokens": _tokens,
    "POST /v1/service/tokens": _service_tokens,
    "POST /v1/service/tokens/batch": _service_tokens_batch,
    "POST /api/v1/calls/initiate": _calls_initiate,
    "POST /v1/service/calls/initiate": _service_calls_initiate,
    _HEALTH: _health,
    "GET /v1/status": _status,
    "POST /v1/diagnose": _diagnose,
}

Authenticate = Callable[[HttpRequest], Caller]


def _bearer(request: HttpRequest) -> Caller:
    return callers.from_bearer(request.headers.get("authorization"), _policy, _keys)


def _role(request: HttpRequest) -> Caller:
    return callers.from_role(request.iam, _policy)


def _token(request: HttpRequest, authenticate: Authenticate, *, names_user: bool) -> Answer:
    with audited(_exchange(request)) as exchange:
        exchange.caller = caller = authenticate(request)
        exchange.request = token_request.read_token_request(request.body, names_user=names_user)
        issued = _issuer.issue(caller, exchange.request, exchange)
    return http_event.answer(201, _document(issued) | {"request_id": request.request_id})


def _batch_entry(request: HttpRequest, caller: Caller, position: int, entry: object) -> Answer:
    """The result of one request in a batch: its own token, or its own problem."""
    try:
        with audited(_exchange(request)) as exchange:
            exchange.position, exchange.caller = position, caller
            exchange.request = token_request.token_request(entry, names_user=True)
            issued = _issuer.issue(caller, exchange.request, exchange)
    except Problem as problem:
        return {"status": problem.type.status, "problem": problem.document()}
    return {"status": 201, "token": _document(issued)}


def _call(request: HttpRequest, authenticate: Authenticate, *, names_user: bool) -> Answer:
    """Begin a call: a token for a room that nobody has been in before."""
    with audited(_exchange(request)) as exchange:
        exchange.caller = caller = authenticate(request)
        asked = token_request.read_call_request(request.body, names_user=names_user)
        call_id = os.urandom(16).hex()
        exchange.request = replace(asked, room_id=f"call_{call_id}")
        issued = _issuer.issue(caller, exchange.request, exchange)
    document = {
        "callId": call_id,
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
        "requestId": request.request_id,
    }
    return http_event.answer(201, document)


def _document(issued: IssuedToken) -> Answer:
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


def _refusal(request: HttpRequest, problem: Problem) -> Answer:
    document = problem.document() | {"request_id": request.request_id}
    return http_event.answer(problem.type.status, document, problem.headers())


def _exchange(request: HttpRequest) -> Exchange:
    return Exchange(request.request_id, request.route, _settings.stage)


def _prefetch() -> None:
    """Fetch after a SnapStart restore what a snapshot must not hold, before the first request.

    A restore may take 10 s: what is not fetched by half of that is left to the first request, which
    also tells its caller of what could not be fetched.
    """
    started = time.monotonic()
    with contextlib.suppress(Problem):
        _issuer.current_secret()
    for identity in _policy.issuers.values():
        if time.monotonic() - started < _FETCHING_SECONDS:
            _keys.prefetch(identity.jwks_uri)
    telemetry.flush()


#: After so long no further fetch begins: half of what a restore, and a request, may take.
_FETCHING_SECONDS: Final = 5.0


snapshot_restore_py.register_after_restore(_prefetch)

# What is loaded by now stays for good: the collector need not look at it again, warm or cold.
gc.freeze()
