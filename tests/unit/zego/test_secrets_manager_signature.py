"""zego.secrets_manager signs as AWS' own library does."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.zego.botocore_signature import authorization
from zego.secrets_manager import Credentials, signed_headers

TARGET = "secretsmanager.GetSecretValue"
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


def test_it_is_a_recorded_signature_of_botocore() -> None:
    headers = signed_headers(
        service="secretsmanager",
        region="eu-central-1",
        host="secretsmanager.eu-central-1.amazonaws.com",
        target=TARGET,
        body=b'{"SecretId": "zego", "VersionStage": "AWSCURRENT"}',
        credentials=CREDENTIALS,
        now=1700000000.9,
    )
    assert headers == {
        "content-type": "application/x-amz-json-1.1",
        "host": "secretsmanager.eu-central-1.amazonaws.com",
        "x-amz-date": "20231114T221320Z",
        "x-amz-security-token": "c2Vzc2lvbg==",
        "x-amz-target": TARGET,
        "authorization": (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20231114/eu-central-1/secretsmanager"
            "/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token"
            ";x-amz-target,"
            " Signature=6577a320b3946311595f4c6fb8883d01caada76b56f40a16b19ff30e810fada0"
        ),
    }


@given(
    service=st.sampled_from(["secretsmanager", "sts", "kms"]),
    region=LABELS,
    host=HOSTS,
    target=st.text(string.ascii_letters + "._0123456789", min_size=1),
    body=st.binary(),
    credentials=CREDENTIAL_SETS,
    now=st.floats(0, 2**32) | st.integers(0, 2**32).map(float),
)
def test_it_is_always_the_signature_of_botocore(
    service: str,
    region: str,
    host: str,
    target: str,
    body: bytes,
    credentials: Credentials,
    now: float,
) -> None:
    headers = signed_headers(
        service=service,
        region=region,
        host=host,
        target=target,
        body=body,
        credentials=credentials,
        now=now,
    )
    assert headers["authorization"] == authorization(
        service=service,
        region=region,
        url=f"https://{host}/",
        headers={"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target},
        body=body,
        credentials=credentials,
        now=now,
    )


def test_without_a_session_token_there_is_no_header_for_one() -> None:
    headers = signed_headers(
        service="secretsmanager",
        region="eu-central-1",
        host="localhost",
        target=TARGET,
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
        service="secretsmanager",
        region="eu-central-1",
        host="localhost",
        target=TARGET,
        body=b"",
        credentials=Credentials(credentials.access_key_id, key, credentials.session_token),
        now=0,
    )
    assert key not in str(headers)
