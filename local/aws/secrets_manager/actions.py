"""Secrets Manager's actions: those of moto, corrected where moto differs from AWS.

This module imports moto, which takes almost a second.
"""

from __future__ import annotations

import functools
import inspect
import json
import threading
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from moto.core.utils import camelcase_to_underscores
from moto.secretsmanager.exceptions import (
    InvalidParameterException,
    InvalidRequestException,
    SecretsManagerClientError,
)
from moto.secretsmanager.models import (
    FakeSecret,
    SecretsManagerBackend,
    secretsmanager_backends,
)
from moto.secretsmanager.responses import SecretsManagerResponse

from local.aws.secrets_manager.conditions import Conditions, SecretsManagerError
from local.aws.secrets_manager.schedule import Schedule, check_rules
from local.aws.secrets_manager.versions import VALUES, Versions
from zego.secret_store import CURRENT, PENDING

KEPT_WRITES = 32
"""The most writes by which a read can lag."""
TAGS = 50
TAG_KEY = 128
TAG_VALUE = 256
"""Quotas of tags. Sources: TagKeyType and TagValueType in the API reference, "Service quotas for
Tagging" in the General Reference, to which TagResource refers. The error for a 51st tag is
undocumented; TagResource lists no LimitExceededException, so it is InvalidParameterException."""

_LAGGING = frozenset({"DescribeSecret", "GetSecretValue", "ListSecretVersionIds"})
_METHODS = frozenset(
    name
    for name, member in vars(SecretsManagerResponse).items()
    if inspect.isfunction(member) and not name.startswith("_")
)
"""The actions that moto has, by the names of their methods."""
_method_of = functools.cache(camelcase_to_underscores)

_NO_FUNCTION = (
    "You tried to enable rotation on a secret that doesn't already have a Lambda function ARN"
    " configured and you didn't include such an ARN as a parameter in this call."
)
_IN_PROGRESS = "A previous rotation isn't complete. That rotation will be reattempted."


class Driver(Protocol):
    """Runs rotations: `rotation.RotationDriver`."""

    @property
    def function_arn(self) -> str:
        """The only rotation function that a call may name."""

    def begin(self, secret_arn: str, token: str, *, test_only: bool) -> None:
        """Accepts a rotation that RotateSecret has begun."""

    def reattempt(self, secret_arn: str, token: str) -> None:
        """Runs a pending rotation again, unless it is running."""

    def cancel(self, token: str) -> None:
        """Runs no further step of a rotation."""

    def abandoned(self, secret_arn: str) -> None:
        """Reports that a new version ended a rotation."""


class Storage:
    """The secrets of one AWS account. Calls run one at a time.

    `driver` runs the rotations; without one no secret can be rotated. Its methods take the secret's
    ARN.
    """

    def __init__(
        self, account_id: str, region: str, clock: Callable[[], float], conditions: Conditions
    ) -> None:
        self.driver: Driver | None = None
        self.account_id = account_id
        #: Per region. Kept here, because moto goes through all accounts at each lookup.
        self.backends = secretsmanager_backends[account_id]
        self.region = region
        self.conditions = conditions
        self._clock = clock
        self._states: dict[str, deque[FakeSecret]] = {}
        """The latest states of each secret, by ARN, for reads that lag."""
        self._one_at_a_time = threading.RLock()

    def perform(
        self, action: str, parameters: Mapping[str, Any], *, region: str | None = None
    ) -> str:
        """Runs an action of the API. Returns its response as JSON."""
        with self._one_at_a_time:
            call = _ApiCall(self, action, parameters, region or self.region, self._clock())
            response = call.perform()
            if action not in _LAGGING:
                self._keep_state(call.region)
            return response

    def configure_rotation(self, secret_id: str, function_arn: str, *, days: int) -> None:
        """Configures a secret's rotation function and schedule, as template.yaml does."""
        with self._one_at_a_time:
            rules = {"AutomaticallyAfterDays": days}
            schedule = Schedule(self.secret(secret_id, self.region))
            schedule.turn_on(function_arn, rules, now=self._clock())
            self._keep_state(self.region)

    def in_rotation(self, secret_id: str, version_id: str) -> bool:
        """Whether this version is still in a rotation: it is pending or was promoted."""
        with self._one_at_a_time:
            versions = self._versions(secret_id)
            return version_id in (versions.holder(PENDING), versions.holder(CURRENT))

    def is_current(self, secret_id: str, version_id: str) -> bool:
        """Whether AWSCURRENT is on this version."""
        with self._one_at_a_time:
            return self._versions(secret_id).holder(CURRENT) == version_id

    def end_rotation(self, secret_id: str, version_id: str) -> bool:
        """Ends a rotation if it has promoted its version. Returns whether it has."""
        with self._one_at_a_time:
            ended = self._versions(secret_id).end_rotation(version_id)
            if ended:
                Schedule(self.secret(secret_id, self.region)).note_rotation(self._clock())
                self._keep_state(self.region)
            return ended

    def end_test(self, secret_id: str, version_id: str) -> None:
        """Removes the version that was made to test a rotation function."""
        with self._one_at_a_time:
            self._versions(secret_id).remove([version_id])
            self._keep_state(self.region)

    def secret(self, secret_id: str, region: str, *, writes_ago: int = 0) -> FakeSecret:
        """Returns the secret with this ARN or name, as it is or as it was some writes ago."""
        secret = self.backends[region].secrets.get(secret_id)
        if not isinstance(secret, FakeSecret):
            raise SecretsManagerError(
                "ResourceNotFoundException", "Secrets Manager can't find the specified secret."
            )
        states = self._states[secret.arn] if writes_ago else [secret]
        return states[max(0, len(states) - 1 - writes_ago)]

    def _versions(self, secret_id: str) -> Versions:
        return Versions(self.secret(secret_id, self.region), self.conditions)

    def _keep_state(self, region: str) -> None:
        """Keeps the state after a write, for reads that lag."""
        for secret in self.backends[region].secrets.values() if self.conditions.lag else ():
            if isinstance(secret, FakeSecret):
                states = self._states.setdefault(secret.arn, deque(maxlen=KEPT_WRITES + 1))
                if not states or vars(states[-1]) != vars(secret):
                    states.append(_copy(secret))


