"""The issuer Lambda: its parts, its routes and its handler.

:mod:`issuer.routes` has the steps of each request, and writes one audit event at the end.
"""

from __future__ import annotations

import gc

gc.disable()  # until everything is loaded, because it all stays

import functools
import hashlib
import hmac
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import snapshot_restore_py
from aws_lambda_powertools.metrics import MetricUnit

from issuer import http_event, routes
from issuer.http_event import ApiRequest, ApiResponse, respond
from issuer.jwks import SigningKeys, fetch_jwks
from issuer.problems import HELP_PATH, Problem
from issuer.routes import FirstReads, Service, may_fetch
from issuer.shared_keys import REFETCH_SECONDS, SharedKeys
from issuer.telemetry import record_internal_error, telemetry
from runtime.settings import IssuerSettings, SettingsError
from zego import server_secret
from zego.aws import DYNAMODB, EVENTBRIDGE, SECRETS_MANAGER, AwsClient, AwsCredentials, AwsError
from zego.bounded_http import load_trusted_roots, renew_randomness
from zego.cache import Cached
from zego.policy import file as policy_file
from zego.policy.model import AccessPolicy
from zego.secret_store import CURRENT, PREVIOUS
from zego.secrets_manager import SecretsReader, SecretVersion
from zego.server_secret import ServerSecret, ServerSecretError
from zego.shared_key import SharedKeyError

if TYPE_CHECKING:
    from issuer.incoming_calls import IncomingCalls
    from issuer.limits import Limits

_settings = IssuerSettings.read(os.environ)
_credentials = AwsCredentials(os.environ)


@functools.cache
def _secrets_manager(region: str) -> SecretsReader:
    endpoint = _settings.secrets_manager_endpoint
    return SecretsReader(AwsClient(SECRETS_MANAGER, region, _credentials, endpoint=endpoint))


_gateway_clock = http_event.GatewayClock()


def _secret_version(label: str) -> SecretVersion[ServerSecret]:
    secrets = _secrets_manager(_settings.region)
    value = secrets.get_secret_value(_settings.secret_id, version_stage=label)
    return SecretVersion.parse(value, server_secret.parse)


def _cached(label: str) -> Cached[SecretVersion[ServerSecret]]:
    return Cached(
        lambda: _secret_version(label),
        AwsError,
        ServerSecretError,
        ttl_seconds=_settings.secret_ttl_seconds,
        max_stale_seconds=_settings.secret_max_stale_seconds,
        outside_clock=_gateway_clock,
    )


def _shared_key(secret_id: str, label: str) -> str:
    """The text of a secret: of the function's region, or of the one that its ARN names."""
    parts = secret_id.split(":")
    secrets = _secrets_manager(parts[3] if parts[0] == "arn" else _settings.own_region)
    return secrets.get_secret_value(secret_id, version_stage=label).text


def _limits(policy: AccessPolicy) -> Limits | None:
    """The denials and budgets, if the stack has a table for them.

    :raises SettingsError: it has none, and the policy needs it.
    """
    settings = _settings.limits
    if settings is None:
        for rule in policy.rules:
            if rule.max_tokens_per_hour is not None:
                raise SettingsError(
                    f"The access policy's rule {rule.name!r} has max_tokens_per_hour, but"
                    " LIMITS_TABLE is not set. Deploy with Limits=On, or remove the key."
                )
        return None
    from issuer.limits import Limits  # noqa: PLC0415  not imported without a table

    def dynamodb(attempt_seconds: float, attempts: int) -> AwsClient:
        return AwsClient(
            DYNAMODB,
            settings.region,
            _credentials,
            endpoint=settings.endpoint,
            attempt_seconds=attempt_seconds,
            attempts=attempts,
        )

    return Limits(
        settings.table,
        policy,
        reader=dynamodb(attempt_seconds=1.0, attempts=2),
        counter=dynamodb(attempt_seconds=1.0, attempts=1),
        gateway_clock=_gateway_clock,
    )


@functools.cache
def _incoming_calls() -> IncomingCalls:
    from issuer.incoming_calls import IncomingCalls  # noqa: PLC0415  only calls with callees need it

    return IncomingCalls(
        AwsClient(
            EVENTBRIDGE,
            _settings.own_region,
            _credentials,
            endpoint=_settings.events_endpoint,
            attempt_seconds=1.0,
            attempts=1,
        ),
        _settings.stage,
    )


def _read_secret() -> None:
    _service.current_secret()


def _read_denials() -> None:
    if _service.limits is not None:
        _service.limits.denials()


