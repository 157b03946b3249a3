"""The check of the dead-letter queue of the incoming calls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.ops.doctor.conftest import Patient
from tests.unit.ops.doctor.fakes import DEAD_LETTERS, refused


@pytest.fixture
def posting(patient: Patient) -> Patient:
    """A deployment with an IncomingCallUrl."""
    patient.target = replace(patient.target, dead_letters=DEAD_LETTERS)
    return patient


def test_a_stack_without_the_url_has_nothing_to_check(patient: Patient) -> None:
    assert patient.results("incoming-calls") == []


def test_an_empty_queue_is_fine(posting: Patient) -> None:
    assert posting.result("incoming-calls").status == "ok"


@pytest.mark.parametrize(("number", "events"), [(1, "1 event of a call"), (7, "7 events of calls")])
def test_calls_that_were_not_delivered_are_a_warning_with_the_runbook(
    posting: Patient, number: int, events: str
) -> None:
    posting.session.messages = number
    result = posting.result("incoming-calls")
    assert (result.status, result.seen) == ("warning", f"{events} could not be delivered.")
    assert "docs/operations.md, Incoming calls are not delivered" in result.remedy


def test_an_operator_with_an_older_policy_gets_a_skipped_check(posting: Patient) -> None:
    posting.session.messages = refused("GetQueueAttributes", "AccessDenied")
    result = posting.result("incoming-calls")
    assert result.status == "skipped"
    assert "zego-token iam operator" in result.remedy


def test_a_queue_that_is_gone_is_a_failure(posting: Patient) -> None:
    posting.session.messages = refused(
        "GetQueueAttributes", "AWS.SimpleQueueService.NonExistentQueue"
    )
    assert posting.result("incoming-calls").status == "failed"
