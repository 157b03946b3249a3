"""The local stack's DynamoDB, as boto3 sees it. Source: the DynamoDB API reference."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.aws.dynamodb import DynamoDb, DynamoDbError
from local.loopback import post

KEY = {"pk": {"S": "tokens#calls#alice"}, "sk": {"S": "2026-11-29T20"}}
COUNT: dict[str, Any] = {
    "Key": KEY,
    "UpdateExpression": "ADD tokens :one",
    "ConditionExpression": "attribute_not_exists(tokens) OR tokens < :most",
    "ExpressionAttributeValues": {":one": {"N": "1"}, ":most": {"N": "3"}},
}


@pytest.fixture
def dynamodb() -> Iterator[DynamoDb]:
    with DynamoDb() as running:
        yield running


@pytest.fixture
def client(dynamodb: DynamoDb) -> Any:
    return boto3.client(
        "dynamodb",
        region_name="us-east-1",
        endpoint_url=dynamodb.url,
        aws_access_key_id="invented",
        aws_secret_access_key="invented",
    )


def test_the_table_has_the_keys_of_the_templates_table(dynamodb: DynamoDb, client: Any) -> None:
    table = client.describe_table(TableName=dynamodb.table)["Table"]
    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == [
        ("pk", "HASH"),
        ("sk", "RANGE"),
    ]


def test_a_condition_that_does_not_hold_changes_nothing(dynamodb: DynamoDb, client: Any) -> None:
    for _ in range(3):
        client.update_item(TableName=dynamodb.table, **COUNT)
    with pytest.raises(ClientError) as refused:
        client.update_item(TableName=dynamodb.table, **COUNT)
    assert refused.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert dynamodb.items("tokens#calls#alice") == [KEY | {"tokens": {"N": "3"}}]


def test_an_update_is_atomic(dynamodb: DynamoDb) -> None:
    def count(_number: int) -> bool:
        try:
            dynamodb.call("UpdateItem", **COUNT)
        except DynamoDbError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(count, range(64))) == 3


def test_tables_are_separate_and_survive_a_restart(dynamodb: DynamoDb) -> None:
    dynamodb.call("PutItem", Item=KEY)
    dynamodb.stop()
    dynamodb.start()
    assert dynamodb.items("tokens#calls#alice") == [KEY]
    assert DynamoDb().items("tokens#calls#alice") == []


def test_only_the_actions_in_use_are_imitated(dynamodb: DynamoDb, client: Any) -> None:
    with pytest.raises(ClientError, match="Scan is not implemented here"):
        client.scan(TableName=dynamodb.table)
    response = post(dynamodb.url, {}, {"x-amz-target": "DynamoDB_20111205.Query"})
    assert (response.status, response.json()["__type"]) == (400, "UnknownOperationException")