_first_reads = FirstReads(_read_secret, *((_read_denials,) if _settings.limits else ()))
_policy = policy_file.load(_settings.policy_file, allow_loopback=_settings.stage == "local")
_service = Service(
    _settings,
    _policy,
    SigningKeys(lambda url: _first_reads.during(lambda: fetch_jwks(url))),
    SharedKeys(
        lambda secret_id, label: _first_reads.during(lambda: _shared_key(secret_id, label)),
        lambda fetch: Cached(
            fetch,
            AwsError,
            SharedKeyError,
            ttl_seconds=_settings.secret_ttl_seconds,
            max_stale_seconds=_settings.secret_max_stale_seconds,
            refetch_seconds=REFETCH_SECONDS,
            outside_clock=_gateway_clock,
        ),
    ),
    _secrets_manager(_settings.region),
    current=_cached(CURRENT),
    previous=_cached(PREVIOUS),
    incoming_calls=_incoming_calls,
    limits=_limits(_policy),
    first_reads=_first_reads,
)
telemetry.set_stage(_settings.stage)


def _status(service: Service, request: ApiRequest) -> ApiResponse:
    from issuer.status import status  # noqa: PLC0415  imported late, to keep cold starts short

    return status(service, request)


#: CloudFront adds this header to each request, with a secret value (docs/edge.md).
EDGE_HEADER: Final = "x-origin-verify"

_HEALTH: Final = "GET /v1/health"
_HELP: Final = f"GET {HELP_PATH}"

#: API Gateway's route keys. ``template.yaml`` sets which of them API Gateway protects with IAM.
ROUTES: Final[Mapping[str, Callable[[Service, ApiRequest], ApiResponse]]] = {
    "POST /v1/tokens": routes.tokens,
    "POST /v1/tokens/batch": routes.tokens_batch,
    "POST /v1/service/tokens": routes.service_tokens,
    "POST /v1/service/tokens/batch": routes.service_tokens_batch,
    "POST /v1/calls": routes.calls,
    "POST /v1/service/calls": routes.service_calls,
    "POST /api/v1/calls/initiate": routes.calls_initiate,
    "POST /v1/service/calls/initiate": routes.service_calls_initiate,
    _HEALTH: routes.health,
    _HELP: routes.help_page,
    "GET /v1/status": _status,
    "POST /v1/diagnose": routes.diagnosis,
}


def handler(event: Mapping[str, Any], _context: object) -> ApiResponse:
    """Respond to one request of the HTTP API, payload format 2.0.

    :raises ApiEventError: the event is not a request. All other failures become responses.
    """
    started = time.perf_counter()
    request = http_event.read(event)
    if not _came_through_edge(request):
        telemetry.count_by("ExchangesRefused", code="edge_required")
        return _refusal(request, Problem("edge_required", "Use the API's public address."))
    _gateway_clock.set(request.received_at)
    try:
        route = ROUTES.get(request.route)
        if route is None:
            raise Problem("route_not_found", "The API has no such route.")
        return route(_service, request)
    except Problem as problem:
        return _refusal(request, problem)
    except Exception as error:  # noqa: BLE001  the caller gets a problem, the log gets the details
        record_internal_error(error, request.request_id)
        return _refusal(request, Problem("internal_error", "Report this with the request id."))
    finally:
        if request.route not in {_HEALTH, _HELP}:
            took = (time.perf_counter() - started) * 1000
            telemetry.add("ExchangeLatency", took, MetricUnit.Milliseconds)
            telemetry.flush()


def _came_through_edge(request: ApiRequest) -> bool:
    """Whether the request has the edge's header, once; always, if no digest is configured.

    API Gateway joins repeated headers with commas, and no valid value has one.
    """
    digests = _settings.origin_header_sha256
    if not digests:
        return True
    value = str(request.headers.get(EDGE_HEADER, "")).encode("utf-8", "surrogatepass")
    sha256 = hashlib.sha256(value).hexdigest()
    return any(hmac.compare_digest(sha256, digest) for digest in digests)


def _refusal(request: ApiRequest, problem: Problem) -> ApiResponse:
    document = problem.document(request.base_url) | {"request_id": request.request_id}
    return respond(problem.type.status, document, problem.headers())


def _prefetch() -> None:
    """Fetch secret, denials and keys after a SnapStart restore: a snapshot must have none of them.

    A restore may take 10 s. After half of that no fetch begins, and the first request fetches what
    is missing. Failures are ignored here: the first request tries again and reports them.
    """
    renew_randomness()
    started = time.monotonic()

    def fetch_keys() -> None:
        for identity in _service.policy.bearers:
            if may_fetch(started):
                _service.prefetch_keys(identity)

    _first_reads.during(fetch_keys)
    telemetry.flush()


snapshot_restore_py.register_after_restore(_prefetch)

if _settings.secrets_manager_endpoint is None:
    load_trusted_roots()  # now, so that a snapshot has them and no request waits for them

# The garbage collector skips what is loaded so far.
gc.freeze()
gc.enable()
