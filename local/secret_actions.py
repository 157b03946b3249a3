"""Secrets Manager's actions, those of moto and those in which moto differs from AWS.

Importing this imports moto, which takes most of a second.
"""

from __future__ import annotations

import inspect
import json
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from moto.core.utils import camelcase_to_underscores
from moto.secretsmanager.exceptions import (
    InvalidParameterException,
    InvalidRequestException,
    SecretsManagerClientError,
)
from moto.secretsmanager.models import FakeSecret, secretsmanager_backends
from moto.secretsmanager.responses import SecretsManagerResponse

from local.secret_versions import VALUES, Versions
from local.secrets_manager import SecretsManagerError
from zego.secret_store.labels import CURRENT

if TYPE_CHECKING:
    from local.rotation import RotationDriver

_METHODS = frozenset(
    name
    for name, member in vars(SecretsManagerResponse).items()
    if inspect.isfunction(member) and not name.startswith("_")
)
"""The actions that moto has, by the names of their methods."""


class Storage:
    """The secrets of one AWS account. One call is worked on at a time.

    `driver` runs the rotations; without one no secret can be rotated. Its methods take the secret's
    ARN.
    """

    def __init__(self, account_id: str, region: str, clock: Callable[[], float]) -> None:
        self.driver: RotationDriver | None = None
        self.account_id = account_id
        self.region = region
        self._clock = clock
        self._one_at_a_time = threading.RLock()

    def perform(
        self, action: str, parameters: Mapping[str, Any], *, region: str | None = None
    ) -> str:
        """Runs an action of the API; its answer as JSON."""
        with self._one_at_a_time:
            call = _Call(self, parameters, region or self.region, self._clock())
            return call.perform(action)

    def configure_rotation(self, secret_id: str, function_arn: str, *, days: int) -> None:
        """Has a secret rotated by a function every so many days, as template.yaml does."""
        with self._one_at_a_time:
            secret = self.secret(secret_id, self.region)
            _configure(secret, function_arn, {"AutomaticallyAfterDays": days})

    def in_rotation(self, secret_id: str, version_id: str) -> bool:
        """Whether a rotation to this version goes on: it is pending, or was promoted."""
        with self._one_at_a_time:
            return Versions(self.secret(secret_id, self.region)).in_rotation(version_id)

    def is_current(self, secret_id: str, version_id: str) -> bool:
        """Whether AWSCURRENT is on this version."""
        with self._one_at_a_time:
            return Versions(self.secret(secret_id, self.region)).holder(CURRENT) == version_id

    def end_rotation(self, secret_id: str, version_id: str) -> bool:
        """Takes AWSPENDING off a version if it was promoted, and tells whether it was."""
        with self._one_at_a_time:
            versions = Versions(self.secret(secret_id, self.region))
            return versions.end_rotation(version_id, now=self._clock())

    def end_test(self, secret_id: str, version_id: str) -> None:
        """Removes the version that was made to test a rotation function."""
        with self._one_at_a_time:
            Versions(self.secret(secret_id, self.region)).forget(version_id)

    def secret(self, secret_id: str, region: str) -> FakeSecret:
        """The secret of this ARN or name."""
        secret = secretsmanager_backends[self.account_id][region].secrets.get(secret_id)
        if not isinstance(secret, FakeSecret):
            raise SecretsManagerError(
                "ResourceNotFoundException", "Secrets Manager can't find the specified secret."
            )
        return secret


