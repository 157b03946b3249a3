"""The list of checks, from the configuration to a token."""

from __future__ import annotations

from typing import Final

from ops.doctor import account, env_files, issuer, minted, secret, verdicts
from ops.doctor.check import Check

_AWS: Final = "AWS"
_SECRET: Final = "The secret"  # noqa: S105  a heading
_ZEGO: Final = "ZEGO"
_ISSUER: Final = "The issuer"
_TOKEN: Final = "A token"  # noqa: S105  likewise
_FILES: Final = "Files"

CHECKS: Final = (
    Check(
        "credentials",
        _AWS,
        "Are there AWS credentials, and whose?",
        account.credentials,
        "Log in (aws sso login, aws login), or name another --profile.",
    ),
    Check(
        "region",
        _AWS,
        "Is it known where to look?",
        account.region,
        "Name the --region, or set AWS_REGION or the profile's region.",
        ("credentials",),
    ),
    Check(
        "target",
        _AWS,
        "Do the options lead to a secret?",
        account.target,
        "Deploy the stack again (docs/deploy.md), or name the secret by --secret-id.",
        ("region",),
    ),
    Check(
        "secret",
        _SECRET,
        "Is the secret there?",
        secret.secret,
        "Compare --secret-id or --stage, --region and --profile.",
        ("target",),
    ),
    Check(
        "labels",
        _SECRET,
        "Is AWSCURRENT there, and is no rotation stuck?",
        secret.labels,
        "Deploy the stack that owns the secret: it stores a placeholder. Then"
        " zego-token secret rotate.",
        ("secret",),
    ),
    Check(
        "key",
        _SECRET,
        "Can the KMS key be used?",
        secret.key,
        "Enable the key, or cancel its deletion (aws kms enable-key, cancel-key-deletion).",
        ("secret",),
    ),
    Check(
        "value",
        _SECRET,
        "Has each value the shape of a ServerSecret?",
        secret.values,
        "Copy the ServerSecret from ZEGO's console, and rotate: zego-token secret rotate.",
        ("labels",),
    ),
    Check(
        "app-id",
        _SECRET,
        "Is it the same AppID everywhere?",
        secret.app_id,
        "Compare the clients with the AppID in ZEGO's console. Tokens are for the secret's alone.",
        ("value",),
    ),
    Check(
        "rotation",
        _SECRET,
        "Is there a rotation, and how did the last one end?",
        secret.rotation,
        "See docs/rotation.md.",
        ("secret",),
    ),
    Check(
        "verdict",
        _ZEGO,
        "Does ZEGO accept each value?",
        verdicts.verdict,
        "See to the network, or to what the code means, and look again: zego-token secret status.",
        ("value",),
    ),
    Check(
        "watcher",
        _ZEGO,
        "Does the watcher say the same?",
        secret.watcher,
        "See that it runs: its log, and the alarms (docs/operations.md).",
        ("value",),
    ),
    Check(
        "clock",
        _ZEGO,
        "Is this machine's clock right?",
        verdicts.clock,
        "Set this machine's clock (NTP).",
        ("target",),
    ),
    Check(
        "defaults",
        _ZEGO,
        "What does ZEGO not do before its support switches it on for the AppID?",
        verdicts.defaults,
        "",
    ),
    Check(
        "address",
        _ISSUER,
        "Is it known where the issuer answers?",
        issuer.address,
        "Give --api https://..., the output ApiUrl of the stack.",
        ("target",),
    ),
    Check(
        "health",
        _ISSUER,
        "Does the issuer answer?",
        issuer.health,
        "Compare --api with the stack's output ApiUrl. If it is right: the issuer's log"
        " (docs/operations.md).",
        ("address",),
    ),
    Check(
        "status",
        _ISSUER,
        "May the credentials read the issuer's status?",
        issuer.status,
        "See the issuer's log (docs/operations.md).",
        ("health",),
    ),
    Check(
        "fingerprint",
        _ISSUER,
        "Does the issuer seal with AWSCURRENT?",
        issuer.fingerprint,
        "Compare which secret the issuer reads (SERVER_SECRET_ARN); its log says why, if it cannot"
        " refresh it (docs/operations.md).",
        ("value", "status"),
    ),
    Check(
        "policy",
        _ISSUER,
        "Does it run with the policy that is meant?",
        issuer.policy,
        "Deploy the stage again (make deploy): its policy is packaged with it.",
        ("status",),
    ),
    Check(
        "signing-keys",
        _ISSUER,
        "Does it get the identity providers' keys?",
        issuer.signing_keys,
        "Compare jwks_uri in the policy with the identity provider's discovery document"
        " (docs/access-policy.md).",
        ("status",),
    ),
    Check(
        "cors",
        _ISSUER,
        "May pages of the origin call it?",
        issuer.cors,
        "Add the origin, exactly, to AllowedOrigins in samconfig.toml, and deploy.",
        ("health",),
    ),
    Check(
        "token",
        _TOKEN,
        "Would a client be let in with a token of the issuer's?",
        minted.token,
        "See the issuer's log (docs/operations.md).",
        ("value", "health"),
    ),
    Check(
        "env-file",
        _FILES,
        "Is anything of ZEGO's in a .env, and where everybody reads it?",
        env_files.env_files,
        "Save it as text in UTF-8.",
    ),
    Check(
        "drift",
        _FILES,
        "Is it what Secrets Manager holds?",
        env_files.drift,
        "",
        ("value",),
    ),
)
