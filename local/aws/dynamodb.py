"""DynamoDB over HTTP or in this process, with the table of `zego.denials`.

moto stores the items. They are not deleted when they expire: AWS does that "within a few days".
Tests make it slow, throttled or absent with `intercept`.

moto is imported in the background, because that takes almost a second; earlier calls wait for it.
"""

from __future__ import annotations

import itertools
import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from local.aws import IMPORTING_MOTO, SignedService, refusal
from local.loopback import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from moto.dynamodb.responses import DynamoHandler

TABLE = "limits"
TARGET = "DynamoDB_20120810"
CONTENT_TYPE = "application/x-amz-json-1.0"
ACTIONS = frozenset({"DescribeTable", "Query", "TransactWriteItems", "UpdateItem"})
"""The actions that it takes over HTTP: those of the issuer and of the command line."""

_CREATE = {
    "TableName": TABLE,
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "sk", "AttributeType": "S"},
    ],
    "BillingMode": "PAY_PER_REQUEST",
}
_accounts = itertools.count()


class DynamoDbError(Exception):
    """DynamoDB refused a call, with AWS' error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class DynamoDb(SignedService):
    """A DynamoDB with the empty table `TABLE`.

    Instances in one process do not share tables: each has its own AWS account in moto, numbered
    from 000000000000. A restart keeps the items. Calls run one at a time, so that each is atomic.
    """

    signing_name = "dynamodb"

    def __init__(self, *, port: int = 0, region: str = "us-east-1") -> None:
        super().__init__(port=port)
        self.table = TABLE
        self._region = region
        self._account_id = f"{next(_accounts):012d}"
        self._loading: Future[type[DynamoHandler]] | None = None
        self._load_once = threading.Lock()
        self._one_at_a_time = threading.Lock()

    def start(self) -> None:
        """Listens at once, and loads moto in the background."""
        super().start()
        self._load()

    def wait(self) -> None:
        """Waits until it is ready: longer than the issuer waits for a response."""
        self._load().result()

    def call(self, action: str, **parameters: object) -> dict[str, Any]:
        """Calls any action of the API on the table. Raises `DynamoDbError` if it is refused."""
        body = json.dumps({"TableName": self.table, **parameters}).encode()
        response = self._perform(action, body)
        document: dict[str, Any] = response.json()
        if response.status != 200:
            code = str(document["__type"]).rpartition("#")[2]
            raise DynamoDbError(code, str(document.get("message", document.get("Message"))))
        return document

    def items(self, pk: str) -> list[dict[str, Any]]:
        """Returns the items with a partition key."""
        found: list[dict[str, Any]] = self.call(
            "Query", KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": pk}}
        )["Items"]
        return found

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Responds to an API call."""
        prefix, _, action = (request.header("x-amz-target") or "").rpartition(".")
        if prefix != TARGET or action not in ACTIONS:
            return refusal("UnknownOperationException", f"{action} is not implemented here")
        return self._perform(action, request.body)

    def _perform(self, action: str, body: bytes) -> HttpResponse:
        handler = self._load().result()
        with self._one_at_a_time:
            return _perform(handler, self._account_id, self._region, action, body)

    def _load(self) -> Future[type[DynamoHandler]]:
        with self._load_once:
            if self._loading is None:
                loader = ThreadPoolExecutor(1)
                self._loading = loader.submit(self._make_table)
                loader.shutdown(wait=False)
            return self._loading

    def _make_table(self) -> type[DynamoHandler]:
        with IMPORTING_MOTO:
            from moto.core.request import Request  # noqa: F401, PLC0415  takes almost a second
            from moto.dynamodb.responses import DynamoHandler  # noqa: PLC0415  as above

        body = json.dumps(_CREATE).encode()
        _perform(DynamoHandler, self._account_id, self._region, "CreateTable", body)
        return DynamoHandler


def _perform(
    handler: type[DynamoHandler], account_id: str, region: str, action: str, body: bytes
) -> HttpResponse:
    from moto.core.request import Request  # noqa: PLC0415  takes almost a second

    headers = {
        "x-amz-target": f"{TARGET}.{action}",
        "content-type": CONTENT_TYPE,
        "x-moto-account-id": account_id,
    }
    url = f"https://dynamodb.{region}.amazonaws.com/"
    request = Request.from_primitives("POST", url, headers, body)
    status, sent, content = handler.dispatch(request)
    text = content if isinstance(content, bytes) else content.encode()
    names = ("content-type", "x-amz-crc32")
    kept = [(name, str(value)) for name, value in sent.items() if name.lower() in names]
    return HttpResponse(int(status), tuple(kept), text)
