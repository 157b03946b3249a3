"""A backend calls the whole service on this machine, with real signatures and tokens."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest

from local.stack import LocalStack
from zego import token04
from zego_token_client import IssuedToken, TokenClient, TokenProblem, TokenRequest


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    directory = tmp_path_factory.mktemp("stack")
    with LocalStack(directory=directory, workers=1, watch_seconds=None) as running:
        yield running


def test_a_backend_can_use_every_call(stack: LocalStack) -> None:
    session = boto3.Session(
        stack.access_key.access_key_id,
        stack.access_key.secret_access_key,
        region_name=stack.region,
    )
    client = TokenClient(stack.api.url, session=session)

    issued = client.token("alice", room_id="call_1", privileges=["login"], lifetime_seconds=60)
    opened = token04.decode(issued.token, stack.secrets_manager.server_secret).claims
    assert (opened.app_id, opened.user_id) == (issued.app_id, "alice")
    assert (opened.issued_at, opened.expires_at) == (issued.issued_at, issued.issued_at + 60)
    assert json.loads(opened.payload)["room_id"] == issued.room_id == "call_1"
    assert (issued.privileges.login, issued.privileges.publish) == (True, False)
    assert abs(issued.issued_at - time.time()) < 60
    assert issued.issued_at < issued.renew_at < issued.expires_at

    first, second = client.tokens([TokenRequest("bob", room_id="call_1"), TokenRequest("b b")])
    assert isinstance(first, IssuedToken)
    assert isinstance(second, TokenProblem)
    assert (second.code, second.field, second.status) == ("invalid_identifier", "user_id", 422)
    assert second.help == f"{stack.api.url}/v1/problems#invalid_identifier"
    assert first.request_id == second.request_id

    call, again = (
        client.start_call("alice", callees=["bob"], idempotency_key="k") for _ in range(2)
    )
    assert call.room_id == again.room_id == f"call_{call.call_id}"
    assert (call.callees, call.event_accepted) == (("bob",), True)

    with ThreadPoolExecutor(4) as threads:
        others = list(threads.map(lambda user: client.token(user).user_id, "abcdefgh"))
    assert others == list("abcdefgh")

    status = client.status()
    assert (status.secret.app_id, status.policy.stage) == (issued.app_id, "local")

    diagnosis = client.diagnose(issued.token, user_id="eve")
    assert (diagnosis.verdict, diagnosis.opened_by) == ("refused", "AWSCURRENT")
    assert diagnosis.claims is not None
    assert diagnosis.claims["user_id"] == "alice"

    with pytest.raises(TokenProblem) as refused:
        client.tokens([TokenRequest("bob")] * 101)
    assert refused.value.code == "batch_size"

    stranger = boto3.Session("made-up-key-id", "made-up-secret", region_name=stack.region)
    with pytest.raises(TokenProblem) as refused:
        TokenClient(stack.api.url, session=stranger).token("alice")
    assert refused.value.code == "gateway_forbidden"
    assert refused.value.request_id
    client.close()


def test_a_backend_outside_aws_can_use_every_call_for_tokens(stack: LocalStack) -> None:
    provider = stack.identity_provider
    expired = provider.sign(provider.claims("local-backend", exp=1))
    bearers = [provider.bearer("local-backend"), expired]
    with TokenClient(stack.api.url, bearer=bearers.pop) as client:
        issued = client.token("alice", room_id="standup", lifetime_seconds=60)
        first, second = client.tokens([TokenRequest("bob"), TokenRequest("b b")])
        call = client.start_call("carol", callees=["bob"])
    assert bearers == []  # the expired one was refused, and the next one kept
    opened = token04.decode(issued.token, stack.secrets_manager.server_secret).claims
    assert (opened.user_id, issued.room_id) == ("alice", "standup")
    assert isinstance(first, IssuedToken)
    assert isinstance(second, TokenProblem)
    assert (first.user_id, second.code) == ("bob", "invalid_identifier")
    assert (call.user_id, call.event_accepted) == ("carol", True)

    user = TokenClient(stack.api.url, bearer=provider.bearer("alice"))
    with user, pytest.raises(TokenProblem) as refused:
        user.token("bob")
    assert refused.value.code == "unknown_field"
