from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.loopback import HttpRequest, HttpResponse
from local.secrets_manager import SecretsManager, SecretsManagerError, read_secret

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

REGION = "eu-west-1"


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
