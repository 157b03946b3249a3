"""The shared key in a secret: as it is, in a field, and what is refused."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm

from tests.support.table import table
from zego.shared_key import MIN_KEY_BYTES, SharedKeyError, parse

KEY = "k" * MIN_KEY_BYTES

EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def public(key: Any, encoding: Encoding, form: PublicFormat) -> bytes:
    return bytes(key.public_key().public_bytes(encoding, form))


PEM = public(EC_KEY, Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().strip()
DER = b64encode(public(EC_KEY, Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
JWK = ECAlgorithm.to_jwk(EC_KEY.public_key())
PUBLIC_KEYS = {
    "PEM": PEM,
    "PEM after other text": f"# our key\n{PEM}",
    "PEM in one line": PEM.replace("\n", " "),
    "PEM of a certificate": PEM.replace("PUBLIC KEY", "CERTIFICATE"),
    "SSH2": "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----",
    "OpenSSH, EC": public(EC_KEY, Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
    "OpenSSH, Ed25519": public(ED_KEY, Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
    "OpenSSH, on a token": f"sk-ssh-ed25519@openssh.com AAAA{KEY}",
    "JWK": JWK,
    "JWK, indented": json.dumps(json.loads(JWK), indent=2),
    "JWKS": json.dumps({"keys": [json.loads(JWK)]}),
    "list of JWKs": json.dumps([json.loads(JWK)]),
    "DER, EC": DER,
    "DER, in lines": "".join(f"\n{DER[at : at + 64]}" for at in range(0, len(DER), 64)),
    "DER, in quotes": f'"{DER}"',
    "DER, Ed25519": b64encode(
        public(ED_KEY, Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode(),
}


@pytest.mark.parametrize("text", PUBLIC_KEYS.values(), ids=PUBLIC_KEYS)
def test_what_is_public_is_refused(text: str) -> None:
    with pytest.raises(SharedKeyError, match="is a public key, a certificate or a JWK"):
        parse(json.dumps({"key": text}), "key")


@pytest.mark.parametrize(
    "text",
    [
        "M" + KEY,
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE",
        f"the kty of -----{KEY}",
        f"[{KEY}]",
        f"ssh-server-{KEY}",
        f"ssh-rsa {KEY}",
    ],
)
def test_a_key_that_only_resembles_a_public_one_is_accepted(text: str) -> None:
    assert parse(text, None) == text.encode()


@table(
    ("text", "field", "key"),
    [
        (KEY, None, KEY.encode()),
        (f" {KEY} ", None, f" {KEY} ".encode()),
        ("é" * 16, None, ("é" * 16).encode()),
        (json.dumps(KEY), None, f'"{KEY}"'.encode()),
        (json.dumps({"a": 1, "key": KEY}), "key", KEY.encode()),
        (json.dumps({"key": f"{KEY}\n"}), "key", f"{KEY}\n".encode()),
    ],
)
def test_the_key_is_the_text_without_any_change(text: str, field: str | None, key: bytes) -> None:
    assert parse(text, field) == key


@table(
    ("text", "field", "words"),
    [
        (KEY[1:], None, "has 31 bytes, and needs at least 32"),
        ("", None, "has 0 bytes"),
        (json.dumps({"key": KEY}), None, "set shared_key_field"),
        (f"{KEY}\n", None, "line break"),
        (f"{KEY}\r", None, "line break"),
        (KEY, "key", "no text in the field key"),
        (json.dumps([KEY]), "key", "no text in the field key"),
        (json.dumps({"key": None}), "key", "no text in the field key"),
        (json.dumps({"key": KEY[1:]}), "key", "has 31 bytes"),
    ],
)
def test_an_invalid_key_is_refused_without_repeating_it(
    text: str, field: str | None, words: str
) -> None:
    with pytest.raises(SharedKeyError, match=words) as caught:
        parse(text, field)
    assert KEY[:8] not in str(caught.value)
