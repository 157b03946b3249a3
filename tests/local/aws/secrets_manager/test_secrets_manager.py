from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

from local.aws.secrets_manager import SECRET_ID, SecretsManager
from local.aws.secrets_manager.actions import KEPT_WRITES
from local.aws.secrets_manager.conditions import Conditions, SecretsManagerError
from local.aws.secrets_manager.rotation import RotationDriver
from local.loopback import HttpRequest, HttpResponse
from tests.local.rotated import Rotated
from tests.local.secret import CANDIDATE, CURRENT, PENDING, Secret
from tests.support.clock import Clock

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_secretsmanager.type_defs import TagTypeDef

REGION = "eu-west-1"


@pytest.fixture(scope="module")
def secrets_manager() -> Iterator[SecretsManager]:
    with SecretsManager(region=REGION) as secrets_manager:
        yield secrets_manager


def client(secrets_manager: SecretsManager, *, region: str = "") -> SecretsManagerClient:
    return boto3.client(
        "secretsmanager",
        endpoint_url=secrets_manager.url,
        region_name=region or secrets_manager.region,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


def current(secrets_manager: SecretsManager) -> dict[str, object]:
    response = client(secrets_manager).get_secret_value(SecretId=secrets_manager.secret_id)
    value: dict[str, object] = json.loads(response["SecretString"])
    return value


def test_it_has_an_app_id_and_a_random_server_secret(
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


def test_every_instance_has_a_separate_secret(
    secrets_manager: SecretsManager,
) -> None:
    with SecretsManager(region=REGION) as other:
        theirs, ours = current(other), current(secrets_manager)
    assert theirs["server_secret"] == other.server_secret
    assert ours["server_secret"] == secrets_manager.server_secret
    assert ours != theirs


def test_any_value_can_be_its_current_version() -> None:
    with SecretsManager() as secrets_manager:
        version = secrets_manager.put("not JSON")
        held = client(secrets_manager).get_secret_value(
            SecretId=secrets_manager.secret_id, VersionStage="AWSCURRENT"
        )
        assert (held["SecretString"], held["VersionId"]) == ("not JSON", version)


def test_a_deleted_secret_is_missing() -> None:
    with SecretsManager() as secrets_manager:
        secrets_manager.call(
            "DeleteSecret", SecretId=secrets_manager.secret_id, ForceDeleteWithoutRecovery=True
        )
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            current(secrets_manager)


def test_an_interceptor_can_throttle(secrets_manager: SecretsManager) -> None:
    def throttle(request: HttpRequest) -> HttpResponse | None:
        return HttpResponse(400, body=b'{"__type": "ThrottlingException", "message": "slower"}')

    secrets_manager.intercept = throttle
    try:
        with pytest.raises(ClientError, match="ThrottlingException"):
            client(secrets_manager).get_secret_value(SecretId=secrets_manager.secret_id)
    finally:
        secrets_manager.intercept = None


def test_a_restart_keeps_the_secret() -> None:
    with SecretsManager() as secrets_manager:
        kept, before = client(secrets_manager), current(secrets_manager)
        secrets_manager.stop()
        with pytest.raises(EndpointConnectionError):
            kept.get_secret_value(SecretId=secrets_manager.secret_id)
        secrets_manager.start()
        assert current(secrets_manager) == before


def test_it_shows_no_secret_in_its_repr(secrets_manager: SecretsManager) -> None:
    assert secrets_manager.server_secret not in repr(secrets_manager)


def test_the_signature_of_a_call_decides_its_region(
    secrets_manager: SecretsManager,
) -> None:
    elsewhere = client(secrets_manager, region="us-west-2")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        elsewhere.get_secret_value(SecretId=secrets_manager.secret_id)


def test_an_action_that_does_not_exist_is_unknown(secrets_manager: SecretsManager) -> None:
    for action in ("SetupClass", "Perform", "Backend", ""):
        with pytest.raises(SecretsManagerError, match="UnknownOperationException"):
            secrets_manager.call(action)


def test_a_body_that_is_not_json_is_refused(secrets_manager: SecretsManager) -> None:
    response = secrets_manager.respond(HttpRequest("POST", "/", (), b"{"))
    assert (response.status, json.loads(response.body)["__type"]) == (400, "SerializationException")


def test_calls_run_one_at_a_time() -> None:
    working, go_on = threading.Event(), threading.Event()

    class SlowClock(Clock):
        def __call__(self) -> float:
            if threading.current_thread().name.startswith("first"):
                working.set()
                go_on.wait(60)
            return self.now

    secrets_manager = SecretsManager(clock=SlowClock())
    secrets_manager.call("ListSecrets")  # waits until it is ready
    with (
        ThreadPoolExecutor(1, "first") as first,
        ThreadPoolExecutor(1, "second") as second,
    ):
        put = first.submit(secrets_manager.put, "new")
        assert working.wait(60)
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

    def test_a_new_value_does_not_change_them(self, secret: Secret) -> None:
        secret.api.tag_resource(SecretId=SECRET_ID, Tags=[{"Key": "a", "Value": "b"}])
        secret.put("new")
        assert secret.api.describe_secret(SecretId=SECRET_ID)["Tags"]

    def test_the_tags_of_a_deleted_secret_cannot_change(self, secret: Secret) -> None:
        """TagResource and UntagResource list InvalidRequestException: "The secret is scheduled for
        deletion." """
        secret.tag(a="b")
        secret.api.delete_secret(SecretId=SECRET_ID)
        for call in (
            lambda: secret.tag(c="d"),
            lambda: secret.api.untag_resource(SecretId=SECRET_ID, TagKeys=["a"]),
        ):
            secret.refuses("InvalidRequestException", call, "marked for deletion")


class TestThrottling:
    """The quotas page: Secrets Manager "rejects an otherwise valid request and returns a throttling
    error", of which it lists ThrottlingException.
    """

    @pytest.fixture
    def throttled(self) -> set[str]:
        """The actions that are throttled."""
        return set()

    @pytest.fixture
    def conditions(self, throttled: set[str]) -> Conditions:
        return Conditions(throttle=throttled.__contains__)

    def test_a_throttled_call_fails_and_changes_nothing(
        self, secret: Secret, throttled: set[str]
    ) -> None:
        throttled |= {"PutSecretValue", "GetSecretValue"}
        secret.refuses("ThrottlingException", lambda: secret.put("new"), "Rate exceeded")
        secret.refuses("ThrottlingException", secret.text)
        throttled.clear()
        secret.put("new")
        assert secret.text() == "new"


class Lag:
    """By how many writes reads lag, and the reads so far."""

    def __init__(self) -> None:
        self.writes = 0
        self.reads: list[str] = []

    def __call__(self, action: str) -> int:
        self.reads.append(action)
        return self.writes


class TestReadsThatLag:
    """AWS documents no lag, but rotation functions observe it: in issue 7701 of aws-sdk-js-v3,
    setSecret does not find the AWSPENDING version that createSecret has stored.
    """

    @pytest.fixture
    def lag(self) -> Lag:
        return Lag()

    @pytest.fixture
    def conditions(self, lag: Lag) -> Conditions:
        return Conditions(lag=lag)

    def test_a_read_shows_labels_values_and_tags_as_they_were(
        self, secret: Secret, lag: Lag
    ) -> None:
        secret.tag(step="one")
        new = secret.put("new", CANDIDATE)
        secret.move(CURRENT, to=new, off=secret.first)
        secret.tag(step="two")
        lag.writes = 1
        assert (secret.tags(), secret.holder(CURRENT)) == ({"step": "one"}, new)
        lag.writes = 2
        assert secret.labels() == {secret.first: [CURRENT], new: [CANDIDATE]}
        assert secret.text(VersionId=new) == "new"
        assert secret.text() != "new"
        lag.writes = 3
        assert (secret.tags(), secret.versions()) == ({"step": "one"}, [secret.first])
        secret.refuses("ResourceNotFoundException", lambda: secret.text(VersionStage=CANDIDATE))
        lag.writes = 4
        assert secret.tags() == {}

    def test_one_before_the_first_write_shows_the_oldest_state(
        self, secret: Secret, lag: Lag
    ) -> None:
        secret.put("new")
        lag.writes = 99
        assert secret.labels() == {secret.first: [CURRENT]}

    def test_the_number_of_kept_writes_is_limited(self, secret: Secret, lag: Lag) -> None:
        for number in range(KEPT_WRITES + 5):
            secret.tag(step=str(number))
        lag.writes = 99
        assert secret.tags() == {"step": "4"}

    def test_a_write_that_changes_nothing_does_not_count(self, secret: Secret, lag: Lag) -> None:
        token = secret.put("new", CANDIDATE)
        secret.put("new", CANDIDATE, token=token)
        secret.api.untag_resource(SecretId=SECRET_ID, TagKeys=["never there"])
        secret.move(CANDIDATE, to=token)
        lag.writes = 1
        assert secret.labels() == {secret.first: [CURRENT]}

    def test_writes_of_secrets_manager_itself_count(
        self, rotated: Rotated, driver: RotationDriver, lag: Lag
    ) -> None:
        token = rotated.rotate()
        assert driver.run(token)
        lag.writes = 1
        assert rotated.labels()[token] == [PENDING, CURRENT]
        assert "LastRotatedDate" not in rotated.described()

    def test_a_write_acts_on_the_present_state(self, secret: Secret, lag: Lag) -> None:
        one, two = secret.put("one", "ONE"), secret.put("two", "TWO")
        secret.move(CURRENT, to=one, off=secret.first)
        lag.writes = 1
        assert secret.holder(CURRENT) == secret.first
        secret.refuses(
            "InvalidParameterException",
            lambda: secret.move(CURRENT, to=two, off=secret.first),
            "not found in version",
        )
        secret.move(CURRENT, to=two, off=one)
        lag.writes = 0
        assert secret.holder(CURRENT) == two

    def test_the_lag_is_determined_once_per_read(self, secret: Secret, lag: Lag) -> None:
        lag.reads.clear()
        secret.text()
        secret.labels()
        secret.versions()
        secret.put("new")
        secret.tag(a="b")
        assert lag.reads == ["GetSecretValue", "DescribeSecret", "ListSecretVersionIds"]
