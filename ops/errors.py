"""How a command ends: exit codes, failures, and every exception in words that say what to do.

:class:`ExitCode` is the table of ``zego-token --help`` and of ``docs/rotation.md``.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from zego.secret_store.versions import SecretStoreError


class ExitCode(IntEnum):
    """The exit code, with its meaning."""

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member

    DONE = 0, "done; and where something was looked at, all is well"
    REFUSED = 1, "refused: a value or a token, by the service or by ZEGO; or not all is well"
    USAGE = 2, "not called as --help says, or what was given cannot be read"
    UNDECIDED = (
        3,
        "undecided: ZEGO cannot say, a rotation has not ended, or not all could be read",
    )
    DRIFT = 4, "the targets do not have the same secret, or one cannot be read"
    AWS = 5, "AWS refused, was not reached, or has no rotation set up; the message says which"
    IN_FLIGHT = 6, "a rotation is in flight; apart from that, status found nothing wrong"
    BROKEN = 70, "zego-token itself failed"
    UNWRITTEN = 74, "the output cannot be written (a full disk); no change had begun"
    INTERRUPTED = 130, "ended by you: Ctrl-C (which ends watch with 0), or a no to what it asked"
    UNREAD = 141, "nobody reads the output any more (a closed pipe); no change had begun"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why, in words that say what to do. Holds no secret.

    :ivar remedy: what to do next; empty where the message says it.
    """

    message: str
    remedy: str
    exit_code: ExitCode


class CommandError(Exception):
    """The command ends here. The texts hold no secret."""

    def __init__(
        self, message: str, remedy: str = "", exit_code: ExitCode = ExitCode.REFUSED
    ) -> None:
        super().__init__(message)
        self.failure = Failure(message, remedy, exit_code)


class InputError(CommandError):
    """What a person gave, or how, cannot be used. The exit code is ``USAGE``."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy, ExitCode.USAGE)


def explain(error: Exception) -> Failure:
    """Put it into words. What is not known could hold anything, so only its place is told."""
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
    also = _ALSO_NEEDED.get(permission, "") if code in _NOT_ALLOWED_CODES else ""
    return Failure(meaning.format(permission=permission, code=code), remedy + also, ExitCode.AWS)


def _of_us(error: Exception) -> Failure:
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" in {frame.name}, line {frame.lineno}" for frame in place)
    message = f"zego-token itself failed: {type(error).__name__}{where}."
    return Failure(message, "Report it, with the command and this line.", ExitCode.BROKEN)


def reason(error: Exception) -> str:
    """Why a file cannot be used, without its name."""
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def _sentence(error: Exception, opening: str = "") -> str:
    text = opening + str(error).removeprefix(f"{getattr(error, 'action', '')}: ")
    return f"{text[:1].upper()}{text[1:]}."


_CHANGED_MEANWHILE: Final = (
    "Somebody else changed the secret at this moment. See how it stands, and try again: zego-token"
    " secret status."
)
#: How each is introduced, and what to do, by the name of its class: none of them is imported here.
_REFUSALS: Final[Mapping[str, tuple[str, str]]] = {
    "ServerSecretError": (
        "It cannot be a ServerSecret: ",
        "Nothing was staged. Copy the ServerSecret from ZEGO's console again.",
    ),
    "AlreadyCurrentError": (
        "",
        "There is nothing to do, unless ZEGO's console shows another by now.",
    ),
    "RotationInFlightError": (
        "",
        "Follow it: zego-token secret watch. If it will not end: zego-token secret unstick.",
    ),
    "ConflictError": ("", _CHANGED_MEANWHILE),
}

#: Actions that change nothing.
_READING: Final = ("describe_", "get_", "list_")
_PERHAPS_DONE: Final = (
    "It may have been done all the same. See how it stands: zego-token secret status."
)

#: Of the actions that are asked for without a wrapper of ours.
_SERVICES: Final = {"GetCallerIdentity": "sts", "DescribeKey": "kms"}

_KEY_TOO: Final = " If the secret has a KMS key of its own, also allow {} on that key."
#: What an action needs beside the permission of its own name.
_ALSO_NEEDED: Final[Mapping[str, str]] = {
    "secretsmanager:GetSecretValue": _KEY_TOO.format("kms:Decrypt"),
    "secretsmanager:PutSecretValue": _KEY_TOO.format("kms:GenerateDataKey and kms:Decrypt"),
    "secretsmanager:RotateSecret": " It needs lambda:InvokeFunction on the rotator as well.",
}

_LOG_IN: Final = "Log in (aws sso login, aws login), or name another --profile."
_NOT_ALLOWED_CODES: Final = ("AccessDenied", "AccessDeniedException")


def _for_all(codes: str, meaning: str, remedy: str) -> dict[str, tuple[str, str]]:
    return dict.fromkeys(codes.split(), (meaning, remedy))


#: AWS' error codes, and botocore's exceptions where no answer came.
_AWS: Final[Mapping[str, tuple[str, str]]] = {
    **_for_all(
        "NoCredentialsError PartialCredentialsError",
        "There are no AWS credentials to use.",
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
        "AWS does not know these credentials, or their signature.",
        _LOG_IN,
    ),
    **_for_all(
        " ".join(_NOT_ALLOWED_CODES),
        "AWS does not allow it: {permission}.",
        "Use credentials that may, or have it allowed on the secret.",
    ),
    **_for_all(
        "ProfileNotFound",
        "There is no such AWS profile on this machine.",
        "aws configure list-profiles shows those there are.",
    ),
    **_for_all(
        "ConfigParseError ConfigNotFound InvalidConfigError",
        "The AWS configuration of this machine cannot be read.",
        "See ~/.aws/config and ~/.aws/credentials, or name another --profile.",
    ),
    **_for_all(
        "NoRegionError",
        "It is not said in which AWS region the secret is.",
        "Name the --region, or set AWS_REGION or the profile's region.",
    ),
    **_for_all("InvalidRegionError", "That is no name of an AWS region.", "Name another --region."),
    **_for_all(
        "EndpointConnectionError ConnectTimeoutError ReadTimeoutError ConnectionClosedError"
        " ProxyConnectionError SSLError",
        "AWS was not reached.",
        "See to the network and --region; with --local, that the stack still runs.",
    ),
    **_for_all(
        "ThrottlingException Throttling TooManyRequestsException InternalServiceError",
        "AWS is limiting or failing requests.",
        "Try again in a moment.",
    ),
    **_for_all(
        "DecryptionFailure EncryptionFailure",
        "The KMS key of the secret cannot be used.",
        "See that the key is enabled and that you may use it.",
    ),
    **_for_all(
        "ResourceNotFoundException",
        "There is no such secret in this account and region, or the version is gone.",
        "Compare --secret-id or --stage, --region and --profile.",
    ),
}
