"""AWS Signature Version 4 for one kind of request: a POST of JSON to the root of a service.

botocore has the general case, but importing its signer would cost a cold start as much as the
issuer's costliest import does now; ``make bench`` shows it. The tests hold this to botocore's
answers. Source: "Create a signed AWS API request" in the IAM user guide.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass, field
from typing import Final

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Credentials:
    """AWS credentials. Only the access key's id is ever shown.

    :ivar expires_at: Unix seconds, ``None`` where they do not expire while we hold them.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False, default=None)
    expires_at: float | None = None


def signed_headers(
    *,
    service: str,
    region: str,
    host: str,
    target: str,
    body: bytes,
    credentials: Credentials,
    now: float,
) -> dict[str, str]:
    """The headers of a signed ``POST /`` of JSON 1.1.

    :param host: as it stands in the URL, with a port that is not the scheme's own.
    :param target: ``X-Amz-Target``, the service's action.
    :param now: Unix seconds; AWS refuses what is more than 5 minutes off.
    """
    timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "host": host,
        "x-amz-date": timestamp,
        "x-amz-target": target,
    }
    if credentials.session_token is not None:
        headers["x-amz-security-token"] = credentials.session_token
    names = sorted(headers)
    canonical_headers = "".join(f"{name}:{headers[name]}\n" for name in names)
    signed = ";".join(names)
    payload_hash = hashlib.sha256(body).hexdigest()
    canonical = f"POST\n/\n\n{canonical_headers}\n{signed}\n{payload_hash}"

    date = timestamp[:8]
    scope = f"{date}/{region}/{service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = signing_key(credentials.secret_access_key, date, region, service)
    signature = _hmac(key, f"{_ALGORITHM}\n{timestamp}\n{scope}\n{hashed}").hex()
    headers["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key_id}/{scope},"
        f" SignedHeaders={signed}, Signature={signature}"
    )
    return headers


def signing_key(secret_access_key: str, date: str, region: str, service: str) -> bytes:
    """The key that is derived for one day (``YYYYMMDD``), region and service."""
    key = f"AWS4{secret_access_key}".encode()
    for part in (date, region, service, "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, message: str) -> bytes:
    return hmac.new(key, message.encode(), hashlib.sha256).digest()
