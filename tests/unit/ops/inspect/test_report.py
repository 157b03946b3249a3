"""`zego-token inspect`: its screens and its JSON."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from local.aws.secrets_manager import SecretsManager
from ops import cli
from ops import target as targets
from ops.errors import ExitCode
from ops.inspect.report import inspect
from ops.inspect.secrets import TriedSecrets
from ops.inspect.tokens import Token
from ops.output import Output
from ops.target import SECRET_ID_VARIABLE, Target
from tests.unit.ops.fakes import stored
from tests.unit.ops.tokens import (
    APP_ID,
    NOW,
    OTHER_SECRET,
    PAYLOAD,
    SECRET,
    broken,
    jwt,
    kit_token,
    room_token,
    sealed,
    token,
)
from zego.diagnosis.model import Expected, TriedSecret
from zego.server_secret import ServerSecret

Capture = pytest.CaptureFixture[str]
FINGERPRINT = ServerSecret(APP_ID, SECRET).fingerprint
#: No output may contain more characters of a token in a row.
SHOWN = 15


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, type_in: Callable[[bytes], None]) -> None:
    monkeypatch.delenv(SECRET_ID_VARIABLE, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    type_in(b"")


@pytest.fixture
def secret_file(a_file: Callable[[str], str]) -> str:
    return a_file(json.dumps({"app_id": APP_ID, "server_secret": SECRET}))


@pytest.fixture
def secrets_manager(
    aws: SecretsManager, target: Target, monkeypatch: pytest.MonkeyPatch
) -> SecretsManager:
    """The secret that ``--stage dev`` names."""
    monkeypatch.setattr(targets, "connect", lambda _wanted: target)
    return aws


class Run:
    """Runs the command, always at the same time."""

    def __init__(self, capsys: Capture) -> None:
        self._capsys = capsys
        self.err = ""

    def __call__(self, *words: str) -> tuple[int, str]:
        code = cli.main(["inspect", *words, "--now", str(NOW)])
        printed = self._capsys.readouterr()
        self.err = printed.err
        return code, printed.out

    def json(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        code, printed = self(*words, "--json")
        return code, [json.loads(text) for text in printed.splitlines()]


@pytest.fixture
def run(capsys: Capture) -> Run:
    return Run(capsys)


class TestVerdicts:
    def test_a_good_token_ends_with_0(self, run: Run, secret_file: str) -> None:
        code, printed = run(room_token(), "--secret-file", secret_file)
        assert code == ExitCode.DONE
        assert printed.startswith("GOOD  The token is valid if ZEGO accepts the secret")
        assert f"opened by   given, fingerprint {FINGERPRINT}\n" in printed

    @pytest.mark.parametrize("number", [1, 2])
    def test_the_remedy_names_doctor_because_zego_is_not_called(
        self,
        run: Run,
        secrets_manager: SecretsManager,
        type_in: Callable[[bytes], None],
        number: int,
    ) -> None:
        stored(secrets_manager, SECRET, label="AWSCURRENT")
        type_in(f"{room_token()}\n".encode() * number)
        code, printed = run("--stage", "dev")
        assert code == ExitCode.DONE
        assert "\n     zego-token doctor --stage dev\n" in printed

    def test_a_refused_token_ends_with_1(self, run: Run, secret_file: str) -> None:
        code, printed = run(token(issued_at=NOW - 7200), "--secret-file", secret_file)
        assert code == ExitCode.REFUSED
        refused = "REFUSED  ZEGO refuses this token. Another secret would not change that.\n"
        assert printed.startswith(refused)
        assert "A client shows: web 50117, 1102018; " in printed

    def test_a_refusal_that_another_secret_may_end_does_not_exclude_that(
        self, run: Run, secret_file: str, tmp_path: Path
    ) -> None:
        other = tmp_path / "other"
        other.write_text(SECRET[::-1])
        app_sign = tmp_path / "both.json"
        app_sign.write_text(json.dumps({"server_secret": SECRET[::-1], "callback_secret": SECRET}))
        for secret in (other, app_sign):
            code, printed = run(token(), "--secret-file", str(secret))
            assert code == ExitCode.REFUSED
            assert printed.startswith("REFUSED  ZEGO refuses this token.\n")

    def test_an_unknown_verdict_ends_with_3(self, run: Run) -> None:
        code, printed = run(room_token())
        assert code == ExitCode.UNDECIDED
        assert printed.startswith("UNKNOWN  No problem is visible without")
        assert "--stage, --stack" in printed
        assert "user " not in printed

    @pytest.mark.parametrize("text", ["04abc", "0412345678", "hello"])
    def test_a_short_text_is_not_a_token_however_it_begins(self, text: str, run: Run) -> None:
        _, (document,) = run.json(text)
        (finding,) = document["findings"]
        assert finding["cause"].startswith("No part of this text is a Token04. A Token04 is")

    def test_a_text_that_is_not_a_token_is_refused_without_a_secret(self, run: Run) -> None:
        assert run(jwt())[0] == ExitCode.REFUSED
        assert run("hello")[0] == ExitCode.REFUSED

    def test_one_refused_token_of_many_decides(
        self, run: Run, type_in: Callable[[bytes], None]
    ) -> None:
        type_in(f"{token()}\n{jwt()}\n{token()}\n".encode())
        assert run()[0] == ExitCode.REFUSED
        type_in(f"{token()}\n{token()}\n".encode())
        assert run()[0] == ExitCode.UNDECIDED

    def test_no_token_is_a_usage_error(self, run: Run) -> None:
        assert run() == (ExitCode.USAGE, "")
        assert run.err == "error: Standard input contains no token.\nPut one token on each line.\n"


class TestSecrets:
    def test_the_label_that_opens_it_is_named(
        self, run: Run, secrets_manager: SecretsManager
    ) -> None:
        stored(secrets_manager, SECRET, label="AWSCURRENT")
        stored(secrets_manager, OTHER_SECRET, label="AWSCURRENT")
        code, (document,) = run.json(token(), "--stage", "dev")
        assert code == ExitCode.REFUSED
        assert document["opened_by"] == "AWSPREVIOUS"
        assert document["secret_fingerprint"] == FINGERPRINT
        assert document["findings"][0]["kind"] == "made-with-previous"
        assert document["secrets_tried"] == ["AWSCURRENT", "AWSPREVIOUS"]

    def test_if_no_secret_opens_it_their_fingerprints_are_shown(
        self, run: Run, secrets_manager: SecretsManager
    ) -> None:
        stored(secrets_manager, OTHER_SECRET, label="AWSCURRENT")
        code, printed = run(token(), "--stage", "dev")
        assert code == ExitCode.REFUSED
        other = ServerSecret(APP_ID, OTHER_SECRET).fingerprint
        assert f"opened by   none of the secrets tried: AWSCURRENT {other}," in printed
        assert "\n     zego-token secret rotate --stage dev\n" in printed

    def test_labels_without_a_server_secret_are_named(
        self, run: Run, secrets_manager: SecretsManager
    ) -> None:
        stored(secrets_manager, "replace me")
        assert (
            "not tried   CANDIDATE: server_secret is a placeholder"
            in (run(token(), "--stage", "dev")[1])
        )
        _, (document,) = run.json(token(), "--stage", "dev")
        assert document["secrets_tried"] == ["AWSCURRENT"]
        assert document["secret_problems"].keys() == {"CANDIDATE"}

    def test_the_environment_names_one_unless_a_secret_is_given(
        self,
        run: Run,
        secrets_manager: SecretsManager,
        secret_file: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv(SECRET_ID_VARIABLE, "zego/x")
        assert run.json(token())[1][0]["secrets_tried"] == ["AWSCURRENT"]
        words = (token(), "--secret-file", secret_file)
        assert run.json(*words)[1][0]["secrets_tried"] == ["given"]
        tried = run.json(*words, "--stage", "dev")[1][0]["secrets_tried"]
        assert tried == ["AWSCURRENT", "given"]

    def test_an_invalid_secret_is_a_finding(self, run: Run, a_file: Callable[[str], str]) -> None:
        _, (document,) = run.json(token(), "--secret-file", a_file(f'"{SECRET}"'))
        kinds = [finding["kind"] for finding in document["findings"]]
        assert "secret-quoted" in kinds
        assert document["opened_by"] == "given"
        assert document["secret_fingerprint"] is None
        assert SECRET not in json.dumps(document)

    def test_the_secret_and_the_token_may_both_be_prompted_for(
        self, capsys: Capture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        typed = iter([SECRET, "", "", room_token()])
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("ops.inspect.command.unseen", nullcontext)
        monkeypatch.setattr("getpass.getpass", lambda _prompt: next(typed))
        assert cli.main(["inspect", "--ask-secret", "--now", str(NOW)]) == ExitCode.DONE
        assert f"given, fingerprint {FINGERPRINT}" in capsys.readouterr().out


class TestExpectations:
    @pytest.mark.parametrize(
        ("words", "kind"),
        [
            ("--expect-user bob", "user-id-mismatch"),
            ("--expect-room call_9", "room-mismatch"),
            ("--expect-app 7", "app-id-mismatch"),
            ("--sdk uikit", "kit-details-missing"),
            ("--expect-user alice --expect-room call_0123 --expect-publish", None),
            (f"--expect-app {APP_ID} --sdk web", None),
        ],
    )
    def test_expected_values_are_compared(
        self, run: Run, secret_file: str, words: str, kind: str | None
    ) -> None:
        code, (document,) = run.json(room_token(), "--secret-file", secret_file, *words.split())
        assert [finding["kind"] for finding in document["findings"]] == ([kind] if kind else [])
        assert code == (ExitCode.REFUSED if kind else ExitCode.DONE)

    def test_any_sdk_is_the_default(self, run: Run) -> None:
        assert run(jwt(), "--sdk", "any") == run(jwt())

    def test_the_codes_are_those_of_the_sdk(self, run: Run) -> None:
        _, printed = run(jwt(), "--sdk", "native")
        assert "A client shows: native 1002033\n" in printed

    @pytest.mark.parametrize(
        ("moment", "code"),
        [
            (str(NOW), 0),
            (f"{NOW}.5", 0),
            ("2027-01-15T08:00:00Z", 0),
            ("2027-01-15T08:00:00", 0),
            ("2027-01-15 09:00:00+01:00", 0),
            ("2027-01-15T09:00:00Z", 1),
            ("20270115T080000Z", 0),
            ("2027", 2),
            ("0", 2),
        ],
    )
    def test_it_is_examined_for_a_given_time(
        self, secret_file: str, moment: str, code: int, capsys: Capture
    ) -> None:
        words = ["inspect", token(), "--secret-file", secret_file, "--now", moment]
        assert cli.main(words) == code

    def test_by_default_it_is_examined_for_now(self, capsys: Capture) -> None:
        candidates = TriedSecrets({"given": TriedSecret(SECRET)}, {})
        clock = iter([NOW, NOW + 7200])
        tokens = [Token(token()), Token(token())]
        inspect(Output(as_json=True), tokens, candidates, Expected(0), clock=lambda: next(clock))
        verdicts = [json.loads(text)["verdict"] for text in capsys.readouterr().out.splitlines()]
        assert verdicts == ["good", "refused"]


class TestUsage:
    @pytest.mark.parametrize(
        ("words", "says"),
        [
            ("- --secret-file -", "cannot both come from standard input"),
            ("--secret-file -", "cannot both come from standard input"),
            ("x --ask-secret", "standard input is not a terminal"),
            ("x --ask-secret --secret-file y", "cannot be combined"),
            ("x --region eu-west-1", "No secret is named."),
            ("x --stage dev --stage prod", "This command takes one secret"),
            ("x --now yesterday", "'yesterday' is not a time"),
            ("x --now nan", "'nan' is not a time"),
            ("x --sdk ios", "'ios' is not one of"),
            ("x --expect-app 0", "not in the range"),
            ("no/such/file", "The file no/such/file does not exist."),
        ],
    )
    def test_a_usage_error_names_the_help(self, words: str, says: str, capsys: Capture) -> None:
        assert cli.main(["inspect", *words.split()]) == ExitCode.USAGE
        printed = capsys.readouterr()
        assert says in printed.err
        assert printed.err.endswith("See zego-token inspect --help.\n")
        assert printed.out == ""

    def test_a_secret_is_not_read_from_a_terminal(
        self, monkeypatch: pytest.MonkeyPatch, capsys: Capture
    ) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        assert cli.main(["inspect", "x", "--secret-file", "-"]) == ExitCode.USAGE
        assert "Use --ask-secret." in " ".join(capsys.readouterr().err.split())

    @pytest.mark.parametrize("option", ["--secret-file", "--secret-id", "--stack"])
    def test_a_token_as_an_options_value_belongs_first(
        self, option: str, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(targets, "connect", lambda _wanted: pytest.fail("connected"))
        assert run(option, room_token()) == (ExitCode.USAGE, "")
        assert run.err.startswith(f"error: {option} takes the next word as its value, but here it")

    @pytest.mark.parametrize("secret", [SECRET, f'"{SECRET}"', SECRET.upper(), "f" * 64])
    def test_a_secret_given_as_the_token_is_refused(self, run: Run, secret: str) -> None:
        assert run(secret) == (ExitCode.USAGE, "")
        assert run.err.startswith("error: An argument looks like a ServerSecret.")
        assert SECRET not in run.err

    def test_a_signature_behind_a_token_is_not_a_secret(self, run: Run) -> None:
        claims = {"app_id": 1, "user_id": "alice", "nonce": 5, "expire": 1_800_000_000}
        signed = f"04{base64.b64encode(json.dumps(claims).encode()).decode()}={'0f' * 32}"
        exit_code, printed = run(signed)
        assert exit_code == ExitCode.REFUSED
        assert "signed but never encrypted" in " ".join(printed.split())

    @pytest.mark.parametrize(
        "words",
        [
            (f"--local={room_token()}",),
            ("--secret-file", room_token()),
            ("a", room_token()),
            (f"--tok={room_token()}",),
            ("--stage", jwt()),
            ("--now", room_token()),
            ("--code", room_token()),
            (room_token()[40:90].replace("+", "/"),),
        ],
        ids=[
            "as the stack's path",
            "as the secret's path",
            "as a second argument",
            "as an option",
            "as a stage",
            "as a moment",
            "as a code",
            "without its beginning",
        ],
    )
    def test_a_token_in_the_wrong_place_is_not_repeated(
        self, words: tuple[str, ...], capsys: Capture
    ) -> None:
        assert cli.main(["inspect", *words]) in (ExitCode.USAGE, ExitCode.REFUSED)
        printed = capsys.readouterr()
        assert_not_shown(words[-1], printed.out + printed.err)

    def test_its_help_warns_that_others_can_read_arguments(self, capsys: Capture) -> None:
        assert cli.main(["inspect", "--help"]) == 0
        printed = " ".join(capsys.readouterr().out.split())
        assert "Other users of this machine can read arguments" in printed
        for option in ("--json", "--secret-id", "--stage", "--profile", "--region", "--local"):
            assert option in printed
        assert "--zego-api" not in printed


class TestJson:
    def test_it_is_one_object_per_line_with_these_keys(
        self, run: Run, secret_file: str, type_in: Callable[[bytes], None]
    ) -> None:
        good = room_token()
        type_in(f"{good}\n\n{jwt()}\n".encode())
        code, documents = run.json("-", "--secret-file", secret_file)
        assert code == ExitCode.REFUSED
        assert [list(document) for document in documents] == [
            [
                "event",
                "line",
                "token_sha256",
                "length",
                "verdict",
                "form",
                "cipher",
                "header_expires_at",
                "opened_by",
                "claims",
                "findings",
                "secret_fingerprint",
                "secrets_tried",
                "secret_problems",
                "codes_seen",
            ]
        ] * 2
        first, second = documents
        nonce = first["claims"].pop("nonce")
        assert 0 <= nonce < 2**31
        assert first == {
            "event": "inspection",
            "line": 1,
            "token_sha256": hashlib.sha256(good.encode()).hexdigest(),
            "length": len(good),
            "verdict": "good",
            "form": "token04",
            "cipher": "gcm",
            "header_expires_at": NOW + 3540,
            "opened_by": "given",
            "claims": {
                "app_id": APP_ID,
                "user_id": "alice",
                "ctime": NOW - 60,
                "expire": NOW + 3540,
                "payload": PAYLOAD,
            },
            "findings": [],
            "secret_fingerprint": FINGERPRINT,
            "secrets_tried": ["given"],
            "secret_problems": {},
            "codes_seen": [],
        }
        assert second["line"] == 3
        (finding,) = second["findings"]
        assert list(finding) == ["kind", "severity", "codes", "cause", "remedy"]

    def test_for_an_argument_the_line_is_null(self, run: Run) -> None:
        assert run.json(jwt())[1][0]["line"] is None

    def test_each_is_printed_before_the_next_is_read(self, capsys: Capture) -> None:
        def tokens() -> Iterator[Token]:
            for number in range(3):
                assert len(capsys.readouterr().out.splitlines()) == (number > 0)
                yield Token(token(), number)

        inspect(Output(as_json=True), tokens(), TriedSecrets({}, {}), Expected(NOW), clock=None)

    def test_an_error_is_the_last_object(self, run: Run, type_in: Callable[[bytes], None]) -> None:
        type_in(f"{jwt()}\n".encode() + b"x" * 300_000)
        code, (inspection, error) = run.json()
        assert code == ExitCode.USAGE
        assert (inspection["event"], error["event"]) == ("inspection", "error")


class TestAReport:
    @pytest.mark.parametrize("width", [40, 80, 100])
    def test_it_is_as_wide_as_the_terminal(
        self, run: Run, secret_file: str, width: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", str(width))
        for text in (kit_token(), jwt(), token(OTHER_SECRET), token(user_id="x" * 400)):
            _, printed = run(text, "--secret-file", secret_file)
            longest = max(
                len(one) for one in printed.splitlines() if "zego-token secret" not in one
            )
            assert longest <= max(width, len("sha256      ") + 64)

    def test_the_first_finding_is_on_top_and_others_follow(
        self, run: Run, secret_file: str
    ) -> None:
        text = token(OTHER_SECRET, issued_at=NOW - 7200)
        _, printed = run(f'"{text}"', "--secret-file", secret_file)
        _, codes, empty, cause, remedy, *others = printed.splitlines()
        assert codes.startswith("A client shows: web 20014, 50119, 1102016; native 1002033; ZIM ")
        assert (empty, cause) == ("", "There are quotes around it.")
        assert remedy.startswith("-> Pass the token on exactly as the service returned it")
        assert "Also:" in others
        assert any(one.startswith("refused  It expired") for one in others)

    def test_warnings_of_a_good_token_are_shown(self, run: Run, secret_file: str) -> None:
        _, printed = run(token(issued_at=NOW - 3580), "--secret-file", secret_file)
        assert printed.startswith(
            "GOOD  ZEGO accepts it if it accepts the secret, but see the warnings.\n"
            "\nwarning  It expires in"
        )

    def test_the_claims_are_shown_in_words(self, run: Run, secret_file: str) -> None:
        _, printed = run(room_token(), "--secret-file", secret_file)
        assert printed.endswith(
            "form        Token04, GCM\n"
            "expires     2027-01-15 08:59:00 UTC, in 59 min\n"
            f"opened by   given, fingerprint {FINGERPRINT}\n"
            "AppID       1234567890\n"
            "user        alice\n"
            "room        call_0123\n"
            "privileges  log in: yes, publish: yes\n"
            "streams     any\n"
            "issued      2027-01-15 07:59:00 UTC\n"
            "lifetime    1 h\n"
        )

    @pytest.mark.parametrize(
        ("claims", "words"),
        [
            ({"payload": ""}, "room        any (no payload)\n"),
            ({"payload": {"a": 1}}, 'payload     {"a": 1}\n'),
            ({"payload": "no"}, "payload     no\n"),
            ({"payload": '{"room_id":7}'}, "room        7\nprivileges  null\nstreams     any\n"),
            (
                {"payload": '{"room_id":"r","privilege":{"1":1,"2":"x"},"stream_id_list":[]}'},
                "privileges  log in: yes, publish: x\nstreams     none\n",
            ),
            (
                {"payload": '{"privilege":{"3":1},"stream_id_list":["a","b","c","d","e","f","g"]}'},
                'privileges  {"3": 1}\nstreams     a, b, c, d, e and 2 more\n',
            ),
            ({"user_id": "a\x1b[2J\n\u202eb"}, 'user        "a\\u001b[2J\\n\\u202eb"\n'),
            ({"user_id": "x" * 9000}, "... (9000 characters)\n"),
            ({"user_id": ""}, 'user        ""\n'),
            ({"user_id": "bob "}, 'user        "bob "\n'),
            ({"app_id": "7"}, "AppID       7\n"),
            ({"ctime": "1", "expire": 10**30}, f"issued      1\nends        {10**30}\n"),
            ({"ctime": True}, "issued      true\n"),
            ({"ctime": NOW, "expire": NOW - 1}, "ends        2027-01-15 07:59:59 UTC\n"),
            ({"ctime": 10**400}, "characters)\n"),
            ({}, f"opened by   given, fingerprint {FINGERPRINT}\n"),
        ],
        ids=[
            "no payload",
            "a payload that is an object",
            "a payload that is not JSON",
            "a room that is a number",
            "a privilege that is a text",
            "privileges and streams of any number",
            "a user who steers the terminal",
            "a long user id",
            "an empty user id",
            "a user id with a space",
            "an AppID that is a text",
            "times of the wrong type and size",
            "a time that is a boolean",
            "an end before the beginning",
            "a time with 401 digits",
            "no claims",
        ],
    )
    def test_claims_of_any_type_are_shown_unchanged(
        self, run: Run, secret_file: str, claims: dict[str, object], words: str
    ) -> None:
        _, printed = run(sealed(claims), "--secret-file", secret_file)
        assert words.rstrip("\n") in printed.replace("\n            ", " ")

    @pytest.mark.parametrize("expires_at", [-(2**63), 2**63 - 1, 0])
    def test_an_expiry_of_any_size_is_shown(
        self, run: Run, expires_at: int, type_in: Callable[[bytes], None]
    ) -> None:
        type_in(sealed({}, expires_at=expires_at).encode())
        assert "\nexpires     " in run()[1]

    def test_its_line_is_shown_if_it_is_not_the_first(
        self, run: Run, type_in: Callable[[bytes], None]
    ) -> None:
        type_in(f"\n\n{jwt()}\n".encode())
        assert f"token       eyJhbGci..., {len(jwt())} characters, from line 3\n" in run()[1]


class TestManyTokens:
    def test_each_token_has_a_line_and_each_cause_is_shown_once(
        self, run: Run, secret_file: str, type_in: Callable[[bytes], None]
    ) -> None:
        damaged = broken(token())
        late = token(issued_at=NOW - 7200)
        type_in(f"{token()}\n{late}\n{jwt()}\n{damaged}\n{late}\n".encode())
        code, printed = run("--secret-file", secret_file)
        assert code == ExitCode.REFUSED
        rows = [row.split() for row in printed.splitlines()[1:6]]
        assert [(row[0], row[1], row[2], row[-1]) for row in rows] == [
            ("1", "good", "04AAAAAG", "min"),
            ("2", "refused", "04AAAAAG", "expired"),
            ("3", "refused", "eyJhbGci", "jwt"),
            ("4", "refused", "04AAAAAG", "white-space"),
            (str(5 + damaged.count("\n")), "refused", "04AAAAAG", "expired"),
        ]
        assert "\n5 tokens: 4 refused, 1 good.\n\nexpired  2 times, first in line 2\n" in printed
        assert printed.count("It expired") == 1
        assert "\njwt  in line 3\n  It is a JWT (HS256)" in printed

    def test_unopened_tokens_are_reported_with_how_to_open_them(
        self, run: Run, type_in: Callable[[bytes], None]
    ) -> None:
        type_in(f"{token()}\n{token()}\n".encode())
        assert "2 tokens: 2 unknown.\nNo secret was given." in run()[1]

    def test_labels_without_a_server_secret_are_named_once(
        self, run: Run, secrets_manager: SecretsManager, type_in: Callable[[bytes], None]
    ) -> None:
        stored(secrets_manager, "replace me")
        type_in(f"{token()}\n{token()}\n".encode())
        assert run("--stage", "dev")[1].count("not tried   CANDIDATE: ") == 1

    def test_a_line_has_80_columns_at_most(
        self, run: Run, type_in: Callable[[bytes], None]
    ) -> None:
        texts = [token(), sealed({}, expires_at=2**63 - 1), sealed({}, expires_at=10), jwt()]
        type_in("\n".join(texts).encode())
        assert max(map(len, run()[1].splitlines())) <= 80


def assert_not_shown(text: str, printed: str) -> None:
    """The output contains no part of a token."""
    whole = "".join(printed.split())
    parts = {text[start : start + SHOWN + 1] for start in range(len(text) - SHOWN)}
    assert not [part for part in parts if part in printed or part in whole]


class TestRedaction:
    #: Characters of a token, and possible damage to it.
    ALPHABET = string.ascii_letters + string.digits + "+/=#%.\"'{}: -_\n\u00e9\x1b"

    @pytest.mark.parametrize("as_json", [True, False])
    @pytest.mark.parametrize("opens", [True, False])
    def test_no_part_of_a_damaged_token_is_shown(
        self, as_json: bool, opens: bool, capsys: Capture
    ) -> None:
        chance = random.Random(4)
        sources = [room_token(), jwt(), kit_token(), token(cipher="cbc"), token(OTHER_SECRET)]
        secrets = {"given": TriedSecret(SECRET, APP_ID)} if opens else {}
        for number in range(400):
            text = chance.choice(sources)
            for _ in range(number % 4):
                text = self.damaged(text, chance)
            given = [Token(text), Token(text, 2)] if number % 2 else [Token(text)]
            out = Output(as_json=as_json)
            inspect(out, given, TriedSecrets(secrets, {}), Expected(NOW), clock=None)
            assert_not_shown(text, capsys.readouterr().out)

    def damaged(self, text: str, chance: random.Random) -> str:
        start, end = sorted(chance.choices(range(len(text) + 1), k=2))
        other = "".join(chance.choices(self.ALPHABET, k=chance.randrange(4)))
        return chance.choice(
            [
                text[:start] + other + text[start + 1 :],
                text[:end],
                text[start:],
                text[:start] + text[end:],
                other + text,
                text + other,
                json.dumps({"token": text}),
            ]
        )
