"""The two Secrets Manager calls that the issuer makes: ``GetSecretValue``, and a secret's tags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from zego.aws import AwsClient, AwsError, unreadable

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SecretValue:
    """One version of a secret.

    :ivar created_at: when this version was stored, Unix seconds.
    """

    text: str = field(repr=False)
    version_id: str
    created_at: float


class SecretVersion(NamedTuple, Generic[_T]):
    """One version of a secret whose text is valid.

    :ivar secret: what the text contains.
    :ivar created_at: when it was stored, Unix seconds.
    """

    secret: _T
    version_id: str
    created_at: float

    @classmethod
    def parse(cls, value: SecretValue, parser: Callable[[str], _T]) -> SecretVersion[_T]:
        """Read the text of a version with a parser, and let its errors through."""
        return cls(parser(value.text), value.version_id, value.created_at)


class SecretsReader:
    """Reads secrets, each by its ARN or name.

    :param secrets_manager: in the region of the secrets.
    """

    def __init__(self, secrets_manager: AwsClient) -> None:
        self._secrets_manager = secrets_manager

    def get_secret_value(self, secret_id: str, *, version_stage: str) -> SecretValue:
        """Read the version that has the staging label.

        :param version_stage: a label such as ``AWSCURRENT``.
        :raises AwsError: refused, unreachable, too slow, or without a text value.
        """
        parameters = {"SecretId": secret_id, "VersionStage": version_stage}
        values = self._secrets_manager.call("GetSecretValue", parameters)
        try:
            text, version_id = values["SecretString"], values["VersionId"]
            created_at = float(values["CreatedDate"])
        except KeyError:
            raise _no_text() from None
        except (ValueError, TypeError, OverflowError):
            raise unreadable() from None
        if not isinstance(text, str) or not isinstance(version_id, str):
            raise _no_text()
        return SecretValue(text, version_id, created_at)

    def describe_tags(self, secret_id: str) -> dict[str, str]:
        """Read the secret's tags.

        :raises AwsError: refused, unreachable, too slow, or not a valid response.
        """
        values = self._secrets_manager.call("DescribeSecret", {"SecretId": secret_id})
        try:
            return {str(tag["Key"]): str(tag["Value"]) for tag in values.get("Tags", ())}
        except (KeyError, TypeError):
            raise unreadable() from None


def _no_text() -> AwsError:
    return AwsError("NoText", "the version has no text value")