class _Call(SecretsManagerResponse):
    """One call, without HTTP around it. Actions that are not here are moto's."""

    def __init__(
        self, storage: Storage, parameters: Mapping[str, Any], region: str, now: float
    ) -> None:
        # Not the parent's: that reads an HTTP request, of which nothing but this is used.
        self.current_account = storage.account_id
        self.region = region
        self._storage = storage
        self._driver = storage.driver
        self._parameters = parameters
        self._now = now

    def perform(self, action: str) -> str:
        """Runs an action; its answer as JSON. Raises `SecretsManagerError`."""
        name = camelcase_to_underscores(action)
        if name not in _METHODS:
            raise SecretsManagerError("UnknownOperationException", f"{action} is not known here")
        try:
            answer: str = getattr(self, name)()
        except SecretsManagerClientError as error:
            raise SecretsManagerError(error.error_type, error.message) from None
        return answer

    def get_secret_value(self) -> str:
        secret = self._secret()
        versions = Versions(secret)
        version_id = versions.find(self._get_param("VersionId"), self._get_param("VersionStage"))
        answer = _named(secret, version_id, versions.labels(version_id))
        created = {"CreatedDate": versions.created_at(version_id)}
        return json.dumps(answer | created | versions.value(version_id))

    def put_secret_value(self) -> str:
        return self._put(self._get_param("VersionStages", [CURRENT]))

    def update_secret(self) -> str:
        return self._put([CURRENT]) if self._value() else super().update_secret()

    def update_secret_version_stage(self) -> str:
        secret = self._secret()
        Versions(secret).move(
            self._get_param("VersionStage"),
            remove_from=self._get_param("RemoveFromVersionId"),
            move_to=self._get_param("MoveToVersionId"),
        )
        return json.dumps({"ARN": secret.arn, "Name": secret.name})

    def describe_secret(self) -> str:
        secret = self._secret(deleted=True)
        listed = {"VersionIdsToStages": Versions(secret).listed()}
        answer = {name: value for name, value in secret.to_dict().items() if value is not None}
        answer.pop("SecretVersionsToStages", None)  # ListSecrets' name for the same
        return json.dumps(answer | listed)

    def list_secret_version_ids(self) -> str:
        secret = self._secret(deleted=True)
        versions = Versions(secret)
        listed = versions.listed(deprecated=bool(self._get_param("IncludeDeprecated")))
        entries = [
            {"VersionId": id_, "VersionStages": labels, "CreatedDate": versions.created_at(id_)}
            for id_, labels in listed.items()
        ]
        return json.dumps({"ARN": secret.arn, "Name": secret.name, "Versions": entries})

    def rotate_secret(self) -> str:
        secret = self._secret()
        function_arn = self._get_param("RotationLambdaARN") or secret.rotation_lambda_arn
        if not function_arn:
            raise InvalidRequestException(
                "You tried to enable rotation on a secret that doesn't already have a Lambda"
                " function ARN configured and you didn't include such an ARN as a parameter in this"
                " call."
            )
        if self._driver is None or function_arn != self._driver.function_arn:
            raise SecretsManagerError(
                "AccessDeniedException",
                "Secrets Manager cannot invoke the specified Lambda function. Ensure that the"
                " function policy grants access to the principal secretsmanager.amazonaws.com",
            )
        token, test_only = self._token(), not self._get_param("RotateImmediately", True)
        begun = Versions(secret).begin_rotation(token, test_only=test_only, now=self._now)
        _configure(secret, function_arn, self._get_param("RotationRules"))
        if begun:
            self._driver.begin(secret.arn, token, test_only=test_only)
        return json.dumps({"ARN": secret.arn, "Name": secret.name, "VersionId": token})

    def _put(self, labels: Sequence[str]) -> str:
        secret, token = self._secret(), self._token()
        value = self._value()
        if len(value) != 1:
            raise InvalidRequestException("You must provide either SecretString or SecretBinary.")
        versions = Versions(secret)
        abandoned = versions.put(token, value, labels, now=self._now)
        if abandoned and self._driver:
            self._driver.abandoned(secret.arn)
        return json.dumps(_named(secret, token, versions.labels(token)))

    def _secret(self, *, deleted: bool = False) -> FakeSecret:
        """The secret that is asked for; one marked for deletion only where that may be."""
        secret = self._storage.secret(self._get_param("SecretId", ""), self.region)
        if secret.is_deleted() and not deleted:
            raise InvalidRequestException(
                "You can't perform this operation on the secret because it was marked for deletion."
            )
        return secret

    def _value(self) -> dict[str, str]:
        return {name: text for name in VALUES if (text := self._get_param(name)) is not None}

    def _token(self) -> str:
        token: str = self._get_param("ClientRequestToken") or str(uuid.uuid4())
        if not 32 <= len(token) <= 64:
            raise InvalidParameterException("ClientRequestToken must be 32-64 characters long.")
        return token

    def _get_param(self, param_name: str, if_none: Any = None) -> Any:
        value = self._parameters.get(param_name)
        return if_none if value is None else value


def _configure(secret: FakeSecret, function_arn: str, rules: Mapping[str, Any] | None) -> None:
    """Says which function rotates a secret, and how often; for DescribeSecret."""
    secret.rotation_requested = secret.rotation_enabled = True
    secret.rotation_lambda_arn = function_arn
    if rules and "AutomaticallyAfterDays" in rules:
        secret.auto_rotate_after_days = rules["AutomaticallyAfterDays"]


def _named(secret: FakeSecret, version_id: str, labels: Sequence[str]) -> dict[str, Any]:
    return {
        "ARN": secret.arn,
        "Name": secret.name,
        "VersionId": version_id,
        "VersionStages": list(labels),
    }
