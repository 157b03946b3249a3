"""Checks that apply to every refusal of the codec."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from zego import token04
from zego.token04 import DecodedToken, Token04Error

#: A shorter part could be in any sentence by chance.
_TELLTALE_LENGTH = 12


def refusal(action: Callable[[], object]) -> Token04Error:
    """The error that refuses an action; any other exception fails the test."""
    with pytest.raises(Token04Error) as caught:
        action()
    assert str(caught.value)
    return caught.value


def refusal_of_token(token: str, secret: str) -> Token04Error:
    """The error that refuses a token. It shows neither the token nor the secret."""
    error = refusal(lambda: token04.decode(token, secret))
    assert type(error) is not Token04Error
    for hidden in (token, secret):
        assert len(hidden) < _TELLTALE_LENGTH or hidden not in str(error)
    return error


def decoded_or_refused(token: str, secret: str) -> DecodedToken | Token04Error:
    """The content of a token, or the error that refuses it."""
    try:
        return token04.decode(token, secret)
    except Token04Error:
        return refusal_of_token(token, secret)
