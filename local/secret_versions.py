"""A secret's versions and their staging labels: AWS' rules, in moto's storage.

moto 5 has rules of its own; each of these has a test that is named after it, in
`tests/local_stack/test_secrets_manager.py`. Importing this imports moto, which takes most of a
second.

Sources: the Secrets Manager API reference, and AWS' own error texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from moto.secretsmanager.exceptions import (
    InvalidParameterException,
    InvalidRequestException,
    ResourceExistsException,
    ResourceNotFoundException,
    SecretStageVersionMismatchException,
)
from moto.secretsmanager.models import FakeSecret

from zego.secret_store.labels import CURRENT, PENDING, PREVIOUS

VALUES = {"SecretString": "secret_string", "SecretBinary": "secret_binary"}
"""The kinds of value that a version can have, with their names in moto's storage."""


class Versions:
    """The versions of one secret, and on which of them its labels are.

    A label is on one version at most. A change that is refused changes nothing.
    """

    def __init__(self, secret: FakeSecret) -> None:
        self._secret = secret
        self._versions = secret.versions

    def holder(self, label: str) -> str | None:
        """The id of the version that has a label."""
        return next((id_ for id_ in self._versions if label in self.labels(id_)), None)

    def labels(self, version_id: str) -> list[str]:
        """The labels of a version."""
        labels: list[str] = self._versions[version_id]["version_stages"]
        return labels

    def listed(self, *, deprecated: bool = False) -> dict[str, list[str]]:
        """The versions with their labels; the `deprecated` ones, which have none, if asked for."""
        all_of_them = {version_id: self.labels(version_id) for version_id in self._versions}
        return {id_: labels for id_, labels in all_of_them.items() if labels or deprecated}

    def created_at(self, version_id: str) -> float:
        """When a version was made, in Unix seconds."""
        return float(self._versions[version_id]["createdate"])

    def value(self, version_id: str) -> dict[str, str]:
        """A version's value under its name in the API; empty where it has none yet."""
        version = self._versions[version_id]
        return {name: version[key] for name, key in VALUES.items() if key in version}

    def find(self, version_id: str | None, label: str | None) -> str:
        """The id of the version that GetSecretValue means, which has a value."""
        if version_id is None:
            label = label or CURRENT
            found, asked = self.holder(label), f"staging label: {label}"
        else:
            found, asked = version_id, f"VersionId: {version_id}"
            if found in self._versions and label and label not in self.labels(found):
                raise SecretStageVersionMismatchException
        if found is None or found not in self._versions or not self.value(found):
            raise ResourceNotFoundException(
                f"Secrets Manager can't find the specified secret value for {asked}"
            )
        return found

    def put(
        self, version_id: str, value: Mapping[str, str], labels: Sequence[str], *, now: float
    ) -> str | None:
        """Stores a value, in a new version or in the one that a rotation has begun.

        Gives the version of the rotation that is abandoned by it, if any: a new current version
        takes AWSPENDING off another that is not current.
        """
        if version_id in self._versions and (present := self.value(version_id)):
            if present == value:
                return None
            raise ResourceExistsException(
                f"You can't use ClientRequestToken {version_id} because that value is already in"
                f" use for a version of secret {self._secret.arn}."
            )
        if not self._versions:
            labels = [*labels, CURRENT]
        self._add(version_id, value, now)
        for label in labels:
            self._attach(label, version_id)
        self._secret.last_changed_date = int(now)
        pending = self.holder(PENDING)
        if CURRENT not in labels or pending in (None, version_id):
            return None
        self._detach(PENDING)
        return pending

    def move(self, label: str, *, remove_from: str | None, move_to: str | None) -> None:
        """Moves a label, puts it on, or takes it off, if it is where the caller says it is."""
        holder = self.holder(label)
        for version_id in (remove_from, move_to):
            if version_id is not None and version_id not in self._versions:
                raise InvalidParameterException(f"Not a valid version: {version_id}")
        if remove_from is None and holder not in (None, move_to):
            raise InvalidParameterException(
                f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is"
                f" currently attached to version {holder}, so you must explicitly reference that"
                " version in RemoveFromVersionId."
            )
        if remove_from not in (None, holder):
            raise InvalidParameterException(
                f"Version stage {label} not found in version {remove_from}"
            )
        if move_to is not None:
            self._attach(label, move_to)
        elif label == CURRENT:
            raise InvalidParameterException(
                "You can only move staging label AWSCURRENT to a different secret version. It can't"
                " be completely removed."
            )
        else:
            self._detach(label)

    def begin_rotation(self, version_id: str, *, test_only: bool, now: float) -> bool:
        """Puts AWSPENDING on a new version: one without a value, or for a test with the present.

        False where it has begun before, for then this is the same request again.
        """
        if version_id in self._versions:
            return False
        current = self.holder(CURRENT)
        if self.holder(PENDING) not in (None, current):
            raise InvalidRequestException(
                "A previous rotation isn't complete. That rotation will be reattempted."
            )
        value = self.value(current) if test_only and current else {}
        self._add(version_id, value, now)
        self._attach(PENDING, version_id)
        return True

    def in_rotation(self, version_id: str) -> bool:
        """Whether a rotation to this version goes on: it is pending, or was promoted."""
        return version_id in (self.holder(PENDING), self.holder(CURRENT))

    def end_rotation(self, version_id: str, *, now: float) -> bool:
        """Takes AWSPENDING off the version if it was promoted, and tells whether it was."""
        if self.holder(CURRENT) != version_id:
            return False
        if self.holder(PENDING) == version_id:
            self._detach(PENDING)
        self._secret.last_rotation_date = int(now)
        return True

    def forget(self, version_id: str) -> None:
        """Removes the version of a test."""
        del self._versions[version_id]

    def _add(self, version_id: str, value: Mapping[str, str], now: float) -> None:
        new = {"version_id": version_id, "createdate": now, "version_stages": []}
        version = self._versions.setdefault(version_id, new)
        version.update({VALUES[name]: text for name, text in value.items()})

    def _attach(self, label: str, version_id: str) -> None:
        """Puts a label on a version, wherever it was. AWSPREVIOUS follows AWSCURRENT."""
        holder = self.holder(label)
        if holder == version_id:
            return
        self._detach(label)
        self.labels(version_id).append(label)
        if label == CURRENT:
            self._secret.set_default_version_id(version_id)
            self._detach(PREVIOUS)
            if holder is not None:
                self.labels(holder).append(PREVIOUS)

    def _detach(self, label: str) -> None:
        holder = self.holder(label)
        if holder is not None:
            self.labels(holder).remove(label)
