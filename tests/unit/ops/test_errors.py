"""The messages and remedies for exceptions."""

from __future__ import annotations

import re
from collections.abc import Callable

import botocore.exceptions
import botocore.session
import pytest
from botocore.exceptions import (
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    ProfileNotFound,
)

from local.loopback import HttpRequest, HttpResponse
from ops import errors
from ops.errors import CommandError, ExitCode, Failure, explain
from tests.support.in_process import client_of
from tests.support.table import table
from zego.secret_store.versions import (
    AlreadyCurrentError,
    ConflictError,
    NoResponseError,
    RotationInFlightError,
    SecretStoreError,
    SecretVersions,
    VersionNotFoundError,
)
from zego.server_secret import PlaceholderError, ServerSecretError

SECRET = "0123456789abcdef" * 2
#: Codes from "Common Errors" in AWS' API references, and from CloudFormation and STS.
COMMON_CODES = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",  # of SNS
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "UnrecognizedClientException",
}


def client_error(code: str, operation: str = "DescribeStacks") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": SECRET}}, operation)


def denied(action: str) -> SecretStoreError:
    return SecretStoreError(f"{action}: no", "AccessDeniedException", action)


@pytest.mark.parametrize(
    ("error", "exit_code", "words"),
    [
        (CommandError("This.", "Do that.", ExitCode.DRIFT), ExitCode.DRIFT, "This. Do that."),
        (
            ServerSecretError("it has quotes"),
            ExitCode.REFUSED,
            "This is not a ServerSecret: it has quotes. Nothing was",
        ),
        (PlaceholderError("a placeholder"), ExitCode.REFUSED, "a placeholder. Nothing was staged"),
        (AlreadyCurrentError("it is current"), ExitCode.REFUSED, "It is current. There is nothing"),
        (
            RotationInFlightError("rotate_secret: not ended", "X", "rotate_secret"),
            ExitCode.REFUSED,
            "Not ended. To follow it: zego-token secret watch",
        ),
        (ConflictError("x: it moved", "X", "x"), ExitCode.REFUSED, "It moved. Someone else"),
        (SecretStoreError("it has no AWSCURRENT"), ExitCode.AWS, "It has no AWSCURRENT."),
        (denied("describe_secret"), ExitCode.AWS, "secretsmanager:DescribeSecret"),
        (denied("get_secret_value"), ExitCode.AWS, "kms:Decrypt"),
        (denied("put_secret_value"), ExitCode.AWS, "kms:GenerateDataKey"),
        (denied("rotate_secret"), ExitCode.AWS, "lambda:InvokeFunction"),
        (
            client_error("AccessDenied"),
            ExitCode.AWS,
            "have it granted on the stack; or name the secret with --secret-id.",
        ),
        (
            client_error("AccessDeniedException", "DescribeKey"),
            ExitCode.AWS,
            "have it granted on the secret's KMS key.",
        ),
        (client_error("ExpiredToken"), ExitCode.AWS, "expired"),
        (
            SecretStoreError("x", "EndpointConnectionError", "describe_secret"),
            ExitCode.AWS,
            "AWS could not be reached",
        ),
        (
            VersionNotFoundError("x", "ResourceNotFoundException", "get_secret_value"),
            ExitCode.AWS,
            "no such secret",
        ),
        (SecretStoreError("x", "Odd", "tag_resource"), ExitCode.AWS, "TagResource: Odd."),
        (NoCredentialsError(), ExitCode.AWS, "No AWS credentials were found"),
        (ProfileNotFound(profile="x"), ExitCode.AWS, "AWS profile does not exist"),
    ],
)
def test_every_failure_has_a_message_and_a_remedy(
    error: Exception, exit_code: ExitCode, words: str
) -> None:
    failure = explain(error)
    assert failure.exit_code is exit_code
    assert words in f"{failure.message} {failure.remedy}"
    assert SECRET not in f"{failure}"


@table("code", errors._AWS)
def test_every_code_has_a_remedy(code: str) -> None:
    failure = explain(SecretStoreError("x", code, "describe_secret"))
    assert failure.message.endswith(".")
    assert failure.remedy.endswith(".")
    assert "{" not in failure.message + failure.remedy


def test_the_names_exist_in_botocore_secrets_manager_and_dynamodb() -> None:
    session = botocore.session.get_session()
    shapes = (
        name
        for service in ("secretsmanager", "dynamodb")
        for name in session.get_service_model(service).shape_names
    )
    known = {*vars(botocore.exceptions), *shapes, *COMMON_CODES}
    assert errors._AWS.keys() <= known


@pytest.mark.parametrize(
    "error", [ParamValidationError(report=SECRET), RuntimeError(SECRET), KeyError(SECRET)]
)
def test_the_text_of_an_unknown_error_is_not_repeated(error: Exception) -> None:
    failure = explain(error)
    assert SECRET not in f"{failure}"
    assert type(error).__name__ in failure.message


def test_an_unexpected_error_shows_where_it_happened() -> None:
    def break_down() -> Failure:
        try:
            raise LookupError(SECRET)
        except LookupError as error:
            return explain(error)

    failure = break_down()
    assert SECRET not in f"{failure}"
    assert failure.exit_code is ExitCode.BROKEN
    assert re.search(r"LookupError in break_down, line \d+", failure.message)


class Denies:
    """A Secrets Manager that denies every call."""

    def answer(self, _request: HttpRequest) -> HttpResponse:
        return HttpResponse(400, (), b'{"__type": "AccessDeniedException"}')


@pytest.mark.parametrize(
    ("ask", "permission"),
    [
        (SecretVersions.describe, "DescribeSecret"),
        (SecretVersions.start_rotation, "RotateSecret"),
        (lambda versions: versions.read(label="AWSCURRENT"), "GetSecretValue"),
        (lambda versions: versions.note("x", "y"), "TagResource"),
        (
            lambda versions: versions.promote("x" * 32, replacing="y" * 32),
            "UpdateSecretVersionStage",
        ),
    ],
)
def test_a_denied_call_names_the_permission(
    ask: Callable[[SecretVersions], object], permission: str
) -> None:
    versions = SecretVersions(client_of("secretsmanager", Denies()), "zego/server-secret")
    with pytest.raises(SecretStoreError) as caught:
        ask(versions)
    assert f"secretsmanager:{permission}." in explain(caught.value).message


@pytest.mark.parametrize(
    ("action", "perhaps"), [("describe_secret", False), ("rotate_secret", True)]
)
def test_a_change_without_a_response_may_have_been_made(action: str, perhaps: bool) -> None:
    failure = explain(NoResponseError("x", "ReadTimeoutError", action))
    assert ("may have made the change" in failure.remedy) is perhaps
