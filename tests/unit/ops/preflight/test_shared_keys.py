"""Checks of the shared keys that the access policy names, and of the limits in its rules."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from moto.backends import get_backend

from tests.unit.ops.preflight.conftest import ACCOUNT, REGION, STACK, Site

KEY = "0123456789abcdef" * 3
ELSEWHERE = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:sessions-AbCdEf"
OF_ANOTHER = f"arn:aws:secretsmanager:{REGION}:444455556666:secret:sessions-AbCdEf"


def store(site: Site, value: str = KEY, name: str = "app/sessions", **options: str) -> str:
    """Create a secret, and return its ARN."""
    created = site.client("secretsmanager").create_secret(Name=name, SecretString=value, **options)
    return str(created["ARN"])


def name_in_the_policy(site: Site, secret: str, **more: str) -> None:
    """Add an identity with this shared key to the access policy."""
    keys = {"shared_key": secret, "audience": "calls"} | more
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    text = site.policy.read_text(encoding="utf-8")
    site.policy.write_text(f"{text}\n[identities.app]\n{lines}", encoding="utf-8")


def statuses(site: Site, check: str) -> list[str]:
    return [result.status for result in site.results(check)]


@pytest.fixture
def key(site: Site) -> str:
    """A customer managed key."""
    return str(site.client("kms").create_key()["KeyMetadata"]["Arn"])


def test_a_policy_without_shared_keys_has_nothing_to_check(site: Site) -> None:
    for check in ("shared-keys", "shared-key-secrets", "shared-key-values"):
        assert site.results(check) == []


@pytest.mark.parametrize("by", ["name", "ARN"])
def test_a_shared_key_that_the_issuer_may_read_is_fine(site: Site, by: str) -> None:
    arn = store(site)
    name_in_the_policy(site, "app/sessions" if by == "name" else arn)
    site.parameters["SharedKeySecretArns"] = arn
    assert site.result("shared-keys").seen == "identities.app"
    assert site.result("shared-key-secrets").status == "ok"
    assert site.result("shared-key-values").status == "ok"


@pytest.mark.parametrize("by", ["name", "ARN"])
def test_one_that_the_issuer_may_not_read_is_a_failure_with_its_arn(site: Site, by: str) -> None:
    arn = store(site)
    name_in_the_policy(site, "app/sessions" if by == "name" else arn)
    result = site.result("shared-keys")
    assert (result.status, result.of) == ("failed", "identities.app")
    assert "is not in SharedKeySecretArns, so the issuer may not read it" in result.seen
    assert f'Add "SharedKeySecretArns={arn}"' in result.remedy


def test_a_name_that_no_secret_has_is_a_failure(site: Site) -> None:
    name_in_the_policy(site, "app/sessions")
    assert (
        f"Account {ACCOUNT} has no secret app/sessions in {REGION}"
        in site.result("shared-keys").seen
    )


@pytest.mark.parametrize("arn", [ELSEWHERE, OF_ANOTHER])
def test_a_name_does_not_name_a_secret_of_another_region_or_account(site: Site, arn: str) -> None:
    store(site, name="sessions")
    name_in_the_policy(site, "sessions")
    site.parameters["SharedKeySecretArns"] = arn
    assert statuses(site, "shared-keys") == ["failed", "warning"]


def test_a_name_that_begins_with_another_is_another_secret(site: Site) -> None:
    arn = store(site, name="app/sessions-staging")
    store(site)
    name_in_the_policy(site, "app/sessions")
    site.parameters["SharedKeySecretArns"] = arn
    assert statuses(site, "shared-keys") == ["failed", "warning"]


def test_a_secret_that_no_identity_names_is_a_warning(site: Site) -> None:
    site.parameters["SharedKeySecretArns"] = arn = store(site)
    result = site.result("shared-keys")
    assert result.status == "warning"
    assert result.seen == f"The issuer may read {arn}, which no identity names as shared_key."
    assert result.remedy == "Remove it from SharedKeySecretArns in samconfig.toml."


@pytest.mark.parametrize("given", [True, False])
def test_the_server_secret_cannot_be_a_shared_key(site: Site, *, given: bool) -> None:
    arn = store(site, name="zego" if given else f"{STACK}/server-secret")
    if given:
        site.parameters["ServerSecretArn"] = arn
    name_in_the_policy(site, arn if given else f"{STACK}/server-secret")
    site.parameters["SharedKeySecretArns"] = arn
    assert "is the secret with the ServerSecret" in site.result("shared-keys").seen


def test_a_secret_that_does_not_exist_is_a_failure(site: Site) -> None:
    name_in_the_policy(site, ELSEWHERE)
    site.parameters["SharedKeySecretArns"] = ELSEWHERE
    result = site.result("shared-key-secrets")
    assert (result.status, result.of) == ("failed", ELSEWHERE)
    assert "no secret with this ARN" in result.seen


def test_a_secret_that_is_scheduled_for_deletion_is_a_failure(site: Site) -> None:
    arn = store(site)
    name_in_the_policy(site, arn)
    site.parameters["SharedKeySecretArns"] = arn
    site.client("secretsmanager").delete_secret(SecretId=arn)
    result = site.result("shared-key-secrets")
    assert result.seen == "It is scheduled for deletion."
    assert result.remedy == f"aws secretsmanager restore-secret --secret-id {arn}"


class TestItsKmsKey:
    @pytest.fixture
    def shared(self, site: Site) -> Callable[..., str]:
        def make(**options: str) -> str:
            arn = store(site, **options)
            name_in_the_policy(site, arn)
            site.parameters["SharedKeySecretArns"] = arn
            return arn

        return make

    def test_one_that_the_issuer_may_use_is_fine(
        self, site: Site, shared: Callable[..., str], key: str
    ) -> None:
        shared(KmsKeyId=key)
        site.parameters["SharedKeyKmsKeyArns"] = key
        assert key in site.result("shared-key-secrets").seen

    def test_one_that_the_issuer_may_not_use_is_a_failure(
        self, site: Site, shared: Callable[..., str], key: str
    ) -> None:
        shared(KmsKeyId=key)
        result = site.result("shared-key-secrets")
        assert result.status == "failed"
        assert f'Add "SharedKeyKmsKeyArns={key}"' in result.remedy

    def test_one_that_is_disabled_is_a_failure(
        self, site: Site, shared: Callable[..., str], key: str
    ) -> None:
        shared(KmsKeyId=key)
        site.parameters["SharedKeyKmsKeyArns"] = key
        site.client("kms").disable_key(KeyId=key.rpartition("/")[2])
        assert site.result("shared-key-secrets").seen == "Its key is Disabled."

    def test_one_that_encrypts_none_of_them_is_a_warning(
        self, site: Site, shared: Callable[..., str], key: str
    ) -> None:
        shared()
        site.parameters["SharedKeyKmsKeyArns"] = key
        assert statuses(site, "shared-key-secrets") == ["ok", "warning"]

    def test_another_account_cannot_share_a_secret_under_the_key_of_aws(
        self, site: Site, shared: Callable[..., str]
    ) -> None:
        arn = shared()
        (secret,) = get_backend("secretsmanager")[ACCOUNT][REGION].secrets.values()
        secret.arn = OF_ANOTHER
        site.policy.write_text(
            site.policy.read_text(encoding="utf-8").replace(arn, OF_ANOTHER), encoding="utf-8"
        )
        site.parameters["SharedKeySecretArns"] = OF_ANOTHER
        assert "so no other account reads it" in site.result("shared-key-secrets").seen


class TestItsValue:
    @pytest.mark.parametrize(
        ("value", "field", "words"),
        [
            ("short", "", "The key has 5 bytes, and needs at least 32."),
            (KEY[:31], "", "The key has 31 bytes"),
            ("", "", "The key has 0 bytes"),
            (f"{KEY}\n", "", "The secret ends with a line break"),
            (json.dumps({"key": KEY}), "", "set shared_key_field to the key's"),
            (json.dumps({"key": KEY}), "hmac", "The secret has no text in the field hmac."),
            (json.dumps({"key": 5}), "key", "The secret has no text in the field key."),
            (KEY, "key", "The secret has no text in the field key."),
            (json.dumps({"key": "short"}), "key", "The key has 5 bytes"),
        ],
    )
    def test_an_invalid_one_is_a_failure_that_does_not_repeat_it(
        self, site: Site, value: str, field: str, words: str
    ) -> None:
        arn = store(site, value or "-")
        name_in_the_policy(site, arn, **({"shared_key_field": field} if field else {}))
        site.parameters["SharedKeySecretArns"] = arn
        if not value:
            (secret,) = get_backend("secretsmanager")[ACCOUNT][REGION].secrets.values()
            (version,) = secret.versions.values()
            version["secret_string"] = ""
        result = site.result("shared-key-values")
        assert (result.status, result.of) == ("failed", "identities.app")
        assert words in result.seen
        assert KEY[:16] not in repr(result)
        assert "openssl rand" in result.remedy

    @pytest.mark.parametrize(
        ("value", "field"),
        [
            (KEY, ""),
            ("ä" * 16, ""),
            (json.dumps({"key": KEY, "other": 1}), "key"),
            (json.dumps({"key": f"{KEY}\n"}), "key"),
        ],
    )
    def test_one_of_32_bytes_is_fine(self, site: Site, value: str, field: str) -> None:
        arn = store(site, value)
        name_in_the_policy(site, arn, **({"shared_key_field": field} if field else {}))
        site.parameters["SharedKeySecretArns"] = arn
        assert site.result("shared-key-values").status == "ok"

    def test_a_secret_without_a_value_is_a_failure(self, site: Site) -> None:
        created = site.client("secretsmanager").create_secret(Name="app/sessions")
        name_in_the_policy(site, "app/sessions")
        site.parameters["SharedKeySecretArns"] = created["ARN"]
        assert site.result("shared-key-values").seen == "The secret has no value."

    def test_credentials_that_may_not_read_it_skip_only_this_check(self, site: Site) -> None:
        arn = store(site)
        name_in_the_policy(site, arn)
        site.parameters["SharedKeySecretArns"] = arn
        site.denied = {"GetSecretValue"}
        assert site.result("shared-key-secrets").status == "ok"
        result = site.result("shared-key-values")
        assert result.status == "skipped"
        assert result.seen == "AWS denied secretsmanager:GetSecretValue."


class TestLimits:
    @pytest.fixture
    def budget(self, site: Site) -> None:
        text = site.policy.read_text(encoding="utf-8")
        text += '\n[[rules]]\nname = "users"\ncallers = ["web"]\nmax_tokens_per_hour = 60\n'
        site.policy.write_text(text, encoding="utf-8")

    @pytest.mark.parametrize("limits", ["On", "Off", None])
    def test_a_policy_without_budgets_needs_no_table(self, site: Site, limits: str | None) -> None:
        if limits:
            site.parameters["Limits"] = limits
        assert site.result("limits").seen == f"Limits is {limits or 'On'}"

    @pytest.mark.usefixtures("budget")
    def test_a_budget_needs_the_table(self, site: Site) -> None:
        assert site.result("limits").status == "ok"
        site.parameters["Limits"] = "Off"
        result = site.result("limits")
        assert result.status == "failed"
        assert "max_tokens_per_hour of users needs a table" in result.seen
        assert "Limits=Off" in result.remedy
