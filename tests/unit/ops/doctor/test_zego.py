"""Checks of ZEGO's verdicts, the clock and ZEGO's defaults."""

from __future__ import annotations

from dataclasses import replace
from email.utils import formatdate

import pytest

from local.aws.secrets_manager import SecretsManager
from tests.unit.ops.doctor.conftest import Patient
from tests.unit.ops.fakes import Zego, stored
from zego.server_api import Verdict
from zego.server_secret import ServerSecret

NEW = "0123456789abcdef" * 2


class TestVerdict:
    @pytest.mark.parametrize(
        ("also_accepted", "way"), [(True, "rotate --staged."), (False, "secret rotate.")]
    )
    def test_a_rejected_current_value_is_a_failure_with_a_remedy(
        self, patient: Patient, aws: SecretsManager, zego: Zego, also_accepted: bool, way: str
    ) -> None:
        stored(aws, NEW)
        zego.accepted = {NEW} if also_accepted else set()
        current = patient.results("verdict")[0]
        assert (current.status, current.of) == ("failed", "AWSCURRENT")
        assert current.seen.endswith("it is not the ServerSecret of this AppID (code 100000005).")
        assert current.remedy.endswith(way)

    def test_zego_may_not_accept_a_staged_value_yet(
        self, patient: Patient, aws: SecretsManager
    ) -> None:
        stored(aws, NEW)
        current, candidate = patient.results("verdict")
        assert (current.status, candidate.status) == ("ok", "warning")
        assert "has not switched to it yet" in candidate.remedy

    def test_a_rejected_previous_value_is_a_note(
        self, patient: Patient, aws: SecretsManager, zego: Zego
    ) -> None:
        stored(aws, NEW, label="AWSCURRENT")
        zego.accepted = {NEW}
        results = {one.of: one.status for one in patient.results("verdict")}
        assert results == {"AWSCURRENT": "ok", "AWSPREVIOUS": "note"}

    def test_a_rejected_pending_value_is_a_warning(
        self, patient: Patient, aws: SecretsManager
    ) -> None:
        stored(aws, NEW, label="AWSPENDING")
        pending = patient.results("verdict")[1]
        assert (pending.status, pending.of) == ("warning", "AWSPENDING")

    def test_no_verdict_on_the_current_value_is_a_failure(
        self, patient: Patient, aws: SecretsManager, zego: Zego
    ) -> None:
        stored(aws, NEW)
        zego.busy = True
        current, candidate = patient.results("verdict")
        assert (current.status, candidate.status) == ("failed", "warning")
        assert current.seen == "ZEGO gives no verdict: its gateway is busy (code 206)."
        assert current.remedy


class TestClock:
    @pytest.mark.parametrize(
        ("ahead", "status", "words"),
        [
            (0.9, "ok", "the same as ZEGO's"),
            (-12, "ok", "12 s behind ZEGO's"),
            (45, "warning", "45 s ahead of ZEGO's"),
            (-400, "failed", "AWS refuses"),
            (700, "failed", "ZEGO refuses"),
        ],
    )
    def test_it_is_compared_with_zegos(
        self, patient: Patient, ahead: float, status: str, words: str
    ) -> None:
        def probe(_secret: ServerSecret) -> Verdict:
            return Verdict("accepted", "ZEGO accepts it", 0, ahead)

        patient.target = replace(patient.target, probe=probe)
        result = patient.result("clock")
        assert result.status == status
        assert words in result.seen
        assert bool(result.remedy) is (status != "ok")

    def test_it_is_compared_with_the_issuers(self, patient: Patient) -> None:
        patient.issuer.date = formatdate(1_700_000_000)
        result = patient.result("clock")
        assert result.status == "failed"
        assert "ahead of the issuer's" in result.seen

    @pytest.mark.parametrize("is_down", [True, False])
    def test_without_any_time_it_is_skipped(self, patient: Patient, is_down: bool) -> None:
        patient.issuer.date = None
        if is_down:
            patient.issuer.down["/v1/health"] = "x cannot be reached"
        assert patient.result("clock").status == "skipped"


def test_zegos_defaults_are_notes(patient: Patient) -> None:
    notes = patient.results("defaults")
    assert {note.status for note in notes} == {"note"}
    said = " ".join(note.seen for note in notes)
    for word in ("Expired", "privileges", "AppSign", "can allow two", "support"):
        assert word in said
