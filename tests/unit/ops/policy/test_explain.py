"""`zego-token policy explain`: the caller's identity, every rule, and the decision."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from local.identity_provider import IdentityProvider
from ops import cli
from ops.errors import ExitCode
from ops.policy.check import load
from tests.support.policy_mistakes import GOOD
from tools.policy_schema import LOCAL, POLICIES, REFERENCE, ROOT
from zego.policy import file as policy_file
from zego.policy.file import Example

Capture = pytest.CaptureFixture[str]
ROLE = "arn:aws:iam::111122223333:role/CallBackend"
SESSION = "arn:aws:sts::111122223333:assumed-role/CallBackend/i-0123"
POLICY = (
    GOOD.replace(
        "[[rules]]",
        """
[[rules]]
name = "suspended"
callers = ["web"]
unless_claims = { suspended = false }
deny = true

[[rules]]
name = "teams"
callers = ["web"]
rooms = ["team.{claims.team}.*"]
max_lifetime_seconds = 600
max_session_seconds = 3600

[[rules]]""",
        1,
    )
    .replace('users = ["*"]', 'users = ["bot_*"]')
    .replace('rooms = ["*"]', 'rooms = ["*"]\nidentity_tokens = true\ncallees = ["*"]')
)
ALICE = {
    "iss": "https://login.example.com/",
    "aud": "https://calls.example.com",
    "sub": "alice",
    "suspended": False,
    "email_verified": True,
}


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "prod.toml"
    path.write_text(POLICY, encoding="utf-8")
    return str(path)


@pytest.fixture
def explained(policy: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command with claims, or with other options; returns its events by name."""

    def run(claims: dict[str, Any] | None, *words: str) -> dict[str, list[dict[str, Any]]]:
        if claims is not None:
            stdin = io.TextIOWrapper(io.BytesIO(json.dumps(claims).encode()))
            monkeypatch.setattr("sys.stdin", stdin)
            words = ("--claims", "-", *words)
        exit_code = cli.main(["policy", "explain", policy, "--json", *words])
        events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert events[-1]["event"] == "not_checked"
        assert exit_code == (0 if events[-2]["granted"] else 1)
        found: dict[str, list[dict[str, Any]]] = {}
        for event in events:
            found.setdefault(event["event"], []).append(event)
        return found

    return run


def test_every_rule_is_traced_up_to_the_one_that_matches(explained: Any) -> None:
    found = explained(ALICE, "--room", "call_1", "--stream", "alice_cam")
    assert [(rule["because"], rule["detail"]) for rule in found["rule"]] == [
        ("unless_claims", "denies nothing, because suspended is false"),
        (
            "rooms",
            "the room call_1 matches none of team.{claims.team}.* (no fitting value)",
        ),
        (None, "matches"),
    ]
    (decision,) = found["decision"]
    assert decision == {
        "event": "decision",
        "granted": True,
        "rule": "members",
        "user_id": "alice",
        "room_id": "call_1",
        "privileges": ["login", "publish"],
        "stream_ids": ["alice_cam"],
        "callees": [],
        "lifetime_seconds": 7200,
    }


@pytest.mark.parametrize(
    ("claims", "words", "because", "reason"),
    [
        ({"suspended": "false"}, (), None, "the rule denies, because of the claim suspended"),
        ({"email_verified": "true"}, (), "claims", "no rule matches"),
        ({"email_verified": None}, (), "claims", "no rule matches"),
        ({}, ("--room", "lobby"), "rooms", "no rule matches"),
        ({}, ("--stream", "bob_cam"), None, "the rule does not grant one of the stream ids"),
        ({}, ("--stream", "alice_a", "--lifetime", "7201"), None, "may be at most 7200 here"),
    ],
)
def test_a_refusal_names_the_rule_and_the_reason(
    explained: Any, claims: dict[str, Any], words: tuple[str, ...], because: str, reason: str
) -> None:
    asked = words if "--room" in words else ("--room", "call_1", *words)
    found = explained(ALICE | claims, *asked)
    assert reason in found["decision"][0]["reason"]
    decisive = [rule for rule in found["rule"] if rule["name"] in ("members", "suspended")][-1]
    assert decisive["because"] == because


@pytest.mark.parametrize("role", [ROLE, SESSION, ROLE.replace("role/", "role/team/a/")])
def test_a_role_names_its_user(explained: Any, role: str) -> None:
    found = explained(None, "--role", role, "--user", "bot_1")
    assert found["decision"][0]["granted"] is True
    found = explained(None, "--role", role, "--user", "alice")
    assert found["rule"][-1]["detail"] == "the user alice matches none of bot_*"


def test_a_call_is_decided_in_a_new_room(explained: Any) -> None:
    words = ("--role", ROLE, "--user", "bot_1", "--callee", "alice", "--callee")
    (decision,) = explained(None, *words, "bob")["decision"]
    assert (decision["granted"], decision["callees"]) == (True, ["alice", "bob"])
    assert decision["room_id"].startswith("call_")
    (decision,) = explained(None, *words, "bot_1")["decision"]
    assert decision["code"] == "invalid_callees"
    found = explained(ALICE, "--callee", "bob", "--stream", "alice_cam")
    assert found["decision"][0]["reason"] == "the rule does not let alice call bob"


