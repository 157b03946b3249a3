"""The versions of the ServerSecret and their labels: read them, stage one, promote it.

Nothing here decides whether a version may be promoted: the rotator does. Only what is one call of
Secrets Manager is atomic: :meth:`SecretVersions.promote` compares and swaps.

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

#: For the client: a response within seconds or an error, and retries of temporary failures.
CLIENT_CONFIG: Final = Config(
    connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 3}
)
#: How long one call takes at most, in seconds: three attempts of 2 + 3 s, and between them the
#: pauses of botocore's standard mode, of up to 1 and 2 s.
SLOWEST_CALL_SECONDS: Final = 18


class SecretStoreError(Exception):
    """Secrets Manager refused a call or was not reached. Safe to log.

    :ivar code: AWS' error code, or the kind of failure if no response came.
    :ivar action: the call, by boto3's name; empty if there was none.
    """

    def __init__(self, message: str, code: str = "", action: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.action = action


class NoResponseError(SecretStoreError):
    """No response came: the call may have taken effect, or may not."""


class VersionNotFoundError(SecretStoreError):
    """The version does not exist, or has no value yet."""


class NotTextError(SecretStoreError):
    """The version's value is binary, which no ServerSecret is.

    :ivar created_at: of the version, Unix seconds.
    """

    def __init__(self, created_at: float) -> None:
        super().__init__("the version's value is binary; a ServerSecret is stored as text")
        self.created_at = created_at


class ConflictError(SecretStoreError):
    """The label is not where the caller saw it, or the version has another value."""


class RotationInFlightError(SecretStoreError):
    """A rotation has begun and has not ended: AWSPENDING is on a version that is not current."""


class AlreadyCurrentError(SecretStoreError):
    """The value to be staged is the current one."""


@dataclass(frozen=True, slots=True)
class SecretState:
    """What Secrets Manager says of the secret, without its values.

    :ivar labels: each staging label with the id of the version it is on, FILLED left out.
    :ivar tags: see :mod:`zego.secret_store.notes`.
    :ivar rotation_function: ARN of the function that rotates it; ``None``: none does.
    :ivar kms_key: id, ARN or alias of the KMS key that encrypts it; ``None``: AWS' own,
        ``aws/secretsmanager``.
    :ivar is_rotation_off: whether somebody called CancelRotateSecret. RotateSecret turns rotation
        on again.
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

    :ivar created_at: Unix seconds; ``None`` for one that has no value yet.
    :ivar secret: ``None`` if it has no value, or one that cannot be a ServerSecret.
    :ivar problem: why there is no secret.
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
    """The secret that says which AppID this is: AWSCURRENT, or AWSPREVIOUS if that is none.

    :returns: ``None``: nothing was set up yet, or both were overwritten.
    """
    return next((one.secret for one in (current, previous) if one and one.secret), None)


