"""A .env file: how it is read, what is dangerous in it, and whether it is up to date."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from local.aws.secrets_manager import APP_ID, SecretsManager
from ops.checklist.check import CheckResult
from ops.doctor.env_files import MAX_BYTES, EnvFileError, read, variables
from tests.unit.ops.doctor.conftest import Patient
from tests.unit.ops.fakes import Zego, stored

SECRET = "0123456789abcdef" * 2
OTHER = "fedcba9876543210" * 2
Write = Callable[[str], Path]


class TestReading:
    @pytest.mark.parametrize(
        ("text", "value", "is_quoted"),
        [
            (f"ZEGO_SERVER_SECRET={SECRET}", SECRET, False),
            (f"export ZEGO_SERVER_SECRET={SECRET}", SECRET, False),
            (f"  ZEGO_SERVER_SECRET = {SECRET}  ", SECRET, False),
            (f"\tZEGO_SERVER_SECRET\t:\t{SECRET}", SECRET, False),
            (f"ZEGO_SERVER_SECRET={SECRET} # of prod", SECRET, False),
            (f"ZEGO_SERVER_SECRET={SECRET}#1", f"{SECRET}#1", False),
            (f'ZEGO_SERVER_SECRET="{SECRET}"', SECRET, True),
            (f"ZEGO_SERVER_SECRET='{SECRET}' # of prod", SECRET, True),
            (f"ZEGO_SERVER_SECRET=`{SECRET}`", SECRET, True),
            (f'ZEGO_SERVER_SECRET=" {SECRET} "', f" {SECRET} ", True),
            (f"""ZEGO_SERVER_SECRET="'{SECRET}'\"""", f"'{SECRET}'", True),
            (f'ZEGO_SERVER_SECRET="{SECRET}', f'"{SECRET}', False),
            (f"\N{BYTE ORDER MARK}ZEGO_SERVER_SECRET={SECRET}\r\nX=1\r\n", SECRET, False),
            ("ZEGO_SERVER_SECRET=", "", False),
            ("ZEGO_SERVER_SECRET= # later", "", False),
            ('ZEGO_SERVER_SECRET=""', "", True),
        ],
        ids=[
            "plain",
            "exported",
            "spaced",
            "colon",
            "comment",
            "no-comment",
            "double-quoted",
            "single-quoted",
            "backquoted",
            "padded",
            "quoted-twice",
            "not-closed",
            "windows",
            "empty",
            "empty-comment",
            "empty-quotes",
        ],
    )
    def test_it_is_as_lenient_as_other_readers(
        self, tmp_path: Path, text: str, value: str, is_quoted: bool
    ) -> None:
        path = tmp_path / ".env"
        path.write_bytes(text.encode())
        (variable,) = read(path)
        assert (variable.value, variable.is_quoted) == (value, is_quoted)
        assert variable.bare in (SECRET, f"{SECRET}#1", "")

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("ZEGO_SERVER_SECRET", "ServerSecret"),
            ("ZEGOCLOUD_SERVER_SECRET", "ServerSecret"),
            ("SERVER_SECRET", "ServerSecret"),
            ("zegoServerSecret", "ServerSecret"),
            ("ZEGO_SECRET", "ServerSecret"),
            ("ZEGO_SECRET_KEY", "ServerSecret"),
            ("VITE_ZEGO_SERVER_SECRET", "ServerSecret"),  # zego-token:ignore
            ("NEXT_PUBLIC_ZEGOCLOUD_SERVER_SECRET_PROD", "ServerSecret"),  # zego-token:ignore
            ("ZEGO_APP_ID", "AppID"),
            ("ZEGO_APPID", "AppID"),
            ("ZEGOCLOUD_APP_ID", "AppID"),
            ("NEXT_PUBLIC_ZEGO_APP_ID", "AppID"),
            ("ZEGO_APP_SIGN", "AppSign"),
            ("REACT_APP_ZEGO_APPSIGN", "AppSign"),  # zego-token:ignore
            ("ZEGO_CALLBACK_SECRET", None),
            ("FACEBOOK_APP_ID", None),
            ("NEXT_PUBLIC_APP_SIGN_IN_URL", None),
            ("APP_SIGNATURE", None),
            ("JWT_SECRET", None),
            ("ZEGO_SERVER_URL", None),
        ],
    )
    def test_the_name_tells_the_kind_of_a_variable(self, name: str, kind: str | None) -> None:
        found = [variable.kind for variable in variables(f"{name}=1")]
        assert found == ([] if kind is None else [kind])

    @pytest.mark.parametrize(
        "line", ["# ZEGO_SERVER_SECRET=1", "ZEGO_SERVER_SECRET", "", "=", "1=2"]
    )
    def test_a_line_without_an_assignment_is_ignored(self, line: str) -> None:
        assert [*variables(line)] == []

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (f"ZEGO_SERVER_SECRET={SECRET}".encode("utf-16"), "UTF-16"),
            (b"\xff\x00\x01", "not text in UTF-8"),
            (b"#" * (MAX_BYTES + 1), "not a .env file"),
        ],
        ids=["utf-16", "binary", "large"],
    )
    def test_an_unreadable_file_is_reported_with_the_reason(
        self, tmp_path: Path, content: bytes, words: str
    ) -> None:
        path = tmp_path / ".env"
        path.write_bytes(content)
        with pytest.raises(EnvFileError, match=words):
            read(path)

    def test_no_repr_contains_a_value(self) -> None:
        assert SECRET not in repr([*variables(f"ZEGO_SERVER_SECRET={SECRET}")])


