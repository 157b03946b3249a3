"""The tokens of the vendor's generators, and a decoder that shares no code with ours."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from zego.token04 import Cipher, Claims

VECTORS = Path(__file__).parents[2] / "vectors" / "token04.json"


@dataclass(frozen=True)
class Fixed:
    """The time and the randomness that were fixed for a generator."""

    issued_at: int
    nonce: int
    iv: bytes


@dataclass(frozen=True)
class VendorToken:
    """A token that one of the vendor's generators made, and the input that it got.

    :ivar fixed: the clock and randomness, if they were fixed: then it can be reproduced.
    """

    generator: str
    cipher: Cipher
    case: str
    app_id: int
    user_id: str
    secret: str
    lifetime_seconds: int
    payload: str
    token: str
    fixed: Fixed | None

    def __str__(self) -> str:
        return f"{self.generator}-{self.cipher}-{self.case}"


@dataclass(frozen=True)
class KnownAnswer:
    """The claims and IV of a reproducible token, and the token that they must give."""

    name: str
    generator: str
    cipher: Cipher
    claims: Claims
    secret: str
    iv: bytes
    token: str

    def __str__(self) -> str:
        return self.name


def vendor_tokens() -> list[VendorToken]:
    """All 56 of them."""
    tokens = []
    for row in json.loads(VECTORS.read_text(encoding="utf-8")):
        fixed = row.get("fixed")
        tokens.append(
            VendorToken(
                generator=row["impl"],
                cipher=row["mode"].lower(),
                case=row["case"],
                app_id=row["app_id"],
                user_id=row["user_id"],
                secret=row["secret"],
                lifetime_seconds=row["effective_seconds"],
                payload=row["payload"],
                token=row["token"],
                fixed=fixed
                and Fixed(
                    issued_at=fixed["ctime"],
                    nonce=fixed["json_nonce"],
                    iv=fixed["iv_or_gcm_nonce_ascii"].encode("ascii"),
                ),
            )
        )
    return tokens


def known_answers() -> list[KnownAnswer]:
    """The 28 of them whose clock and randomness were fixed."""
    return [
        KnownAnswer(
            name=str(vendor),
            generator=vendor.generator,
            cipher=vendor.cipher,
            claims=Claims(
                app_id=vendor.app_id,
                user_id=vendor.user_id,
                nonce=vendor.fixed.nonce,
                issued_at=vendor.fixed.issued_at,
                expires_at=vendor.fixed.issued_at + vendor.lifetime_seconds,
                payload=vendor.payload,
            ),
            secret=vendor.secret,
            iv=vendor.fixed.iv,
            token=vendor.token,
        )
        for vendor in vendor_tokens()
        if vendor.fixed is not None
    ]


def plaintext(token: str, cipher: Cipher, secret: str) -> bytes:
    """The content of a good token, read without :mod:`zego`. Proves nothing."""
    binary = base64.b64decode(token[2:])
    sealed_start = {"gcm": 8 + 2 + 12 + 2, "cbc": 8 + 2 + 16 + 2}[cipher]
    iv = binary[10 : sealed_start - 2]
    if cipher == "gcm":
        return AESGCM(secret.encode()).decrypt(iv, binary[sealed_start:-1], None)
    decryptor = BlockCipher(AES(secret.encode()), CBC(iv)).decryptor()
    padded = decryptor.update(binary[sealed_start:]) + decryptor.finalize()
    return padded[: -padded[-1]]
