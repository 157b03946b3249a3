"""`zego-token denials`: what is denied, who changed it, and what is unreadable."""

from __future__ import annotations

from ops.errors import ExitCode
from tests.unit.ops.denials.conftest import Site

SPAM = "--until 2h --reason spam"


def test_every_live_denial_is_listed(site: Site) -> None:
    site.run(f"deny user alice {SPAM}")
    site.run("deny identity web --until forever --signed-out --reason leak --yes")
    done = site.run("denials")
    assert done.exit_code == ExitCode.DONE
    listed = [
        (event["effect"], event["kind"], event["value"], event["reason"], event["until"] is None)
        for event in done.events
        if event["event"] == "denial"
    ]
    assert listed == [
        ("deny", "user", "alice", "spam", False),
        ("signed-out", "identity", "web", "leak", True),
    ]
    result = done.event("result")
    assert (result["denials"], result["most"], result["unreadable"]) == (2, 1000, 0)


def test_the_list_in_words(site: Site) -> None:
    site.run(f"deny user alice {SPAM}")
    site.run("deny identity web --until forever --signed-out --reason leak --yes")
    shown = site.run("denials", json=False).out
    lines = shown.splitlines()
    assert lines[0].startswith("Denied: user alice, until ")
    assert lines[1] == "  spam"
    assert lines[2].startswith("  by arn:aws:sts::")
    assert "Signed out: identity web. Sign-ins before " in shown
    assert lines[-1] == "2 denials. 1000 is the most."
    assert max(map(len, lines)) <= 100


def test_no_denials(site: Site) -> None:
    assert site.run("denials", json=False).out == "No denials.\n"
    history = site.run("denials --history", json=False)
    assert history.out == "No changes in the last 90 days.\n"


def test_a_denial_that_has_ended_is_not_listed(site: Site) -> None:
    site.run(f"deny user alice {SPAM}")
    (denial,) = site.denials
    site.put(denial.to_item() | {"until": {"N": "1"}})
    assert [event["event"] for event in site.run("denials").events] == ["result"]


def test_an_unreadable_item_is_shown_and_fails(site: Site) -> None:
    site.run(f"deny user alice {SPAM}")
    site.put({"pk": {"S": "denials"}, "sk": {"S": "deny#device#x"}})
    done = site.run("denials")
    assert done.exit_code == ExitCode.REFUSED
    assert done.event("unreadable")["sk"] == "deny#device#x"
    assert done.event("denial")["value"] == "alice"
    assert done.event("result")["unreadable"] == 1
    shown = site.run("denials", json=False).out.replace("\n", " ")
    assert "The item deny#device#x is unreadable: kind is missing" in shown
    assert "The issuer ignores it and logs an error." in shown


def test_text_from_the_table_does_not_control_the_terminal(site: Site) -> None:
    site.put({"pk": {"S": "denials"}, "sk": {"S": "deny#\x1b[2J#x"}})
    assert "\x1b" not in site.run("denials", json=False).out


class TestTheHistory:
    def test_the_newest_change_comes_first(self, site: Site) -> None:
        site.run(f"deny user alice {SPAM}")
        (change,) = site.changes
        old = {"sk": {"S": "2020-01-01T00:00:00Z#00000000"}, "reason": {"S": "old"}}
        site.put({**change, **old})
        site.run("allow user alice --reason 'ticket 7'")
        events = site.run("denials --history").events
        assert [(one["action"], one["reason"]) for one in events[:-1]][-1] == ("deny", "old")
        assert sorted((one["action"], one["reason"]) for one in events[:-1]) == [
            ("allow", "ticket 7"),
            ("deny", "old"),
            ("deny", "spam"),
        ]
        assert events[-1]["changes"] == 3

    def test_it_is_shown_in_words(self, site: Site) -> None:
        site.run(f"deny user alice {SPAM} --signed-out")
        site.run("allow user alice --signed-out --reason 'ticket 7'")
        shown = site.run("denials --history", json=False).out
        assert "Signed out: user alice. Sign-ins before " in shown
        assert "Lifted the sign-out of user alice.\n  ticket 7\n  by arn:" in shown
        assert shown.endswith("2 changes in the last 90 days.\n")

    def test_an_unreadable_change_fails(self, site: Site) -> None:
        site.put({"pk": {"S": "changes"}, "sk": {"S": "2026-01-01T00:00:00Z#00000000"}})
        done = site.run("denials --history")
        assert done.exit_code == ExitCode.REFUSED
        assert "an attribute is missing" in done.event("unreadable")["problem"]
