"""`zego-token scan`: its output, what it never shows, and its exit codes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import random
import string
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.aws.secrets_manager import APP_ID, SecretsManager
from ops import cli
from ops.errors import ExitCode
from ops.inspect.secrets import TriedSecrets
from ops.output import Output
from ops.scan import files, report
from ops.scan.files import Tree, shown
from ops.scan.patterns import MARGIN
from ops.scan.report import SecretValues
from ops.target import SECRET_ID_VARIABLE, Target
from tests.unit.ops.fakes import stored
from tools.sam_template import ROOT
from zego.diagnosis.model import TriedSecret
from zego.server_secret import PlaceholderError, ServerSecret

Capture = pytest.CaptureFixture[str]
Scan = Callable[..., tuple[int, list[dict[str, Any]]]]

SECRET = hashlib.sha256(b"the secret itself").hexdigest()[:32]
OTHER = hashlib.sha256(b"another secret").hexdigest()[:32]
NAMED = "serverSecret"
PUBLIC = "VITE_" + "ZEGO_SERVER_SECRET"
MARK = "zego-token:" + "ignore"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_ID_VARIABLE, raising=False)


@pytest.fixture
def front_end(tmp_path: Path) -> Path:
    path = tmp_path / "dist"
    path.mkdir()
    return path


@pytest.fixture
def scan(capsys: Capture) -> Scan:
    """Runs the command; returns its exit code and its events."""

    def scanned(*arguments: object) -> tuple[int, list[dict[str, Any]]]:
        code = cli.main(["scan", *map(str, arguments), "--json"])
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return scanned


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "value"
    path.write_text(f"{SECRET}\n", encoding="utf-8")
    return path


def digest(text: str) -> str:
    return hmac.new(text.encode(), b"zego-token-scan", hashlib.sha256).hexdigest()[:12]


class TestFindings:
    def test_a_finding_has_place_kind_and_label(
        self, front_end: Path, secret_file: Path, scan: Scan
    ) -> None:
        (front_end / "a.js").write_text(f"one\ntwo = '{SECRET}';\n", encoding="utf-8")
        code, said = scan(front_end, "--secret-file", secret_file, "--app-id", 7)
        assert code == ExitCode.REFUSED
        assert said[0] == {
            "event": "finding",
            "path": str(front_end / "a.js"),
            "line": 2,
            "column": 8,
            "kind": "secret-value",
            "severity": "certain",
            "label": "given",
            "form": "as it is",
            "fingerprint": ServerSecret(7, SECRET).fingerprint,
            "digest": digest(SECRET),
            "what": "the secret (given), as it is",
            "remedy": said[0]["remedy"],
        }
        assert "zego-token secret rotate." in said[0]["remedy"]
        summary = said[1]
        assert (summary["certain"], summary["files"], summary["looked_for"]) == (1, 1, ["given"])

    def test_the_screen_shows_the_place_and_a_command_to_copy(
        self, front_end: Path, secret_file: Path, capsys: Capture
    ) -> None:
        path = front_end / "a.js"
        path.write_text(f"{NAMED}='{SECRET}'; {NAMED}='{OTHER}'", encoding="utf-8")
        assert cli.main(["scan", str(front_end), "--secret-file", str(secret_file)]) == 1
        printed = capsys.readouterr().out.splitlines()
        assert printed[0].startswith(f"{path}:1:15: certain: the secret (given), as it is, digest ")
        assert printed[1].startswith(f"{path}:1:64: likely: 32 characters, named or used")
        assert "     zego-token secret rotate" in printed
        assert printed[-1].startswith("1 certain, 1 likely: 1 file, 0.0 MB, ")

    def test_the_screen_shows_the_fingerprint_if_the_appid_is_known(
        self, front_end: Path, capsys: Capture
    ) -> None:
        (front_end / "a.js").write_text(f"{NAMED}='{OTHER}'", encoding="utf-8")
        cli.main(["scan", str(front_end), "--app-id", "7"])
        fingerprint = ServerSecret(7, OTHER).fingerprint
        printed = capsys.readouterr().out
        assert (
            printed.count(f", fingerprint {fingerprint}") == 2
        )  # with the place, and with the remedy
        assert "digest" not in printed

    def test_the_same_value_has_the_same_digest_everywhere(
        self, front_end: Path, scan: Scan, capsys: Capture
    ) -> None:
        for name in ("a.js", "b.js"):
            (front_end / name).write_text(f"{NAMED}='{OTHER}'", encoding="utf-8")
        _, said = scan(front_end)
        assert [one["digest"] for one in said[:2]] == [digest(OTHER)] * 2
        assert [one["fingerprint"] for one in said[:2]] == [None] * 2
        cli.main(["scan", str(front_end)])
        assert f", digest {digest(OTHER)}, 2 times\n" in capsys.readouterr().out

    def test_the_advice_for_several_leaks_of_a_kind_is_shown_once(
        self, front_end: Path, capsys: Capture
    ) -> None:
        two = f"{NAMED}='{OTHER}'\n{NAMED}='{OTHER[::-1]}'\n"
        (front_end / "a.js").write_text(two, encoding="utf-8")
        cli.main(["scan", str(front_end)])
        printed = capsys.readouterr().out
        assert "\n2 likely: " in printed
        assert printed.count("-> If it is a ServerSecret, remove it") == 1

    def test_with_its_app_id_it_has_the_fingerprint_of_secret_status(
        self, front_end: Path, scan: Scan
    ) -> None:
        (front_end / "a.js").write_text(f"{NAMED}='{OTHER}'", encoding="utf-8")
        _, said = scan(front_end, "--app-id", 99)
        assert said[0]["fingerprint"] == ServerSecret(99, OTHER).fingerprint
        assert said[0]["fingerprint"] != said[0]["digest"]

    def test_possible_findings_are_counted_and_shown_with_the_option(
        self, front_end: Path, scan: Scan, capsys: Capture
    ) -> None:
        (front_end / "a.js").write_text(f"hash='{OTHER}'", encoding="utf-8")
        code, said = scan(front_end)
        assert (code, len(said), said[0]["possible"]) == (ExitCode.DONE, 1, 1)
        code, said = scan(front_end, "--all")
        assert (code, said[0]["severity"]) == (ExitCode.DONE, "possible")
        cli.main(["scan", str(front_end)])
        assert "Not shown: 1 possible (--all shows them)." in capsys.readouterr().out

    def test_ignored_findings_are_counted(self, front_end: Path, scan: Scan) -> None:
        (front_end / "a.js").write_text(f"{NAMED}='{OTHER}' // {MARK}\n", encoding="utf-8")
        code, (summary,) = scan(front_end)
        assert (code, summary["ignored"], summary["likely"]) == (ExitCode.DONE, 1, 0)

    def test_a_files_name_is_scanned_too(
        self, front_end: Path, secret_file: Path, scan: Scan
    ) -> None:
        (front_end / f"chunk-{SECRET}.js").write_text("nothing", encoding="utf-8")
        code, said = scan(front_end, "--secret-file", secret_file)
        assert code == ExitCode.REFUSED
        assert said[0]["path"] == str(front_end / f"chunk-{'*' * 32}.js")
        assert said[0]["line"] is None

    @pytest.mark.parametrize("newline", ["\n", "\r\n"])
    def test_line_and_column_are_those_of_the_first_byte(
        self, newline: str, front_end: Path, secret_file: Path, scan: Scan
    ) -> None:
        lines = ["é" * 3, f"x{SECRET}", "", f"{SECRET} {SECRET}"]
        (front_end / "a").write_bytes(newline.join(lines).encode())
        _, said = scan(front_end, "--secret-file", secret_file)
        assert [(one["line"], one["column"]) for one in said[:-1]] == [(2, 2), (4, 1), (4, 34)]

    def test_a_secret_in_gzip_is_found(
        self, front_end: Path, secret_file: Path, scan: Scan
    ) -> None:
        (front_end / "a.js.gz").write_bytes(gzip.compress(f"\n{SECRET}".encode()))
        code, said = scan(front_end, "--secret-file", secret_file)
        assert (code, said[0]["line"]) == (ExitCode.REFUSED, 2)

    def test_standard_input_is_scanned(self, type_in: Callable[[bytes], None], scan: Scan) -> None:
        """A file as `git log --patch` prints it."""
        type_in(f"+{NAMED}='{OTHER}'\n".encode())
        code, said = scan("-")
        assert (code, said[0]["path"], said[0]["line"]) == (1, "standard input", 1)


class TestBoundaries:
    """The boundaries between the pieces of a file."""

    @pytest.mark.parametrize("offset", [*range(-130, 3, 6), -MARGIN, MARGIN])
    def test_a_secret_across_a_boundary_is_found_once(
        self, offset: int, front_end: Path, secret_file: Path, scan: Scan
    ) -> None:
        text = f"\n{NAMED} = '{OTHER}'; {PUBLIC}; '{SECRET}'".encode()
        filler = b"-" * (files.PIECE + offset)
        (front_end / "a.js").write_bytes(filler + text + filler)
        _, said = scan(front_end, "--secret-file", secret_file)
        assert [(one["kind"], one["line"], one["column"]) for one in said[:-1]] == [
            ("server-secret", 2, 17),
            ("public-name", 2, 52),
            ("secret-value", 2, 54 + len(PUBLIC) + 1),
        ]

    def test_a_column_counts_from_the_lines_beginning_pieces_before(
        self, front_end: Path, secret_file: Path, scan: Scan
    ) -> None:
        column = 2 * files.PIECE + 5
        (front_end / "a.js").write_bytes(b"x\n" + b"-" * column + SECRET.encode())
        _, said = scan(front_end, "--secret-file", secret_file)
        assert (said[0]["line"], said[0]["column"]) == (2, column + 1)

    def test_a_secret_in_many_pieces_is_found(
        self, front_end: Path, secret_file: Path, scan: Scan
    ) -> None:
        text = '"\n    + "'.join(SECRET).encode()
        (front_end / "a.js").write_bytes(b"-" * (files.PIECE - 100) + text)
        _, said = scan(front_end, "--secret-file", secret_file)
        assert [one["form"] for one in said[:-1]] == ["in pieces"]


KIT_TEST = "generateKitToken" + "ForTest"
PREBUILT = "generatePrebuilt" + "Token"
MINT = "generate" + "Token04"
#: How people call ZEGO's generators in each language, with the place of the secret.
CALLS = {
    "index.html": f"<script>const TOKEN = {PREBUILT}(1234567890,@,roomID,userID,name);</script>",
    "Room.vue": f"<script setup>\nconst t = {PREBUILT}(\n  appID,\n  @,\n  roomID,\n)\n</script>",
    "Room.svelte": f"<script>\n  $: token = {PREBUILT}(appID, @, roomID);\n</script>",
    "room.js": f"const token = {MINT}(1234567890, userId, @, 3600, '');",
    "room.tsx": f"const token: string = {PREBUILT}(Number(appID), @, room as string, user.id);",
    "room.dart": f"final t = ZegoTokenUtils.{'generate'}Token(\n  appId: 123456,\n  key: @,\n);",
    "Room.swift": f"let token = ZegoTokenUtils.{'generate'}Token(1234567890, @, user)",
    "Room.kt": f"val token = TokenServerAssistant.{MINT}(1234567890L, user, @, 3600, payload).data",
    "Room.java": f"String token = TokenServerAssistant.{MINT}(1L, user, @, 3600, payload).data;",
    "Room.m": f'NSString *token = {MINT}(1234567890, @"user", @@, 3600, @"");',
    "room.js.map": f'{{"sourcesContent":["const t = {PREBUILT}(\\n  1,\\n  @,\\n  room)"]}}',
}


class TestCallsOfGenerators:
    @pytest.mark.parametrize("name", CALLS)
    def test_an_inline_secret_is_found_in_each_language(
        self, name: str, front_end: Path, scan: Scan
    ) -> None:
        quoted = f'\\"{OTHER}\\"' if name.endswith(".map") else f'"{OTHER}"'
        text = CALLS[name].replace("@@", f"@{quoted}").replace("@,", f"{quoted},")
        (front_end / name).write_text(text, encoding="utf-8")
        code, said = scan(front_end)
        assert code == ExitCode.REFUSED
        found = [one for one in said if one["event"] == "finding"]
        assert ("server-secret", "likely", digest(OTHER)) in [
            (one["kind"], one["severity"], one["digest"]) for one in found
        ]

    @pytest.mark.parametrize("name", CALLS)
    def test_a_variable_is_not_a_secret(self, name: str, front_end: Path, scan: Scan) -> None:
        text = CALLS[name].replace("@@", "secret").replace("@,", "secret,")
        (front_end / name).write_text(text, encoding="utf-8")
        _, said = scan(front_end, "--all")
        assert [one for one in said if one.get("kind") == "server-secret"] == []

    def test_a_call_of_uikits_own_generator_with_variables_is_reported(
        self, front_end: Path, scan: Scan
    ) -> None:
        text = f"return {PREBUILT}(appID, {NAMED}, roomID, userID, userName)"
        (front_end / "call.js").write_text(text, encoding="utf-8")
        code, (finding, _) = scan(front_end)
        assert (code, finding["kind"]) == (ExitCode.REFUSED, "prebuilt-token")
        assert finding["severity"] == "likely"

    def test_its_call_in_uikit_itself_is_not_reported(self, front_end: Path, scan: Scan) -> None:
        text = f"static {KIT_TEST}(appID, {NAMED}) {{ return {PREBUILT}(appID, {NAMED}); }}"
        (front_end / "uikit.js").write_text(text, encoding="utf-8")
        code, (summary,) = scan(front_end, "--all")
        assert (code, summary["event"]) == (ExitCode.DONE, "summary")


class TestTheSecretsOfATarget:
    @pytest.fixture(autouse=True)
    def _connected(self, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ops.target.connect", lambda _wanted: target)

    def test_each_label_is_searched_for(
        self, aws: SecretsManager, front_end: Path, scan: Scan
    ) -> None:
        stored(aws, SECRET)
        encoded = base64.b64encode(aws.server_secret.encode()).decode()
        (front_end / "a.js").write_text(f"{encoded}\n{SECRET}", encoding="utf-8")
        code, said = scan(front_end, "--stage", "dev")
        assert code == ExitCode.REFUSED
        assert [(one["label"], one["form"], one["fingerprint"]) for one in said[:2]] == [
            ("AWSCURRENT", "in base64", ServerSecret(APP_ID, aws.server_secret).fingerprint),
            ("CANDIDATE", "as it is", ServerSecret(APP_ID, SECRET).fingerprint),
        ]
        assert "do not rotate to it" in said[1]["remedy"]
        assert said[2]["looked_for"] == ["AWSCURRENT", "CANDIDATE"]

    def test_its_app_id_gives_fingerprints_of_likely_secrets(
        self, front_end: Path, scan: Scan
    ) -> None:
        (front_end / "a.js").write_text(f"{NAMED}='{OTHER}'", encoding="utf-8")
        _, said = scan(front_end, "--stage", "dev")
        assert said[0]["fingerprint"] == ServerSecret(APP_ID, OTHER).fingerprint

    def test_a_command_to_copy_has_its_options(
        self, aws: SecretsManager, front_end: Path, capsys: Capture
    ) -> None:
        (front_end / "a.js").write_text(aws.server_secret, encoding="utf-8")
        (front_end / ".git").mkdir()
        cli.main(["scan", str(front_end), "--stage", "dev"])
        printed = capsys.readouterr().out
        assert "\n     zego-token secret rotate --stage dev\n" in printed
        assert "\n  git log --all --patch --text | zego-token scan --stage dev -\n" in printed
        assert "\nSearched for the secret: AWSCURRENT.\n" in printed

    def test_without_a_secret_it_reports_that_none_was_searched_for(
        self, aws: SecretsManager, front_end: Path, capsys: Capture
    ) -> None:
        (front_end / "a.js").write_text(aws.server_secret, encoding="utf-8")
        assert cli.main(["scan", str(front_end)]) == ExitCode.DONE
        assert "Did not search for the secret itself. " in capsys.readouterr().out

    def test_the_environment_names_one(
        self, front_end: Path, scan: Scan, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(SECRET_ID_VARIABLE, "zego/x")
        _, said = scan(front_end)
        assert said[-1]["looked_for"] == ["AWSCURRENT"]


class TestWhatIsKnown:
    @staticmethod
    def of(**values: str) -> SecretValues:
        given = {label: TriedSecret(text, 7) for label, text in values.items()}
        return SecretValues.of(TriedSecrets(given, {"AWSPENDING": "it has no value yet"}), None)

    def test_labels_with_the_same_value_are_one(self) -> None:
        known = self.of(AWSCURRENT=SECRET, CANDIDATE=OTHER, given=SECRET)
        assert [value.label for value in known.values] == ["AWSCURRENT, given", "CANDIDATE"]

    def test_a_value_too_short_to_search_for_is_reported(
        self, out: Output, said: Callable[[], list[dict[str, Any]]], front_end: Path
    ) -> None:
        known = self.of(AWSCURRENT="short")
        tree = Tree([str(front_end)], dependencies=False)
        assert report.scan(out, tree, known) == ExitCode.UNDECIDED
        (summary,) = said()
        assert summary["not_looked_for"] == ["AWSPENDING", "AWSCURRENT"]

    def test_a_label_without_a_value_is_reported_and_sets_no_exit_code(
        self, capsys: Capture, front_end: Path
    ) -> None:
        tree = Tree([str(front_end)], dependencies=False)
        assert report.scan(Output(as_json=False), tree, self.of(AWSCURRENT=SECRET)) == ExitCode.DONE
        assert "No value to search for under AWSPENDING: it has no" in capsys.readouterr().out

    def test_another_kind_of_secret_can_be_given(
        self, front_end: Path, secret_file: Path, scan: Scan
    ) -> None:
        app_sign = hashlib.sha256(b"an AppSign").hexdigest()
        secret_file.write_text(app_sign, encoding="utf-8")
        (front_end / "a").write_text(app_sign, encoding="utf-8")
        code, said = scan(front_end, "--secret-file", secret_file, "--app-id", 7)
        assert (code, said[0]["severity"], said[0]["fingerprint"]) == (1, "certain", None)

    @pytest.mark.parametrize(
        ("key", "text", "label", "remedy"),
        [
            ("app_sign", hashlib.sha256(b"x").hexdigest(), "AppSign", "switch off AppSign logins"),
            ("callback_secret", OTHER, "CallbackSecret", "can send your backend callbacks"),
        ],
    )
    def test_the_projects_other_secrets_have_their_own_remedies(
        self,
        front_end: Path,
        secret_file: Path,
        scan: Scan,
        key: str,
        text: str,
        label: str,
        remedy: str,
    ) -> None:
        secret_file.write_text(json.dumps({"app_id": 7, key: text}), encoding="utf-8")
        (front_end / "a").write_text(text, encoding="utf-8")
        code, (leak, summary) = scan(front_end, "--secret-file", secret_file)
        assert (code, leak["severity"], leak["label"]) == (1, "certain", label)
        assert leak["fingerprint"] is None
        assert remedy in leak["remedy"]
        assert summary["looked_for"] == [label]


class TestWhatWasNotLookedAt:
    def test_an_unreadable_file_leaves_the_result_undecided(
        self, front_end: Path, scan: Scan, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("closed", "open"):
            (front_end / name).write_text("x", encoding="utf-8")
        real = Path.open

        def opened(path: Path, *given: Any, **named: Any) -> Any:
            if path.name == "closed":
                raise PermissionError(13, "Permission denied")
            return real(path, *given, **named)

        monkeypatch.setattr(Path, "open", opened)
        code, said = scan(front_end)
        assert code == ExitCode.UNDECIDED
        assert said[0] == {
            "event": "unread",
            "path": str(front_end / "closed"),
            "why": "Permission denied",
        }
        assert (said[1]["files"], said[1]["unread"]) == (2, 1)
        (front_end / "open").write_text(f"{NAMED}='{OTHER}'", encoding="utf-8")
        code, _ = scan(front_end)
        assert code == ExitCode.REFUSED

    def test_skipped_files_and_folders_are_reported(self, front_end: Path, capsys: Capture) -> None:
        for name in ("a/node_modules", "b/node_modules", ".git"):
            (front_end / name).mkdir(parents=True)
        (front_end / "loop").symlink_to(front_end)
        (front_end / "app.apk").write_bytes(b"")
        assert cli.main(["scan", str(front_end)]) == ExitCode.DONE
        printed = capsys.readouterr().out.splitlines()
        for line in (
            "Not scanned: 2 folders of dependencies and caches (use --dependencies).",
            "Not scanned: 1 repository's history. In the repository, run:",
            "  git log --all --patch --text | zego-token scan -",
            "Not scanned: 1 symbolic link (pass the target as PATH).",
            "Not scanned: 1 packed file (unpack them first).",
        ):
            assert line in printed

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ([], "Missing argument 'PATH...'.\n"),
            (["--stage", "dev"], "Missing argument 'PATH...'.\n"),
            (["--local"], "Missing argument 'PATH...'.\n"),
            (["--secret-file", "x"], "--secret-file takes the next word as its value: put PATH"),
            (["--secret-id", "x"], "--secret-id takes the next word as its value: put PATH first"),
            (["missing"], "missing: No such file or directory."),
            (["-", "--secret-file", "-"], "cannot both come from standard input"),
        ],
        ids=[
            "no path",
            "no path for a stage",
            "no path for the local stack",
            "a path as the secret's",
            "a path as the secret's name",
            "no such path",
            "standard input twice",
        ],
    )
    def test_a_usage_error_has_its_exit_code(
        self,
        arguments: list[str],
        words: str,
        capsys: Capture,
        type_in: Callable[[bytes], None],
    ) -> None:
        type_in(b"")
        assert cli.main(["scan", *arguments]) == ExitCode.USAGE
        assert words in capsys.readouterr().err

    def test_a_secret_among_the_arguments_is_refused(self, capsys: Capture) -> None:
        assert cli.main(["scan", ".", SECRET]) == ExitCode.USAGE
        printed = capsys.readouterr()
        assert SECRET not in printed.out + printed.err


def is_placeholder(value: str) -> bool:
    try:
        ServerSecret(APP_ID, value)
    except PlaceholderError:
        return True
    return False


class TestNothingOfASecretIsSaid:
    def test_a_path_is_shown_without_the_secret(self) -> None:
        assert shown(f"dist/{SECRET}.js", [SECRET]) == f"dist/{'*' * 32}.js"
        assert shown(f"a/{SECRET[5:13].upper()}/b", [SECRET]) == "a/********/b"
        assert shown(f"a/{SECRET}/b", [SECRET.upper()]) == f"a/{'*' * 32}/b"
        assert shown(f"a/{SECRET[5:12]}/b", [SECRET]) == f"a/{SECRET[5:12]}/b"

    def test_a_path_is_shown_without_control_characters(self) -> None:
        assert shown("a\x1b[31m\n\u202e\udcff é") == "a?[31m??\ufffd é"

    @settings(
        max_examples=50,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        value=st.text(string.ascii_letters + string.digits, min_size=32, max_size=32)
        .filter(lambda text: len(set(text)) > 9)
        .map(str.lower)
        .filter(lambda text: not is_placeholder(text)),  # which is not a secret, and is shown
        name=st.sampled_from(["a.js", "<>.js", "x<>", "<>"]),
        text=st.sampled_from(
            [
                f"{NAMED}='<>'",
                "<>",
                f"{PUBLIC}=<>",
                "K.generateKitToken" + "ForTest(1, '<>')",
                '{"app_id":1,"server_secret":"<>"}',
                "<>\n" * 3,
            ]
        ),
        encode=st.sampled_from([str, str.upper, lambda text: text.encode().hex()]),
        options=st.sampled_from([[], ["--all"], ["--json"], ["--json", "--app-id", "5"]]),
        is_given=st.booleans(),
    )
    def test_no_secret_is_ever_shown(
        self,
        tmp_path: Path,
        capsys: Capture,
        value: str,
        name: str,
        text: str,
        encode: Callable[[str], str],
        options: list[str],
        is_given: bool,
    ) -> None:
        if not is_given:
            value = hashlib.sha256(value.encode()).hexdigest()[:32]
            name = "a.js"
        folder = tmp_path / hashlib.sha256(repr((value, name, text)).encode()).hexdigest()[:5]
        folder.mkdir(exist_ok=True)
        content = text.replace("<>", encode(value))
        (folder / name.replace("<>", value)).write_text(content, encoding="utf-8")
        (tmp_path / "given").write_text(value, encoding="utf-8")
        given_by = ["--secret-file", str(tmp_path / "given")] if is_given else []
        cli.main(["scan", str(folder), *given_by, *options])
        printed = "".join(capsys.readouterr()).lower()
        assert printed
        parts = {value[at : at + 8] for at in range(len(value) - 7)}
        assert not [part for part in parts if part in printed.replace(digest(value), "")]


class TestNoise:
    """Text that is common in builds and repositories, and not a secret."""

    CHANCE = random.Random(4)

    @classmethod
    def hash(cls, name: str) -> str:
        return hashlib.new(name, cls.CHANCE.randbytes(8)).hexdigest()

    def test_a_usual_build_has_no_findings(self, front_end: Path, scan: Scan) -> None:
        md5 = self.hash("md5")
        sri = base64.b64encode(self.CHANCE.randbytes(64)).decode()
        contents: dict[str, str | bytes] = {
            "package-lock.json": json.dumps(
                {
                    "node_modules/zego-express-engine-webrtc": {
                        "version": "3.6.0",
                        "resolved": f"https://registry.example/zego/-/{self.hash('sha1')}.tgz",
                        "integrity": f"sha512-{sri}",
                    }
                }
            ),
            "yarn.lock": f'zego-zim-web@^2:\n  resolved "https://r.example/z.tgz#{self.hash("sha1")}"\n',
            "requirements.txt": f"zego==1 \\\n    --hash=sha256:{self.hash('sha256')}\n",
            "Dockerfile": f"FROM example/zego@sha256:{self.hash('sha256')}\n",
            f"assets/zego-{md5}.js": f'import"./zego.{md5}.js";var h={{hash:"{md5}"}};',
            "index.html": f'<script src="/assets/zego-{md5}.js" integrity="sha384-{sri}"></script>',
            "asset-manifest.json": json.dumps({"zego.js": f"/static/zego.{md5}.js", "v": md5}),
            "sw.js": f'self.__precache=[{{url:"zego.js",revision:"{md5}"}}]',
            "index.js.map": json.dumps(
                {
                    "version": 3,
                    "debugId": self.hash("md5"),
                    "sources": ["zego.ts"],
                    "mappings": ";AAAAA,SAASC" * 500,
                }
            ),
            "engine.wasm": b"\0asm" + self.CHANCE.randbytes(200_000),
            "logo.png": b"\x89PNG" + self.CHANCE.randbytes(50_000),
            "ids.json": json.dumps({"zegoRoomId": self.hash("md5"), "etag": self.hash("md5")}),
            "zego.js": f'traceId:"{self.hash("md5")}",spanId:"{self.hash("md5")[:16]}"',
            "token.js": "const token = await fetch('/v1/tokens'); engine.loginRoom(room, token)",
            ".env": "NEXT_PUBLIC_ZEGO_APP_ID=1\nREACT_APP_SIGN_IN_URL=/in\nZEGO_SERVER_SECRET=\n",
        }
        for name, content in contents.items():
            path = front_end / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        code, said = scan(front_end)
        assert said[:-1] == []
        assert (code, said[0]["files"]) == (ExitCode.DONE, len(contents))
        assert said[0]["possible"] > 5

    def test_this_tree_has_no_findings(self, scan: Scan) -> None:
        """The tree has no findings, except ignored ones."""
        paths = [path for path in ROOT.iterdir() if path.name[0] != "." and path.name != "build"]
        code, said = scan(*paths)
        assert [(one["path"], one["line"]) for one in said if one["event"] != "summary"] == []
        assert code == ExitCode.DONE
        assert said[-1]["files"] > 200


def test_a_closed_pipe_ends_it(front_end: Path) -> None:
    for number in range(300):
        (front_end / str(number)).write_text(f"{NAMED}='{OTHER}'\n" * 50, encoding="utf-8")
    code = "import sys; from ops.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "scan", str(front_end)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path)},
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline()
        started.stdout.close()
        assert started.wait(60) == ExitCode.UNREAD
        assert started.stderr is not None
        assert started.stderr.read() == b""
