"""Values of Secrets Manager: any response, any ServerSecret and any shared key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final
from unittest.mock import patch

from tests.fuzz.choices import Choices, as_text
from tests.fuzz.targets import TELLTALE, check_message
from zego import server_secret, shared_key, token04
from zego.aws import SECRETS_MANAGER, AwsClient, AwsCredentials, AwsError
from zego.bounded_http import Response
from zego.secrets_manager import SecretsReader, SecretVersion
from zego.server_secret import ServerSecret, ServerSecretError
from zego.shared_key import SharedKeyError

INVARIANT: Final = (
    "A value is refused with the error of its kind, or is a secret that seals tokens; no error and"
    " no representation contains it."
)

SECRET: Final = "0123456789abcdef" * 2
#: What a message says that the value should be.
EXAMPLE: Final = '{"app_id": <number>, "server_secret": "<32 characters>"}'
STATUSES: Final = (200, 200, 200, 400, 403, 429, 500, 503)

WORDS: Final = (
    *(
        '"app_id":',
        '"server_secret":',
        '"SecretString":',
        '"VersionId":',
        '"CreatedDate":',
        "1.7e9",
    ),
    *('"Tags":', '"Key":', '"Value":', '"__type":"#', "AccessDeniedException", "1e999", "null"),
    *('"key":', "4294967295", "4294967296", "true", "\\ud800", "replace", "your", "[[[[[[", SECRET),
    *("-----BEGIN PUBLIC KEY-----", "ssh-rsa ", '{"kty":"oct"}', "\r\n", " ", '\\"'),
)

_SELF: Final = AwsCredentials({"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "key"})


def check(data: bytes) -> None:
    """Read a response, a ServerSecret or a shared key."""
    choices = Choices(data)
    match choices.byte() % 4:
        case 0:
            _check_server_secret(choices.text())
        case 1:
            _check_shared_key(choices)
        case 2:
            _check_response(choices.pick(STATUSES), choices.rest())
        case 3:
            _check_response(200, _response(choices.text()))


def seeds() -> Iterator[bytes]:
    """Good values and the usual mistakes."""
    values: list[Any] = [
        {"app_id": 1234567890, "server_secret": SECRET},
        {"app_id": "1234567890", "server_secret": SECRET},
        {"app_id": True, "server_secret": f" {SECRET}"},
        {"app_id": 1, "server_secret": "replace-me"},
        {"app_id": 2**32, "server_secret": "é" * 32},
        {"app_id": 1, "server_secret": SECRET * 2},
        {"app_id": 1, "server_secret": f'"{SECRET}"'},
        {"app_id": 1, "server_secret": ["x"]},
        {"key": SECRET},
        [SECRET],
        SECRET,
        None,
    ]
    for value in values:
        text = json.dumps(value).encode()
        yield b"\0" + text
        yield b"\1\0" + text
        yield b"\1\1" + text
        yield b"\3" + text
    yield b"\1\0" + SECRET.encode() + b"\n"
    for status in range(len(STATUSES)):
        yield bytes([2, status]) + _response(json.dumps(values[0]))
        yield bytes([2, status]) + b'{"__type":"x#AccessDeniedException"}'
    yield b"\2\0" + b'{"Tags":[{"Key":"a","Value":"b"}]}'
    yield b"\2\0" + b'{"SecretString":7,"VersionId":"v","CreatedDate":1e999}'


def _check_server_secret(text: str) -> ServerSecret | None:
    try:
        secret = server_secret.parse(text)
    except ServerSecretError as error:
        _is_hidden(text, str(error))
        return None
    assert secret.value not in repr(secret)
    assert secret.value not in secret.fingerprint
    token = token04.mint(
        secret.app_id, "user", secret.value, issued_at=1_700_000_000, lifetime_seconds=60
    )
    assert token04.decode(token, secret.value).claims.app_id == secret.app_id
    assert secret == server_secret.parse(text)
    return secret


def _check_shared_key(choices: Choices) -> None:
    field, text = choices.pick((None, "key")), choices.text()
    try:
        key = shared_key.parse(text, field)
    except SharedKeyError as error:
        _is_hidden(text, str(error))
        return
    assert len(key) >= shared_key.MIN_KEY_BYTES
    if field is None:
        assert key == text.encode("utf-8", "surrogatepass")


def _check_response(status: int, body: bytes) -> None:
    reader = SecretsReader(AwsClient(SECRETS_MANAGER, "us-east-1", _SELF, sleep=lambda _: None))
    with patch("zego.aws.request", lambda *_given, **_named: Response(status, {}, body)):
        try:
            value = reader.get_secret_value("zego/secret", version_stage="AWSCURRENT")
        except AwsError as error:
            _is_hidden(as_text(body), f"{error} {error.code}")
        else:
            assert value.text not in repr(value) or len(value.text) < TELLTALE
            expected = _check_server_secret(value.text)
            if expected is not None:
                version = SecretVersion.parse(value, server_secret.parse)
                assert version.secret == expected
                assert expected.value not in repr(version)
        try:
            tags = reader.describe_tags("zego/secret")
        except AwsError as error:
            _is_hidden(as_text(body), f"{error} {error.code}")
        else:
            assert all(isinstance(one, str) for pair in tags.items() for one in pair)


def _response(text: str) -> bytes:
    """A response of Secrets Manager with a value."""
    document = {"SecretString": text, "VersionId": "version-1", "CreatedDate": 1.7e9}
    return json.dumps(document).encode()


def _is_hidden(text: str, message: object) -> None:
    """No message repeats a value: the text itself, or a text in its JSON."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    values = {"": found} if not isinstance(found, dict) else found
    hidden = [one for name, one in values.items() if isinstance(one, str) and name != "__type"]
    check_message(message, *(one for one in (text, *hidden) if one not in EXAMPLE))