class _ApiCall(SecretsManagerResponse):
    """One API call, without HTTP. Actions that are not defined here are moto's."""

    def __init__(
        self,
        storage: Storage,
        action: str,
        parameters: Mapping[str, Any],
        region: str,
        now: float,
    ) -> None:
        # The parent's __init__ reads an HTTP request, of which only this is used.
        self.current_account = storage.account_id
        self.region = region
        self._storage = storage
        self._action = action
        self._parameters = parameters
        self._now = now

    @property
    def backend(self) -> SecretsManagerBackend:
        return self._storage.backends[self.region]

    def perform(self) -> str:
        """Runs the action. Returns its response as JSON. Raises `SecretsManagerError`."""
        name = _method_of(self._action)
        if name not in _METHODS:
            raise SecretsManagerError(
                "UnknownOperationException", f"{self._action} is not implemented here"
            )
        try:
            response: str = getattr(self, name)()
        except SecretsManagerClientError as error:
            raise SecretsManagerError(error.error_type, error.message) from None
        return response

    def create_secret(self) -> str:
        name, secrets = self._get_param("Name"), self.backend.secrets
        _check_tags([], self._get_param("Tags", []))
        is_new = name not in secrets
        response = super().create_secret()
        if is_new:
            for version in secrets[name].versions.values():
                version["createdate"] = self._now  # moto takes the time of day
        return response

    def get_secret_value(self) -> str:
        secret = self._secret()
        versions = self._versions(secret)
        version_id = versions.find(self._get_param("VersionId"), self._get_param("VersionStage"))
        response = _version_fields(secret, version_id, versions.labels(version_id))
        created = {"CreatedDate": versions.created_at(version_id)}
        return json.dumps(response | created | versions.value(version_id))

    def put_secret_value(self) -> str:
        return self._put(self._get_param("VersionStages", [CURRENT]))

    def update_secret(self) -> str:
        return self._put([CURRENT]) if self._value() else super().update_secret()

    def update_secret_version_stage(self) -> str:
        secret = self._secret()
        self._versions(secret).move(
            self._get_param("VersionStage"),
            remove_from=self._get_param("RemoveFromVersionId"),
            move_to=self._get_param("MoveToVersionId"),
        )
        return json.dumps(_fields(secret))

    def describe_secret(self) -> str:
        secret = self._secret(deleted=True)
        described = secret.to_dict() | Schedule(secret).described()
        described["VersionIdsToStages"] = self._versions(secret).labelled()
        described.pop("SecretVersionsToStages", None)  # ListSecrets' name for the same
        return json.dumps({name: value for name, value in described.items() if value is not None})

    def list_secret_version_ids(self) -> str:
        secret = self._secret(deleted=True)
        versions = self._versions(secret)
        ids = versions.with_value(deprecated=bool(self._get_param("IncludeDeprecated")))
        start, end = self._page()
        entries = [
            {
                "VersionId": id_,
                "VersionStages": versions.labels(id_),
                "CreatedDate": versions.created_at(id_),
            }
            for id_ in ids[start:end]
        ]
        more = {"NextToken": str(end)} if end < len(ids) else {}
        return json.dumps(_fields(secret) | {"Versions": entries} | more)

    def rotate_secret(self) -> str:
        secret = self._secret()
        rules = self._get_param("RotationRules")
        check_rules(rules or {})
        function_arn = self._get_param("RotationLambdaARN") or secret.rotation_lambda_arn
        if not function_arn:
            raise InvalidRequestException(_NO_FUNCTION)
        if self._storage.driver is None or function_arn != self._storage.driver.function_arn:
            raise SecretsManagerError(
                "AccessDeniedException",
                "Secrets Manager cannot invoke the specified Lambda function. Ensure that the"
                " function policy grants access to the principal secretsmanager.amazonaws.com",
            )
        token, test_only = self._token(), not self._get_param("RotateImmediately", True)
        versions = self._versions(secret)
        is_new = token not in versions  # otherwise the request was repeated
        if is_new and (pending := versions.pending()):
            self._storage.driver.reattempt(secret.arn, pending)
            raise InvalidRequestException(_IN_PROGRESS)
        Schedule(secret).turn_on(function_arn, rules, now=self._now)
        if is_new:
            versions.begin_rotation(token, test_only=test_only, now=self._now)
            self._storage.driver.begin(secret.arn, token, test_only=test_only)
        return json.dumps(_fields(secret) | {"VersionId": token})

    def cancel_rotate_secret(self) -> str:
        secret = self._secret()
        if not secret.rotation_lambda_arn:
            raise InvalidRequestException(_NO_FUNCTION)
        Schedule(secret).turn_off()
        pending = self._versions(secret).pending()
        if pending is None:
            return json.dumps(_fields(secret))
        if self._storage.driver:
            self._storage.driver.cancel(pending)
        return json.dumps(_fields(secret) | {"VersionId": pending})

    def tag_resource(self) -> str:
        _check_tags(self._secret().tags or [], self._get_param("Tags", []))
        return super().tag_resource()

    def untag_resource(self) -> str:
        self._secret()
        return super().untag_resource()

    def _put(self, labels: Sequence[str]) -> str:
        secret, token = self._secret(), self._token()
        value = self._value()
        if len(value) != 1:
            raise InvalidRequestException("You must provide either SecretString or SecretBinary.")
        versions = self._versions(secret)
        is_new = token not in versions  # otherwise it belongs to a rotation, or nothing changes
        abandoned = versions.put(token, value, labels, now=self._now)
        if is_new:
            Schedule(secret).note_value(self._now)
        if abandoned and self._storage.driver:
            self._storage.driver.abandoned(secret.arn)
        return json.dumps(_version_fields(secret, token, versions.labels(token)))

    def _secret(self, *, deleted: bool = False) -> FakeSecret:
        """Returns the request's secret. It may be marked for deletion only if `deleted`."""
        lag = self._storage.conditions.lag if self._action in _LAGGING else None
        writes_ago = lag(self._action) if lag else 0
        secret_id = self._get_param("SecretId", "")
        secret = self._storage.secret(secret_id, self.region, writes_ago=writes_ago)
        if secret.is_deleted() and not deleted:
            raise InvalidRequestException(
                "You can't perform this operation on the secret because it was marked for deletion."
            )
        return secret

    def _versions(self, secret: FakeSecret) -> Versions:
        return Versions(secret, self._storage.conditions)

    def _page(self) -> tuple[int, int]:
        """Returns the index of a page's first entry, and of the first one after the page."""
        size, token = self._get_param("MaxResults", 100), self._get_param("NextToken")
        if not 1 <= size <= 100:
            raise InvalidParameterException("MaxResults is a number from 1 to 100.")
        if token is None:
            return (0, 0) if self._storage.conditions.empty_first_page else (0, size)
        if not token.isdecimal():
            raise SecretsManagerError(
                "InvalidNextTokenException", "The NextToken value is invalid."
            )
        return int(token), int(token) + size

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


