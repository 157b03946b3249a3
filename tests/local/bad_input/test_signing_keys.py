"""Identity providers whose keys are missing, late or wrong."""

from __future__ import annotations

import json
import time

import pytest

from local.identity_provider import IdentityProvider
from local.loopback import HttpRequest, HttpResponse, Intercept, LoopbackServer
from tests.local.bad_input.exchanges import problem
from tests.support.clock import ClockFile
from tests.support.faults import (
    Faults,
    answering,
    down,
    hanging_up,
    redirecting,
    slow,
)
from tests.support.service import Service


def unknown_key(service_: Service) -> str:
    """Returns a token that names a key unknown to the identity provider."""
    provider = service_.stack.identity_provider
    return provider.sign(provider.claims("alice"), kid="invented")


class Elsewhere(LoopbackServer):
    """A server that no request may reach; it would return the identity provider's keys."""

    def __init__(self, provider: IdentityProvider) -> None:
        super().__init__()
        self._provider = provider

    def respond(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, body=json.dumps(self._provider.jwks()).encode())


class TestSigningKeys:
    def test_unknown_key_ids_cause_one_fetch(self, cold: Service, jwks: Faults) -> None:
        before = len(jwks.requests)
        for _ in range(10):
            problem(cold.token(unknown_key(cold)), 401, "bearer_unknown_key")
        assert cold.token().status == 201
        assert len(jwks.requests) - before == 1

    @pytest.mark.parametrize(
        "fault",
        [
            pytest.param(hanging_up, id="hangs up"),
            pytest.param(answering(500, b""), id="fails"),
            pytest.param(answering(200, b'{"keys": null}'), id="is not a JWKS"),
        ],
    )
    def test_without_keys_no_token_can_be_verified(
        self, cold: Service, jwks: Faults, fault: Intercept
    ) -> None:
        before = len(jwks.requests)
        with jwks.of(fault):
            answers = [cold.token() for _ in range(3)]
        for answer in answers:
            document = problem(answer, 503, "signing_keys_unavailable")
            assert 0 < int(answer.headers["retry-after"]) <= 30
            assert document["retryable"] is True
            assert "127.0.0.1" not in document["detail"]
        assert len(jwks.requests) - before == 1

    def test_keys_that_are_too_large_are_not_read(self, cold: Service, jwks: Faults) -> None:
        keys = json.dumps(cold.stack.identity_provider.jwks()).encode()
        with jwks.of(answering(200, keys.ljust(256 * 1024 + 1))):
            problem(cold.token(), 503, "signing_keys_unavailable")
        assert "larger than 262144 bytes" in cold.last_audit()["reason"]

    def test_an_identity_provider_that_is_down_is_named_in_the_audit_event_only(
        self, cold: Service
    ) -> None:
        bearer = cold.bearer()
        with down(cold.stack.identity_provider):
            answer = cold.token(bearer)
        problem(answer, 503, "signing_keys_unavailable")
        assert "cannot be reached" in cold.last_audit()["reason"]
        assert "cannot be reached" not in answer.body.decode()

    def test_a_slow_identity_provider_is_not_waited_for(self, cold: Service, jwks: Faults) -> None:
        with jwks.of(slow(30.0)):
            started = time.monotonic()
            problem(cold.token(), 503, "signing_keys_unavailable")
            assert time.monotonic() - started < 20.0

    @pytest.mark.parametrize("status", [302, 308])
    def test_a_redirect_is_not_followed(self, cold: Service, jwks: Faults, status: int) -> None:
        with Elsewhere(cold.stack.identity_provider) as elsewhere:
            asked = Faults(elsewhere)
            with jwks.of(redirecting(f"{elsewhere.url}/jwks.json", status)):
                problem(cold.token(), 503, "signing_keys_unavailable")
            assert asked.requests == []


#: Times of the issuer: how long keys are fresh, how long it uses them if they cannot be fetched,
#: how long it waits after a fetch, and how long after a fetch that left it without keys.
FRESH_SECONDS, MAX_STALE_SECONDS, COOL_DOWN_SECONDS, RETRY_SECONDS = 600, 3600, 30, 5


class TestSigningKeysThatAge:
    def test_an_unknown_key_id_causes_one_refetch_per_cool_down(
        self, aging: Service, issuers_clock: ClockFile, jwks: Faults
    ) -> None:
        aging.restart()
        assert aging.token().status == 201
        fetches = len(jwks.requests)
        for cool_downs in range(3):
            for _ in range(10):
                problem(aging.token(unknown_key(aging)), 401, "bearer_unknown_key")
            assert len(jwks.requests) - fetches == cool_downs
            issuers_clock.turn(COOL_DOWN_SECONDS)

    def test_in_an_outage_known_keys_verify_for_a_time_and_unknown_ones_do_not(
        self, aging: Service, issuers_clock: ClockFile
    ) -> None:
        good, unknown = aging.bearer(), unknown_key(aging)
        aging.restart()
        assert aging.token(good).status == 201
        with down(aging.stack.identity_provider):
            issuers_clock.turn(FRESH_SECONDS)
            answer = aging.token(unknown)
            problem(answer, 503, "signing_keys_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            assert aging.token(good).status == 201
            issuers_clock.turn(MAX_STALE_SECONDS - FRESH_SECONDS)
            problem(aging.token(good), 503, "signing_keys_unavailable")
        issuers_clock.turn(RETRY_SECONDS)
        assert aging.token(good).status == 201
