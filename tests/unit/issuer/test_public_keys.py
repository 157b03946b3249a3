"""Signatures, verified with public keys: as the RFCs' examples say, and as PyJWT does."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from issuer.public_keys import UnusableKeyError, read
from tests.support.bearer import signer
from zego.policy.model import ALGORITHMS

MESSAGE = b"signed"
#: The key, the text that is signed, and the signature.
EXAMPLES = {
    "ES256": (  # RFC 7515, A.3
        {
            "kty": "EC",
            "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        },
        (
            "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
            "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        ),
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ),
    "EdDSA": (  # RFC 8037, A.4
        {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    ),
}


def by_pyjwt(jwk: dict[str, Any], algorithm: str, signature: bytes) -> bool | None:
    """PyJWT's verdict on a signature of MESSAGE; ``None`` for a key that it finds bad or weak."""
    try:
        key = PyJWK(jwk, "EdDSA" if algorithm == "Ed25519" else algorithm)  # RFC 9864 is new
    except PyJWTError:
        return None
    if key.Algorithm.check_key_length(key.key) is not None:
        return None
    return bool(key.Algorithm.verify(MESSAGE, key.key, signature))


def by_us(jwk: dict[str, Any], algorithm: str, signature: bytes) -> bool | None:
    try:
        return read(jwk, algorithm)(MESSAGE, signature)
    except UnusableKeyError:
        return None


@pytest.mark.parametrize("algorithm", EXAMPLES)
def test_the_examples_of_the_rfcs_verify(algorithm: str) -> None:
    jwk, signed, signature = EXAMPLES[algorithm]
    verify = read(jwk, algorithm)
    assert verify(signed.encode(), urlsafe_b64decode(signature + "=="))
    assert not verify(signed.encode() + b"A", urlsafe_b64decode(signature + "=="))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("signed_as", ALGORITHMS)
def test_a_signature_verifies_with_the_key_and_the_algorithm_that_made_it(
    algorithm: str, signed_as: str
) -> None:
    if ALGORITHMS[algorithm] != ALGORITHMS[signed_as]:
        return  # the key does not fit: issuer.jwks
    signature = signer(algorithm).signature(MESSAGE, signed_as)
    is_same = algorithm == signed_as or ALGORITHMS[algorithm][0] == "OKP"
    assert by_us(signer(algorithm).jwk, algorithm, signature) is is_same
    assert by_pyjwt(signer(algorithm).jwk, algorithm, signature) is is_same


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@given(data=st.data())
def test_every_change_of_a_key_or_a_signature_has_pyjwts_verdict(
    algorithm: str, data: st.DataObject
) -> None:
    jwk = dict(signer(algorithm).jwk)
    name = data.draw(st.sampled_from(["none", *sorted({"n", "e", "x", "y"} & jwk.keys())]))
    if name != "none":
        jwk[name] = data.draw(changed(jwk[name]))
    right = signer(algorithm).signature(MESSAGE)
    signature = data.draw(st.one_of(st.just(right), changed_bytes(right)))
    ours, theirs = by_us(jwk, algorithm, signature), by_pyjwt(jwk, algorithm, signature)
    assert ours == theirs, json.dumps(jwk)


def test_a_salt_of_another_length_than_the_digest_is_refused() -> None:
    """RFC 7518, 3.5."""
    private = signer("PS256").private_key
    for length, is_right in ((31, False), (32, True), (33, False)):
        signature = private.sign(MESSAGE, PSS(MGF1(SHA256()), length), SHA256())
        assert by_us(signer("PS256").jwk, "PS256", signature) is is_right


@pytest.mark.parametrize("algorithm", ["ES256", "ES384", "ES512"])
def test_zeros_before_a_number_are_refused_if_the_length_is_wrong(algorithm: str) -> None:
    """RFC 7518, 3.4 and 6.2.1.2: otherwise one signature and one key would have many forms."""
    jwk, right = signer(algorithm).jwk, signer(algorithm).signature(MESSAGE)
    half = len(right) // 2
    assert by_us(jwk, algorithm, right) is True
    assert by_us(jwk, algorithm, right[:half] + b"\0" + right[half:]) is False
    for name in ("x", "y"):
        longer = b"\0" + urlsafe_b64decode(jwk[name] + "==")
        assert by_us(jwk | {name: urlsafe_b64encode(longer).decode()}, algorithm, right) is None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_that_lacks_a_number_is_unusable(algorithm: str) -> None:
    jwk = signer(algorithm).jwk
    for name in {"n", "e", "x", "y"} & jwk.keys():
        with pytest.raises(UnusableKeyError):
            read({key: value for key, value in jwk.items() if key != name}, algorithm)


def changed(text: str) -> st.SearchStrategy[object]:
    """A parameter of a JWK: padded, shortened, with another character, or of another type."""
    characters = st.sampled_from("AQz09-_+/= é")
    places = st.integers(0, len(text) - 1)
    return st.one_of(
        st.sampled_from([text, text + "=", text + "==", text[1:], text[:-2], "A" + text, ""]),
        st.builds(lambda at, one: text[:at] + one + text[at + 1 :], places, characters),
        st.sampled_from([None, 5, True, [text], {"n": text}]),
    )


def changed_bytes(right: bytes) -> st.SearchStrategy[bytes]:
    flipped = st.builds(
        lambda at, bit: right[:at] + bytes([right[at] ^ 1 << bit]) + right[at + 1 :],
        st.integers(0, len(right) - 1),
        st.integers(0, 7),
    )
    cut = st.integers(0, len(right) - 1).map(lambda size: right[:size])
    zeros = st.just(bytes(len(right)))
    return st.one_of(flipped, cut, zeros, st.just(right + b"\0"), st.just(b"\0" + right))
