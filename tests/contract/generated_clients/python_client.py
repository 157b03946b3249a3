"""Uses the client of openapi-python-client and the models of datamodel-code-generator.

Runs in the environment of the generators, in the folder of what they made, and prints each response
as its type has it.
"""

from __future__ import annotations

import json
import os

import generated_models as models
from generated_client import AuthenticatedClient, Client
from generated_client.api.frontends import begin_call, initiate_call, issue_token
from generated_client.api.ops import get_status
from generated_client.models import CallRequest, TokenRequest

signed_in = AuthenticatedClient(os.environ["API"], os.environ["BEARER"])
stranger = Client(os.environ["API"])
throttled = AuthenticatedClient(os.environ["THROTTLED_API"], os.environ["BEARER"])

EXCHANGES = [
    (issue_token, signed_in, TokenRequest(room_id="call_1"), models.TokenResponse),
    (initiate_call, signed_in, CallRequest(), models.CallResponse),
    (begin_call, signed_in, CallRequest(callees=["bob"]), models.CallTokenResponse),
    (begin_call, signed_in, CallRequest(callees=["alice"]), models.Problem),
    (issue_token, stranger, TokenRequest(room_id="call_1"), models.Problem),
    (issue_token, signed_in, TokenRequest(room_id="board_room"), models.Problem),
    (issue_token, signed_in, TokenRequest(lifetime_seconds=10), models.Problem),
    (issue_token, throttled, TokenRequest(room_id="call_1"), models.GatewayAnswer),
]

forbidden = get_status.sync_detailed(client=stranger).parsed
print(json.dumps([403, type(forbidden).__name__, forbidden.message]))
for route, client, request, model in EXCHANGES:
    response = route.sync_detailed(client=client, body=request)
    typed = response.parsed.to_dict()
    assert typed == json.loads(response.content)
    model.model_validate_json(response.content)
    told = typed.get("code") or typed.get("message") or typed["privileges"]
    print(json.dumps([response.status_code, type(response.parsed).__name__, told]))