class SecretVersions:
    """One secret, through a boto3 client that was made with :data:`CLIENT_CONFIG`.

    Every method raises :class:`SecretStoreError` if Secrets Manager refuses or does not respond.

    :param secret_id: ARN or name.
    """

    def __init__(self, client: SecretsManagerClient, secret_id: str) -> None:
        self._client = client
        self._secret_id = secret_id

    def describe(self) -> SecretState:
        """Labels, tags and rotation, without any value. It can lag behind a change."""
        answer = self._call("describe_secret")
        labels = {
            label: version
            for version, stages in answer.get("VersionIdsToStages", {}).items()
            for label in stages
            if label != FILLED
        }
        tags = {tag["Key"]: tag["Value"] for tag in answer.get("Tags") or ()}
        function, key = (answer.get(name) or None for name in ("RotationLambdaARN", "KmsKeyId"))
        is_off = function is not None and answer.get("RotationEnabled") is False
        return SecretState(answer["ARN"], labels, tags, function, key, is_off)

    def read(self, *, version_id: str | None = None, label: str | None = None) -> SecretValue:
        """One version's value, by its id, its label, or both, which must agree.

        :raises VersionNotFoundError: there is none, or it has no value yet.
        :raises NotTextError: its value is binary.
        """
        which = {"VersionId": version_id, "VersionStage": label}
        named = {name: value for name, value in which.items() if value is not None}
        if not named:
            raise TypeError("read() needs a version_id or a label")
        answer = self._call("get_secret_value", **named)
        created_at = answer["CreatedDate"].timestamp()
        if "SecretString" not in answer:
            raise NotTextError(created_at)
        return SecretValue(answer["SecretString"], answer["VersionId"], created_at)

    def version(self, state: SecretState, label: str) -> Version | None:
        """The version that has a label; ``None`` if none has it."""
        version_id = state.labels.get(label)
        return None if version_id is None else self._version(state, version_id)

    def versions(self, state: SecretState) -> tuple[Version, ...]:
        """Every version that has a label, the newest first."""
        found = [
            self._version(state, version_id) for version_id in dict.fromkeys(state.labels.values())
        ]
        return tuple(sorted(found, key=lambda version: -(version.created_at or float("inf"))))

    def stage(self, secret: ServerSecret) -> str:
        """Store a secret as the candidate of the next rotation; gives its version's id.

        What was staged before loses its label, and with it its place.

        :raises RotationInFlightError: that rotation might still copy the new value, or the old one.
        :raises AlreadyCurrentError: there is nothing to rotate.
        """
        state = self.describe()
        if state.in_flight is not None:
            raise RotationInFlightError(
                f"nothing can be staged while a rotation is in flight (version {state.in_flight})"
            )
        if CURRENT not in state.labels:  # Secrets Manager makes the first version current at once
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
        """Start a rotation; gives its token, which is the id of the version it makes.

        :param token: see :class:`zego.rotation.CopyToken`; ``None``: one that copies CANDIDATE.
        :raises RotationInFlightError: the last one has not ended.
        """
        token = token or str(uuid.uuid4())
        try:
            self._call("rotate_secret", ClientRequestToken=token)
        except SecretStoreError as error:
            if self._has_begun(token):
                return token  # boto3 repeated the call, as the first response was lost
            if error.code != _NOT_NOW:
                raise
            raise RotationInFlightError(str(error), error.code, error.action) from None
        return token

    def fill_pending(self, token: str, text: str, *, rotation_token: str | None = None) -> None:
        """Give the version that a rotation has begun its value, and leave AWSPENDING where it is.

        :param rotation_token: of the rotation's event, if it has one: it proves who calls, for a
            function that assumes another account's role.
        :raises ConflictError: it has another value already.
        """
        self._put(token, text, FILLED, rotation_token)

    def promote(self, version_id: str, *, replacing: str) -> None:
        """Move AWSCURRENT, if it still is on ``replacing``. AWSPREVIOUS follows by itself.

        :raises ConflictError: it is elsewhere by now, and stays there.
        """
        self._move(CURRENT, to=version_id, off=replacing)

    def drop_label(self, label: str, *, version_id: str) -> None:
        """Take a label off a version.

        :raises ConflictError: it is not there any more.
        """
        self._move(label, off=version_id)

    def note(self, key: str, text: str) -> None:
        """Keep a note; see :mod:`zego.secret_store.notes`."""
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
        except ConflictError:  # also if boto3 repeated the call, as the first response was lost
            if to is None or self.describe().labels.get(label) != to:
                raise

    def _call(self, action: str, **parameters: object) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client, action)(
                SecretId=self._secret_id, **parameters
            )
        except ClientError as error:
            raise _refusal(action, error) from None
        except (HTTPClientError, BotoConnectionError, IncompleteReadError) as error:
            kind = type(error).__name__
            raise NoResponseError(f"{action}: no answer ({kind})", kind, action) from None
        except BotoCoreError as error:  # its text could show a parameter
            kind = type(error).__name__
            raise SecretStoreError(f"{action}: could not be asked ({kind})", kind, action) from None
        return answer


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
    ("put_secret_value", _EXISTS): "the version has another value already",
    ("update_secret_version_stage", _INVALID): "the label is not where it was",
    ("rotate_secret", _NOT_NOW): "not now: the last rotation has not ended, or none is configured",
}
