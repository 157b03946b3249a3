"""Secrets Manager over HTTP or in this process, holding one secret.

Its storage is moto's, its rules are AWS' (`local.secret_versions`), its rotations a driver's
(`local.rotation`). moto is imported in the background, as that takes most of a second; calls that
come earlier wait.

A boto3 client reaches it by `endpoint_url=secrets_manager.url`. `tests/support/in_process.py` has
one that calls `answer` without HTTP; for that it need not be started.
"""

from __future__ import annotations

import itertools
import json
import re
import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from local import client
from local.loopback import HttpRequest, HttpResponse, LoopbackServer

if TYPE_CHECKING:
    from local.secret_actions import Storage

SECRET_ID = "zego/server-secret"  # noqa: S105  its name
APP_ID = 1234567890
"""A made-up AppID."""

_accounts = itertools.count()
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/([a-z0-9-]+)/secretsmanager/")
_HEADERS = (("content-type", "application/x-amz-json-1.1"),)
_READING = ("Get", "Describe", "List")


class SecretsManagerError(Exception):
    """Secrets Manager refused a call, with AWS' error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class SecretsManager(LoopbackServer):
    """A Secrets Manager with the secret `secret_id`, whose ServerSecret is random.

    Instances in one process keep apart: each has an AWS account of its own within moto, numbered
    from 000000000000. A stopped one that is started again holds what it held. Signatures are not
    verified. `clock` gives the times of versions. `on_change`, where set, is called after each call
    over HTTP that may have changed something.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        region: str = "us-east-1",
        secret_id: str = SECRET_ID,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(port=port)
        self.on_change: Callable[[], None] | None = None
        self.region = region
        self.secret_id = secret_id
        self.app_id = APP_ID
        self.server_secret = secrets.token_hex(16)
        self._account_id = f"{next(_accounts):012d}"
        self._clock = clock
        self._loading: Future[Storage] | None = None
        self._load_once = threading.Lock()

    @property
    def storage(self) -> Storage:
        """What holds the secret, as soon as moto is loaded."""
        return self._load().result()

    def start(self) -> None:
        """Listens at once, and has moto ready a little later."""
        super().start()
        self._load()

    def wait_until_ready(self) -> None:
        """Returns when moto is loaded and the secret is there; raises what went wrong with that."""
        self._load().result()

    def put(self, value: str) -> str:
        """Makes `value`, whatever it is, the current version of the secret; gives its id."""
        version = self.call("PutSecretValue", SecretId=self.secret_id, SecretString=value)
        return str(version["VersionId"])

    def call(self, action: str, **parameters: object) -> dict[str, Any]:
        """Calls an action of the API. Raises `SecretsManagerError` where it is refused."""
        answer: dict[str, Any] = json.loads(self.storage.perform(action, parameters))
        return answer

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Answers a call of the API, in the region that it is signed for."""
        action = (request.header("x-amz-target") or "").rpartition(".")[2]
        scope = _SCOPE.search(request.header("authorization") or "")
        try:
            parameters = json.loads(request.body or b"{}")
        except ValueError:
            return _refusal("SerializationException", "the body is not JSON")
        try:
            answer = self.storage.perform(action, parameters, region=scope and scope[1])
        except SecretsManagerError as refused:
            return _refusal(refused.code, refused.message)
        if self.on_change and not action.startswith(_READING):
            self.on_change()
        return HttpResponse(200, _HEADERS, answer.encode())

    def _load(self) -> Future[Storage]:
        with self._load_once:
            if self._loading is None:
                self._loading = Future()
                threading.Thread(target=self._make_storage, args=(self._loading,)).start()
            return self._loading

    def _make_storage(self, made: Future[Storage]) -> None:
        try:
            from local.secret_actions import Storage  # noqa: PLC0415  imports moto

            storage = Storage(self._account_id, self.region, self._clock)
            value = json.dumps({"app_id": self.app_id, "server_secret": self.server_secret})
            storage.perform("CreateSecret", {"Name": self.secret_id, "SecretString": value})
        except BaseException as error:  # noqa: BLE001  it is raised where the storage is asked for
            made.set_exception(error)
        else:
            made.set_result(storage)


def read_secret(url: str, secret_id: str, region: str) -> tuple[int, str]:
    """The AppID and ServerSecret that the Secrets Manager at `url` holds as current.

    Raises `SecretsManagerError` where it gives none.
    """
    value: dict[str, Any] = json.loads(read_current(url, secret_id, region)["SecretString"])
    return value["app_id"], value["server_secret"]


def read_current(url: str, secret_id: str, region: str) -> dict[str, Any]:
    """What the Secrets Manager at `url` answers to GetSecretValue of the current version.

    Raises `SecretsManagerError` where it refuses.
    """
    body = json.dumps({"SecretId": secret_id, "VersionStage": "AWSCURRENT"}).encode()
    answer = client.post(url, body, _headers("GetSecretValue", region))
    said: dict[str, Any] = answer.json()
    if answer.status != 200:
        raise SecretsManagerError(said["__type"], said["message"])
    return said


def _refusal(code: str, message: str) -> HttpResponse:
    body = json.dumps({"__type": code, "message": message}).encode()
    return HttpResponse(400, _HEADERS, body)


def _headers(action: str, region: str) -> dict[str, str]:
    """The headers of a call, which is not really signed."""
    scope = f"local/20200101/{region}/secretsmanager/aws4_request"
    return {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": f"secretsmanager.{action}",
        "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none",
    }
