"""The output of the demonstrations, such as `make drill`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.aws.api_destination import ApiDestination
from local.demo import call as call_module
from local.demo.call import PATH, AppServer, call
from local.demo.incident import incident
from local.demo.rotation import rotation
from local.demo.scene import Scene, play, show

PROJECT = Path(__file__).resolve().parents[2]
NARROW = 60
STEPS = r"createSecret .*\n.* setSecret .*\n.* testSecret .*\n.* finishSecret .*\n.* promoted"


def shown(scene: str) -> str:
    """Plays a scene in which everything happens as expected. Returns what it prints, unwrapped."""
    done = subprocess.run(
        [sys.executable, "-m", "local.demo", scene],
        cwd=PROJECT,
        env={**os.environ, "COLUMNS": str(NARROW)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= NARROW
    return re.sub(r"\n {2,}(?! *\d+\.\d\d s)", " ", done.stdout)


def in_order(printed: str, *patterns: str) -> bool:
    return re.search(".*".join(patterns), printed, re.DOTALL) is not None


def holds_a_secret(printed: str) -> bool:
    """Whether the text contains a token, or something with the length of a secret."""
    return re.search(r"[0-9a-f]{32}|04[A-Za-z0-9+/]{30}", printed) is not None


def test_a_rotation_refuses_the_wrong_value_and_promotes_the_right_one() -> None:
    printed = shown("rotation")
    assert in_order(
        printed,
        "logs in to the room with a new token: accepted",
        r"testSecret   \d\.\d\d s: ZEGO rejects the candidate",
        r"refused; AWSCURRENT is still \w{12}",
        "logs in to the room with a new token: accepted",
        STEPS,
        "the issuer uses it",
        "switch the old secret off",
        "logs in to the room with a new token: accepted",
        r"Done: promoted \d+\.\d\d s after",
    )
    assert not holds_a_secret(printed)


def test_the_incident_is_detected_and_healed() -> None:
    printed = shown("drill")
    assert in_order(
        printed,
        "refused with 1102016; her browser logs 20014, 50119",
        "the call in progress goes on",
        "accepted -> rejected",
        r"alarm \(SecretAccepted is 0\)",
        "staged as CANDIDATE",
        "Started a rotation to",
        STEPS,
        "rejected -> accepted",
        "logs in: accepted",
        r"\d s  detected\n.*\d s  staged\n.*\d s  promoted\n.*\d s  calls work\n",
        "In production\n- The watcher notices a reset within 5 minutes",
        "Calls work within 60 s after the promotion",
    )
    assert not holds_a_secret(printed)


def test_a_call_goes_through_its_four_steps_and_survives_a_reset() -> None:
    printed = shown("call")
    assert in_order(
        printed,
        r"1\. alice calls bob\n.*: 201, ",
        r"the call is ([0-9a-f]{32}); EventBridge accepted its event",
        r"2\. bob is notified\n.* gets POST /incoming-call with its key: alice calls bob",
        r"3\. bob accepts, .*alice logs in to the room: accepted",
        "bob gets a token for the room and logs in: accepted",
        r"4\. They talk\n.*both see alice and bob in the room",
        "alice's client renews its token: refused with 1102016; the call goes on",
        r"rotated to \w{12}; alice's client renews its token: accepted",
        "bob hangs up\n.*alice's client sees that bob has left the room",
        "In production\n- ZEGO's servers carry audio and video",
    )
    assert not holds_a_secret(re.sub(r"the call is [0-9a-f]{32};", "", printed))


def test_a_call_whose_event_does_not_arrive_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_module, "PATIENCE_SECONDS", 1.0)
    with AppServer() as app:
        wrong_key = ApiDestination(f"{app.url}{PATH}", "another", app.deliveries.append)
        assert play(lambda scene: call(scene, app), incoming_calls=wrong_key) == 1
    said = capsys.readouterr().err
    assert "the app's server gets the event" in said
    assert "it responded 401" in said


@pytest.mark.parametrize("act", [rotation, incident])
def test_a_scene_with_an_unexpected_outcome_fails(
    act: Callable[[Scene], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def after_another_reset(scene: Scene) -> None:
        scene.project.reset()
        act(scene)

    assert play(after_another_reset) == 1
    assert "error: expected, but it did not happen" in capsys.readouterr().err


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_text_fits_the_terminal_and_stays_readable(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    show("word " * 100, first="   0.25 s  ", then=" " * 11)
    lines = capsys.readouterr().out.splitlines()
    widest = min(columns, 100)
    assert widest - len("word ") < max(map(len, lines)) <= widest
    assert {line[:11] for line in lines[1:]} == {" " * 11}
