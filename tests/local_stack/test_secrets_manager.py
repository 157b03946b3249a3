from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.loopback import HttpRequest, HttpResponse
from local.secrets_manager import SecretsManager, SecretsManagerError, read_secret
from tests.support.clock import Clock
from tests.support.in_process import secrets_manager_client

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_secretsmanager.type_defs import TagTypeDef

REGION = "eu-west-1"
SECRET_ID = "zego/server-secret"
CURRENT, PREVIOUS, PENDING, CANDIDATE = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING", "CANDIDATE"


@pytest.fixture(scope="module")
def secrets_manager() -> Iterator[SecretsManager]:
    with SecretsManager(region=REGION) as secrets_manager:
        yield secrets_manager


def client(secrets_manager: SecretsManager) -> SecretsManagerClient:
    return boto3.client(
        "secretsmanager",
        endpoint_url=secrets_manager.url,
        region_name=secrets_manager.region,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


def test_it_holds_an_app_id_with_a_server_secret_of_its_own(
    secrets_manager: SecretsManager,
) -> None:
    held = client(secrets_manager).get_secret_value(
        SecretId="zego/server-secret", VersionStage="AWSCURRENT"
    )
    value = json.loads(held["SecretString"])
    assert value == {
        "app_id": secrets_manager.app_id,
        "server_secret": secrets_manager.server_secret,
    }
    assert len(value["server_secret"]) == 32
    assert held["VersionStages"] == ["AWSCURRENT"]
    assert held["ARN"].startswith(f"arn:aws:secretsmanager:{REGION}:")


def test_every_instance_makes_its_own_secret_and_keeps_it_apart(
    secrets_manager: SecretsManager,
) -> None:
    with SecretsManager(region=REGION) as other:
        theirs = read_secret(other.url, other.secret_id, REGION)
        ours = read_secret(secrets_manager.url, secrets_manager.secret_id, REGION)
    assert theirs == (other.app_id, other.server_secret)
    assert ours == (secrets_manager.app_id, secrets_manager.server_secret)
    assert ours != theirs


def test_any_value_may_be_put_in_its_place() -> None:
    with SecretsManager() as secrets_manager:
        version = secrets_manager.put("not JSON")
        held = client(secrets_manager).get_secret_value(
            SecretId=secrets_manager.secret_id, VersionStage="AWSCURRENT"
        )
        assert (held["SecretString"], held["VersionId"]) == ("not JSON", version)


def test_a_secret_that_is_deleted_is_missing() -> None:
    with SecretsManager() as secrets_manager:
        secrets_manager.call(
            "DeleteSecret", SecretId=secrets_manager.secret_id, ForceDeleteWithoutRecovery=True
        )
        with pytest.raises(SecretsManagerError, match="ResourceNotFoundException"):
            read_secret(secrets_manager.url, secrets_manager.secret_id, "us-east-1")


def test_an_interceptor_may_throttle(secrets_manager: SecretsManager) -> None:
    def throttle(request: HttpRequest) -> HttpResponse | None:
        return HttpResponse(400, body=b'{"__type": "ThrottlingException", "message": "slower"}')

    secrets_manager.intercept = throttle
    try:
        with pytest.raises(ClientError, match="ThrottlingException"):
            client(secrets_manager).get_secret_value(SecretId=secrets_manager.secret_id)
    finally:
        secrets_manager.intercept = None


def test_one_that_comes_back_still_holds_its_secret() -> None:
    with SecretsManager() as secrets_manager:
        url = secrets_manager.url
        before = read_secret(url, secrets_manager.secret_id, "us-east-1")
        secrets_manager.stop()
        with pytest.raises(OSError, match="refused"):
            read_secret(url, secrets_manager.secret_id, "us-east-1")
        secrets_manager.start()
        assert read_secret(url, secrets_manager.secret_id, "us-east-1") == before


def test_it_shows_no_secret_in_its_repr(secrets_manager: SecretsManager) -> None:
    assert secrets_manager.server_secret not in repr(secrets_manager)


def test_it_is_asked_in_the_region_that_a_call_is_signed_for(
    secrets_manager: SecretsManager,
) -> None:
    with pytest.raises(SecretsManagerError, match="ResourceNotFoundException"):
        read_secret(secrets_manager.url, secrets_manager.secret_id, "us-west-2")


def test_an_action_that_does_not_exist_is_unknown(secrets_manager: SecretsManager) -> None:
    for action in ("SetupClass", "Perform", "Backend", ""):
        with pytest.raises(SecretsManagerError, match="UnknownOperationException"):
            secrets_manager.call(action)


def test_a_body_that_is_not_json_is_refused(secrets_manager: SecretsManager) -> None:
    answer = secrets_manager.respond(HttpRequest("POST", "/", (), b"{"))
    assert (answer.status, json.loads(answer.body)["__type"]) == (400, "SerializationException")


class Secret:
    """A secret in this process, by its versions' names and labels."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.secrets_manager = SecretsManager(clock=self.clock)
        self.api = secrets_manager_client(self.secrets_manager)
        self.first = self.holder(CURRENT)

    def put(self, text: str, *labels: str, token: str | None = None) -> str:
        """Stores a value; gives its version's id."""
        stages = {"VersionStages": list(labels)} if labels else {}
        token = token or str(uuid.uuid4())
        answer = self.api.put_secret_value(
            SecretId=SECRET_ID,
            ClientRequestToken=token,
            SecretString=text,
            **stages,  # type: ignore[arg-type]
        )
        return answer["VersionId"]

    def move(self, label: str, *, to: str | None = None, off: str | None = None) -> None:
        ends = {"MoveToVersionId": to, "RemoveFromVersionId": off}
        named = {name: value for name, value in ends.items() if value}
        self.api.update_secret_version_stage(SecretId=SECRET_ID, VersionStage=label, **named)

    def labels(self) -> dict[str, list[str]]:
        """Each version that is listed, with its labels."""
        return self.api.describe_secret(SecretId=SECRET_ID)["VersionIdsToStages"]

    def holder(self, label: str) -> str:
        (version,) = (version for version, labels in self.labels().items() if label in labels)
        return version

    def text(self, **which: str) -> str:
        return self.api.get_secret_value(SecretId=SECRET_ID, **which)["SecretString"]

    def refuses(self, code: str, call: Callable[[], object], message: str = ".") -> None:
        """The call fails with this error code, and nothing has changed."""
        before = self.labels()
        with pytest.raises(ClientError, match=message) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == code
        assert self.labels() == before


@pytest.fixture
def secret() -> Secret:
    return Secret()


class TestReading:
    def test_a_read_without_a_stage_returns_the_current_version_also_after_a_promotion(
        self, secret: Secret
    ) -> None:
        new = secret.put("new", CANDIDATE)
        secret.move(CURRENT, to=new, off=secret.first)
        assert secret.text() == secret.text(VersionStage=CURRENT) == "new"
        batch = secret.api.batch_get_secret_value(SecretIdList=[SECRET_ID])
        assert [value["SecretString"] for value in batch["SecretValues"]] == ["new"]

    def test_an_id_and_a_label_must_mean_the_same_version(self, secret: Secret) -> None:
        secret.put("new", CANDIDATE)
        secret.refuses(
            "InvalidRequestException",
            lambda: secret.text(VersionId=secret.first, VersionStage=CANDIDATE),
            "not associated",
        )

    def test_a_version_that_is_not_there_is_not_found(self, secret: Secret) -> None:
        for which in ({"VersionId": str(uuid.uuid4())}, {"VersionStage": CANDIDATE}):
            secret.refuses(
                "ResourceNotFoundException",
                lambda which=which: secret.text(**which),  # type: ignore[misc]
                "can't find the specified secret value",
            )

    def test_a_version_says_when_it_was_made(self, secret: Secret) -> None:
        secret.clock.turn(10.5)
        secret.put("new")
        answer = secret.api.get_secret_value(SecretId=SECRET_ID)
        assert answer["CreatedDate"].timestamp() == secret.clock.now

    def test_a_secret_that_is_marked_for_deletion_can_be_described_and_not_read(
        self, secret: Secret
    ) -> None:
        secret.api.delete_secret(SecretId=SECRET_ID)
        secret.refuses("InvalidRequestException", secret.text, "marked for deletion")

    def test_versions_without_a_label_are_not_listed_unless_they_are_asked_for(
        self, secret: Secret
    ) -> None:
        old = secret.put("old", CANDIDATE)
        secret.put("new", CANDIDATE)
        assert old not in secret.labels()
        ids = secret.api.list_secret_version_ids(SecretId=SECRET_ID)
        assert {version["VersionId"] for version in ids["Versions"]} == set(secret.labels())
        ids = secret.api.list_secret_version_ids(SecretId=SECRET_ID, IncludeDeprecated=True)
        assert {version["VersionId"] for version in ids["Versions"]} == {*secret.labels(), old}
        assert secret.text(VersionId=old) == "old"


class TestStoring:
    def test_the_same_token_with_the_same_value_changes_nothing(self, secret: Secret) -> None:
        token = secret.put("new", CANDIDATE)
        before = secret.labels()
        assert secret.put("new", CANDIDATE, token=token) == token
        assert secret.put("new", token=token) == token
        assert secret.labels() == before

    def test_the_same_token_with_another_value_is_refused(self, secret: Secret) -> None:
        token = secret.put("new", CANDIDATE)
        secret.refuses(
            "ResourceExistsException", lambda: secret.put("other", CANDIDATE, token=token)
        )
        assert secret.text(VersionId=token) == "new"

    def test_a_value_without_labels_becomes_current_at_once(self, secret: Secret) -> None:
        new = secret.put("new")
        assert secret.labels() == {new: [CURRENT], secret.first: [PREVIOUS]}

    def test_a_value_with_a_label_takes_that_label_alone(self, secret: Secret) -> None:
        old = secret.put("old", CANDIDATE)
        secret.move("MINE", to=old)
        new = secret.put("new", CANDIDATE)
        assert secret.labels() == {secret.first: [CURRENT], old: ["MINE"], new: [CANDIDATE]}

    def test_a_new_current_value_leaves_the_other_labels_where_they_are(
        self, secret: Secret
    ) -> None:
        secret.move(CANDIDATE, to=secret.first)
        new = secret.put("new")
        assert secret.labels() == {new: [CURRENT], secret.first: [CANDIDATE, PREVIOUS]}

    def test_an_update_with_a_value_does_the_same(self, secret: Secret) -> None:
        secret.move(CANDIDATE, to=secret.first)
        new = secret.api.update_secret(SecretId=SECRET_ID, SecretString="new")["VersionId"]
        assert secret.labels() == {new: [CURRENT], secret.first: [CANDIDATE, PREVIOUS]}

    def test_an_update_of_the_description_leaves_the_versions_alone(self, secret: Secret) -> None:
        before = secret.labels()
        secret.api.update_secret(SecretId=SECRET_ID, Description="ours")
        assert secret.labels() == before
        assert secret.api.describe_secret(SecretId=SECRET_ID)["Description"] == "ours"

    def test_the_first_value_of_a_secret_is_current_whatever_its_label(
        self, secret: Secret
    ) -> None:
        secret.api.create_secret(Name="empty")
        secret.api.put_secret_value(SecretId="empty", SecretString="x", VersionStages=[CANDIDATE])
        answer = secret.api.get_secret_value(SecretId="empty")
        assert answer["VersionStages"] == [CANDIDATE, CURRENT]

    def test_a_version_needs_one_value(self, secret: Secret) -> None:
        secret.refuses(
            "InvalidRequestException",
            lambda: secret.api.put_secret_value(SecretId=SECRET_ID),
            "SecretString or SecretBinary",
        )

    def test_a_value_may_be_binary(self, secret: Secret) -> None:
        secret.api.put_secret_value(SecretId=SECRET_ID, SecretBinary=b"\0\1")
        assert secret.api.get_secret_value(SecretId=SECRET_ID)["SecretBinary"] == b"\0\1"

    def test_a_token_has_32_to_64_characters(self, secret: Secret) -> None:
        with pytest.raises(SecretsManagerError, match="InvalidParameterException"):
            secret.secrets_manager.call(
                "PutSecretValue", SecretId=SECRET_ID, SecretString="x", ClientRequestToken="short"
            )


class TestMovingALabel:
    def test_a_move_of_awscurrent_is_a_compare_and_swap(self, secret: Secret) -> None:
        one, two = secret.put("one", "ONE"), secret.put("two", "TWO")
        secret.move(CURRENT, to=one, off=secret.first)
        secret.refuses(
            "InvalidParameterException",
            lambda: secret.move(CURRENT, to=two, off=secret.first),
            "not found in version",
        )
        assert secret.holder(CURRENT) == one

    def test_awsprevious_moves_by_itself(self, secret: Secret) -> None:
        one, two = secret.put("one", "ONE"), secret.put("two", "TWO")
        secret.move(CURRENT, to=one, off=secret.first)
        assert secret.labels() == {
            secret.first: [PREVIOUS],
            one: ["ONE", CURRENT],
            two: ["TWO"],
        }
        secret.move(CURRENT, to=two, off=one)
        assert secret.labels() == {one: ["ONE", PREVIOUS], two: ["TWO", CURRENT]}

    def test_a_restored_version_is_not_the_previous_one_too(self, secret: Secret) -> None:
        new = secret.put("new")
        secret.move(CURRENT, to=secret.first, off=new)
        assert secret.labels() == {secret.first: [CURRENT], new: [PREVIOUS]}

    @pytest.mark.parametrize("label", [CURRENT, CANDIDATE, PENDING])
    def test_a_label_that_is_elsewhere_moves_only_if_it_is_said_where_it_is(
        self, secret: Secret, label: str
    ) -> None:
        holder = secret.first if label == CURRENT else secret.put("a", label)
        other = secret.put("b", "OTHER")
        secret.refuses(
            "InvalidParameterException",
            lambda: secret.move(label, to=other),
            f"RemoveFromVersionId can't be empty. Staging label {label} is currently",
        )
        secret.move(label, to=other, off=holder)
        assert secret.holder(label) == other

    def test_a_label_that_is_nowhere_needs_no_version_to_be_removed_from(
        self, secret: Secret
    ) -> None:
        secret.move(CANDIDATE, to=secret.first)
        secret.move(CANDIDATE, to=secret.first)
        assert secret.labels() == {secret.first: [CURRENT, CANDIDATE]}

    def test_moving_a_label_to_where_it_is_changes_nothing(self, secret: Secret) -> None:
        new = secret.put("new")
        secret.move(CURRENT, to=new, off=new)
        assert secret.labels() == {secret.first: [PREVIOUS], new: [CURRENT]}

    @pytest.mark.parametrize("label", [CURRENT, CANDIDATE])
    def test_a_target_that_does_not_exist_leaves_the_label_where_it_is(
        self, secret: Secret, label: str
    ) -> None:
        holder = secret.first if label == CURRENT else secret.put("a", label)
        secret.refuses(
            "InvalidParameterException",
            lambda: secret.move(label, to=str(uuid.uuid4()), off=holder),
        )
        assert secret.holder(label) == holder

    def test_a_label_can_be_dropped_but_not_awscurrent(self, secret: Secret) -> None:
        new = secret.put("new", CANDIDATE)
        secret.move(CANDIDATE, off=new)
        assert new not in secret.labels()
        secret.refuses(
            "InvalidParameterException",
            lambda: secret.move(CURRENT, off=secret.first),
            "only move staging label AWSCURRENT",
        )

    def test_of_two_who_move_it_at_once_one_fails(self, secret: Secret) -> None:
        ends = [secret.put(str(number), f"L{number}") for number in range(8)]

        def move(version: str) -> bool:
            try:
                secret.secrets_manager.call(
                    "UpdateSecretVersionStage",
                    SecretId=SECRET_ID,
                    VersionStage=CURRENT,
                    MoveToVersionId=version,
                    RemoveFromVersionId=secret.first,
                )
            except SecretsManagerError:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            moved = list(threads.map(move, ends))
        assert moved.count(True) == 1
        assert secret.holder(CURRENT) == ends[moved.index(True)]


def test_one_call_is_worked_on_at_a_time() -> None:
    working, go_on = threading.Event(), threading.Event()

    class SlowClock(Clock):
        def __call__(self) -> float:
            if threading.current_thread().name.startswith("first"):
                working.set()
                go_on.wait(5)
            return self.now

    secrets_manager = SecretsManager(clock=SlowClock())
    secrets_manager.wait_until_ready()
    with (
        ThreadPoolExecutor(1, "first") as first,
        ThreadPoolExecutor(1, "second") as second,
    ):
        put = first.submit(secrets_manager.put, "new")
        assert working.wait(5)
        read = second.submit(secrets_manager.call, "GetSecretValue", SecretId=SECRET_ID)
        with pytest.raises(TimeoutError):
            read.result(timeout=0.03)
        go_on.set()
        assert read.result()["VersionId"] == put.result()


class TestTags:
    def test_they_are_kept_on_the_secret(self, secret: Secret) -> None:
        tag: TagTypeDef = {"Key": "zego-token-service:verdict", "Value": "accepted"}
        assert "Tags" not in secret.api.describe_secret(SecretId=SECRET_ID)
        secret.api.tag_resource(SecretId=SECRET_ID, Tags=[{"Key": "a", "Value": "old"}])
        secret.api.tag_resource(SecretId=SECRET_ID, Tags=[{"Key": "a", "Value": "b"}, tag])
        described = secret.api.describe_secret(SecretId=SECRET_ID)
        assert described["Tags"] == [{"Key": "a", "Value": "b"}, tag]

    def test_they_can_be_removed(self, secret: Secret) -> None:
        secret.api.tag_resource(SecretId=SECRET_ID, Tags=[{"Key": "a", "Value": "b"}])
        secret.api.untag_resource(SecretId=SECRET_ID, TagKeys=["a", "never there"])
        assert secret.api.describe_secret(SecretId=SECRET_ID)["Tags"] == []

    def test_a_new_value_leaves_them_alone(self, secret: Secret) -> None:
        secret.api.tag_resource(SecretId=SECRET_ID, Tags=[{"Key": "a", "Value": "b"}])
        secret.put("new")
        assert secret.api.describe_secret(SecretId=SECRET_ID)["Tags"]
