"""An edge in front of the service, over HTTP: signatures stay valid, and nothing goes past it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local import loopback
from local.stack import LocalStack
from tests.local.exchange import Answer, exchange
from tests.support.edge import HEADER, NEW, NEW_SHA256, OLD, OLD_SHA256, Edge
from tests.support.routes import HEALTH, SERVICE_TOKENS, STATUS, TOKENS

HOST = "tokens.example.com"

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Behind:
    """A local stack behind an edge; callers use the host name of both."""

    stack: LocalStack
    edge: Edge

    def send(self, route: str, headers: Pairs, body: bytes = b"", *, past: bool = False) -> Answer:
        """The response to a request; ``past`` the edge it goes to the API itself."""
        method, path = route.split(" ")
        server = self.stack.api if past else self.edge
        sent = [("content-type", "application/json"), *headers]
        return exchange(f"{server.url}{path}", method, sent, body, host=HOST)

    def bearer(self) -> tuple[str, str]:
        """The Authorization header of a user."""
        return "authorization", f"Bearer {self.stack.identity_provider.bearer('alice')}"

    def signed(self, route: str, body: bytes = b"", *, host: str = HOST) -> list[tuple[str, str]]:
        """The headers of a backend's request, which AWS' own library signs for the host name."""
        method, path = route.split(" ")
        key = self.stack.access_key
        headers = {"content-type": "application/json"}
        request = AWSRequest(method, f"https://{host}{path}", headers, body)
        credentials = Credentials(key.access_key_id, key.secret_access_key)
        SigV4Auth(credentials, "execute-api", self.stack.region).add_auth(request)
        signed = [(name, str(text)) for name, text in request.headers.items()]
        return [pair for pair in signed if pair[0] != "content-type"]  # `send` adds it


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """The service, which accepts two values of the header while the edge still sends the old one.

    A local stack accepts only its own host names, so this adds the public one.
    """
    directory: Path = tmp_path_factory.mktemp("behind_edge")
    digests = {"ORIGIN_HEADER_SHA256": f"{OLD_SHA256},{NEW_SHA256}"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loopback, "NAMES", loopback.NAMES | {HOST})
        with (
            LocalStack(directory=directory, environment=digests, workers=1) as stack,
            Edge(stack.api.url, OLD) as edge,
        ):
            yield Behind(stack, edge)


def code(answer: Answer) -> tuple[int, str]:
    """A problem's status and code."""
    return answer.status, answer.json()["code"]


def test_a_user_gets_a_token_through_the_edge(behind: Behind) -> None:
    assert behind.send(TOKENS, [behind.bearer()], b"{}").status == 201


def test_a_signature_for_the_public_host_name_is_valid_behind_the_edge(behind: Behind) -> None:
    body = b'{"user_id": "bob"}'
    assert behind.send(SERVICE_TOKENS, behind.signed(SERVICE_TOKENS, body), body).status == 201
    assert behind.send(STATUS, behind.signed(STATUS)).status == 200


def test_a_signature_is_invalid_if_the_edge_does_not_forward_the_host_name(behind: Behind) -> None:
    body = b'{"user_id": "bob"}'
    headers = behind.signed(SERVICE_TOKENS, body)
    with Edge(behind.stack.api.url, OLD, forwards_host=False) as edge:
        answer = Behind(behind.stack, edge).send(SERVICE_TOKENS, headers, body)
    assert (answer.status, answer.json()) == (403, {"message": "Forbidden"})


def test_a_signature_for_another_host_name_is_invalid(behind: Behind) -> None:
    headers = behind.signed(STATUS, host="abc123.execute-api.us-east-1.amazonaws.com")
    answer = behind.send(STATUS, headers)
    assert (answer.status, answer.json()) == (403, {"message": "Forbidden"})


@pytest.mark.parametrize("route", [TOKENS, HEALTH, "GET /v1/problems"])
def test_past_the_edge_every_open_route_is_refused(behind: Behind, route: str) -> None:
    answer = behind.send(route, [behind.bearer()], past=True)
    assert code(answer) == (403, "edge_required")
    assert answer.json()["help"] == f"http://{HOST}/v1/problems#edge_required"


def test_past_the_edge_a_signed_request_is_refused(behind: Behind) -> None:
    answer = behind.send(STATUS, behind.signed(STATUS), past=True)
    assert code(answer) == (403, "edge_required")


@pytest.mark.parametrize(
    "headers",
    [
        [(HEADER, NEW), (HEADER, NEW)],
        [(HEADER, OLD), ("X-Origin-Verify", NEW)],
        [(HEADER, f"{NEW},{NEW}")],
        [(HEADER, "")],
        [(HEADER, NEW_SHA256)],
    ],
    ids=["twice", "both", "joined", "empty", "its digest"],
)
def test_past_the_edge_a_header_that_is_not_exactly_right_is_refused(
    behind: Behind, headers: Pairs
) -> None:
    answer = behind.send(TOKENS, [behind.bearer(), *headers], past=True)
    assert code(answer) == (403, "edge_required")


def test_the_edge_replaces_a_header_that_a_caller_sends(behind: Behind) -> None:
    headers = [behind.bearer(), (HEADER, "guess"), (HEADER, "another")]
    assert behind.send(TOKENS, headers, b"{}").status == 201


def test_the_header_rotates_without_a_refused_request(behind: Behind) -> None:
    with Edge(behind.stack.api.url, NEW) as edge:  # some locations send the new value already
        for at in (behind.edge, edge):
            answer = Behind(behind.stack, at).send(TOKENS, [behind.bearer()], b"{}")
            assert answer.status == 201


def test_the_header_is_not_in_the_functions_log(behind: Behind) -> None:
    behind.send(TOKENS, [behind.bearer()], b"{}")
    behind.send(TOKENS, [(HEADER, f"{OLD},{NEW}")], past=True)
    log = "\n".join(behind.stack.function.log_lines())
    assert "edge_required" in log
    assert OLD not in log
    assert NEW not in log
