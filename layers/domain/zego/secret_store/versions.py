"""Reads, stages and promotes the versions of the ServerSecret, and moves their labels.

This module does not decide whether a version may be promoted: the rotator does. Only a single call
of Secrets Manager is atomic: :meth:`SecretVersions.promote` compares and swaps.

Source: the Secrets Manager API reference.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
)
from botocore.exceptions import (
    ConnectionError as BotoConnectionError,
)

from zego import server_secret, strict_json
from zego.secret_store import CANDIDATE, CURRENT, FILLED, PENDING
from zego.secrets_manager import SecretValue
from zego.server_secret import ServerSecret, ServerSecretError

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

#: The client's configuration: it fails within seconds, and retries temporary failures.
CLIENT_CONFIG: Final = Config(
    connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3}
)
#: The longest time that one call takes, in seconds: three attempts of 2 + 3 s, and between them the
#: pauses of botocore's standard mode, up to 1 and 2 s.
SLOWEST_CALL_SECONDS: Final = 18


class SecretStoreError(Exception):
    """Secrets Manager refused a call or could not be reached. Safe to log.

    :ivar code: AWS' error code, or the kind of failure if no response came.
    :ivar action: boto3's name of the call; empty if no call was made.
    """

    def __init__(self, message: str, code: str = "", action: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.action = action


class NoResponseError(SecretStoreError):
    """No response came. The call may have taken effect or not."""


class VersionNotFoundError(SecretStoreError):
    """The version does not exist, or has no value yet."""


class NotTextError(SecretStoreError):
    """The version's value is binary, so it is not a ServerSecret.

    :ivar created_at: when the version was stored, Unix seconds.
    """

    def __init__(self, created_at: float) -> None:
        super().__init__("the version's value is binary; a ServerSecret is stored as text")
        self.created_at = created_at


class ConflictError(SecretStoreError):
    """The label is no longer on that version, or the version already has another value."""


class RotationInFlightError(SecretStoreError):
    """A rotation has begun and has not ended: AWSPENDING is on a version that is not current."""


class AlreadyCurrentError(SecretStoreError):
    """The value to stage is already the current one."""


@dataclass(frozen=True, slots=True)
class SecretState:
    """The secret as DescribeSecret shows it, without its values.

    :ivar labels: each staging label, except FILLED, with the id of its version.
    :ivar tags: see :mod:`zego.secret_store.notes`.
    :ivar rotation_function: ARN of the function that rotates it; ``None`` if no function does.
    :ivar kms_key: id, ARN or alias of the KMS key that encrypts it; ``None`` means AWS' own,
        ``aws/secretsmanager``.
    :ivar is_rotation_off: whether CancelRotateSecret turned rotation off. RotateSecret turns it on
        again.
    """

    arn: str
    labels: Mapping[str, str]
    tags: Mapping[str, str]
    rotation_function: str | None
    kms_key: str | None = None
    is_rotation_off: bool = False

    @property
    def in_flight(self) -> str | None:
        """The id of the version that a rotation is about to promote."""
        pending = self.labels.get(PENDING)
        return None if pending == self.labels.get(CURRENT) else pending


@dataclass(frozen=True, slots=True)
class Version:
    """A version with its labels.

    :ivar created_at: when its value was stored, Unix seconds; ``None`` if it has no value yet.
    :ivar secret: ``None`` if it has no value, or one that is not a valid ServerSecret.
    :ivar problem: why ``secret`` is ``None``.
    """

    version_id: str
    labels: tuple[str, ...]
    created_at: float | None
    secret: ServerSecret | None
    problem: str | None = None

    @property
    def fingerprint(self) -> str | None:
        return None if self.secret is None else self.secret.fingerprint


def whose(current: Version | None, previous: Version | None) -> ServerSecret | None:
    """The secret whose AppID counts: AWSCURRENT, or AWSPREVIOUS if AWSCURRENT is not valid.

    :returns: ``None`` if neither is valid: no secret was stored yet, or both were overwritten.
    """
    return next((one.secret for one in (current, previous) if one and one.secret), None)


class SecretVersions:
    """One secret, through a boto3 client that was created with :data:`CLIENT_CONFIG`.

    Every method raises :class:`SecretStoreError` if Secrets Manager refuses or does not respond.

    :param secret_id: ARN or name.
    """

    def __init__(self, client: SecretsManagerClient, secret_id: str) -> None:
        self._client = client
        self._secret_id = secret_id

    def describe(self) -> SecretState:
        """Read labels, tags and rotation, without any value. This can lag behind a change."""
        found = self._call("describe_secret")
        labels = {
            label: version
            for version, stages in found.get("VersionIdsToStages", {}).items()
            for label in stages
            if label != FILLED
        }
        tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags") or ()}
        function, key = (found.get(name) or None for name in ("RotationLambdaARN", "KmsKeyId"))
        is_off = function is not None and found.get("RotationEnabled") is False
        return SecretState(found["ARN"], labels, tags, function, key, is_off)

    def read(self, *, version_id: str | None = None, label: str | None = None) -> SecretValue:
        """Read one version's value, by its id, its label, or both, which must agree.

        :raises VersionNotFoundError: the version does not exist, or has no value yet.
        :raises NotTextError: its value is binary.
        """
        which = {"VersionId": version_id, "VersionStage": label}
        named = {name: value for name, value in which.items() if value is not None}
        if not named:
            raise TypeError("read() needs a version_id or a label")
        found = self._call("get_secret_value", **named)
        created_at = found["CreatedDate"].timestamp()
        if "SecretString" not in found:
            raise NotTextError(created_at)
        return SecretValue(found["SecretString"], found["VersionId"], created_at)

    def version(self, state: SecretState, label: str) -> Version | None:
        """The version that has a label; ``None`` if no version has it."""
        version_id = state.labels.get(label)
        return None if version_id is None else self._version(state, version_id)

    def versions(self, state: SecretState) -> tuple[Version, ...]:
        """Every version that has a label, the newest first."""
        found = [
            self._version(state, version_id) for version_id in dict.fromkeys(state.labels.values())
        ]
        return tuple(sorted(found, key=lambda version: -(version.created_at or float("inf"))))

    def stage(self, secret: ServerSecret) -> str:
        """Stage a secret as the candidate of the next rotation. Returns its version's id.

        This replaces the value that was staged before.

        :raises RotationInFlightError: that rotation might copy the new value or the old one.
        :raises AlreadyCurrentError: there is nothing to rotate.
        """
        state = self.describe()
        if state.in_flight is not None:
            raise RotationInFlightError(
                f"nothing can be staged while a rotation is in flight (version {state.in_flight})"
            )
        if CURRENT not in state.labels:  # then Secrets Manager would make the new version current
            raise SecretStoreError(
                "the secret has no AWSCURRENT version; store a placeholder first"
            )
        current = self.version(state, CURRENT)
        if current is not None and current.secret == secret:
            raise AlreadyCurrentError(
                f"the value with fingerprint {secret.fingerprint} is already current"
            )
        version_id = str(uuid.uuid4())
        value = {"app_id": secret.app_id, "server_secret": secret.value}
        self._put(version_id, strict_json.dumps(value), CANDIDATE)
        return version_id

    def start_rotation(self, token: str | None = None) -> str:
        """Start a rotation. Returns its token, which is the id of the version that it creates.

        :param token: see :class:`zego.rotation.CopyToken`; ``None`` copies CANDIDATE.
        :raises RotationInFlightError: the last rotation has not ended.
        """
        token = token or str(uuid.uuid4())
        try:
            self._call("rotate_secret", ClientRequestToken=token)
        except SecretStoreError as error:
            if self._has_begun(token):
                return token  # boto3 repeated the call because the first response was lost
            if error.code != _NOT_NOW:
                raise
            raise RotationInFlightError(str(error), error.code, error.action) from None
        return token

    def fill_pending(self, token: str, text: str, *, rotation_token: str | None = None) -> None:
        """Store the value of the version that a rotation has begun. AWSPENDING stays where it is.

        :param rotation_token: from the rotation's event, if it has one: it proves the caller's
            identity if the function assumes a role in another account.
        :raises ConflictError: the version already has another value.
        """
        self._put(token, text, FILLED, rotation_token)

    def promote(self, version_id: str, *, replacing: str) -> None:
        """Move AWSCURRENT if it is still on ``replacing``. Secrets Manager moves AWSPREVIOUS too.

        :raises ConflictError: AWSCURRENT is on another version, and stays there.
        """
        self._move(CURRENT, to=version_id, off=replacing)

    def drop_label(self, label: str, *, version_id: str) -> None:
        """Remove a label from a version.

        :raises ConflictError: the label is no longer on that version.
        """
        self._move(label, off=version_id)

    def note(self, key: str, text: str) -> None:
        """Write a note; see :mod:`zego.secret_store.notes`."""
        self._call("tag_resource", Tags=[{"Key": key, "Value": text}])

    def _has_begun(self, token: str) -> bool:
        try:
            return self.describe().labels.get(PENDING) == token
        except SecretStoreError:
            return False

    def _version(self, state: SecretState, version_id: str) -> Version:
        labels = tuple(label for label, version in state.labels.items() if version == version_id)
        try:
            value = self.read(version_id=version_id)
        except VersionNotFoundError:
            return Version(version_id, labels, None, None, "it has no value yet")
        except NotTextError as error:
            return Version(version_id, labels, error.created_at, None, str(error))
        try:
            secret = server_secret.parse(value.text)
        except ServerSecretError as error:
            return Version(version_id, labels, value.created_at, None, str(error))
        return Version(version_id, labels, value.created_at, secret)

    def _put(self, token: str, text: str, label: str, rotation_token: str | None = None) -> None:
        parameters = {"RotationToken": rotation_token} if rotation_token else {}
        self._call(
            "put_secret_value",
            ClientRequestToken=token,
            SecretString=text,
            VersionStages=[label],
            **parameters,
        )

    def _move(self, label: str, *, to: str | None = None, off: str | None = None) -> None:
        ends = {"MoveToVersionId": to, "RemoveFromVersionId": off}
        named = {name: version for name, version in ends.items() if version is not None}
        try:
            self._call("update_secret_version_stage", VersionStage=label, **named)
        except ConflictError:  # also if boto3 repeated a call whose first response was lost
            if to is None or self.describe().labels.get(label) != to:
                raise

    def _call(self, action: str, **parameters: object) -> dict[str, Any]:
        try:
            response: dict[str, Any] = getattr(self._client, action)(
                SecretId=self._secret_id, **parameters
            )
        except ClientError as error:
            raise _refusal(action, error) from None
        except (HTTPClientError, BotoConnectionError, IncompleteReadError) as error:
            kind = type(error).__name__
            raise NoResponseError(f"{action}: no response ({kind})", kind, action) from None
        except BotoCoreError as error:  # its text could show a parameter
            kind = type(error).__name__
            raise SecretStoreError(f"{action}: the call failed ({kind})", kind, action) from None
        return response


def _refusal(action: str, error: ClientError) -> SecretStoreError:
    code = error.response.get("Error", {}).get("Code", "")
    kind = _KINDS.get((action, code), SecretStoreError)
    return kind(f"{action}: {_MEANINGS.get((action, code), code)}", code, action)


_NOT_FOUND: Final = "ResourceNotFoundException"
_INVALID: Final = "InvalidParameterException"
_NOT_NOW: Final = "InvalidRequestException"
_EXISTS: Final = "ResourceExistsException"

_KINDS: Final[Mapping[tuple[str, str], type[SecretStoreError]]] = {
    ("get_secret_value", _NOT_FOUND): VersionNotFoundError,
    ("put_secret_value", _EXISTS): ConflictError,
    ("update_secret_version_stage", _INVALID): ConflictError,
}
_MEANINGS: Final[Mapping[tuple[str, str], str]] = {
    ("get_secret_value", _NOT_FOUND): "no such secret or version, or it has no value yet",
    ("put_secret_value", _EXISTS): "the version already has another value",
    ("update_secret_version_stage", _INVALID): "the label has moved in the meantime",
    ("rotate_secret", _NOT_NOW): "not now: the last rotation has not ended, or none is configured",
}
