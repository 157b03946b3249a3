"""A fake ZEGO whose verdicts tests choose, and helpers that store values."""

from __future__ import annotations

import io
import json
import os

from local.aws.secrets_manager import APP_ID, SECRET_ID, SecretsManager
from zego.secret_store import CANDIDATE
from zego.server_api import Verdict
from zego.server_secret import ServerSecret


class Zego:
    """Accepts some values, and rejects all others; while it is busy it gives no verdict.

    It replaces a ``ServerApi``.
    """

    def __init__(self, *accepted: str) -> None:
        self.accepted = set(accepted)
        self.busy = False

    def probe(self, secret: ServerSecret) -> Verdict:
        if self.busy:
            return Verdict("unknown", "its gateway is busy", 206)
        if secret.value in self.accepted:
            return Verdict("accepted", "ZEGO accepts it", 0)
        return Verdict("rejected", "it is not the ServerSecret of this AppID", 100000005)


class Broken(io.StringIO):
    """Output that cannot be written.

    :param number: why, of :mod:`errno`.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def write(self, _text: str) -> int:
        raise OSError(self._number, os.strerror(self._number))


def stored(aws: SecretsManager, value: str, *, label: str = CANDIDATE, app_id: int = APP_ID) -> str:
    """Store a value under a label, and return its version's id."""
    text = json.dumps({"app_id": app_id, "server_secret": value})
    answer = aws.call(
        "PutSecretValue", SecretId=SECRET_ID, SecretString=text, VersionStages=[label]
    )
    return str(answer["VersionId"])
