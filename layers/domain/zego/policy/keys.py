"""Every key of an access policy, as data, and the reader of a table with such keys.

``policies/reference.toml`` explains each key; a test compares it with these tables. ``make docs``
generates the JSON schema of a policy from both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from zego.policy.claims import SCOPES, Claim
from zego.policy.model import (
    ALGORITHMS,
    HMAC_ALGORITHMS,
    MAX_CALLEES,
    MAX_STREAM_IDS,
    MAX_TOKENS_PER_HOUR,
    MIN_LIFETIME_SECONDS,
    PRIVILEGES,
    ClaimValues,
)
from zego.token04 import MAX_LIFETIME_SECONDS

#: ``texts`` is an array of texts, ``claims`` a table of texts, numbers, booleans and arrays of
#: them. No text and no array is empty.
KeyType = Literal["text", "flag", "number", "texts", "table", "tables", "claims"]


class PolicyKey(NamedTuple):
    """A key of a table.

    :ivar default: the value if the key is missing; ``None`` if there is no default.
    :ivar choices: the only values that a text, or each text of an array, may have.
    :ivar pattern: a regular expression that the whole text must match.
    :ivar bounds: the smallest and the largest number.
    :ivar most: the largest number of items in an array.
    """

    name: str
    type: KeyType
    required: bool = False
    default: object = None
    choices: tuple[str, ...] = ()
    pattern: str = ""
    bounds: tuple[int, int] | None = None
    most: int | None = None


Keys = tuple[PolicyKey, ...]

POLICY_KEYS: Final[Keys] = (
    PolicyKey("denials_unavailable", "text", default="refuse", choices=("refuse", "allow")),
    PolicyKey("identities", "table", required=True),
    PolicyKey("rules", "tables"),
    PolicyKey("examples", "tables"),
)

#: The keys of every identity whose callers send a bearer token.
_BEARER_KEYS: Final[Keys] = (
    PolicyKey("audience_claim", "text", default="aud"),
    PolicyKey("user_id_claim", "text", default="sub"),
    PolicyKey("user_ids", "text", default="subject", choices=("subject", "hashed")),
    PolicyKey("required_claims", "claims", default={}),
    PolicyKey("scope", "texts"),
    PolicyKey("token_types", "texts"),
    PolicyKey("max_age_seconds", "number", bounds=(60, 31_536_000)),
    PolicyKey("session_start_claim", "text", default="auth_time"),
    PolicyKey("names_users", "flag", default=False),
)

#: The keys of an identity without ``role`` and ``shared_key``: an OIDC identity provider.
OIDC_KEYS: Final[Keys] = (
    PolicyKey("issuer", "text", required=True),
    PolicyKey("audience", "texts", required=True),
    PolicyKey("jwks_uri", "text"),
    PolicyKey("algorithms", "texts", default=("RS256",), choices=tuple(ALGORITHMS)),
    *_BEARER_KEYS,
)

#: The name or ARN of a secret.
_NAME_OR_ARN: Final = (
    r"(?:arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:)?[\w/+=.@-]{1,512}"
)

#: The keys of an identity with ``shared_key``: tokens that an application signs with an HMAC.
SHARED_KEY_KEYS: Final[Keys] = (
    PolicyKey("shared_key", "text", required=True, pattern=_NAME_OR_ARN),
    PolicyKey("shared_key_field", "text"),
    PolicyKey("accept_previous_key", "flag", default=True),
    PolicyKey("issuer", "text"),
    PolicyKey("audience", "texts"),
    PolicyKey("algorithms", "texts", default=("HS256",), choices=tuple(HMAC_ALGORITHMS)),
    *_BEARER_KEYS,
)

_ROLE: Final = r"(arn:aws[a-z-]*:iam::[0-9]{12}:role/)(?:[^/*]+/)*([\w+=,.@-]+)"

#: The keys of an identity with ``role``: an IAM role.
ROLE_KEYS: Final[Keys] = (
    PolicyKey("role", "text", required=True, pattern=_ROLE),
    PolicyKey("read_status", "flag", default=False),
    PolicyKey("diagnose_tokens", "flag", default=False),
)

_MATCHING_KEYS: Final[Keys] = (
    PolicyKey("name", "text", required=True),
    PolicyKey("callers", "texts", required=True),
    PolicyKey("claims", "claims", default={}),
    PolicyKey("users", "texts", default=("*",)),
    PolicyKey("rooms", "texts"),
    PolicyKey("identity_tokens", "flag", default=False),
    PolicyKey("deny", "flag", default=False),
)
#: At most a year.
_SESSIONS: Final = (MIN_LIFETIME_SECONDS, 365 * 86400)
_LIFETIMES: Final = (MIN_LIFETIME_SECONDS, MAX_LIFETIME_SECONDS)

#: The keys of a rule that grants.
GRANTING_KEYS: Final[Keys] = (
    *_MATCHING_KEYS,
    PolicyKey("privileges", "texts", default=PRIVILEGES, choices=PRIVILEGES),
    PolicyKey("stream_ids", "texts", most=MAX_STREAM_IDS),
    PolicyKey("callees", "texts"),
    PolicyKey("max_lifetime_seconds", "number", required=True, bounds=_LIFETIMES),
    PolicyKey("max_session_seconds", "number", bounds=_SESSIONS),
    PolicyKey("max_tokens_per_hour", "number", bounds=(1, MAX_TOKENS_PER_HOUR)),
)

_DENYING_DEFAULTS: Final = {"rooms": ("*",), "identity_tokens": True}

#: The keys of a rule with ``deny = true``.
DENYING_KEYS: Final[Keys] = (
    *(key._replace(default=_DENYING_DEFAULTS.get(key.name, key.default)) for key in _MATCHING_KEYS),
    PolicyKey("unless_claims", "claims", default={}),
)

EXAMPLE_KEYS: Final[Keys] = (
    PolicyKey("description", "text", required=True),
    PolicyKey("caller", "text", required=True),
    PolicyKey("claims", "table", default={}),
    PolicyKey("request", "table", default={}),
    PolicyKey("expect", "text", required=True, choices=("granted", "refused")),
    PolicyKey("rule", "text"),
)

#: The keys of an example's request: the fields of a token request, and a call's ``callees``.
EXAMPLE_REQUEST_KEYS: Final[Keys] = (
    PolicyKey("user_id", "text"),
    PolicyKey("room_id", "text"),
    PolicyKey("privileges", "texts", choices=PRIVILEGES),
    PolicyKey("stream_ids", "texts", most=MAX_STREAM_IDS),
    PolicyKey("lifetime_seconds", "number", bounds=_LIFETIMES),
    PolicyKey("callees", "texts", most=MAX_CALLEES),
)


class TableError(ValueError):
    """A key is unknown, missing or of the wrong type. The message names the place."""


class Table:
    """A table and its place in the file, for messages.

    If the table lacks a key, a method that reads it returns the default or, without one, raises.
    """

    def __init__(self, values: Mapping[str, object], place: str, keys: Keys) -> None:
        self.values = values
        self.place = place
        self.keys = {key.name: key for key in keys}

    def error(self, text: str) -> TableError:
        """An error that names the table's place in the file."""
        return TableError(f"{self.place}: {text}")

    def refuse_unknown_keys(self) -> None:
        """Refuse unknown keys, because a misspelt one would have no effect."""
        for name in self.values:
            if name not in self.keys:
                known = ", ".join(sorted(self.keys))
                raise self.error(f"unknown key {name!r}; the keys are {known}")

    def has(self, name: str) -> bool:
        """Whether the table or the key's default gives a value."""
        return name in self.values or (name in self.keys and self.keys[name].default is not None)

    def text(self, name: str) -> str:
        """A non-empty string; one of the key's choices if it has any."""
        value = self._value(name)
        if not isinstance(value, str) or not value:
            raise self._wrong(name, "a non-empty string")
        choices = self.keys[name].choices
        if choices and value not in choices:
            raise self._wrong(name, " or ".join(f'"{choice}"' for choice in choices))
        return value

    def flag(self, name: str) -> bool:
        """``true`` or ``false``."""
        value = self._value(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def number(self, name: str) -> int:
        """A whole number within the key's bounds."""
        value = self._value(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(name, "a whole number")
        bounds = self.keys[name].bounds
        if bounds is not None and not bounds[0] <= value <= bounds[1]:
            raise self._wrong(name, f"{bounds[0]} to {bounds[1]}")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A non-empty array of non-empty strings."""
        value = self._value(name)
        if isinstance(value, tuple):
            return value
        items = value if isinstance(value, list) else []
        if not items or not all(isinstance(item, str) and item for item in items):
            raise self._wrong(name, "a non-empty array of strings")
        return tuple(items)

    def table(self, name: str) -> Mapping[str, object]:
        """A table."""
        value = self._value(name)
        if not isinstance(value, Mapping):
            raise self._wrong(name, "a table")
        return value

    def claims(self, name: str) -> ClaimValues:
        """A table of claims, each with a value or an array of values."""
        claims: dict[str, tuple[Claim, ...]] = {}
        for claim, wanted in self.table(name).items():
            items: list[object] = wanted if isinstance(wanted, list) else [wanted]
            values = tuple(item for item in items if isinstance(item, str | int | float))
            if not values or len(values) < len(items):
                expected = "a string, number, boolean or array of these"
                raise self.error(f"{name}.{claim} must be {expected}")
            scopes = [one for one in values if isinstance(one, str) and claim in SCOPES]
            if any(one.split() != [one] for one in scopes):
                hint = 'each value is one scope; write ["a", "b"] for "a b"'
                raise self.error(f"{name}.{claim}: {hint}")
            claims[claim] = values
        return claims

    def tables(self, name: str) -> list[Mapping[str, object]]:
        """An array of tables; empty if the key is absent."""
        value = self.values.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong(name, f"an array of tables, [[{name}]]")
        return value

    def _value(self, name: str) -> object:
        if not self.has(name):
            raise TableError(f"{self.place} lacks {name}")
        return self.values.get(name, self.keys[name].default)

    def _wrong(self, name: str, expected: str) -> TableError:
        return self.error(f"{name} must be {expected}")
