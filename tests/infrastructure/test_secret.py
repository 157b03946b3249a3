"""The secret that the stack makes: kept, encrypted with its own key, and useless until stored."""

from __future__ import annotations

import pytest

from tests.infrastructure.stacks import Stack, stack, stack_with_given_secret
from zego import server_secret

MADE_FOR_THE_SECRET = {
    "AWS::SecretsManager::Secret",
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::KMS::Key",
    "AWS::KMS::Alias",
}


def key_statements(of: Stack) -> dict[str, dict[str, object]]:
    policy = of.properties("ServerSecretKey")["KeyPolicy"]
    return {statement["Sid"]: statement for statement in policy["Statement"]}


@pytest.mark.parametrize("logical_id", ["ServerSecret", "ServerSecretKey"])
def test_the_secret_and_its_key_outlive_the_stack(logical_id: str) -> None:
    resource = stack().template["Resources"][logical_id]
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"


def test_the_first_value_is_a_placeholder_that_the_service_refuses() -> None:
    made = stack().properties("ServerSecret")
    assert "GenerateSecretString" not in made
    with pytest.raises(server_secret.ServerSecretError):
        server_secret.parse(made["SecretString"])


def test_the_secret_is_encrypted_with_its_own_rotated_key() -> None:
    assert stack().properties("ServerSecret")["KmsKeyId"] == {
        "Fn::GetAtt": ["ServerSecretKey", "Arn"]
    }
    assert stack().properties("ServerSecretKey")["EnableKeyRotation"] is True


def test_the_key_serves_secrets_manager_and_this_account_alone() -> None:
    statements = key_statements(stack())
    assert statements.keys() == {
        "AccountAdministersTheKey",
        "SecretsManagerUsesTheKeyForThisAccount",
    }
    use = statements["SecretsManagerUsesTheKeyForThisAccount"]
    assert use["Action"] == ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
    assert use["Condition"] == {
        "StringEquals": {"kms:CallerAccount": "111122223333"},
        "StringLike": {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.*"},
    }


def test_the_key_has_an_alias_by_which_people_find_it() -> None:
    alias = stack().one("AWS::KMS::Alias")["Properties"]
    assert alias["AliasName"] == "alias/zego-token-service/server-secret"
    assert alias["TargetKeyId"] == {"Ref": "ServerSecretKey"}


def test_administrators_of_the_key_can_neither_encrypt_nor_decrypt_with_it() -> None:
    actions = key_statements(stack())["AccountAdministersTheKey"]["Action"]
    assert isinstance(actions, list)
    for action in actions:
        assert action not in ("kms:*", "*")
        assert not action.startswith(
            ("kms:Decrypt", "kms:Encrypt", "kms:Generate", "kms:ReEncrypt")
        )


def test_no_other_account_reads_the_secret_unless_named() -> None:
    assert not stack().all("AWS::SecretsManager::ResourcePolicy")


def test_a_named_account_may_read_the_current_version_and_the_last_and_decrypt_them() -> None:
    shared = stack(SecretReaderAccounts="444455556666,777788889999")
    readers = {"AWS": ["444455556666", "777788889999"]}
    read, describe = shared.properties("ServerSecretReaders")["ResourcePolicy"]["Statement"]
    assert read["Principal"] == describe["Principal"] == readers
    assert read["Action"] == "secretsmanager:GetSecretValue"
    assert read["Condition"] == {
        "ForAnyValue:StringEquals": {"secretsmanager:VersionStage": ["AWSCURRENT", "AWSPREVIOUS"]}
    }
    assert describe["Action"] == "secretsmanager:DescribeSecret"
    decrypt = key_statements(shared)["ReaderAccountsDecryptThroughSecretsManager"]
    assert decrypt["Principal"] == readers
    assert decrypt["Action"] == "kms:Decrypt"
    assert decrypt["Condition"] == {
        "StringLike": {"kms:ViaService": "secretsmanager.eu-west-1.amazonaws.*"}
    }


def test_a_stack_with_a_given_secret_makes_none() -> None:
    types = {r["Type"] for r in stack_with_given_secret().template["Resources"].values()}
    assert not types & MADE_FOR_THE_SECRET