def test_a_role_of_no_identity_is_refused(explained: Any) -> None:
    found = explained(None, "--role", ROLE.replace("CallBackend", "Other"), "--user", "bot_1")
    assert found["decision"][0]["reason"] == "no identity has this role"


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({"iss": "https://login.example.com"}, "bearer_untrusted_issuer", "a slash at the end"),
        ({"aud": "other"}, "bearer_wrong_audience", 'aud is "other"'),
        ({"exp": 5}, "bearer_expired", "exp is 5"),
        ({"sub": None}, "bearer_missing_claim", "sub"),
    ],
)
def test_a_token_that_fits_no_identity_is_explained(
    explained: Any, changed: dict[str, Any], code: str, words: str
) -> None:
    (decision,) = explained(ALICE | changed, "--room", "call_1")["decision"]
    assert decision["code"] == code
    assert words in decision["reason"]


def test_a_bearer_token_is_read_at_a_time_and_not_printed(
    policy: str, tmp_path: Path, capsys: Capture
) -> None:
    provider = IdentityProvider()
    times = {"auth_time": 1_699_998_200, "iat": 1_700_000_000, "exp": 1_700_003_600}
    bearer = provider.sign(ALICE | times | {"team": "local"})
    path = tmp_path / "bearer"
    path.write_text(f"Bearer {bearer}\n", encoding="utf-8")
    words = ["policy", "explain", policy, "--bearer", str(path), "--room", "team.local.1"]
    assert cli.main([*words, "--now", "1700000060"]) == ExitCode.DONE
    assert cli.main([*words, "--now", "1700001801"]) == ExitCode.REFUSED
    assert cli.main([*words, "--now", "2030-01-01"]) == ExitCode.REFUSED
    shown = "".join(capsys.readouterr())
    assert "Granted by 'teams': room team.local.1 for alice" in shown
    assert "Refused by 'teams' (bearer_session_ended)" in shown
    assert "Refused (bearer_expired)" in shown
    assert shown.count("Not checked: the bearer token's signature") == 3
    assert not [part for part in bearer.split(".") if part in shown]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--room call_1", "Name one caller"),
        (f"--role {ROLE}", "which names users: use --user"),
        ("--role arn:aws:iam::1:user/x --user a", "--role is not the ARN"),
        (f"--role {ROLE} --user a/b", "user_id contains"),
        (f"--role {ROLE} --user a --privilege login", "add room_id"),
        (f"--role {ROLE} --user a --room call_1 --callee b", "leave out room_id"),
        (f"--role {ROLE} --user a --lifetime 5", "lifetime_seconds must be 60"),
        (f"--role {ROLE} --local x.json", "Name one policy"),
        ("--claims - --user bob", "leave out --user"),
    ],
)
def test_a_usage_error_is_reported(
    policy: str, words: str, message: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(json.dumps(ALICE).encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert cli.main(["policy", "explain", policy, *words.split()]) == ExitCode.USAGE
    assert message in capsys.readouterr().err


def test_text_that_is_not_json_is_not_repeated(
    policy: str, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "claims"
    path.write_text("eyJ.not.json", encoding="utf-8")
    assert cli.main(["policy", "explain", policy, "--claims", str(path)]) == ExitCode.USAGE
    printed = capsys.readouterr().err
    assert "--claims is not a JSON object" in printed
    assert "eyJ" not in printed


def test_an_invalid_policy_is_named(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "prod.toml"
    path.write_text("rule = 1", encoding="utf-8")
    words = ["policy", "explain", str(path), "--role", ROLE, "--user", "a"]
    assert cli.main(words) == ExitCode.USAGE
    assert "prod.toml: the policy: unknown key 'rule'" in capsys.readouterr().err


def test_the_document_shows_what_the_command_prints(tmp_path: Path, capsys: Capture) -> None:
    (prod,) = (path for path in POLICIES if path.stem == "prod")
    path = tmp_path / "claims.json"
    path.write_text(json.dumps(ALICE | {"email_verified": "true"}), encoding="utf-8")
    cli.main(["policy", "explain", str(prod), "--claims", str(path), "--room", "call_0123"])
    shown, _, _ = capsys.readouterr().out.partition("\nNot checked")
    assert shown in (ROOT / "docs" / "access-policy.md").read_text(encoding="utf-8")


EXAMPLES = [
    (path, example)
    for path in (*POLICIES, REFERENCE, LOCAL)
    for example in policy_file.load_examples(path)
    if not example.claims
]


@pytest.mark.parametrize(
    ("path", "example"), EXAMPLES, ids=lambda one: getattr(one, "stem", None) or one.description
)
def test_it_says_what_the_examples_of_a_policy_say(
    path: Path, example: Example, capsys: Capture
) -> None:
    """Those of roles: the claims of other examples are too few for a bearer token."""
    roles = load(path).roles.values()
    (role,) = (one.role for one in roles if one.name == example.caller)
    words = ["policy", "explain", str(path), "--json", "--role", role]
    words += ["--user", str(example.request.user_id)]
    if example.request.room_id:
        words += ["--room", example.request.room_id]
    if example.request.lifetime_seconds:
        words += ["--lifetime", str(example.request.lifetime_seconds)]
    cli.main(words)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (decision,) = (event for event in events if event["event"] == "decision")
    assert decision["granted"] is example.granted
    assert example.rule in (None, decision["rule"])
