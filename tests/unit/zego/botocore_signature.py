"""What botocore, AWS' own library, would sign a request with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from zego.aws import Credentials


def authorization(
    *,
    service: str,
    region: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    credentials: Credentials,
    now: float,
) -> str:
    """The Authorization header of a POST at a given time."""
    timestamp = datetime.fromtimestamp(int(now), UTC).strftime("%Y%m%dT%H%M%SZ")
    request = AWSRequest(method="POST", url=url, headers=dict(headers), data=body)
    request.headers["X-Amz-Date"] = timestamp
    if credentials.session_token is not None:
        request.headers["X-Amz-Security-Token"] = credentials.session_token
    request.context["timestamp"] = timestamp
    signer = SigV4Auth(
        BotocoreCredentials(credentials.access_key_id, credentials.secret_access_key),
        service,
        region,
    )
    to_sign = signer.string_to_sign(request, signer.canonical_request(request))
    names = signer.signed_headers(signer.headers_to_sign(request))
    return (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={names},"
        f" Signature={signer.signature(to_sign, request)}"
    )
