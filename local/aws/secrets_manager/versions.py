"""A secret's versions and their staging labels: AWS' rules and quotas, in moto's storage.

moto 5 has other rules. Each of these has a test that is named after it, in
`tests/local/aws/secrets_manager/test_versions.py`. This module imports moto, which takes almost a
second.

Sources:

* The Secrets Manager API reference, AWS' own error texts, and "Log events with CloudTrail" in the
  user guide for what abandons a rotation.
* The page "AWS Secrets Manager quotas" of the user guide: 20 "staging labels attached across all
  versions of a secret" and about 100 versions. "Secrets Manager removes unlabeled versions when
  there are more than 100, but it does not remove versions created less than 24 hours ago."
* The API reference: a list of labels has 1 to 20 of them (SecretVersionStagesType), a label 1 to
  256 characters (SecretVersionStageType). InvalidParameterException is "The parameter name or value
  is invalid", LimitExceededException "The request failed because it would exceed one of the Secrets
  Manager quotas".

Undocumented: at which number of versions PutSecretValue fails (AWS writes "~100"; here it is 100),
and what happens if RotateSecret would exceed a quota, as it lists no LimitExceededException (here,
nothing).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from moto.secretsmanager.exceptions import (
    InvalidParameterException,
    ResourceExistsException,
    ResourceNotFoundException,
    SecretStageVersionMismatchException,
)
from moto.secretsmanager.models import FakeSecret

from local.aws.secrets_manager.conditions import Conditions, SecretsManagerError
from zego.secret_store import CURRENT, PENDING, PREVIOUS

LABELS = 20
"""The maximum number of labels on all versions of a secret, and in a request."""
LABEL = 256
"""The maximum length of a label."""
VERSIONS = 100
KEPT_SECONDS = 24 * 60 * 60.0
"""Younger versions are not removed."""
VALUES = {"SecretString": "secret_string", "SecretBinary": "secret_binary"}
"""The kinds of values, with their names in moto's storage."""


