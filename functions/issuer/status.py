"""The status document for operators: secret, policy, signing keys and build.

It contains no secret value. Only an IAM role with ``read_status`` may read it.
"""

from __future__ import annotations

import time
from typing import Any

from issuer.audit import Exchange, audited
from issuer.http_event import ApiRequest, ApiResponse, respond
from issuer.jwks import NO_TIME, KeysReading, location
from issuer.problems import refused
from issuer.routes import Service, admit, may_fetch
from issuer.telemetry import telemetry
from zego.aws import AwsError
from zego.policy.model import not_granted
from zego.secret_store.notes import VERDICT_TAG, VerdictNote


def status(service: Service, request: ApiRequest) -> ApiResponse:
    """Report the status in which the next token request would find the service."""
    started = time.monotonic()
    with audited(Exchange(request.request_id, request.route)) as exchange:
        caller = admit(service, exchange, request, service.role)
        if not caller.read_status:
            raise refused(not_granted("the identity does not have read_status"))
        current = service.current_secret()
    settings = service.settings
    document = {
        "secret": {
            "version_id": current.version_id,
            "fingerprint": current.secret.fingerprint,
            "app_id": current.secret.app_id,
            "created_at": int(current.created_at),
            "age_days": round((time.time() - current.created_at) / 86400, 2),
            "last_verdict": _last_verdict(service),
        },
        "policy": {"sha256": service.policy.sha256, "stage": settings.stage},
        "signing_keys": _signing_keys(service, started),
        "shared_keys": _shared_keys(service, started),
        "limits": _limits(service),
        "token_cipher": settings.cipher,
        "version": settings.build_version,
        "request_id": request.request_id,
    }
    return respond(200, document)


def _last_verdict(service: Service) -> dict[str, Any] | None:
    """The watcher's last note on the secret; ``None`` if it is missing or cannot be read."""
    try:
        tags = service.secrets_manager.describe_tags(service.settings.secret_id)
    except AwsError as error:
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


def _signing_keys(service: Service, started: float) -> list[dict[str, Any]]:
    """The state of each identity provider's keys, fetched while there is time."""
    found = []
    for identity in service.policy.bearers:
        if identity.shared_key is not None:
            continue
        url, issuer = location(identity)
        reading = service.keys.look(
            url, identity.algorithms, issuer=issuer, may_fetch=may_fetch(started)
        )
        found.append(
            {
                "identity": identity.name,
                "issuer": identity.issuer,
                "jwks_uri": url,
                "keys": reading.keys,
                "problem": reading.problem,
            }
        )
    return found


def _shared_keys(service: Service, started: float) -> list[dict[str, Any]]:
    """The state of each shared key, read while there is time."""
    found = []
    for identity in service.policy.bearers:
        if identity.shared_key is None:
            continue
        reading = KeysReading(None, NO_TIME)
        if may_fetch(started):
            reading = service.shared_keys.look(identity)
        found.append(
            {
                "identity": identity.name,
                "secret": identity.shared_key,
                "keys": reading.keys,
                "problem": reading.problem,
            }
        )
    return found


def _limits(service: Service) -> dict[str, Any] | None:
    """The denials that are in force; ``None`` if the stack has no limits."""
    if service.limits is None:
        return None
    denials, problem = service.limits.look()
    return {"denials": denials, "problem": problem}
