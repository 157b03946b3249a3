"""The comparison with ZEGO's generators, without a checkout: an invented generator in its place."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from tests.benchmarks import official
from tests.benchmarks.official import Timing
from zego import token04

OURS = Timing("ours, gcm", "gcm", 4.0)


def token_of(user_id: str) -> str:
    payload = token04.room_payload("room1", login=True, publish=True)
    secret = "0123456789abcdef" * 2
    return token04.mint(
        1234567890, user_id, secret, issued_at=9, lifetime_seconds=3600, payload=payload
    )


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a Python generator only, and a stand-in for the library that it needs."""
    library = tmp_path / "library" / "Crypto" / "Cipher" / "AES.py"
    library.parent.mkdir(parents=True)
    library.touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "library"))
    (tmp_path / "token" / "python" / "token04" / "src").mkdir(parents=True)
    return tmp_path


def measured(checkout: Path, body: str) -> tuple[dict[str, str], dict[str, str]]:
    """The ciphers of the generators that were measured, and why others were not."""
    code = f"""
        class Made:
            token = {token_of("user1")!r}
            other = {token_of("user2")!r}

        def generate_token04(app_id, user_id, secret, seconds, payload):
            {body}
    """
    source = checkout / "token" / "python" / "token04" / "src" / "token04.py"
    source.write_text(dedent(code))
    timings, skipped = official.measure(checkout, rounds=2, tokens=3)
    assert all(timing.microseconds > 0 for timing in timings)
    return {timing.generator: timing.cipher for timing in timings}, skipped


OWN = {"ours, gcm": "gcm", "ours, cbc": "cbc"}


def test_a_generator_is_measured_and_those_that_the_checkout_lacks_are_named(
    checkout: Path,
) -> None:
    ciphers, skipped = measured(checkout, "return Made")
    assert ciphers == OWN | {"Python": "gcm"}
    assert set(skipped) == {"PHP", "Node.js", "Java", "Go", "C++"}
    assert skipped["Go"] == "the checkout lacks token/go/src/token04/token04.go"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("Made.token = Made.other; return Made", "its token contains other claims than"),
        ("Made.token = '04bad'; return Made", "its token is invalid: what follows the 04 is not"),
        ("raise KeyError('app_id')", "KeyError: 'app_id'"),
        ("raise SystemExit", "it ended without an error message"),
    ],
    ids=["other claims", "no token", "error", "exit"],
)
def test_a_generator_that_makes_no_good_token_is_skipped_with_the_reason(
    checkout: Path, body: str, reason: str
) -> None:
    ciphers, skipped = measured(checkout, body)
    assert ciphers == OWN
    assert skipped["Python"].startswith(reason)


def test_the_table_shows_each_time_with_its_ratio_and_who_was_skipped() -> None:
    timings = [OURS, Timing("PHP", "cbc", 3.2)]
    assert official.table(timings, {"Go": "go: not found"}).splitlines() == [
        "generator    cipher   us per token  ours, gcm",
        "ours, gcm    gcm              4.00     1.00 x",
        "PHP          cbc              3.20     1.25 x",
        "Go           skipped: go: not found",
    ]


@pytest.mark.parametrize(("php", "code"), [(4.0, 0), (3.4, 0), (3.3, 1)])
def test_the_exit_code_is_1_over_the_budget(php: float, code: int) -> None:
    assert official.judge([OURS, Timing("PHP", "cbc", php)])[0] == code


def test_the_exit_code_is_2_if_php_was_not_measured() -> None:
    verdict = "The PHP generator was skipped, so the budget was not checked."
    assert official.judge([OURS, Timing("Go", "cbc", 30.0)]) == (2, verdict)


def test_a_folder_without_the_generators_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_code:
        official.main(["--sources", str(tmp_path)])
    assert exit_code.value.code == 2
    error = capsys.readouterr().err
    assert f"{tmp_path} is not a checkout of github.com/ZEGOCLOUD/zego_server_assistant" in error
