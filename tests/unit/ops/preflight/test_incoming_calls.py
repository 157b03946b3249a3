"""Checks of IncomingCallUrl: whether a call can have callees, and the version of the key."""

from __future__ import annotations

import re

import pytest

from tests.unit.ops.preflight.conftest import STACK, Site

URL = "https://sockets.acme.test/incoming-calls"
NAME = f"{STACK}/incoming-call-key"
MISSING = "00000000-0000-4000-8000-000000000000"


def store(site: Site, key: str = "a" * 48) -> str:
    """Store another key in the stack's secret, and return its version."""
    client = site.client("secretsmanager")
    return str(client.put_secret_value(SecretId=NAME, SecretString=key)["VersionId"])


@pytest.fixture(autouse=True)
def _no_callees(site: Site) -> None:
    """The sample policy without its callees."""
    text = site.policy.read_text(encoding="utf-8")
    without = re.sub(r"^callees = .*\n", "", text, flags=re.MULTILINE)
    assert without != text
    site.policy.write_text(without, encoding="utf-8")


@pytest.fixture
def posting(site: Site) -> Site:
    """A site whose stack exists and posts incoming calls."""
    site.parameters["IncomingCallUrl"] = URL
    site.own_secret = site.create_secret(NAME)
    site.create_stack()
    return site


def allow_callees(site: Site) -> None:
    text = site.policy.read_text(encoding="utf-8")
    rule = """
[[rules]]
name = "calls"
callers = ["web"]
rooms = ["call_*"]
callees = ["*"]
max_lifetime_seconds = 3600
"""
    site.policy.write_text(text + rule, encoding="utf-8")


def test_a_stack_without_the_url_has_nothing_to_check(site: Site) -> None:
    assert site.results("incoming-calls") == []
    assert site.results("incoming-call-key") == []


def test_a_url_without_a_rule_that_allows_callees_is_a_warning(site: Site) -> None:
    site.parameters["IncomingCallUrl"] = URL
    result = site.result("incoming-calls")
    assert result.status == "warning"
    assert "so nothing is posted to IncomingCallUrl" in result.seen


@pytest.mark.parametrize("url", [URL, ""])
def test_callees_are_fine_with_and_without_a_url(site: Site, url: str) -> None:
    site.parameters |= {"IncomingCallUrl": url} if url else {}
    allow_callees(site)
    assert site.result("incoming-calls").seen == "the access policy allows callees: calls"


def test_a_new_stack_makes_the_key(site: Site) -> None:
    site.parameters["IncomingCallUrl"] = URL
    assert site.result("incoming-call-key").seen == f"the name {NAME} is free"


def test_a_new_stack_has_no_version_to_name(site: Site) -> None:
    site.parameters |= {"IncomingCallUrl": URL, "IncomingCallKeyVersion": MISSING}
    result = site.result("incoming-call-key")
    assert result.status == "failed"
    assert result.remedy == "Remove IncomingCallKeyVersion from samconfig.toml."


def test_the_key_that_the_stack_made_is_fine(posting: Site) -> None:
    assert posting.result("incoming-call-key").status == "ok"


def test_a_version_that_the_key_does_not_have_would_stop_the_deployment(posting: Site) -> None:
    posting.parameters["IncomingCallKeyVersion"] = MISSING
    result = posting.result("incoming-call-key")
    assert (result.status, MISSING in result.seen) == ("failed", True)


def test_a_rotated_key_is_fine(posting: Site) -> None:
    posting.parameters["IncomingCallKeyVersion"] = store(posting)
    assert posting.result("incoming-call-key").status == "ok"


@pytest.mark.parametrize("has_rotated_before", [False, True])
def test_a_rotation_of_the_key_that_has_not_ended_is_a_warning(
    posting: Site, has_rotated_before: bool
) -> None:
    if has_rotated_before:
        posting.parameters["IncomingCallKeyVersion"] = store(posting, "b" * 48)
    newest = store(posting)
    result = posting.result("incoming-call-key")
    assert result.status == "warning"
    assert f'"IncomingCallKeyVersion={newest}"' in result.remedy


def test_a_name_that_is_taken_until_a_deletion_ends_is_a_failure(posting: Site) -> None:
    posting.client("secretsmanager").delete_secret(SecretId=NAME)
    result = posting.result("incoming-call-key")
    assert result.status == "failed"
    assert "--force-delete-without-recovery" in result.remedy


def test_a_key_of_something_else_is_a_failure(posting: Site) -> None:
    posting.own_secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:other-AbCdEf"
    result = posting.result("incoming-call-key")
    assert result.status == "failed"
    assert f"does not belong to the stack {STACK}" in result.seen


def test_the_check_waits_for_a_stack_that_is_changing(site: Site) -> None:
    site.parameters["IncomingCallUrl"] = URL
    site.create_stack("UPDATE_IN_PROGRESS")
    assert site.result("incoming-call-key").status == "skipped"


def test_no_check_reads_the_key(posting: Site) -> None:
    posting.results("incoming-call-key")
    assert not any("GetSecretValue" in one for one in posting.called)
