"""Every key of an access policy, as data.

:mod:`issuer.policy_file` reads a policy by these tables. ``make docs`` makes the JSON schema of
them, and a test holds ``policies/reference.toml`` to them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from issuer.jwks import ALGORITHMS
from issuer.token_request import MAX_STREAM_IDS, MIN_LIFETIME_SECONDS, PRIVILEGES
from zego.token04 import MAX_LIFETIME_SECONDS

#: ``texts`` is an array of texts, ``claims`` a table of texts, numbers, booleans and arrays of
#: them. No text and no array is empty.
KeyType = Literal["text", "flag", "number", "texts", "table", "tables", "claims"]


@dataclass(frozen=True, slots=True)
class PolicyKey:
    """A key of a table.

    :ivar default: what the policy says without the key; ``None``: nothing.
    :ivar choices: the only values that a text, or each text of an array, may have.
    :ivar pattern: a regular expression that the whole text must match.
    :ivar bounds: the least and the greatest number.
    :ivar most: the most items that an array may have.
    """

    name: str
    type: KeyType
    description: str
    required: bool = False
    default: object = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    bounds: tuple[int, int] | None = None
    most: int | None = None


Keys = tuple[PolicyKey, ...]

POLICY_KEYS: Final[Keys] = (
    PolicyKey(
        "identities",
        "table",
        "Who may call, by name: identity providers and IAM roles. Rules refer to these names.",
        required=True,
    ),
    PolicyKey(
        "rules",
        "tables",
        "What callers may get. The first rule that matches decides; with no match, the service"
        " refuses the request.",
    ),
    PolicyKey(
        "examples",
        "tables",
        "Tests of this file. `make policies` runs them; the service ignores them.",
    ),
)

#: Of an identity without ``role``: the users of an OIDC identity provider.
OIDC_KEYS: Final[Keys] = (
    PolicyKey(
        "issuer",
        "text",
        "The bearer token's `iss`, exactly. An https URL; one identity per issuer.",
        required=True,
    ),
    PolicyKey(
        "audience",
        "texts",
        "The bearer token's `aud` must contain one of these.",
        required=True,
    ),
    PolicyKey(
        "jwks_uri",
        "text",
        "Where the issuer's public keys are. An https URL: `jwks_uri` in"
        " `<issuer>/.well-known/openid-configuration`.",
        required=True,
    ),
    PolicyKey(
        "algorithms",
        "texts",
        "The signature algorithms that bearer tokens may use.",
        default=("RS256",),
        choices=tuple(ALGORITHMS),
    ),
    PolicyKey(
        "user_ids",
        "text",
        '"subject": the user id is the bearer token\'s `sub`, or its hash if ZEGO would reject the'
        ' `sub`. "hashed": always the hash. Only one issuer may use "subject".',
        default="subject",
        choices=("subject", "hashed"),
    ),
)

#: Of an identity with ``role``: an IAM role.
ROLE_KEYS: Final[Keys] = (
    PolicyKey(
        "role",
        "text",
        "The ARN of the role, `arn:aws:iam::<account>:role/<name>`, without a wildcard. A path is"
        " ignored, because AWS does not show it when the role calls.",
        required=True,
        pattern=r"(arn:aws[a-z-]*:iam::[0-9]{12}:role/)(?:[^/*]+/)*([\w+=,.@-]+)",
    ),
    PolicyKey(
        "read_status",
        "flag",
        "Whether the role may call `GET /v1/status`.",
        default=False,
    ),
    PolicyKey(
        "diagnose_tokens",
        "flag",
        "Whether the role may call `POST /v1/diagnose`. It then reads what is in the tokens that"
        " it has.",
        default=False,
    ),
)

_MATCHING_KEYS: Final[Keys] = (
    PolicyKey("name", "text", "Names the rule in the audit log. Unique.", required=True),
    PolicyKey(
        "callers",
        "texts",
        "The rule matches callers with these identities.",
        required=True,
    ),
    PolicyKey(
        "claims",
        "claims",
        "The rule matches bearer tokens with these claims. Each claim has this value, or one of"
        " this array; if the claim itself is an array, one of its items does.",
        default={},
    ),
    PolicyKey(
        "users",
        "texts",
        "The rule matches requests for users whose id matches one of these patterns. Required if"
        " a role is among the callers of a rule that grants.",
        default=("*",),
    ),
    PolicyKey(
        "rooms",
        "texts",
        "The rule matches requests for rooms whose id matches one of these patterns. Without it, a"
        " rule that grants matches no room, and one that denies matches every room.",
    ),
    PolicyKey(
        "identity_tokens",
        "flag",
        "Whether the rule also matches requests for a token without a room. Such a token opens"
        " every room. The default is true for a rule that denies.",
        default=False,
    ),
    PolicyKey(
        "deny",
        "flag",
        "Refuse what this rule matches. Such a rule has no placeholders and no privileges,"
        " stream_ids or max_lifetime_seconds.",
        default=False,
    ),
)

#: Of a rule that grants.
GRANTING_KEYS: Final[Keys] = (
    *_MATCHING_KEYS,
    PolicyKey(
        "privileges",
        "texts",
        "What a token may allow in its room: enter it, publish streams.",
        default=PRIVILEGES,
        choices=PRIVILEGES,
    ),
    PolicyKey(
        "stream_ids",
        "texts",
        "A token may publish streams whose id matches one of these patterns. Without it, any"
        " stream.",
        most=MAX_STREAM_IDS,
    ),
    PolicyKey(
        "max_lifetime_seconds",
        "number",
        "The longest lifetime of a token. If a request names none, its token lives 7200 s or this"
        " value, whichever is shorter.",
        required=True,
        bounds=(MIN_LIFETIME_SECONDS, MAX_LIFETIME_SECONDS),
    ),
)

_DENYING_DEFAULTS: Final = {"rooms": ("*",), "identity_tokens": True}

#: Of a rule with ``deny = true``.
DENYING_KEYS: Final[Keys] = tuple(
    replace(key, default=_DENYING_DEFAULTS.get(key.name, key.default)) for key in _MATCHING_KEYS
)

EXAMPLE_KEYS: Final[Keys] = (
    PolicyKey("description", "text", "What the example shows.", required=True),
    PolicyKey("caller", "text", "The name of the identity that calls.", required=True),
    PolicyKey(
        "claims",
        "table",
        "The claims of its bearer token, with `sub`. A role has none.",
        default={},
    ),
    PolicyKey("request", "table", "The body of the request.", default={}),
    PolicyKey(
        "expect",
        "text",
        "Whether the service must grant or refuse the request.",
        required=True,
        choices=("granted", "refused"),
    ),
    PolicyKey("rule", "text", "The name of the rule that must decide. Without it, any rule."),
)
