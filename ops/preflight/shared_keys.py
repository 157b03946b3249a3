"""Checks of the shared keys: secrets of the access policy that the issuer may read.

The policy names each one as ``shared_key``, by its name or ARN. The stack's parameters
SharedKeySecretArns and SharedKeyKmsKeyArns let the issuer read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from botocore.exceptions import ClientError

from ops.checklist.check import CheckResult, check
from ops.preflight.plan import CONFIG, Arn, Plan, error_code
from zego.shared_key import SharedKeyError, parse

_SECRETS: Final = "SharedKeySecretArns"
_KEYS: Final = "SharedKeyKmsKeyArns"
_ADD: Final = 'Add "{parameter}={arn}" to parameter_overrides in {config}; commas separate several.'
#: What Secrets Manager adds to a name in an ARN: a hyphen and six characters.
_SUFFIX: Final = 7


class _SharedKey(NamedTuple):
    """A shared key of the access policy.

    :ivar identity: where the policy names it, such as ``identities.app``.
    :ivar secret: the secret's name or ARN.
    :ivar field: of its JSON; ``None``: the key is the whole text.
    """

    identity: str
    secret: str
    field: str | None

    def is_in(self, arn: Arn, plan: Plan) -> bool:
        """Whether it is the secret of this ARN. A name is one of the stack's account and region."""
        if named := Arn.of(self.secret):
            return named == arn
        _, _, name = arn.resource.partition(":")
        here = (arn.region, arn.account) == (plan.region, plan.account)
        return here and name[:-_SUFFIX] == self.secret


def _of_policy(plan: Plan) -> list[_SharedKey]:
    return [
        _SharedKey(f"identities.{name}", table["shared_key"], table.get("shared_key_field"))
        for name, table in plan.identities.items()
        if isinstance(table.get("shared_key"), str)
    ]


def _of_parameter(plan: Plan, name: str) -> list[str]:
    return [one.strip() for one in plan.parameters.get(name, "").split(",") if one.strip()]


@check(
    "May the issuer read exactly the shared keys that the access policy names?",
    remedy=f"Correct {_SECRETS} in {CONFIG}, or shared_key in the access policy.",
    needs=("credentials",),
)
def shared_keys(plan: Plan) -> Iterator[CheckResult]:
    given = {one: arn for one in _of_parameter(plan, _SECRETS) if (arn := Arn.of(one))}
    wanted = _of_policy(plan)
    is_right = True
    for key in wanted:
        if not any(key.is_in(arn, plan) for arn in given.values()):
            is_right = False
            yield _not_given(plan, key)
        elif key.secret == plan.secret_id:
            is_right = False
            yield CheckResult(
                "failed",
                "Its shared_key is the secret with the ServerSecret.",
                "Store the application's key in a separate secret.",
                key.identity,
            )
    for one, arn in given.items():
        if not any(key.is_in(arn, plan) for key in wanted):
            is_right = False
            yield CheckResult(
                "warning",
                f"The issuer may read {one}, which no identity names as shared_key.",
                f"Remove it from {_SECRETS} in {CONFIG}.",
            )
    if is_right and wanted:
        yield CheckResult("ok", ", ".join(key.identity for key in wanted))


def _not_given(plan: Plan, key: _SharedKey) -> CheckResult:
    arn = key.secret
    if Arn.of(arn) is None:
        found = plan.described(arn)
        if found is None:
            return CheckResult(
                "failed",
                f"Account {plan.account} has no secret {arn} in {plan.region}, as shared_key says.",
                "Create the secret there, or name one of another account or region by its ARN.",
                key.identity,
            )
        arn = str(found["ARN"])
    return CheckResult(
        "failed",
        f"Its shared_key {key.secret} is not in {_SECRETS}, so the issuer may not read it.",
        _ADD.format(parameter=_SECRETS, arn=arn, config=CONFIG),
        key.identity,
    )


@check(
    "Do the secrets of the shared keys exist, and can the issuer use their KMS keys?",
    remedy=f"Correct {_SECRETS} and {_KEYS} in {CONFIG}.",
    needs=("shared-keys",),
)
def shared_key_secrets(plan: Plan) -> Iterator[CheckResult]:
    given, used = _of_parameter(plan, _KEYS), set[str]()
    for secret in _of_parameter(plan, _SECRETS):
        found = plan.described(secret)
        if found is None:
            yield CheckResult("failed", "Secrets Manager has no secret with this ARN.", of=secret)
        elif found.get("DeletedDate"):
            restore = f"aws secretsmanager restore-secret --secret-id {secret}"
            yield CheckResult("failed", "It is scheduled for deletion.", restore, secret)
        else:
            yield _key_of(plan, secret, found, given, used)
    for key in given:
        if key not in used:
            seen = f"{key} encrypts no secret of {_SECRETS}."
            yield CheckResult("warning", seen, f"Remove it from {_KEYS} in {CONFIG}.")


def _key_of(
    plan: Plan, secret: str, found: Mapping[str, Any], given: list[str], used: set[str]
) -> CheckResult:
    """Whether the issuer may use the key of a secret. Adds the key to those that are used."""
    arn = Arn.of(secret)
    key = found.get("KmsKeyId", "")
    if not key or key.endswith("alias/aws/secretsmanager"):
        if arn is not None and arn.account != plan.account:
            seen = "It is encrypted with aws/secretsmanager, so no other account reads it."
            return CheckResult(
                "failed", seen, "Let its owner encrypt it with their own key.", secret
            )
        return CheckResult("ok", "it exists", of=secret)
    region = arn.region if arn else None
    described = plan.call("kms", "describe_key", region, KeyId=key)["KeyMetadata"]
    key = str(described["Arn"])
    used.add(key)
    if key not in given:
        add = _ADD.format(parameter=_KEYS, arn=key, config=CONFIG)
        seen = f"It is encrypted with {key}, which is not in {_KEYS}."
        return CheckResult("failed", seen, add, secret)
    if described["KeyState"] != "Enabled":
        enable = "Enable the key, or cancel its deletion (aws kms enable-key, cancel-key-deletion)."
        return CheckResult("failed", f"Its key is {described['KeyState']}.", enable, secret)
    return CheckResult("ok", f"it exists, and so does its key {key}", of=secret)


@check(
    "Are the shared keys long enough?",
    remedy="Store a random key of at least 32 bytes: openssl rand -base64 48.",
    needs=("shared-key-secrets",),
)
def shared_key_values(plan: Plan) -> Iterator[CheckResult]:
    """The only check that reads a value. It needs a permission that no deployer needs otherwise."""
    for identity, secret, field in _of_policy(plan):
        arn = Arn.of(secret)
        try:
            value = plan.call(
                "secretsmanager",
                "get_secret_value",
                arn.region if arn else None,
                SecretId=secret,
            )
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            yield CheckResult("failed", "The secret has no value.", of=identity)
            continue
        try:
            parse(value.get("SecretString", ""), field)
        except SharedKeyError as error:
            seen = f"{error}."
            yield CheckResult("failed", seen[0].upper() + seen[1:], of=identity)
        else:
            yield CheckResult("ok", f"the key in {secret} is valid", of=identity)
