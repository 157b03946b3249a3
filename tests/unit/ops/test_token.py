"""`zego-token token`: how a request is proven, and what may come back."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ops import cli
from ops.errors import ExitCode
from tests.unit.ops.doctor.fakes import API, BEARER, Issuer, Session, json_response
from zego.bounded_http import HttpError, Response

SECRET = "0123456789abcdef" * 2
ROOM = ("--room", "lobby")
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Issuer:
    """What responds at the address of the stack of stage prod."""
    issuer = Issuer(SECRET)
    monkeypatch.setattr("ops.token.request", issuer)
    monkeypatch.setattr("ops.token.open_session", lambda _options: Session())
    monkeypatch.setattr("ops.target.stack_outputs", lambda _session, _stack: {"ApiUrl": API})
    return issuer


@pytest.fixture
def bearer_file(tmp_path: Path) -> str:
    path = tmp_path / "bearer"
    path.write_text(BEARER, encoding="utf-8")
    return str(path)


def test_without_a_bearer_token_the_request_is_signed(issuer: Issuer, capsys: Capture) -> None:
    issuer_document: dict[str, Any] = {"renew_at": 0}
    made = issuer._token({"user_id": "bob", "room_id": "lobby"}) | issuer_document
    issuer.responses["/v1/service/tokens"] = json_response(201, made)
    assert cli.main(["token", "--stage", "prod", "--user", "bob", *ROOM, "--raw"]) == 0
    assert capsys.readouterr().out == f"{made['token']}\n"
    method, headers = issuer.requests["/v1/service/tokens"]
    assert method == "POST"
    sent = {name.lower(): value for name, value in headers.items()}
    assert "/eu-west-1/execute-api/" in sent["authorization"]


def test_the_request_has_what_the_options_say(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies: list[Any] = []

    def send(_method: str, _url: str, *, body: bytes, **_options: object) -> Response:
        bodies.append(json.loads(body))
        raise HttpError("down")

    monkeypatch.setattr("ops.token.request", send)
    words = ("--user", "bob", *ROOM, "--lifetime", "90", "--privilege", "login", "--stream", "s")
    assert cli.main(["token", "--api", API, *words]) == ExitCode.AWS
    assert cli.main(["token", "--api", API, "--user", "bob"]) == ExitCode.AWS
    whole = {
        "user_id": "bob",
        "room_id": "lobby",
        "lifetime_seconds": 90,
        "privileges": ["login"],
        "stream_ids": ["s"],
    }
    assert bodies == [whole, {"user_id": "bob"}]


def test_on_a_terminal_the_command_prompts_for_the_bearer_token(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    here, there = os.openpty()
    with open(there, "rb") as terminal:  # noqa: PTH123  a number
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(terminal))
        monkeypatch.setattr("getpass.getpass", lambda _prompt: f"Bearer {BEARER}")
        cli.main(["token", "--api", API, "--bearer-file", "-", *ROOM])
    os.close(here)
    assert issuer.bearers == [BEARER]
    assert BEARER not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("document", "exit_code", "words"),
    [
        ({"code": "not_granted"}, 1, "Use a --user and a --room"),
        ({"code": "unknown_field"}, 1, "leave out --user"),
        ({"code": "bearer_too_old", "help": "https://x/#y"}, 1, "See https://x/#y."),
        ({"code": "bearer_wrong_audience", "help": "https://x/#y"}, 1, "zego-token policy explain"),
        ({"code": "secret_unavailable", "status": 503}, 5, "secret_unavailable"),
        ({"message": "Not Found", "status": 404}, 5, "not the token service's"),
        ({"token": "null", "status": 201}, 5, "not the token service's"),
        ({"token": "04AAAA", "status": 200}, 5, "not the token service's"),
        ({"token": "04AAAA", "status": 201}, 5, "incomplete"),
    ],
)
def test_a_response_without_a_token_is_explained(
    issuer: Issuer,
    bearer_file: str,
    capsys: Capture,
    document: Mapping[str, Any],
    exit_code: int,
    words: str,
) -> None:
    issuer.responses["/v1/tokens"] = json_response(document.get("status", 400), document)
    words_given = ("--api", API, "--bearer-file", bearer_file, *ROOM)
    assert cli.main(["token", *words_given]) == exit_code
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.out == ""


def test_the_time_of_a_retry_is_shown(issuer: Issuer, bearer_file: str, capsys: Capture) -> None:
    body = json.dumps({"code": "too_many_tokens"}).encode()
    issuer.responses["/v1/tokens"] = Response(429, {"retry-after": "90"}, body)
    assert cli.main(["token", "--api", API, "--bearer-file", bearer_file]) == 1
    assert "(max_tokens_per_hour). Retry in 90 s." in capsys.readouterr().err


def test_api_gateway_refuses_credentials_without_permission(
    issuer: Issuer, capsys: Capture
) -> None:
    issuer.responses["/v1/service/tokens"] = json_response(403, {"message": "Forbidden"})
    assert cli.main(["token", "--stage", "prod", "--user", "bob", *ROOM]) == 1
    assert "execute-api:Invoke" in capsys.readouterr().err


def test_a_detail_does_not_repeat_the_bearer_token(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    part = "c29tZXRoaW5nIHRoYXQgaXMgc2VjcmV0"
    path = tmp_path / "bearer"
    path.write_text(f"eyJ.{part}.x", encoding="utf-8")
    issuer.forgeable = True
    problem = {"code": "bearer_malformed", "detail": f"You sent {part[2:30]}, not a token."}
    issuer.responses["/v1/tokens"] = json_response(401, problem)
    assert cli.main(["token", "--api", API, "--bearer-file", str(path)]) == 1
    printed = capsys.readouterr().err
    assert "You sent ..., not a token." in printed


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--user bob", "Name one service"),
        ("--user bob --stage dev --stack other", "Name one service"),
        ("--user bob --local x --region eu-west-1", "cannot be combined"),
        ("--stage dev", "--user is missing"),
        ("--stage dev --user bob --raw --json", "--raw cannot be combined"),
        ("--api http://tokens.example.com --user bob", "not an https URL"),
        ("--stage dev --user bob --lifetime 0", "not in the range"),
    ],
)
def test_a_usage_error_is_reported(line: str, words: str, capsys: Capture) -> None:
    assert cli.main(["token", *line.split()]) == ExitCode.USAGE
    assert words in capsys.readouterr().err


def test_a_stack_without_an_api_is_an_error(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("ops.target.stack_outputs", lambda _session, _stack: {})
    assert cli.main(["token", "--stack", "mine", "--user", "bob"]) == ExitCode.AWS
    assert "The stack mine has no output ApiUrl." in capsys.readouterr().err
