"""`zego-token deny`: what is written and shown, and what is refused."""

from __future__ import annotations

import re
import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, EndpointConnectionError

from ops import cli
from ops.errors import ExitCode
from tests.unit.ops.denials.conftest import TABLE, Site, create_stack
from zego.denials import CHANGE_SECONDS, MAX_DENIALS, Denial

ARN = "arn:aws:sts::123456789012:user/moto"
SPAM = "--until 2h --reason spam"


def failing(operation: str, error: Exception) -> Any:
    """Lets one operation of AWS fail."""
    original = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: Any, name: str, parameters: dict[str, Any]) -> Any:
        if name == operation:
            raise error
        return original(client, name, parameters)

    return patch.object(BaseClient, "_make_api_call", call)


def refusal(operation: str, code: str) -> Any:
    return failing(operation, ClientError({"Error": {"Code": code}}, operation))


class TestWhatIsWritten:
    def test_a_denial_and_who_made_it(self, site: Site) -> None:
        before = int(time.time())
        assert site.run(f"deny user alice {SPAM}").exit_code == ExitCode.DONE
        (denial,) = site.denials
        assert before <= denial.at <= time.time()
        assert (denial.effect, denial.kind, denial.value) == ("deny", "user", "alice")
        assert denial.reason == "spam"
        assert denial.until == pytest.approx(denial.at + 7200, abs=60)
        assert denial.by.startswith("arn:aws:sts::123456789012:")

    def test_the_change_is_recorded_for_90_days(self, site: Site) -> None:
        site.run(f"deny user alice {SPAM}")
        (change,), (denial,) = site.changes, site.denials
        assert re.fullmatch(r"[0-9]{4}-[0-9-]+T[0-9:]{8}Z#[0-9a-f]{8}", change["sk"]["S"])
        assert {name: next(iter(value.values())) for name, value in change.items()} == {
            "pk": "changes",
            "sk": change["sk"]["S"],
            "action": "deny",
            "kind": "user",
            "value": "alice",
            "reason": "spam",
            "by": denial.by,
            "at": str(denial.at),
            "until": str(denial.until),
            "expires_at": str(denial.at + CHANGE_SECONDS),
        }

    def test_forever_has_no_end(self, site: Site) -> None:
        site.run("deny identity web --until forever --reason leak --yes")
        (denial,) = site.denials
        assert (denial.kind, denial.value, denial.until) == ("identity", "web", None)

    def test_signed_out_refuses_sign_ins_before_now(self, site: Site) -> None:
        done = site.run("deny user alice --signed-out --until 30d --reason theft")
        (denial,) = site.denials
        assert denial.effect == "signed-out"
        assert denial.not_before == pytest.approx(denial.at, abs=1)
        assert done.event("denied")["effect"] == "signed-out"

    def test_not_before_names_another_time(self, site: Site) -> None:
        site.run("deny user a --not-before 2026-01-02T03:04:05+01:00 --until 1d --reason x")
        assert [denial.not_before for denial in site.denials] == [1767319445]

    def test_a_sign_out_and_a_denial_are_two(self, site: Site) -> None:
        site.run(f"deny user alice {SPAM}")
        site.run(f"deny user alice {SPAM} --signed-out")
        assert {denial.effect for denial in site.denials} == {"deny", "signed-out"}

    def test_ids_that_look_like_a_secret_are_allowed(self, site: Site) -> None:
        user = "507f1f77bcf86cd799439011507f1f77"
        assert site.run(f"deny user {user} {SPAM}").exit_code == ExitCode.DONE
        assert site.run(f"allow user {user} --reason x").exit_code == ExitCode.DONE

    def test_a_repeated_denial_replaces_and_shows_the_old_one(self, site: Site) -> None:
        site.run(f"deny user alice {SPAM}")
        done = site.run("deny user alice --until 7d --reason fraud")
        assert done.event("denied")["replaced"]["reason"] == "spam"
        assert [denial.reason for denial in site.denials] == ["fraud"]
        assert len(site.changes) == 2
        shown = site.run("deny user alice --until 1h --reason calm", json=False)
        assert "It replaces one until " in shown.out
        assert ": fraud" in shown.out


