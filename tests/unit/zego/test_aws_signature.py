"""zego.aws signs as AWS' own library does."""

from __future__ import annotations

import string
from typing import Literal

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.zego.botocore_signature import authorization
from zego.aws import DYNAMODB, SECRETS_MANAGER, Credentials, ServiceType, signed_headers

KEY_CHARACTERS = string.ascii_letters + string.digits + "+/="
CREDENTIALS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "c2Vzc2lvbg==")

LABELS = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=20)
HOSTS = st.one_of(
    st.builds("secretsmanager.{}.amazonaws.com".format, LABELS),
    st.builds("127.0.0.1:{}".format, st.integers(1024, 65535)),
    st.builds("[::1]:{}".format, st.integers(1024, 65535)),
)
CREDENTIAL_SETS = st.builds(
    Credentials,
    st.text(string.ascii_uppercase + string.digits, min_size=16, max_size=20),
    st.text(KEY_CHARACTERS, min_size=1, max_size=60),
    st.none() | st.text(KEY_CHARACTERS, min_size=1, max_size=900),
)


@pytest.mark.parametrize(
    ("service", "client"), [(SECRETS_MANAGER, "secretsmanager"), (DYNAMODB, "dynamodb")]
)
def test_the_protocol_of_a_service_is_the_one_that_botocore_uses(
    service: ServiceType, client: Literal["secretsmanager"]
) -> None:
    metadata = boto3.client(client, region_name="eu-central-1").meta.service_model.metadata
    assert service == ServiceType(
        service.name,
        metadata.get("signingName", metadata["endpointPrefix"]),
        metadata["targetPrefix"],
        f"application/x-amz-json-{metadata['jsonVersion']}",
        service.max_bytes,
    )


def test_it_is_a_recorded_signature_of_botocore() -> None:
    headers = signed_headers(
        SECRETS_MANAGER,
        region="eu-central-1",
        host="secretsmanager.eu-central-1.amazonaws.com",
        action="GetSecretValue",
        body=b'{"SecretId": "zego", "VersionStage": "AWSCURRENT"}',
        credentials=CREDENTIALS,
        now=1700000000.9,
    )
    assert headers == {
        "content-type": "application/x-amz-json-1.1",
        "host": "secretsmanager.eu-central-1.amazonaws.com",
        "x-amz-date": "20231114T221320Z",
        "x-amz-security-token": "c2Vzc2lvbg==",
        "x-amz-target": "secretsmanager.GetSecretValue",
        "authorization": (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231114/eu-central-1/secretsmanager"
            "/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token"
            ";x-amz-target,"
            " Signature=6577a320b3946311595f4c6fb8883d01caada76b56f40a16b19ff30e810fada0"
        ),
    }


@given(
    service=st.sampled_from([SECRETS_MANAGER, DYNAMODB]),
    region=LABELS,
    host=HOSTS,
    action=st.text(string.ascii_letters, min_size=1),
    body=st.binary(),
    credentials=CREDENTIAL_SETS,
    now=st.floats(0, 2**32) | st.integers(0, 2**32).map(float),
)
def test_it_is_always_the_signature_of_botocore(
    service: ServiceType,
    region: str,
    host: str,
    action: str,
    body: bytes,
    credentials: Credentials,
    now: float,
) -> None:
    headers = signed_headers(
        service,
        region=region,
        host=host,
        action=action,
        body=body,
        credentials=credentials,
        now=now,
    )
    assert headers["authorization"] == authorization(
        service=service.signing_name,
        region=region,
        url=f"https://{host}/",
        headers={
            "Content-Type": service.content_type,
            "X-Amz-Target": f"{service.target}.{action}",
        },
        body=body,
        credentials=credentials,
        now=now,
    )


def test_without_a_session_token_there_is_no_header_for_one() -> None:
    headers = signed_headers(
        SECRETS_MANAGER,
        region="eu-central-1",
        host="localhost",
        action="GetSecretValue",
        body=b"",
        credentials=Credentials("AKIDEXAMPLE", "key"),
        now=0,
    )
    assert "security-token" not in str(headers)


def test_credentials_show_only_the_id_of_the_key() -> None:
    shown = repr(CREDENTIALS)
    assert "AKIDEXAMPLE" in shown
    assert CREDENTIALS.secret_access_key not in shown
    assert str(CREDENTIALS.session_token) not in shown


@given(CREDENTIAL_SETS)
def test_no_header_contains_the_secret_key(credentials: Credentials) -> None:
    key = "secret key " + credentials.secret_access_key
    headers = signed_headers(
        SECRETS_MANAGER,
        region="eu-central-1",
        host="localhost",
        action="GetSecretValue",
        body=b"",
        credentials=Credentials(credentials.access_key_id, key, credentials.session_token),
        now=0,
    )
    assert key not in str(headers)
