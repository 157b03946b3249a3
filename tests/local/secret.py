"""A secret in this process, with short calls for its versions and labels."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.aws.secrets_manager import SECRET_ID, SecretsManager
from local.aws.secrets_manager.conditions import Conditions, SecretsManagerError
from tests.support.clock import Clock
from tests.support.in_process import secrets_manager_client

CURRENT, PREVIOUS, PENDING, CANDIDATE = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING", "CANDIDATE"


class Secret:
    """A secret that does not rotate, and short names for its API."""

    def __init__(self, conditions: Conditions) -> None:
        self.clock = Clock()
        self.secrets_manager = SecretsManager(clock=self.clock, conditions=conditions)
        self.api = secrets_manager_client(self.secrets_manager)
        self.first = self.holder(CURRENT)

    def put(self, text: str, *labels: str, token: str | None = None) -> str:
        """Stores a value. Returns its version's id."""
        stages = {"VersionStages": list(labels)} if labels else {}
        token = token or str(uuid.uuid4())
        response = self.api.put_secret_value(
            SecretId=SECRET_ID,
            ClientRequestToken=token,
            SecretString=text,
            **stages,  # type: ignore[arg-type]
        )
        return response["VersionId"]

    def move(self, label: str, *, to: str | None = None, off: str | None = None) -> None:
        ends = {"MoveToVersionId": to, "RemoveFromVersionId": off}
        named = {name: value for name, value in ends.items() if value}
        self.api.update_secret_version_stage(SecretId=SECRET_ID, VersionStage=label, **named)

    def labels(self) -> dict[str, list[str]]:
        """Returns the labels of each version that has any."""
        return self.api.describe_secret(SecretId=SECRET_ID)["VersionIdsToStages"]

    def versions(self) -> list[str]:
        """Returns all versions, with or without a label."""
        response = self.api.list_secret_version_ids(SecretId=SECRET_ID, IncludeDeprecated=True)
        return [version["VersionId"] for version in response["Versions"]]

    def described(self) -> dict[str, Any]:
        """Returns the response of DescribeSecret."""
        return {**self.api.describe_secret(SecretId=SECRET_ID)}

    def tags(self) -> dict[str, str]:
        tags = self.api.describe_secret(SecretId=SECRET_ID).get("Tags", [])
        return {tag["Key"]: tag["Value"] for tag in tags}

    def tag(self, **tags: str) -> None:
        added = [{"Key": key, "Value": value} for key, value in tags.items()]
        self.secrets_manager.call("TagResource", SecretId=SECRET_ID, Tags=added)

    def holder(self, label: str) -> str:
        (version,) = (version for version, labels in self.labels().items() if label in labels)
        return version

    def text(self, **which: str) -> str:
        return self.api.get_secret_value(SecretId=SECRET_ID, **which)["SecretString"]

    def refuses(self, code: str, call: Callable[[], object], message: str = ".") -> None:
        """Asserts that the call fails with this error code and changes nothing."""
        before = self.labels(), self.tags()
        with pytest.raises((ClientError, SecretsManagerError), match=message) as refused:
            call()
        assert error_code(refused.value) == code
        assert (self.labels(), self.tags()) == before


def error_code(error: BaseException) -> str:
    """Returns AWS' code of an error from boto3 or from the Secrets Manager in this process."""
    if isinstance(error, SecretsManagerError):
        return error.code
    assert isinstance(error, ClientError)
    return error.response["Error"]["Code"]
