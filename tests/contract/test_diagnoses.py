"""Every diagnosis is a response that the document describes."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from issuer import diagnose
from issuer.diagnose import SDKS, DiagnosisRequest
from tests.contract.openapi import load
from zego import strict_json, token04
from zego.server_secret import ServerSecret

DOCUMENT: Final = load()
NOW: Final = 1_700_000_000
CURRENT: Final = ServerSecret(1234567890, "0123456789abcdef" * 2)
PREVIOUS: Final = ServerSecret(1234567890, "fedcba9876543210" * 2)

VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values, max_size=2) | st.dictionaries(st.text(), values, max_size=2),
    max_leaves=4,
)
CLAIMS: Final = st.fixed_dictionaries(
    {},
    optional={
        "app_id": st.just(1234567890) | VALUES,
        "user_id": st.just("alice") | VALUES,
        "nonce": st.just(5) | VALUES,
        "ctime": st.just(NOW) | VALUES,
        "expire": st.just(NOW + 7200) | VALUES,
        "payload": st.sampled_from(["", "{}", '{"room_id": "r", "privilege": {"1": 0}}']) | VALUES,
        "another": VALUES,
    },
)
SECRETS: Final = st.sampled_from(
    [CURRENT.value, PREVIOUS.value, "another secret, of 32 characters"]
)
EXPIRIES: Final = st.just(NOW + 7200) | st.integers(-(2**63), 2**63 - 1)
REQUESTS: Final = st.fixed_dictionaries(
    {},
    optional={
        "user_id": st.just("alice") | st.text(max_size=1024) | st.just("ü" * 1024),
        "room_id": st.just("r") | st.text(max_size=1024) | st.just("\0" * 1024),
        "app_id": st.just(1234567890) | st.integers(-(2**53) + 1, 2**53 - 1),
        "sdk": st.sampled_from(SDKS),
    },
)


def violations(token: str, expected: dict[str, Any]) -> list[str]:
    """Where the response, as it is sent, differs from the document."""
    request = DiagnosisRequest(token, **expected)
    said = diagnose.diagnose(request, lambda: CURRENT, lambda: PREVIOUS, now=NOW)
    answer = json.loads(strict_json.dumps(said.document() | {"request_id": "made-up"}))
    return DOCUMENT.schema_violations({"$ref": "#/components/schemas/DiagnosisResponse"}, answer)


@given(claims=CLAIMS | VALUES, secret=SECRETS, expires_at=EXPIRIES, expected=REQUESTS)
def test_of_any_claims(
    claims: object, secret: str, expires_at: int, expected: dict[str, Any]
) -> None:
    plaintext = json.dumps(claims).encode()
    token = token04.seal(plaintext, expires_at, secret.encode(), cipher="gcm", iv=b"i" * 12)
    assert violations(token, expected) == []


@given(token=st.text(), expected=REQUESTS)
def test_of_any_text(token: str, expected: dict[str, Any]) -> None:
    assert violations(token, expected) == []


@given(binary=st.binary(max_size=200), expected=REQUESTS)
def test_of_any_envelope(binary: bytes, expected: dict[str, Any]) -> None:
    assert violations(f"04{base64.b64encode(binary).decode()}", expected) == []