class TestWriting:
    def test_without_a_file_nothing_is_checked(self, patient: Patient) -> None:
        assert patient.result("env-file").status == "note"
        assert patient.results("drift") == []

    def test_a_file_without_zegos_variables_is_ok(self, patient: Patient, env_file: Write) -> None:
        path = env_file("DATABASE_URL=x\n")
        result = patient.result("env-file")
        assert (result.status, result.of) == ("ok", str(path))
        assert result.seen == "contains no variable of ZEGO"

    def test_an_unreadable_file_is_one_failure(self, patient: Patient, env_file: Write) -> None:
        env_file("x").write_bytes(b"\xff\xfeZ\x00")
        assert patient.result("env-file").status == "failed"
        assert patient.results("drift") == []

    @pytest.mark.parametrize("prefix", ["NEXT_PUBLIC_", "VITE_", "REACT_APP_", "EXPO_PUBLIC_"])
    def test_a_secret_that_a_bundler_publishes_is_a_failure(
        self, patient: Patient, env_file: Write, prefix: str
    ) -> None:
        env_file(f"{prefix}ZEGO_SERVER_SECRET={SECRET}")
        result = patient.result("env-file")
        assert (result.status, f"{prefix}ZEGO_SERVER_SECRET" in result.seen) == ("failed", True)
        assert "create a new one" in result.remedy

    def test_an_app_id_may_be_published(self, patient: Patient, env_file: Write) -> None:
        env_file(f"VITE_ZEGO_APP_ID={APP_ID}")
        assert patient.result("env-file").status == "ok"

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            (f'ZEGO_SERVER_SECRET="{SECRET}"', "is in quotes"),
            (f'ZEGO_SERVER_SECRET="{SECRET} "', "quotes or white space around it"),
            (f"ZEGO_SERVER_SECRET=\u201c{SECRET}\u201d", "quotes or white space around it"),
            (f"ZEGO_SERVER_SECRET={SECRET * 2}", "that is an AppSign"),
            (f"ZEGO_SERVER_SECRET={SECRET[:30]}", "has 30 characters"),
            (f"ZEGO_APP_SIGN={SECRET * 2}", "is an AppSign"),
        ],
        ids=["quoted", "padded", "typographic", "app-sign", "short", "app-sign-by-name"],
    )
    def test_a_value_that_others_read_differently_is_a_warning(
        self, patient: Patient, env_file: Write, line: str, words: str
    ) -> None:
        env_file(line)
        result = patient.result("env-file")
        assert (result.status, words in result.seen) == ("warning", True)
        assert result.remedy

    @pytest.mark.parametrize("value", ["", "REPLACE-ME"], ids=["empty", "placeholder"])
    def test_without_a_value_nothing_is_compared(
        self, patient: Patient, env_file: Write, value: str
    ) -> None:
        env_file(f"ZEGO_SERVER_SECRET={value}")
        assert patient.results("drift") == []
        assert patient.result("env-file").status != "failed"


