"""ZEGO's verdicts, the clock, and what is switched off."""

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
    def test_a_current_value_that_zego_rejects_is_a_failure_with_the_way_out(
        self, patient: Patient, aws: SecretsManager, zego: Zego, also_accepted: bool, way: str
    ) -> None:
        stored(aws, NEW)
        zego.accepted = {NEW} if also_accepted else set()
        current = patient.results("verdict")[0]
        assert (current.status, current.of) == ("failed", "AWSCURRENT")
        assert current.seen.endswith("it is not the ServerSecret of this AppID (code 100000005).")
        assert current.remedy.endswith(way)

    def test_one_that_is_staged_may_be_ahead_of_zego(
        self, patient: Patient, aws: SecretsManager
    ) -> None:
        stored(aws, NEW)
        current, candidate = patient.results("verdict")
        assert (current.status, candidate.status) == ("ok", "warning")
        assert "has yet to switch to it" in candidate.remedy

    def test_one_that_was_current_may_be_switched_off(
        self, patient: Patient, aws: SecretsManager, zego: Zego
    ) -> None:
        stored(aws, NEW, label="AWSCURRENT")
        zego.accepted = {NEW}
        results = {one.of: one.status for one in patient.results("verdict")}
        assert results == {"AWSCURRENT": "ok", "AWSPREVIOUS": "note"}

    def test_one_that_a_rotation_is_about_to_promote_will_be_refused(
        self, patient: Patient, aws: SecretsManager
    ) -> None:
        stored(aws, NEW, label="AWSPENDING")
        pending = patient.results("verdict")[1]
        assert (pending.status, pending.of) == ("warning", "AWSPENDING")

    def test_no_verdict_on_the_current_one_is_a_failure(
        self, patient: Patient, aws: SecretsManager, zego: Zego
    ) -> None:
        stored(aws, NEW)
        zego.busy = True
        current, candidate = patient.results("verdict")
        assert (current.status, candidate.status) == ("failed", "warning")
        assert current.seen == "ZEGO cannot say: its gateway is busy (code 206)."
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

    def test_or_with_the_issuers(self, patient: Patient) -> None:
        patient.issuer.date = formatdate(1_700_000_000)
        result = patient.result("clock")
        assert result.status == "failed"
        assert "ahead of the issuer's" in result.seen

    @pytest.mark.parametrize("is_down", [True, False])
    def test_where_nobody_says_the_time_it_is_not_looked_at(
        self, patient: Patient, is_down: bool
    ) -> None:
        patient.issuer.date = None
        if is_down:
            patient.issuer.down["/v1/health"] = "x cannot be reached"
        assert patient.result("clock").status == "skipped"


def test_what_zego_leaves_off_is_a_note_and_no_failure(patient: Patient) -> None:
    notes = patient.results("defaults")
    assert {note.status for note in notes} == {"note"}
    said = " ".join(note.seen for note in notes)
    for word in ("Expiry", "privileges", "AppSign", "two at once", "support"):
        assert word in said
