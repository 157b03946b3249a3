"""The routes by name. `tests/contract/test_routes.py` holds the real ones to the document."""

from __future__ import annotations

TOKENS = "POST /v1/tokens"
SERVICE_TOKENS = "POST /v1/service/tokens"
BATCH = "POST /v1/service/tokens/batch"
CALL = "POST /api/v1/calls/initiate"
SERVICE_CALL = "POST /v1/service/calls/initiate"
HEALTH = "GET /v1/health"
STATUS = "GET /v1/status"