class TestWhatIsShown:
    def test_when_it_is_in_force(self, site: Site) -> None:
        event = site.run(f"deny user alice {SPAM}").event("denied")
        assert event["replaced"] is None
        shown = site.run(f"deny room call_1 {SPAM}", json=False).out
        assert re.search(r"Denied: room call_1, until [0-9 :-]+ UTC \(in 2 h\)", shown)
        assert "(within 60 s)" in shown.replace("\n", " ")

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            (f"deny user alice {SPAM}", "Existing tokens still work until they expire."),
            (f"deny user ali* {SPAM}", "* is any text only in rooms"),
            (f"deny room call_1 {SPAM}", "Identity tokens, which name no room, still open it."),
            (f"deny identity Web {SPAM} --yes", "prod.toml has no identity Web. It has backend, "),
            (f"deny identity a --signed-out {SPAM} --yes", "IAM roles are not signed out"),
            (f"deny user a --signed-out {SPAM}", "end the sessions at the identity provider"),
        ],
    )
    def test_what_it_does_not_do(self, site: Site, line: str, words: str) -> None:
        assert words in site.run(line, json=False).out.replace("\n", " ")
        assert any(words in event.get("note", "") for event in site.run(line).events)


class TestIdentities:
    def test_one_of_the_checkouts_policy_gets_no_note_about_its_name(self, site: Site) -> None:
        events = site.run(f"deny identity web {SPAM} --yes").events
        assert not any("has no identity" in event.get("note", "") for event in events)

    def test_outside_of_the_checkout_the_name_is_not_checked(
        self, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        shown = site.run(f"deny identity web {SPAM} --yes", json=False).out
        assert "in the access policy: no such file is here." in shown.replace("\n", " ")

    def test_the_question_says_that_the_policy_does_not_have_it(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []
        monkeypatch.setattr("ops.prompt.click.confirm", lambda text, **_: asked.append(text))
        monkeypatch.setattr("ops.prompt.can_ask", lambda: True)
        site.run(f"deny identity Web {SPAM}", json=False)
        assert "has no identity Web" in asked[0]
        assert site.denials == []


class TestConfirmation:
    @pytest.mark.parametrize("whom", ["identity web", "room '*'", "room '**'"])
    def test_a_denial_of_everyone_needs_it(self, site: Site, whom: str) -> None:
        done = site.run(f"deny {whom} {SPAM}")
        assert done.exit_code == ExitCode.USAGE
        assert "--yes" in done.err
        assert site.denials == []

    @pytest.mark.parametrize("answer", ["y", "n"])
    def test_the_operator_decides(
        self, site: Site, answer: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []

        def confirm(question: str, **_options: Any) -> bool:
            asked.append(question)
            return answer == "y"

        monkeypatch.setattr("ops.prompt.can_ask", lambda: True)
        monkeypatch.setattr("ops.prompt.click.confirm", confirm)
        done = site.run(f"deny identity web {SPAM}")
        assert asked == ["This denies every caller of identity web. Continue?"]
        assert len(site.denials) == (answer == "y")
        assert done.exit_code == (ExitCode.DONE if answer == "y" else ExitCode.INTERRUPTED)

    def test_others_do_not(self, site: Site) -> None:
        for whom in ("user alice", "room call_1", "room 'call_*'"):
            assert site.run(f"deny {whom} {SPAM}").exit_code == ExitCode.DONE


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("deny user alice --reason x", "Missing option '--until'"),
            ("deny user alice --until 2h", "Missing option '--reason'"),
            ("deny device a --until 2h --reason x", "'device' is not one of"),
            ("deny user --until 2h --reason x", "Missing argument 'VALUE'"),
            ("deny user alice --until soon --reason x", "a duration such as 2h or 7d"),
            ("deny user alice --until 0h --reason x", "lasts no time"),
            ("deny user alice --until 90s --reason x", "a duration such as 2h or 7d"),
            ("deny user alice --until 2026-12-01 --reason x", "a duration such as 2h or 7d"),
            ("deny user alice --until 2026-12-01T10:00 --reason x", "which time zone?"),
            ("deny user alice --until 2020-01-01T00:00:00Z --reason x", "is in the past"),
            (f"deny user alice {SPAM} --not-before 2h", "a time such as"),
            (f"deny user alice {SPAM} --not-before 2099-01-01T00:00:00Z", "is in the future"),
            (
                f"deny user alice {SPAM} --signed-out --not-before 2026-01-01T00:00:00Z",
                "--signed-out means now",
            ),
            (f"deny room call_1 {SPAM} --signed-out", "a room cannot be signed out"),
            (f"deny user 'a b' {SPAM}", "Nothing was denied: user_id contains a space"),
            (
                "deny user alice --until 2h --reason ''",
                "Nothing was denied: reason must have 1 to 200 characters",
            ),
            (f"deny user {'u' * 64} {SPAM}", "user_id has 64 bytes"),
            (f"deny identity web {SPAM} --kick call_1", "--kick needs a user or a room"),
            (f"deny room 'call_*' {SPAM} --kick lobby", "this denial is not about that room"),
            (f"deny user alice {SPAM} --kick 'a b'", "--kick: room_id contains a space"),
        ],
    )
    def test_an_invalid_denial_is_refused_before_any_call(
        self, line: str, words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with patch("ops.denials.change.connected_table", side_effect=AssertionError):
            assert cli.main([*shlex.split(line), "--stage", "prod"]) == ExitCode.USAGE
        assert words in capsys.readouterr().err

    @pytest.mark.parametrize("options", ["", "--stage dev --stack x", "--local --stage dev"])
    def test_a_target_that_is_not_one_stack(
        self, options: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = f"deny user alice --until 2h --reason spam {options}".split()
        assert cli.main(words) == ExitCode.USAGE
        assert "Name one stack: --local, --stage or --stack." in capsys.readouterr().err

    def test_one_denial_too_many(self, site: Site) -> None:
        denial = Denial("user", "u", "spam", ARN, int(time.time()))
        ended = [replace(denial, value=f"ended{n}", until=1) for n in range(3)]
        live = [replace(denial, value=f"u{n}") for n in range(MAX_DENIALS)]
        with patch("ops.denials.table.DenialTable._items") as items:
            items.return_value = [one.to_item() for one in (*ended, *live)]
            done = site.run(f"deny user alice {SPAM}")
            assert done.exit_code == ExitCode.REFUSED
            assert f"There are {MAX_DENIALS} denials" in done.err
            assert "an identity instead of its users, or a pattern of rooms" in done.err
            assert site.denials == []
            assert site.run(f"deny user u7 {SPAM}").exit_code == ExitCode.DONE
            items.return_value = [one.to_item() for one in (*ended, *live[1:])]
            assert site.run(f"deny user alice {SPAM}").exit_code == ExitCode.DONE


class TestTroublesWithTheTable:
    def test_a_stack_without_limits(self, site: Site) -> None:
        create_stack("calls", SecretArn="arn:aws:secretsmanager:eu-west-1:1:secret:x")
        assert cli.main(["denials", "--stack", "calls", "--region", "eu-west-1"]) == ExitCode.AWS
        message = site.capture.readouterr().err
        assert "The stack calls has no table of denials: it was deployed with Limits=Off" in message
        assert "Set Limits=On in samconfig.toml" in message

    def test_a_table_that_does_not_exist(self, site: Site) -> None:
        site.table.delete_table(TableName=TABLE)
        for line in ("denials", f"deny user alice {SPAM}", "allow user alice --reason x"):
            done = site.run(line)
            assert done.exit_code == ExitCode.AWS
            assert f"no table {TABLE}" in done.err

    def test_no_permission_to_read(self, site: Site) -> None:
        with refusal("Query", "AccessDeniedException"):
            done = site.run(f"deny user alice {SPAM}")
        assert done.exit_code == ExitCode.AWS
        assert "AWS denied dynamodb:Query." in done.err
        assert "zego-token iam operator" in done.err

    def test_no_permission_to_write(self, site: Site) -> None:
        with refusal("TransactWriteItems", "AccessDeniedException"):
            done = site.run(f"deny user alice {SPAM}")
        assert done.exit_code == ExitCode.AWS
        assert "AWS denied dynamodb:PutItem or dynamodb:DeleteItem." in done.err
        assert "zego-token iam operator" in done.err
        assert [*site.denials, *site.changes] == []

    def test_another_operator_changes_the_same_denial(self, site: Site) -> None:
        with refusal("TransactWriteItems", "TransactionCanceledException"):
            done = site.run(f"deny user alice {SPAM}")
        assert done.exit_code == ExitCode.AWS
        assert "Someone else changed the denials at the same time" in done.err

    def test_a_throttled_table(self, site: Site) -> None:
        with refusal("Query", "ProvisionedThroughputExceededException"):
            assert "Try again in a moment." in site.run("denials").err

    def test_dynamodb_is_down(self, site: Site) -> None:
        with failing("Query", EndpointConnectionError(endpoint_url="https://dynamodb")):
            done = site.run("denials")
        assert done.exit_code == ExitCode.AWS
        assert "AWS could not be reached." in done.err

    def test_no_response_to_a_write(self, site: Site) -> None:
        with failing("TransactWriteItems", EndpointConnectionError(endpoint_url="https://x")):
            done = site.run(f"deny user alice {SPAM}")
        assert done.exit_code == ExitCode.AWS
        assert "AWS may have made the change anyway." in done.err
        assert "  zego-token denials --stage prod" in done.err
        assert done.events[-1]["event"] == "error"
