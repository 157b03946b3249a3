"""How a command ends: exit codes, failures, and a message and a remedy for every exception.

:class:`ExitCode` is the table of ``zego-token --help`` and of ``docs/rotation.md``.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

    from zego.secret_store.versions import SecretStoreError


class ExitCode(IntEnum):
    """The exit code, with its meaning."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    DONE = 0, "success; every check passed"
    REFUSED = 1, "refused (by the service or by ZEGO), or a check failed"
    USAGE = 2, "wrong usage (see --help), or the input cannot be read"
    UNDECIDED = 3, "undecided: no verdict from ZEGO, unfinished rotation or unreadable file"
    DRIFT = 4, "the targets have different secrets, or one cannot be read"
    AWS = 5, "AWS refused or was not reached, or no rotation is set up (see message)"
    IN_FLIGHT = 6, "a rotation is in flight; status found no other problem"
    BROKEN = 70, "zego-token itself failed"
    UNWRITTEN = 74, "the output cannot be written (disk full); nothing was changed"
    INTERRUPTED = 130, "interrupted by Ctrl-C (watch exits with 0), or you answered no"
    UNREAD = 141, "the output was closed (a broken pipe); nothing was changed"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a command failed, and what to do. Contains no secret.

    :ivar remedy: what to do next; empty if the message says it.
    """

    message: str
    remedy: str
    exit_code: ExitCode


class CommandError(Exception):
    """Ends the command. The texts contain no secret."""

    def __init__(
        self, message: str, remedy: str = "", exit_code: ExitCode = ExitCode.REFUSED
    ) -> None:
        super().__init__(message)
        self.failure = Failure(message, remedy, exit_code)


class InputError(CommandError):
    """The user's input is invalid. The exit code is ``USAGE``."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy, ExitCode.USAGE)


def explain(error: Exception) -> Failure:
    """Describe an error; of an unknown one only its place, as its text could contain anything."""
    if isinstance(error, CommandError):
        return error.failure
    for kind in type(error).__mro__:
        if kind.__name__ in _REFUSALS:
            opening, remedy = _REFUSALS[kind.__name__]
            return Failure(_sentence(error, opening), remedy, ExitCode.REFUSED)
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  slow

    from zego.secret_store.versions import SecretStoreError  # noqa: PLC0415  imports botocore

    match error:
        case SecretStoreError():
            failure = _of_store(error)
        case ClientError():
            code = error.response.get("Error", {}).get("Code", "")
            service = _SERVICES.get(error.operation_name, "cloudformation")
            failure = _of_aws(code, f"{service}:{error.operation_name}")
        case BotoCoreError():  # its text could show a parameter
            failure = _of_aws(type(error).__name__)
        case _:
            failure = _of_us(error)
    return failure


def _of_store(error: SecretStoreError) -> Failure:
    if not error.action:
        return Failure(_sentence(error), "", ExitCode.AWS)
    in_iam = "".join(word.capitalize() for word in error.action.split("_"))
    failure = _of_aws(error.code, f"secretsmanager:{in_iam}")
    is_unanswered = type(error).__name__ == "NoResponseError"
    if is_unanswered and not error.action.startswith(_READING):
        return replace(failure, remedy=f"{failure.remedy} {_PERHAPS_DONE}")
    return failure


def _of_aws(code: str, permission: str = "") -> Failure:
    meaning, remedy = _AWS.get(code, ("AWS refused {permission}: {code}.", ""))
    place = _PLACES.get(permission.partition(":")[0], "secret")
    remedy = remedy.format(place=place)
    also = _ALSO_NEEDED.get(permission, "") if code in _NOT_ALLOWED_CODES else ""
    permission = _PERMISSIONS.get(permission, permission)
    return Failure(meaning.format(permission=permission, code=code), remedy + also, ExitCode.AWS)


def _of_us(error: Exception) -> Failure:
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" in {frame.name}, line {frame.lineno}" for frame in place)
    message = f"zego-token itself failed: {type(error).__name__}{where}."
    return Failure(message, "Report it, with the command and this line.", ExitCode.BROKEN)


def is_denied(error: ClientError) -> bool:
    """Whether AWS refused a call because a permission is missing."""
    return error.response.get("Error", {}).get("Code") in _NOT_ALLOWED_CODES


def reason(error: Exception) -> str:
    """Why a file cannot be used, without its name."""
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def _sentence(error: Exception, opening: str = "") -> str:
    text = opening + str(error).removeprefix(f"{getattr(error, 'action', '')}: ")
    return f"{text[:1].upper()}{text[1:]}."


_CHANGED_MEANWHILE: Final = (
    "Someone else changed the secret at the same time. Check it, then try again: zego-token secret"
    " status."
)
#: The start of the message, and the remedy, by the class's name: none of them is imported here.
_REFUSALS: Final[Mapping[str, tuple[str, str]]] = {
    "ServerSecretError": (
        "This is not a ServerSecret: ",
        "Nothing was staged. Copy the ServerSecret from ZEGO's console again.",
    ),
    "AlreadyCurrentError": (
        "",
        "There is nothing to do, unless ZEGO's console now shows another value.",
    ),
    "RotationInFlightError": (
        "",
        "To follow it: zego-token secret watch. If it does not end: zego-token secret unstick.",
    ),
    "ConflictError": ("", _CHANGED_MEANWHILE),
}