class TestDrift:
    def compared(self, patient: Patient) -> CheckResult:
        return patient.result("drift")

    @pytest.mark.parametrize("around", ["{}", '"{}"', "' {} '"])
    def test_the_current_value_is_ok_but_better_deleted(
        self, patient: Patient, env_file: Write, aws: SecretsManager, around: str
    ) -> None:
        env_file(f"ZEGO_SERVER_SECRET={around.format(aws.server_secret)}")
        result = self.compared(patient)
        assert (result.status, "is AWSCURRENT" in result.seen) == ("ok", True)
        assert result.remedy.startswith("Delete the variable.")

    def test_the_previous_value_is_outdated(
        self, patient: Patient, env_file: Write, aws: SecretsManager, zego: Zego
    ) -> None:
        env_file(f"ZEGO_SERVER_SECRET={aws.server_secret}")
        stored(aws, OTHER, label="AWSCURRENT")
        zego.accepted.add(OTHER)
        result = self.compared(patient)
        assert (result.status, "AWSPREVIOUS, replaced by" in result.seen) == ("failed", True)

    def test_a_staged_value_is_not_current_yet(
        self, patient: Patient, env_file: Write, aws: SecretsManager
    ) -> None:
        env_file(f"ZEGO_SERVER_SECRET={OTHER}")
        stored(aws, OTHER)
        assert self.compared(patient).status == "warning"

    @pytest.mark.parametrize("value", [OTHER, OTHER[:31]], ids=["other", "misshapen"])
    def test_another_value_is_a_drift(self, patient: Patient, env_file: Write, value: str) -> None:
        env_file(f"ZEGO_SERVER_SECRET={value}")
        result = self.compared(patient)
        assert (result.status, "has drifted" in result.seen) == ("failed", True)
        assert result.remedy

    def test_two_variables_of_one_file_are_both_compared(
        self, patient: Patient, env_file: Write, aws: SecretsManager
    ) -> None:
        env_file(f"ZEGO_SERVER_SECRET={aws.server_secret}\nSERVER_SECRET={OTHER}\n")
        assert [one.status for one in patient.results("drift")] == ["ok", "failed"]

    @pytest.mark.parametrize(
        ("value", "status", "words"),
        [
            (str(APP_ID), "ok", "is the secret's AppID"),
            (f'"{APP_ID}"', "ok", "is the secret's AppID"),
            ("5", "failed", f"it is 5, but the secret is for {APP_ID}"),
            (OTHER, "failed", "is not an AppID"),
            ("\u0665", "failed", "is not an AppID"),
        ],
        ids=["same", "quoted", "other", "a-secret", "other-digits"],
    )
    def test_the_app_id_is_compared_too(
        self, patient: Patient, env_file: Write, value: str, status: str, words: str
    ) -> None:
        env_file(f"ZEGO_APP_ID={value}")
        result = self.compared(patient)
        assert (result.status, words in result.seen) == (status, True)

    def test_no_result_contains_a_value(
        self, patient: Patient, env_file: Write, aws: SecretsManager
    ) -> None:
        env_file(
            f"A_SERVER_SECRET={aws.server_secret}\nB_SERVER_SECRET={OTHER}\nZEGO_APPID={SECRET}"
        )
        found = repr(patient.examined())
        for value in (aws.server_secret, OTHER, SECRET):
            assert value not in found

    def test_without_the_secret_it_is_skipped(self, patient: Patient, env_file: Write) -> None:
        env_file(f"VITE_ZEGO_SERVER_SECRET={OTHER}")  # zego-token:ignore
        patient.session.credentials = None
        found = patient.examined()
        assert found["drift"][0].seen == "needs credentials"
        assert found["env-file"][0].status == "failed"
