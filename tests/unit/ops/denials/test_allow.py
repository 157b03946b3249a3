"""`zego-token allow`: one denial is lifted, and a wrong value is an error."""

from __future__ import annotations

import pytest

from ops.errors import ExitCode
from tests.unit.ops.denials.conftest import Site

SPAM = "--until 2h --reason spam"


def test_a_denial_is_lifted_and_recorded(site: Site) -> None:
    site.run(f"deny user alice {SPAM}")
    site.run(f"deny user bob {SPAM}")
    done = site.run("allow user alice --reason 'ticket 7'")
    assert done.exit_code == ExitCode.DONE
    assert [denial.value for denial in site.denials] == ["bob"]
    (lifted,) = (change for change in site.changes if change["action"]["S"] == "allow")
    assert (lifted["value"]["S"], lifted["reason"]["S"]) == ("alice", "ticket 7")
    event = done.event("allowed")
    assert (event["reason"], event["allowed_reason"]) == ("spam", "ticket 7")
    assert event["allowed_by"].startswith("arn:aws:sts::")


def test_a_sign_out_stays_until_it_is_lifted_itself(site: Site) -> None:
    site.run(f"deny user alice {SPAM}")
    site.run(f"deny user alice {SPAM} --signed-out")
    done = site.run("allow user alice --reason x")
    assert done.event("remaining")["effect"] == "signed-out"
    assert [denial.effect for denial in site.denials] == ["signed-out"]
    refused = site.run("allow user alice --reason x")
    assert refused.exit_code == ExitCode.REFUSED
    assert "It is signed out: use --signed-out to lift that." in refused.err
    assert site.run("allow user alice --reason x --signed-out").exit_code == ExitCode.DONE
    assert site.denials == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("user alcie", "Nothing was lifted: user alcie is not denied."),
        ("user alcie --signed-out", "Nothing was lifted: user alcie is not signed out."),
        ("user alice --signed-out", "It is denied: leave out --signed-out to lift that."),
        ("room call_1", "Rooms call_* are denied: lift that one."),
        ("user Alice", "  zego-token denials --stage prod"),
    ],
)
def test_what_is_not_denied_is_not_lifted(site: Site, line: str, words: str) -> None:
    site.run(f"deny user alice {SPAM}")
    site.run(f"deny room 'call_*' {SPAM}")
    done = site.run(f"allow {line} --reason x")
    assert done.exit_code == ExitCode.REFUSED
    assert words in done.err
    assert len(site.denials) == len(site.changes) == 2


def test_a_denial_that_has_ended_is_not_lifted(site: Site) -> None:
    site.run(f"deny user alice {SPAM}")
    (denial,) = site.denials
    site.put(denial.to_item() | {"until": {"N": "1"}, "expires_at": {"N": "1"}})
    assert site.run("allow user alice --reason x").exit_code == ExitCode.REFUSED


def test_a_reason_is_needed(site: Site) -> None:
    site.run(f"deny user alice {SPAM}")
    for reason in ("", "--reason ''", f"--reason '{'x ' * 101}'"):
        assert site.run(f"allow user alice {reason}").exit_code == ExitCode.USAGE
    assert len(site.denials) == 1
