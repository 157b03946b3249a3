"""The secrets that are tried on a token."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from local.aws.secrets_manager import APP_ID, SECRET_ID, SecretsManager
from ops import target as targets
from ops.errors import CommandError, ExitCode
from ops.inspect.secrets import SecretSource, TriedSecrets, gather
from ops.target import Target, TargetOptions
from tests.unit.ops.fakes import stored
from tests.unit.ops.tokens import OTHER_SECRET, SECRET
from zego.diagnosis.model import APP_SIGN, CALLBACK_SECRET, TriedSecret
from zego.secret_store.versions import SecretStoreError
from zego.server_secret import ServerSecret

APP_SIGN_VALUE = "0f" * 20 + "1e" * 12
CALLBACK_VALUE = "fedcba9876543210" * 2
NEWEST = "89abcdef01234567" * 2
WANTED = TargetOptions("zego/server-secret", region="eu-west-1")


@pytest.fixture
def gathered(target: Target, monkeypatch: pytest.MonkeyPatch) -> Callable[[], TriedSecrets]:
    """The secrets in Secrets Manager."""
    monkeypatch.setattr(targets, "connect", lambda _wanted: target)
    return lambda: gather(WANTED, SecretSource())


def of_file(path: str) -> TriedSecrets:
    return gather(None, SecretSource(path))


def put(aws: SecretsManager, label: str, **value: Any) -> None:
    aws.call("PutSecretValue", SecretId=SECRET_ID, VersionStages=[label], **value)


class TestOfSecretsManager:
    def test_each_label_has_its_secret_and_the_current_one_is_first(
        self, aws: SecretsManager, gathered: Callable[[], TriedSecrets]
    ) -> None:
        current = aws.server_secret
        stored(aws, NEWEST, label="AWSCURRENT")
        stored(aws, OTHER_SECRET)
        stored(aws, SECRET, label="AWSPENDING")
        stored(aws, "e" * 31 + "0", label="a-label-of-somebody")
        tried = gathered()
        assert tried.by_label == {
            "AWSCURRENT": TriedSecret(NEWEST, APP_ID),
            "AWSPREVIOUS": TriedSecret(current, APP_ID),
            "AWSPENDING": TriedSecret(SECRET, APP_ID),
            "CANDIDATE": TriedSecret(OTHER_SECRET, APP_ID),
            "a-label-of-somebody": TriedSecret("e" * 31 + "0", APP_ID),
        }
        assert list(tried.by_label)[:4] == [
            "AWSCURRENT",
            "AWSPREVIOUS",
            "AWSPENDING",
            "CANDIDATE",
        ]
        assert tried.problems == {}

    def test_a_version_with_several_labels_is_tried_once(
        self, aws: SecretsManager, gathered: Callable[[], TriedSecrets]
    ) -> None:
        version = stored(aws, OTHER_SECRET)
        aws.call(
            "UpdateSecretVersionStage",
            SecretId=SECRET_ID,
            VersionStage="another",
            MoveToVersionId=version,
        )
        assert list(gathered().by_label) == ["AWSCURRENT", "CANDIDATE"]

    def test_a_version_without_a_usable_value_is_reported(
        self, aws: SecretsManager, gathered: Callable[[], TriedSecrets]
    ) -> None:
        put(aws, "CANDIDATE", SecretBinary="AAAA")
        text = json.dumps({"app_id": APP_ID, "server_secret": "replace me"})
        put(aws, "AWSPENDING", SecretString=text)
        tried = gathered()
        assert list(tried.by_label) == ["AWSCURRENT"]
        assert tried.problems == {
            "AWSPENDING": "server_secret is a placeholder; store the one from ZEGO's console",
            "CANDIDATE": "its value is binary",
        }

    def test_an_invalid_value_is_tried_because_a_server_may_use_it(
        self, aws: SecretsManager, gathered: Callable[[], TriedSecrets]
    ) -> None:
        put(aws, "CANDIDATE", SecretString=f'"{SECRET}"')
        text = json.dumps({"app_id": str(APP_ID), "server_secret": f"{SECRET}\n"})
        put(aws, "AWSPENDING", SecretString=text)
        tried = gathered()
        assert tried.by_label["CANDIDATE"] == TriedSecret(f'"{SECRET}"')
        assert tried.by_label["AWSPENDING"] == TriedSecret(f"{SECRET}\n")
        assert tried.problems["AWSPENDING"] == (
            "server_secret has white space or a newline around it"
        )
        assert tried.problems["CANDIDATE"].startswith("the secret is JSON, but not an object")

    def test_a_label_on_a_version_without_a_value_is_reported(
        self, gathered: Callable[[], TriedSecrets], target: Target, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        describe = target.versions.describe
        state = describe()
        labels = {**state.labels, "AWSPENDING": "0" * 36}
        changed = type(state)(state.arn, labels, state.tags, state.rotation_function)
        monkeypatch.setattr(target.versions, "describe", lambda: changed)
        assert gathered().problems == {"AWSPENDING": "it has no value yet"}

    def test_a_refusal_of_aws_is_an_error(
        self, gathered: Callable[[], TriedSecrets], target: Target, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(**_which: object) -> None:
            raise SecretStoreError("no", "AccessDeniedException", "get_secret_value")

        monkeypatch.setattr(target.versions, "read", refuse)
        with pytest.raises(SecretStoreError):
            gathered()

    def test_commands_in_remedies_name_that_secret(
        self, gathered: Callable[[], TriedSecrets]
    ) -> None:
        assert gathered().target == "--secret-id zego/server-secret --region eu-west-1"


class TestOfAFile:
    @pytest.mark.parametrize(
        ("text", "candidate"),
        [
            (SECRET, TriedSecret(SECRET)),
            (f"{SECRET}\n", TriedSecret(SECRET)),
            (f'"{SECRET}"', TriedSecret(f'"{SECRET}"')),
            (f" {SECRET} ", TriedSecret(f" {SECRET} ")),
            ("0f" * 32, TriedSecret("0f" * 32)),
            (json.dumps({"app_id": 7, "server_secret": SECRET}), TriedSecret(SECRET, 7)),
            (json.dumps({"app_id": "7", "server_secret": SECRET}), TriedSecret(SECRET)),
            (json.dumps({"app_id": True, "server_secret": SECRET}), TriedSecret(SECRET)),
            ('{"app_id": 7}', TriedSecret('{"app_id": 7}', 7)),
            ("[1]", TriedSecret("[1]")),
        ],
        ids=[
            "the characters",
            "with a newline",
            "quoted",
            "in space",
            "an AppSign",
            "JSON",
            "JSON with its AppID as text",
            "JSON with a boolean",
            "JSON without a value",
            "other JSON",
        ],
    )
    def test_an_invalid_value_is_tried_unchanged(
        self, a_file: Callable[[str], str], text: str, candidate: TriedSecret
    ) -> None:
        assert of_file(a_file(text)).by_label == {"given": candidate}

    def test_a_problem_of_the_json_is_reported(self, a_file: Callable[[str], str]) -> None:
        text = json.dumps({"app_id": "7", "server_secret": SECRET})
        problem = "app_id must be a whole number, not str"
        assert of_file(a_file(text)).problems == {"given": problem}

    @pytest.mark.parametrize(
        "text",
        ["REPLACE-ME", '{"app_id": 7, "server_secret": "REPLACE-ME"}'],
        ids=["alone", "in JSON"],
    )
    def test_a_placeholder_is_not_tried(self, a_file: Callable[[str], str], text: str) -> None:
        tried = of_file(a_file(text))
        assert tried.by_label == {}
        assert "is a placeholder" in tried.problems["given"]

    def test_it_is_read_from_standard_input_too(self, type_in: Callable[[bytes], None]) -> None:
        type_in(SECRET.encode())
        assert of_file("-").by_label == {"given": TriedSecret(SECRET)}

    def test_a_missing_file_is_a_usage_error(self) -> None:
        with pytest.raises(CommandError, match="cannot be read: No such file") as caught:
            of_file("/nowhere/at/all")
        assert caught.value.failure.exit_code is ExitCode.USAGE

    def test_a_binary_file_is_a_usage_error(self, type_in: Callable[[bytes], None]) -> None:
        type_in(b"\xff" * 32)
        with pytest.raises(CommandError, match="cannot be read: the value is not text") as caught:
            of_file("-")
        assert caught.value.failure.exit_code is ExitCode.USAGE

    def test_it_is_tried_after_those_of_secrets_manager(
        self,
        a_file: Callable[[str], str],
        target: Target,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(targets, "connect", lambda _wanted: target)
        both = gather(WANTED, SecretSource(a_file(SECRET)))
        assert list(both.by_label) == ["AWSCURRENT", "given"]


def of_json(a_file: Callable[[str], str], **values: object) -> TriedSecrets:
    return of_file(a_file(json.dumps(values)))


class TestOtherSecrets:
    def test_a_file_may_also_contain_them(self, a_file: Callable[[str], str]) -> None:
        tried = of_json(
            a_file,
            callback_secret=CALLBACK_VALUE,
            app_sign=APP_SIGN_VALUE,
            app_id=7,
            server_secret=SECRET,
        )
        assert list(tried.by_label.items()) == [
            ("given", TriedSecret(SECRET, 7)),
            (APP_SIGN, TriedSecret(APP_SIGN_VALUE)),
            (CALLBACK_SECRET, TriedSecret(CALLBACK_VALUE)),
        ]
        assert tried.problems == {}

    @pytest.mark.parametrize(
        ("key", "label", "text"),
        [
            ("app_sign", "AppSign", APP_SIGN_VALUE),
            ("app_sign", "AppSign", APP_SIGN_VALUE.upper()),
            ("callback_secret", "CallbackSecret", CALLBACK_VALUE),
        ],
    )
    @pytest.mark.parametrize(
        "other", [{}, {"app_id": 7}, {"app_sign": "", "callback_secret": None}]
    )
    def test_a_file_may_contain_only_one_of_them(
        self,
        a_file: Callable[[str], str],
        key: str,
        label: str,
        text: str,
        other: dict[str, object],
    ) -> None:
        tried = of_json(a_file, **{**other, key: text})
        assert (tried.by_label, tried.problems) == ({label: TriedSecret(text)}, {})

    def test_an_empty_one_is_missing(self, a_file: Callable[[str], str]) -> None:
        assert list(of_json(a_file, app_sign="", callback_secret=None).by_label) == ["given"]

    @pytest.mark.parametrize(
        ("key", "text", "problem"),
        [
            ("app_sign", SECRET, "app_sign is not 64 hex digits, which every AppSign has"),
            ("app_sign", "x" * 63 + "y", "app_sign is not 64 hex digits, which every AppSign has"),
            ("app_sign", f"{APP_SIGN_VALUE}\n", "app_sign has white space or a newline around it"),
            ("app_sign", f"'{APP_SIGN_VALUE}'", "app_sign has quotes around it"),
            ("callback_secret", SECRET[1:], "callback_secret has 31 characters; ZEGO's have 32"),
            ("callback_secret", f'"{SECRET}"', "callback_secret has quotes around it"),
            (
                "callback_secret",
                f" {SECRET}",
                "callback_secret has white space or a newline around it",
            ),
            (
                "callback_secret",
                APP_SIGN_VALUE,
                "callback_secret has 64 hex digits: that is an AppSign",
            ),
        ],
    )
    def test_one_of_another_shape_is_reported_and_tried(
        self, a_file: Callable[[str], str], key: str, text: str, problem: str
    ) -> None:
        tried = of_json(a_file, **{key: text})
        label = {"app_sign": "AppSign", "callback_secret": "CallbackSecret"}[key]
        assert tried.by_label == {label: TriedSecret(text)}
        assert tried.problems == {label: problem}

    @pytest.mark.parametrize(
        ("key", "held", "problem"),
        [
            ("app_sign", 5, "app_sign must be a string, not int"),
            ("callback_secret", ["x"], "callback_secret must be a string, not list"),
            ("callback_secret", "REPLACE-ME", "callback_secret is a placeholder; store the one"),
            ("app_sign", "REPLACE-ME", "app_sign is a placeholder; store the one from ZEGO's"),
        ],
    )
    def test_one_without_a_value_is_reported_and_not_tried(
        self, a_file: Callable[[str], str], key: str, held: object, problem: str
    ) -> None:
        tried = of_json(a_file, **{key: held})
        assert tried.by_label == {}
        ((_, said),) = tried.problems.items()
        assert said.startswith(problem)

    def test_they_are_tried_after_all_server_secrets(
        self, a_file: Callable[[str], str], target: Target, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(targets, "connect", lambda _wanted: target)
        path = a_file(json.dumps({"app_sign": APP_SIGN_VALUE, "server_secret": SECRET}))
        assert list(gather(WANTED, SecretSource(path)).by_label) == [
            "AWSCURRENT",
            "given",
            "AppSign",
        ]

    def test_they_have_no_fingerprint_of_a_server_secret(self) -> None:
        tried = TriedSecrets({CALLBACK_SECRET: TriedSecret(CALLBACK_VALUE, 7)}, {})
        assert tried.fingerprint(CALLBACK_SECRET, 7) is None


def test_without_a_secret_nothing_is_tried() -> None:
    assert gather(None, SecretSource()) == TriedSecrets({}, {})


@pytest.mark.parametrize(
    ("typed", "labels"),
    [
        ([SECRET, "", ""], ["given"]),
        ([SECRET, APP_SIGN_VALUE, ""], ["given", "AppSign"]),
        ([SECRET, "", CALLBACK_VALUE], ["given", "CallbackSecret"]),
        ([SECRET, APP_SIGN_VALUE, CALLBACK_VALUE], ["given", "AppSign", "CallbackSecret"]),
    ],
)
def test_the_prompts_show_no_secret_and_the_last_two_can_be_skipped(
    typed: list[str], labels: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts: list[str] = []

    def hidden(prompt: str) -> str:
        prompts.append(prompt)
        return typed[len(prompts) - 1]

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", hidden)
    tried = gather(None, SecretSource(has_prompt=True))
    assert prompts == [
        "ServerSecret from ZEGO's console (not shown): ",
        "AppSign (Enter to skip): ",
        "CallbackSecret (Enter to skip): ",
    ]
    assert list(tried.by_label) == labels
    assert [one.value for one in tried.by_label.values()] == [text for text in typed if text]


@pytest.mark.parametrize(
    ("candidate", "app_id", "fingerprint"),
    [
        (TriedSecret(SECRET, 7), None, ServerSecret(7, SECRET).fingerprint),
        (TriedSecret(SECRET, 7), 8, ServerSecret(7, SECRET).fingerprint),
        (TriedSecret(SECRET), 8, ServerSecret(8, SECRET).fingerprint),
        (TriedSecret(SECRET), None, None),
        (TriedSecret(SECRET), "8", None),
        (TriedSecret(SECRET), 0, None),
        (TriedSecret(f'"{SECRET}"'), 8, None),
    ],
    ids=[
        "of its AppID",
        "with its AppID",
        "of the token's AppID",
        "no AppID",
        "AppID as text",
        "AppID 0",
        "misshapen",
    ],
)
def test_a_fingerprint_is_of_a_value_with_its_app_id(
    candidate: TriedSecret, app_id: object, fingerprint: str | None
) -> None:
    assert TriedSecrets({"given": candidate}, {}).fingerprint("given", app_id) == fingerprint