def _check_tags(present: Sequence[Mapping[str, str]], added: Sequence[Mapping[str, str]]) -> None:
    """Checks the tags that TagResource adds to those that are `present`."""
    for tag in added:
        if not 1 <= len(tag["Key"]) <= TAG_KEY:
            raise InvalidParameterException(f"A tag key has 1 to {TAG_KEY} characters.")
        if len(tag.get("Value", "")) > TAG_VALUE:
            raise InvalidParameterException(f"A tag value has at most {TAG_VALUE} characters.")
    if len({tag["Key"] for tag in (*present, *added)}) > TAGS:
        raise InvalidParameterException(f"A secret has at most {TAGS} tags.")


def _fields(secret: FakeSecret) -> dict[str, Any]:
    """The fields with which almost every response begins."""
    return {"ARN": secret.arn, "Name": secret.name}


def _version_fields(secret: FakeSecret, version_id: str, labels: Sequence[str]) -> dict[str, Any]:
    return _fields(secret) | {"VersionId": version_id, "VersionStages": list(labels)}


def _copy(secret: FakeSecret) -> FakeSecret:
    """Returns a copy of a secret that later writes do not change."""
    made = object.__new__(FakeSecret)  # moto's constructor would register it
    vars(made).update(vars(secret))
    made.versions = {
        id_: version | {"version_stages": list(version["version_stages"])}
        for id_, version in secret.versions.items()
    }
    return made
