"""The routes by name. `tests/contract/test_routes.py` holds the real ones to the document."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from local.aws.http_api import ROUTES

TOKENS = "POST /v1/tokens"
SERVICE_TOKENS = "POST /v1/service/tokens"
BATCH = "POST /v1/service/tokens/batch"
CALL = "POST /api/v1/calls/initiate"
SERVICE_CALL = "POST /v1/service/calls/initiate"
HEALTH = "GET /v1/health"
STATUS = "GET /v1/status"
DIAGNOSE = "POST /v1/diagnose"

#: The routes for an API that tests hurry through, which is not what throttling is for.
UNTHROTTLED: Final = tuple(replace(route, rate=1e6, burst=1e6) for route in ROUTES)