class Versions:
    """The versions of one secret and their labels.

    A label is on one version at most. A refused change has no effect.
    """

    def __init__(self, secret: FakeSecret, conditions: Conditions) -> None:
        self._secret = secret
        self._versions = secret.versions
        self._conditions = conditions

    def __contains__(self, version_id: str) -> bool:
        return version_id in self._versions

    def holder(self, label: str) -> str | None:
        """Returns the id of the version with this label, if any."""
        return next((id_ for id_ in self._versions if label in self.labels(id_)), None)

    def labels(self, version_id: str) -> list[str]:
        """Returns the labels of a version."""
        labels: list[str] = self._versions[version_id]["version_stages"]
        return labels

    def labelled(self) -> dict[str, list[str]]:
        """Returns the labels per version; versions without a label are omitted."""
        return {id_: labels for id_ in self._versions if (labels := self.labels(id_))}

    def with_value(self, *, deprecated: bool) -> list[str]:
        """Returns the ids of the versions with a value.

        Versions without a label are deprecated; they are included only if `deprecated`.
        """
        return [
            id_ for id_ in self._versions if (deprecated or self.labels(id_)) and self.value(id_)
        ]

    def created_at(self, version_id: str) -> float:
        """Returns the creation time of a version, in Unix seconds."""
        return float(self._versions[version_id]["createdate"])

    def value(self, version_id: str) -> dict[str, str]:
        """Returns a version's value under its name in the API; empty before it has a value."""
        version = self._versions[version_id]
        return {name: version[key] for name, key in VALUES.items() if key in version}

    def find(self, version_id: str | None, label: str | None) -> str:
        """Returns the id of the version that GetSecretValue asks for. It must have a value."""
        if version_id is None:
            label = label or CURRENT
            found, wanted = self.holder(label), f"staging label: {label}"
        else:
            found, wanted = version_id, f"VersionId: {version_id}"
            if found in self._versions and label and label not in self.labels(found):
                raise SecretStageVersionMismatchException
        if found is None or found not in self._versions or not self.value(found):
            raise ResourceNotFoundException(
                f"Secrets Manager can't find the specified secret value for {wanted}"
            )
        return found

    def put(
        self, version_id: str, value: Mapping[str, str], labels: Sequence[str], *, now: float
    ) -> str | None:
        """Stores a value and attaches labels to its version.

        Returns the version of the rotation that this abandons, if any. It does nothing if the
        version already has this value.
        """
        _check_labels(labels)
        if version_id in self._versions and (present := self.value(version_id)):
            if present == value:
                return None
            raise ResourceExistsException(
                f"You can't use ClientRequestToken {version_id} because that value is already in"
                f" use for a version of secret {self._secret.arn}."
            )
        if not self._versions:
            labels = [*labels, CURRENT]
        self._check_label_count(labels, version_id)
        if version_id not in self._versions:
            self._make_room(now, check=True)
        self._add(version_id, value, now)
        for label in labels:
            self._attach(label, version_id)
        self._secret.last_changed_date = int(now)
        abandoned = self._abandoned(version_id, labels)
        if abandoned:
            self._detach(PENDING)
        self._delete_unlabelled()
        return abandoned

    def move(self, label: str, *, remove_from: str | None, move_to: str | None) -> None:
        """Moves, attaches or removes a label, if it is on the version that the caller names."""
        _check_labels([label])
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
            self._check_label_count([label], move_to)
            self._attach(label, move_to)
        elif label == CURRENT:
            raise InvalidParameterException(
                "You can only move staging label AWSCURRENT to a different secret version. It can't"
                " be completely removed."
            )
        else:
            self._detach(label)
        self._delete_unlabelled()

    def pending(self) -> str | None:
        """Returns the version of the rotation in progress: it has AWSPENDING, not AWSCURRENT."""
        pending = self.holder(PENDING)
        return None if pending == self.holder(CURRENT) else pending

    def begin_rotation(self, version_id: str, *, test_only: bool, now: float) -> None:
        """Attaches AWSPENDING to a new version.

        It has no value, or AWSCURRENT's value if `test_only`.
        """
        current = self.holder(CURRENT)
        self._make_room(now, check=False)
        self._add(version_id, self.value(current) if test_only and current else {}, now)
        self._attach(PENDING, version_id)
        self._delete_unlabelled()

    def end_rotation(self, version_id: str) -> bool:
        """Removes AWSPENDING from the version if it was promoted. Returns whether it was."""
        if self.holder(CURRENT) != version_id:
            return False
        if self.holder(PENDING) == version_id and not self._conditions.keep_pending:
            self._detach(PENDING)
        return True

    def remove(self, version_ids: Iterable[str]) -> None:
        """Removes those of the versions that still exist."""
        for version_id in version_ids:
            self._versions.pop(version_id, None)

    def _abandoned(self, version_id: str, labels: Sequence[str]) -> str | None:
        """Returns the version that loses AWSPENDING because another version got a value."""
        pending = self.holder(PENDING)
        if pending == version_id:
            return None
        if CURRENT in labels:
            return pending
        return self.pending() if self._conditions.abandon_on_any_version else None

    def _check_label_count(self, labels: Sequence[str], version_id: str) -> None:
        """Checks the total number of labels once this version has these."""
        count = {label for attached in self.labelled().values() for label in attached}
        count.update(labels)
        if CURRENT in labels and self.holder(CURRENT) not in (None, version_id):
            count.add(PREVIOUS)
        if len(count) > LABELS:
            raise SecretsManagerError(
                "LimitExceededException",
                "You exceeded the maximum number of staging labels allowed on a secret.",
            )

    def _make_room(self, now: float, *, check: bool) -> None:
        """Removes the oldest deprecated versions so that one more version fits.

        If that is not enough, it refuses the new version, if `check` is set.
        """
        excess = len(self._versions) + 1 - VERSIONS
        if excess <= 0:
            return
        old = [
            id_
            for id_ in self._versions
            if not self.labels(id_) and self.created_at(id_) <= now - KEPT_SECONDS
        ]
        if check and len(old) < excess:
            raise SecretsManagerError(
                "LimitExceededException", f"A secret has at most {VERSIONS} versions."
            )
        self.remove(old[:excess])

    def _delete_unlabelled(self) -> None:
        if self._conditions.delete_unlabelled:
            self.remove([id_ for id_ in self._versions if not self.labels(id_)])

    def _add(self, version_id: str, value: Mapping[str, str], now: float) -> None:
        new = {"version_id": version_id, "createdate": now, "version_stages": []}
        version = self._versions.setdefault(version_id, new)
        version.update({VALUES[name]: text for name, text in value.items()})

    def _attach(self, label: str, version_id: str) -> None:
        """Attaches a label to one version only. AWSPREVIOUS follows AWSCURRENT."""
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


def _check_labels(labels: Sequence[str]) -> None:
    """Checks the labels in a request."""
    if not 1 <= len(labels) <= LABELS:
        raise InvalidParameterException(f"VersionStages has 1 to {LABELS} staging labels.")
    if not all(1 <= len(label) <= LABEL for label in labels):
        raise InvalidParameterException(f"A staging label has 1 to {LABEL} characters.")
