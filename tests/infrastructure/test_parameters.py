"""The values that the template takes, as `tools.sam_template` reports them before a deployment."""

from __future__ import annotations

import pytest

from tests.support.table import table
from tools.sam_template import mistakes

GOOD = {
    "Stage": "prod",
    "AllowedOrigins": "https://calls.example.com",
    "AlarmEmail": "operators@example.com",
}
VERSION = "00000000-0000-4000-8000-000000000000"
SECRET = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego-AbCdEf"


@table(
    ("name", "value", "words"),
    [
        ("Stagee", "prod", "Stagee: there is no such parameter"),
        ("Stage", "production", "it must be one of dev, staging, prod"),
        ("AllowedOrigins", "https://calls.example.com/", "with no path and no wildcard"),
        ("AllowedOrigins", "https://ok.test,http://calls.test", "'http://calls.test'"),
        ("AllowedOrigins", "https://*.example.com", "'https://*.example.com' is invalid"),
        ("AllowedOrigins", "HTTPS://CALLS.EXAMPLE.COM", "in lower case"),
        ("AllowedOrigins", "", "'' is invalid"),
        ("AlarmEmail", "nobody", "it must be empty or one e-mail address"),
        ("LogRetentionDays", "8", "it must be one of 1, 3, 5"),
        ("ReservedConcurrency", "many", "it must be a number, at least 0 and at most 10000"),
        ("ReservedConcurrency", "10001", "at most 10000"),
        ("ThrottlingRate", "0", "it must be a number, at least 1"),
        ("ServerSecretArn", "zego/server-secret", "the full ARN of a secret"),
        ("RotateGivenSecret", "Yes", "RotateGivenSecret needs ServerSecretArn."),
        ("SharedKeySecretArns", f"{SECRET},sessions", "'sessions' is invalid: it must be empty or"),
        ("SharedKeyKmsKeyArns", "alias/sessions", "the ARNs of keys (not of aliases)"),
        ("Limits", "Yes", "it must be one of On, Off"),
        *(
            ("IncomingCallUrl", url, "an https URL of a host name in lower case")
            for url in (
                "http://sockets.example.com/",
                "https://localhost/",
                "https://10.0.0.1/",
                "https://sockets.example.com/*",
                "https://*.example.com/",
                "https://user:password@sockets.example.com/",
                "https://sockets.example.com/?key=1",
                "https://sockets.example.com/#calls",
                "https://sockets.example.com/a b",
                "https://sockets.example.com/%zz",
                "https://SOCKETS.example.com/",
                "sockets.example.com",
            )
        ),
        ("IncomingCallKeyVersion", "AWSCURRENT", "the VersionId of a version"),
        ("IncomingCallKeyVersion", VERSION, "IncomingCallKeyVersion needs IncomingCallUrl."),
    ],
)
def test_a_value_that_cloudformation_refuses_is_reported(name: str, value: str, words: str) -> None:
    (found,) = mistakes(GOOD | {name: value})
    assert words in found


def test_a_missing_value_is_reported() -> None:
    assert mistakes({"Stage": "dev"}) == ["AllowedOrigins: a value is missing"]


def test_valid_values_are_not() -> None:
    assert mistakes(GOOD | {"ServerSecretArn": SECRET, "ReservedConcurrency": "10"}) == []


@pytest.mark.parametrize(
    "url",
    [
        "https://sockets.example.com",
        "https://sockets.example.com/",
        "https://sockets.example.com:8443/v1/incoming-calls",
        "https://sockets.example.com/~app/a.b_c/%2Fd",
    ],
)
def test_a_url_of_a_public_host_is_valid(url: str) -> None:
    assert mistakes(GOOD | {"IncomingCallUrl": url, "IncomingCallKeyVersion": VERSION}) == []
