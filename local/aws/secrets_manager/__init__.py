"""Secrets Manager over HTTP or in this process, with one secret.

moto stores the secret, the modules `actions`, `versions` and `schedule` have AWS' rules, and
`rotation` runs the rotations. `Conditions` switches on what AWS does only sometimes or does not
document. Two things are not imitated: the RotationToken of a rotation across accounts, which is
ignored, and replicas in other regions.

moto is imported in the background, because that takes almost a second; earlier calls wait for it.

A boto3 client reaches it with `endpoint_url=secrets_manager.url`. `tests/support/in_process.py` has
a client that calls `answer` without HTTP and without a started server.
"""

from __future__ import annotations

import itertools
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from local.aws import IMPORTING_MOTO, SignedService, refusal, success
from local.aws.secrets_manager.conditions import Conditions, SecretsManagerError
from local.loopback import HttpRequest, HttpResponse
from zego import strict_json
from zego.server_secret import ServerSecret

if TYPE_CHECKING:
    from local.aws.secrets_manager.actions import Storage

SECRET_ID = "zego/server-secret"  # noqa: S105  its name
APP_ID = 1234567890
"""An invented AppID."""

_accounts = itertools.count()
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/([a-z0-9-]+)/secretsmanager/")
_READING = ("Get", "Describe", "List")


class SecretsManager(SignedService):
    """A Secrets Manager with the secret `SECRET_ID`: a given ServerSecret, or a random one.

    Instances in one process do not share secrets: each has its own AWS account in moto, numbered
    from 000000000000. A restart keeps the secret. `clock` gives the times of versions. `on_change`,
    if set, is called after each call over HTTP that may have changed something.
    """

    signing_name = "secretsmanager"

    def __init__(
        self,
        *,
        secret: ServerSecret | None = None,
        port: int = 0,
        region: str = "us-east-1",
        clock: Callable[[], float] = time.time,
        conditions: Conditions | None = None,
    ) -> None:
        super().__init__(port=port)
        self.on_change: Callable[[], None] | None = None
        self.region = region
        self.secret_id = SECRET_ID
        self.conditions = conditions or Conditions()
        self.app_id = secret.app_id if secret else APP_ID
        self.server_secret = secret.value if secret else secrets.token_hex(16)
        self._account_id = f"{next(_accounts):012d}"
        self._clock = clock
        self._loading: Future[Storage] | None = None
        self._load_once = threading.Lock()

    @property
    def storage(self) -> Storage:
        """The storage of the secret. Waits for moto, and raises its error if it cannot load."""
        return self._load().result()

    def start(self) -> None:
        """Listens at once, and loads moto in the background."""
        super().start()
        self._load()

    def put(self, value: str) -> str:
        """Stores any `value` as the current version. Returns the version's id."""
        version = self.call("PutSecretValue", SecretId=self.secret_id, SecretString=value)
        return str(version["VersionId"])

    def call(self, action: str, **parameters: object) -> dict[str, Any]:
        """Calls an action of the API, under the same conditions as any caller.

        Raises `SecretsManagerError` if the call is refused.
        """
        response: dict[str, Any] = json.loads(self._perform(action, parameters))
        return response

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Responds to an API call, in the region for which it is signed."""
        action = (request.header("x-amz-target") or "").rpartition(".")[2]
        scope = _SCOPE.search(request.header("authorization") or "")
        try:
            parameters = strict_json.loads(request.body or b"{}")
        except ValueError:
            return refusal("SerializationException", "the body is not JSON")
        try:
            response = self._perform(action, parameters, scope and scope[1])
        except SecretsManagerError as refused:
            return refusal(refused.code, refused.message)
        if self.on_change and not action.startswith(_READING):
            self.on_change()
        return success(response)

    def _perform(
        self, action: str, parameters: Mapping[str, Any], region: str | None = None
    ) -> str:
        if self.conditions.throttle and self.conditions.throttle(action):
            raise SecretsManagerError("ThrottlingException", "Rate exceeded")
        return self.storage.perform(action, parameters, region=region)

    def _load(self) -> Future[Storage]:
        with self._load_once:
            if self._loading is None:
                loader = ThreadPoolExecutor(1)
                self._loading = loader.submit(self._make_storage)
                loader.shutdown(wait=False)
            return self._loading

    def _make_storage(self) -> Storage:
        with IMPORTING_MOTO:
            from local.aws.secrets_manager.actions import Storage  # noqa: PLC0415  imports moto

        storage = Storage(self._account_id, self.region, self._clock, self.conditions)
        value = json.dumps({"app_id": self.app_id, "server_secret": self.server_secret})
        storage.perform("CreateSecret", {"Name": self.secret_id, "SecretString": value})
        return storage
