"""The routes by name. `tests/contract/test_routes.py` compares the real ones with OpenAPI."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from local.aws.http_api import ROUTES

TOKENS = "POST /v1/tokens"
TOKENS_BATCH = "POST /v1/tokens/batch"
SERVICE_TOKENS = "POST /v1/service/tokens"
BATCH = "POST /v1/service/tokens/batch"
CALL = "POST /v1/calls"
SERVICE_CALL = "POST /v1/service/calls"
CALL_IN_CAMEL_CASE = "POST /api/v1/calls/initiate"
SERVICE_CALL_IN_CAMEL_CASE = "POST /v1/service/calls/initiate"
HEALTH = "GET /v1/health"
HELP = "GET /v1/problems"
STATUS = "GET /v1/status"
DIAGNOSE = "POST /v1/diagnose"

#: The routes without a rate limit, for tests that send many requests quickly.
UNTHROTTLED: Final = tuple(replace(route, rate=1e6, burst=1e6) for route in ROUTES)
