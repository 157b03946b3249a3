"""Each check of `make load` fails for its reason, and holds without one."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from local.fake_zego.cloud import Project
from local.fake_zego.rooms import Rooms
from tests.load import __main__ as load
from tests.load import faults, reads
from tests.load.memory import MemoryRun
from tests.load.services import OLD_SECRET, WRONG, Ask, Judge, Services
from tests.support.clock import Clock
from zego import token04

ALICE = Ask("alice", "call_1")


class TestReads:
    def test_environments_read_once_per_time_to_live(self) -> None:
        assert reads.measure(2).problems == []

    def test_a_shorter_time_to_live_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        variables = Services.variables
        monkeypatch.setattr(
            Services, "variables", lambda self: variables(self) | {"SECRET_TTL_SECONDS": "20"}
        )
        problems = reads.measure(1).problems
        assert any("nothing has expired (23 s)" in problem for problem in problems), problems


class TestFaults:
    """A setting that breaks a promise is found: the issuer itself does not change."""

    @pytest.mark.parametrize(
        ("what", "setting", "problem"),
        [
            (
                "Secrets Manager cannot be reached",
                {"SECRET_MAX_STALE_SECONDS": "120"},
                "x secret_unavailable",
            ),
            (
                "the secret is replaced, and ZEGO accepts only the new one",
                {"SECRET_TTL_SECONDS": "3600", "SECRET_MAX_STALE_SECONDS": "3600"},
                "x wrong: a token with a secret that was replaced too long ago",
            ),
        ],
    )
    def test_a_broken_promise_is_found(
        self, monkeypatch: pytest.MonkeyPatch, what: str, setting: dict[str, str], problem: str
    ) -> None:
        variables = Services.variables
        monkeypatch.setattr(Services, "variables", lambda self: variables(self) | setting)
        number = [scenario.what for scenario in faults.SCENARIOS].index(what)
        result = faults.scenario_result(1, 20, number)
        assert any(problem in found for found in result.problems), result
        assert result.wrong > 0

    def test_nothing_is_killed_any_more_after_ctrl_c(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(faults, "run", interrupted)
        before = set(threading.enumerate())
        with pytest.raises(KeyboardInterrupt):
            faults.killed_in_flight(1, seconds=1.0)
        assert [one.name for one in threading.enumerate() if one not in before] == []

    def test_a_fault_within_the_promises_has_no_problem(self) -> None:
        result = faults.scenario_result(1, 20, 1)
        assert (result.problems, result.wrong) == ([], 0)
        assert result.outcomes.keys() == {"served"}


class TestMemory:
    @pytest.mark.parametrize(("end", "problems"), [(41.9, []), (42.2, ["grew from 41.0 to 42.2"])])
    def test_memory_may_not_grow_by_a_megabyte(self, end: float, problems: list[str]) -> None:
        samples = (40.0, 41.0, *[41.0] * 7, end)
        found = MemoryRun(1000, samples, Counter({"201": 1000}), {}, 1.0).problems
        assert [problem in each for problem, each in zip(problems, found, strict=True)] == [
            True for _ in problems
        ]

    def test_an_unexpected_status_is_found(self) -> None:
        found = MemoryRun(1, (40.0,), Counter({"500, not 201!": 1}), {}, 1.0).problems
        assert found == ["1 responses: 500, not 201!"]


class TestVerdicts:
    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def project(self, clock: Clock) -> Project:
        return Project(1234567890, "0123456789abcdef0123456789abcdef", Rooms(clock))

    @pytest.fixture
    def verdict(self, project: Project, clock: Clock) -> Callable[..., str]:
        """The verdict on a token of the first secret, for alice and call_1 unless changed."""
        self.judge = Judge(project, clock)
        first = project.made[0]

        def verdict(user: str = "alice", room: str = "call_1", **changes: int) -> str:
            token = token04.mint(
                first.app_id,
                user,
                first.value,
                issued_at=changes.get("issued_at", int(clock.now)),
                lifetime_seconds=3600,
                payload=token04.room_payload(room, login=True, publish=True),
            )
            return self.judge.verdict_on(ALICE, 201, {"token": token})

        return verdict

    def test_a_token_that_zego_accepts_is_served(self, verdict: Callable[..., str]) -> None:
        assert verdict() == "served"

    @pytest.mark.parametrize("changed", [{"user": "bob"}, {"room": "call_2"}])
    def test_a_token_of_someone_else_is_wrong(
        self, verdict: Callable[..., str], changed: dict[str, str]
    ) -> None:
        assert verdict(**changed) == f"{WRONG}a token for another user or room"

    def test_an_expired_token_is_wrong(self, verdict: Callable[..., str], clock: Clock) -> None:
        assert verdict(issued_at=int(clock.now) - 3600) == f"{WRONG}a token that has expired"

    def test_the_old_secret_is_wrong_a_minute_after_it_was_replaced(
        self, verdict: Callable[..., str], project: Project, clock: Clock
    ) -> None:
        self.judge.replaced_at[project.made[0].value] = clock.now
        project.reset()
        clock.turn(60)
        assert verdict() == OLD_SECRET
        clock.turn(1)
        assert verdict() == f"{WRONG}a token with a secret that was replaced too long ago"

    def test_a_token_for_a_denied_user_is_wrong_after_a_minute(
        self, verdict: Callable[..., str], clock: Clock
    ) -> None:
        self.judge.denied_at["alice"] = clock.now
        clock.turn(60)
        assert verdict() == "served"
        clock.turn(1)
        assert verdict() == f"{WRONG}a token for a user who is denied"

    def test_a_token_of_an_unknown_secret_is_wrong(
        self, verdict: Callable[..., str], project: Project
    ) -> None:
        project.reset()
        project.made = project.made[1:]
        assert verdict() == f"{WRONG}no secret opens the token"

    def test_a_refusal_is_its_code(self, verdict: Callable[..., str]) -> None:
        assert self.judge.verdict_on(ALICE, 503, {"code": "secret_unavailable"}) == (
            "secret_unavailable"
        )


class TestReport:
    def test_a_problem_makes_the_command_fail(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        tmp_path: Path,
    ) -> None:
        part = load.Part(("a", "b"), [("1", "2")], ["the reads: one too many"])
        monkeypatch.setattr(load, "PARTS", {"reads": lambda _size: part})
        assert load.main(["--small", "--output", str(tmp_path / "load.json")]) == 1
        out, err = capsys.readouterr()
        assert "| 1 | 2 |" in out
        assert err == "the reads: one too many\n"
        saved = json.loads((tmp_path / "load.json").read_text())
        assert saved["reads"] == {"rows": [{"a": "1", "b": "2"}], "problems": part.problems}