#: Actions that change nothing.
_READING: Final = ("describe_", "get_", "list_")
_PERHAPS_DONE: Final = "AWS may have made the change anyway. Check it: zego-token secret status."

#: Where a permission is granted, by service; for all others, on the secret.
_PLACES: Final = {
    "cloudformation": "stack; or name the secret with --secret-id",
    "dynamodb": "table: zego-token iam operator prints the policy",
    "kms": "secret's KMS key",
    "sts": "account",
}
#: The service of each action that is called without one of our wrappers.
_SERVICES: Final = {
    "DescribeKey": "kms",
    "DescribeSecret": "secretsmanager",
    "DescribeTrails": "cloudtrail",
    "GetAccountSettings": "lambda",
    "GetCallerIdentity": "sts",
    "GetEventSelectors": "cloudtrail",
    "GetSecretValue": "secretsmanager",
    "GetTopicAttributes": "sns",
    "GetTrailStatus": "cloudtrail",
    "Query": "dynamodb",
    "TransactWriteItems": "dynamodb",
}

_KEY_TOO: Final = " If the secret has its own KMS key, also allow {} on that key."
#: The permissions that IAM checks for an action with another name.
_PERMISSIONS: Final = {"dynamodb:TransactWriteItems": "dynamodb:PutItem or dynamodb:DeleteItem"}
#: What an action needs in addition to the permission of the same name.
_ALSO_NEEDED: Final[Mapping[str, str]] = {
    "secretsmanager:GetSecretValue": _KEY_TOO.format("kms:Decrypt"),
    "secretsmanager:PutSecretValue": _KEY_TOO.format("kms:GenerateDataKey and kms:Decrypt"),
    "secretsmanager:RotateSecret": " Also allow lambda:InvokeFunction on the rotator.",
}

_LOG_IN: Final = "Log in (aws sso login, aws login), or use another --profile."
_NOT_ALLOWED_CODES: Final = ("AccessDenied", "AccessDeniedException", "AuthorizationError")


def _for_all(codes: str, meaning: str, remedy: str) -> dict[str, tuple[str, str]]:
    return dict.fromkeys(codes.split(), (meaning, remedy))


#: AWS' error codes, and botocore's exceptions if no response came.
_AWS: Final[Mapping[str, tuple[str, str]]] = {
    **_for_all(
        "NoCredentialsError PartialCredentialsError",
        "No AWS credentials were found.",
        _LOG_IN,
    ),
    **_for_all(
        "CredentialRetrievalError TokenRetrievalError SSOError SSOTokenLoadError"
        " UnauthorizedSSOTokenError LoginError LoginRefreshRequired LoginTokenLoadError"
        " ExpiredToken ExpiredTokenException RequestExpired",
        "The AWS credentials have expired, or could not be obtained.",
        _LOG_IN,
    ),
    **_for_all(
        "InvalidClientTokenId UnrecognizedClientException SignatureDoesNotMatch"
        " InvalidSignatureException",
        "AWS does not recognise these credentials, or rejects their signature.",
        _LOG_IN,
    ),
    **_for_all(
        " ".join(_NOT_ALLOWED_CODES),
        "AWS denied {permission}.",
        "Use credentials that have this permission, or have it granted on the {place}.",
    ),
    **_for_all(
        "ProfileNotFound",
        "This AWS profile does not exist on this machine.",
        "To list the profiles, run aws configure list-profiles.",
    ),
    **_for_all(
        "ConfigParseError ConfigNotFound InvalidConfigError",
        "The AWS configuration of this machine cannot be read.",
        "Check ~/.aws/config and ~/.aws/credentials, or use another --profile.",
    ),
    **_for_all(
        "NoRegionError",
        "No AWS region is set.",
        "Use --region, or set AWS_REGION or the profile's region.",
    ),
    **_for_all("InvalidRegionError", "This is not an AWS region.", "Use another --region."),
    **_for_all(
        "EndpointConnectionError ConnectTimeoutError ReadTimeoutError ConnectionClosedError"
        " ProxyConnectionError SSLError",
        "AWS could not be reached.",
        "Check your network and the region. For a local stack, check that `make run` is running.",
    ),
    **_for_all(
        "ThrottlingException Throttling TooManyRequestsException InternalServiceError"
        " InternalServerError ProvisionedThroughputExceededException RequestLimitExceeded",
        "AWS is throttling or failing requests.",
        "Try again in a moment.",
    ),
    **_for_all(
        "TransactionCanceledException TransactionInProgressException",
        "Someone else changed the denials at the same time, so nothing was changed.",
        "Check them, then try again: zego-token denials.",
    ),
    **_for_all(
        "DecryptionFailure EncryptionFailure",
        "The KMS key of the secret cannot be used.",
        "Check that the key is enabled and that you may use it.",
    ),
    **_for_all(
        "ResourceNotFoundException",
        "This account and region have no such secret, or the version was deleted.",
        "Check --stage, --stack or --secret-id, --region and --profile.",
    ),
}
