"""`zego-token deny --kick`: users leave their rooms, or the command says who may still be there."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import boto3
import pytest

from local.fake_zego import Trouble
from ops.denials.removal import remove_from_rooms
from ops.errors import ExitCode
from tests.unit.ops.denials.conftest import Site

ALICE = "deny user alice --until 2h --reason spam --kick call_1"
SIXTY = pytest.approx(60, abs=10)


def outcomes(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["room_id"], event["outcome"]) for event in events if event["event"] == "removal"]


def test_the_user_is_removed_now_and_once_the_denial_is_in_force(site: Site) -> None:
    site.enter("call_1", "alice", "bob")
    site.enter("call_2", "alice")

    def come_back(seconds: float) -> None:
        site.slept.append(seconds)
        assert site.rooms == {"call_1": ["bob"], "call_2": ["alice"]}
        site.enter("call_1", "alice")

    with patch.dict(remove_from_rooms.__kwdefaults__, sleep=come_back):
        done = site.run(ALICE)
    assert done.exit_code == ExitCode.DONE
    assert site.slept == [SIXTY]
    assert site.rooms == {"call_1": ["bob"], "call_2": ["alice"]}
    assert outcomes(done.events) == [("call_1", "removed"), ("call_1", "removed")]
    assert [event["event"] for event in done.events] == [
        "denied",
        "note",
        "removal",
        "waiting",
        "removal",
        "note",
    ]
    assert "come back with a token that has not expired" in done.events[-1]["note"]


def test_the_denial_is_written_before_the_user_is_removed(site: Site) -> None:
    order: list[str] = []
    with (
        patch("ops.denials.table.DenialTable.deny", lambda *_: order.append("denied")),
        patch("ops.denials.removal._remove", lambda *_: order.append("removed")),
    ):
        site.run(ALICE)
    assert order == ["denied", "removed", "removed"]


def test_several_rooms(site: Site) -> None:
    site.enter("call_1", "alice")
    site.enter("call_2", "alice")
    assert site.run(f"{ALICE} --kick call_2").exit_code == ExitCode.DONE
    assert site.rooms == {}


def test_a_user_who_has_left_is_not_a_failure(site: Site) -> None:
    done = site.run(ALICE)
    assert done.exit_code == ExitCode.DONE
    assert outcomes(done.events) == [("call_1", "absent"), ("call_1", "absent")]


def test_a_denial_of_rooms_closes_them_one_per_second(site: Site) -> None:
    for room in ("call_1", "call_2", "lobby"):
        site.enter(room, "alice", "bob")
    done = site.run("deny room 'call_*' --until 1h --reason abuse --kick call_1 --kick call_2")
    assert done.exit_code == ExitCode.DONE
    assert site.rooms == {"lobby": ["alice", "bob"]}
    assert site.slept == [1, SIXTY, 1]


class TestDeniedButNotRemoved:
    def test_zego_refuses(self, site: Site) -> None:
        site.enter("call_1", "alice")
        site.zego.project.reset()
        done = site.run(ALICE)
        assert done.exit_code == ExitCode.REFUSED
        assert len(site.denials) == 1
        assert "The denial is written, but alice may still be in call_1." in done.err
        assert "signature is wrong" in done.out
        assert "zego-token explain 100000005" in done.err
        assert done.events[-1]["event"] == "error"

    def test_zego_gives_no_response(self, site: Site) -> None:
        site.enter("call_1", "alice")
        site.zego.trouble = Trouble("hang-up")
        done = site.run(f"{ALICE} --kick call_2", json=False)
        assert done.exit_code == ExitCode.UNDECIDED
        assert len(site.denials) == 1
        assert "alice may still be in call_1, call_2." in done.err
        assert "To try again, repeat the command; it replaces the denial." in done.err

    def test_only_the_last_removal_counts(self, site: Site) -> None:
        site.enter("call_1", "alice")
        site.zego.trouble = Trouble("rate-limit")

        def recover(_seconds: float) -> None:
            site.zego.trouble = Trouble()

        with patch.dict(remove_from_rooms.__kwdefaults__, sleep=recover):
            done = site.run(ALICE)
        assert done.exit_code == ExitCode.DONE
        assert outcomes(done.events) == [("call_1", "failed"), ("call_1", "removed")]

    def test_the_secret_may_not_be_read(self, site: Site) -> None:
        boto3.client("secretsmanager").delete_secret(
            SecretId="zego", ForceDeleteWithoutRecovery=True
        )
        done = site.run(ALICE)
        assert done.exit_code == ExitCode.AWS
        assert len(site.denials) == 1
        assert "The denial is written, but alice may still be in call_1." in done.err

    def test_the_current_value_is_not_a_secret(self, site: Site) -> None:
        boto3.client("secretsmanager").put_secret_value(SecretId="zego", SecretString="{}")
        done = site.run(ALICE)
        assert done.exit_code == ExitCode.REFUSED
        assert "may still be in call_1. AWSCURRENT is not a ServerSecret" in done.err
        assert "  zego-token secret status --stage prod" in done.err

    def test_ctrl_c_while_it_waits(self, site: Site) -> None:
        def interrupt(_seconds: float) -> None:
            raise KeyboardInterrupt

        with patch.dict(remove_from_rooms.__kwdefaults__, sleep=interrupt):
            done = site.run(ALICE)
        assert done.exit_code == ExitCode.INTERRUPTED
        assert "alice can still get tokens and come back." in done.err
        assert len(site.denials) == 1
