"""Secrets Manager over HTTP: moto's, in this process, holding one secret.

moto is imported in the background, as that takes most of a second; requests that come earlier wait.
Its storage, staging labels and errors are right for what the issuer asks.
"""

from __future__ import annotations

import itertools
import json
import secrets
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from local import client
from local.loopback import HttpRequest, HttpResponse, LoopbackServer

if TYPE_CHECKING:
    from werkzeug.test import Client

SECRET_ID = "zego/server-secret"  # noqa: S105  its name
APP_ID = 1234567890
"""A made-up AppID."""

_accounts = itertools.count()


class SecretsManagerError(Exception):
    """Secrets Manager refused a call."""


class SecretsManager(LoopbackServer):
    """A Secrets Manager with the secret `secret_id`, whose ServerSecret is random.

    Instances in one process keep apart: each has an AWS account of its own within moto, numbered
    from 000000000000. A stopped one that is started again holds what it held. Signatures are not
    verified.
    """

    def __init__(
        self, *, port: int = 0, region: str = "us-east-1", secret_id: str = SECRET_ID
    ) -> None:
        super().__init__(port=port)
        self.region = region
        self.secret_id = secret_id
        self.app_id = APP_ID
        self.server_secret = secrets.token_hex(16)
        self._account_id = f"{next(_accounts):012d}"
        self._loader = ThreadPoolExecutor(max_workers=1)
        self._loading: Future[Client] | None = None

    def start(self) -> None:
        """Listens at once, and has moto ready a little later."""
        super().start()
        if self._loading is None:
            self._loading = self._loader.submit(self._load)
            self._loader.shutdown(wait=False)

    def wait_until_ready(self) -> None:
        """Returns when moto is loaded and the secret is there; raises what went wrong with that."""
        self._moto()

    def put(self, value: str) -> str:
        """Makes `value`, whatever it is, the current version of the secret; gives its id."""
        version = self.call("PutSecretValue", SecretId=self.secret_id, SecretString=value)
        return str(version["VersionId"])

    def call(self, action: str, **parameters: object) -> dict[str, Any]:
        """Calls an action of the API. Raises `SecretsManagerError` where it is refused."""
        return self._call(self._moto(), action, parameters)

    def respond(self, request: HttpRequest) -> HttpResponse:
        """moto's answer."""
        return self._ask(self._moto(), request)

    def _moto(self) -> Client:
        if self._loading is None:
            raise RuntimeError("Secrets Manager is not started")
        return self._loading.result()

    def _load(self) -> Client:
        from moto.moto_server.werkzeug_app import create_backend_app  # noqa: PLC0415  slow
        from werkzeug.test import Client  # noqa: PLC0415  likewise

        moto = Client(create_backend_app("secretsmanager"), use_cookies=False)
        value = json.dumps({"app_id": self.app_id, "server_secret": self.server_secret})
        self._call(moto, "CreateSecret", {"Name": self.secret_id, "SecretString": value})
        return moto

    def _call(self, moto: Client, action: str, parameters: dict[str, object]) -> dict[str, Any]:
        headers = tuple(_headers(action, self.region).items())
        answer = self._ask(moto, HttpRequest("POST", "/", headers, json.dumps(parameters).encode()))
        result: dict[str, Any] = json.loads(answer.body)
        if answer.status != 200:
            raise SecretsManagerError(f"{action}: {result}")
        return result

    def _ask(self, moto: Client, request: HttpRequest) -> HttpResponse:
        answer = moto.open(
            request.target,
            method=request.method,
            headers=[*request.headers, ("x-moto-account-id", self._account_id)],
            data=request.body,
        )
        headers = [pair for pair in answer.headers if pair[0].lower() != "content-length"]
        return HttpResponse(answer.status_code, tuple(headers), answer.get_data())


def read_secret(url: str, secret_id: str, region: str) -> tuple[int, str]:
    """The AppID and ServerSecret that the Secrets Manager at `url` holds as current.

    Raises `SecretsManagerError` where it gives none.
    """
    body = json.dumps({"SecretId": secret_id, "VersionStage": "AWSCURRENT"}).encode()
    answer = client.post(url, body, _headers("GetSecretValue", region))
    if answer.status != 200:
        raise SecretsManagerError(f"GetSecretValue: {answer.body.decode()}")
    value: dict[str, Any] = json.loads(answer.json()["SecretString"])
    return value["app_id"], value["server_secret"]


def _headers(action: str, region: str) -> dict[str, str]:
    """The headers of a call. moto takes the region from the scope, and looks at no signature."""
    scope = f"local/20200101/{region}/secretsmanager/aws4_request"
    return {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": f"secretsmanager.{action}",
        "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none",
    }
