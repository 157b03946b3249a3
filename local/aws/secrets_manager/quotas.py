"""The quotas of one secret, and the error of a call that exceeds one.

Sources:

* The page "AWS Secrets Manager quotas" of the user guide: 20 "staging labels attached across all
  versions of a secret" and about 100 versions. "Secrets Manager removes unlabeled versions when
  there are more than 100, but it does not remove versions created less than 24 hours ago."
* The API reference: a list of labels has 1 to 20 of them (SecretVersionStagesType), a label 1 to
  256 characters (SecretVersionStageType), a tag's key 1 to 128 (TagKeyType) and its value up to 256
  (TagValueType). InvalidParameterException is "The parameter name or value is invalid",
  LimitExceededException "The request failed because it would exceed one of the Secrets Manager
  quotas".
* "Service quotas for Tagging" in the General Reference, which TagResource refers to: 50 tags.

Undocumented: which error a 51st tag causes (TagResource lists no LimitExceededException, so it is
InvalidParameterException here); at which number of versions PutSecretValue fails ("~100" is 100
here); what happens at a quota that RotateSecret would exceed, as it lists no LimitExceededException
either (nothing, here).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from local.aws.secrets_manager import SecretsManagerError

TAGS = 50
TAG_KEY = 128
TAG_VALUE = 256
LABELS = 20
LABEL = 256
VERSIONS = 100
KEPT_SECONDS = 24 * 60 * 60.0
"""No version is removed that is younger."""


def check_tags(present: Sequence[Mapping[str, str]], added: Sequence[Mapping[str, str]]) -> None:
    """Checks the tags that TagResource adds to those that are `present`."""
    for tag in added:
        if not 1 <= len(tag["Key"]) <= TAG_KEY:
            raise _invalid(f"A tag key has 1 to {TAG_KEY} characters.")
        if len(tag.get("Value", "")) > TAG_VALUE:
            raise _invalid(f"A tag value has at most {TAG_VALUE} characters.")
    if len({tag["Key"] for tag in (*present, *added)}) > TAGS:
        raise _invalid(f"A secret has at most {TAGS} tags.")


def check_labels(labels: Sequence[str]) -> None:
    """Checks the labels in a request."""
    if not 1 <= len(labels) <= LABELS:
        raise _invalid(f"VersionStages has 1 to {LABELS} staging labels.")
    if not all(1 <= len(label) <= LABEL for label in labels):
        raise _invalid(f"A staging label has 1 to {LABEL} characters.")


def check_label_count(count: int) -> None:
    """Checks the number of labels that all versions of a secret would have."""
    if count > LABELS:
        raise SecretsManagerError(
            "LimitExceededException",
            "You exceeded the maximum number of staging labels allowed on a secret.",
        )


def check_version_count(count: int) -> None:
    """Checks the number of versions that a secret would have."""
    if count > VERSIONS:
        raise SecretsManagerError(
            "LimitExceededException", f"A secret has at most {VERSIONS} versions."
        )


def _invalid(message: str) -> SecretsManagerError:
    return SecretsManagerError("InvalidParameterException", message)
