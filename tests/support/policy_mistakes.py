"""A valid access policy, and every kind of mistake in a policy file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GOOD: Final = """\
[identities.web]
issuer = "https://login.example.com/"
audience = ["https://calls.example.com"]
jwks_uri = "https://login.example.com/jwks.json"
algorithms = ["RS256"]
user_ids = "subject"

[identities.backend]
role = "arn:aws:iam::111122223333:role/CallBackend"
read_status = true

[[rules]]
name = "members"
callers = ["web"]
claims = { email_verified = true }
rooms = ["call_*"]
stream_ids = ["{user_id}_*"]
privileges = ["login", "publish"]
max_lifetime_seconds = 7200

[[rules]]
name = "servers"
callers = ["backend"]
users = ["*"]
rooms = ["*"]
max_lifetime_seconds = 86400
"""

_ISSUER: Final = 'issuer = "https://login.example.com/"'
_AUDIENCE: Final = 'audience = ["https://calls.example.com"]'
_JWKS: Final = 'jwks_uri = "https://login.example.com/jwks.json"'
_ALGORITHMS: Final = 'algorithms = ["RS256"]'
_USER_IDS: Final = 'user_ids = "subject"'
_ROLE: Final = 'role = "arn:aws:iam::111122223333:role/CallBackend"'
_STATUS: Final = "read_status = true"
_NAME: Final = 'name = "servers"'
_CALLERS: Final = 'callers = ["web"]'
_CLAIMS: Final = "claims = { email_verified = true }"
_USERS: Final = 'users = ["*"]\n'
_ROOMS: Final = 'rooms = ["call_*"]\n'
_STREAMS: Final = 'stream_ids = ["{user_id}_*"]\n'
_PRIVILEGES: Final = 'privileges = ["login", "publish"]\n'
_LIFETIME: Final = "max_lifetime_seconds = 86400"

_SESSION: Final = "max_session_seconds = 28800"

_LIKE_WEB: Final = f"[identities.again]\n{_ISSUER}\n{_AUDIENCE}\n{_JWKS}\n"

_PARTNER: Final = """\
[identities.partner]
issuer = "https://partner.example.com/"
audience = ["https://calls.example.com"]
jwks_uri = "https://partner.example.com/jwks.json"
"""
_APP: Final = """\
[identities.app]
shared_key = "calls/session-key"
issuer = "calls-app"
user_ids = "hashed"
"""
_SAME_ISSUER: Final = _PARTNER.replace("partner.example", "login.example")
_LATE: Final = """\
[[rules]]
name = "late"
callers = ["backend"]
users = ["alice"]
rooms = ["lobby"]
max_lifetime_seconds = 60
"""
_DENY: Final = """\
[[rules]]
name = "no"
callers = ["web"]
users = ["alice"]
rooms = ["lobby"]
deny = true
"""


@dataclass(frozen=True)
class PolicyMistake:
    """A change that makes the valid policy invalid.

    :ivar old: a part of it, which the change replaces.
    :ivar words: what the message must say, in this order: where, and what is wrong.
    """

    name: str
    old: str
    new: str
    words: tuple[str, ...]

    @property
    def policy(self) -> str:
        """Return the policy with the mistake."""
        assert GOOD.count(self.old) == 1, self.old
        return GOOD.replace(self.old, self.new)


def _mistake(name: str, old: str, new: str, *words: str) -> PolicyMistake:
    return PolicyMistake(name, old, new, words)


def _required(claim: str) -> str:
    return f'required_claims = {{ {claim} = "https://partner.example.com/" }}'


def _added(name: str, new: str, *words: str) -> PolicyMistake:
    return PolicyMistake(name, GOOD, f"{GOOD}\n{new}", words)


#: The mistakes by kind. The first of each kind is also tested over HTTP.
MISTAKES: Final[dict[str, tuple[PolicyMistake, ...]]] = {
    "not TOML": (
        _mistake("an open string", _ROLE, 'role = "arn', "is not TOML"),
        _mistake("the same key twice", _ISSUER, f"{_ISSUER}\n{_ISSUER}", "is not TOML"),
        _mistake("JSON", GOOD, '{"identities": {}}', "is not TOML"),
        _mistake("a deep array", GOOD, f"rules = {'[' * 3000}", "is not TOML"),
    ),
    "unknown key": (
        _mistake(
            "in a rule",
            _ROOMS,
            _ROOMS + 'room = ["a"]\n',
            "rules[1] 'members'",
            "unknown key 'room'",
            "the keys are",
            "rooms",
        ),
        _added("at the top", '[[rule]]\nname = "x"', "the policy", "unknown key 'rule'", "rules"),
        _mistake(
            "in an issuer",
            _ALGORITHMS,
            'algorithm = "RS256"',
            "identities.web",
            "unknown key 'algorithm'",
            "algorithms",
        ),
        _mistake(
            "in a role",
            _STATUS,
            "may_read_status = true",
            "identities.backend",
            "unknown key 'may_read_status'",
            "read_status",
        ),
        _mistake("a role with an issuer", _STATUS, _ISSUER, "identities.backend", "'issuer'"),
        _mistake(
            "a bound in a rule that denies",
            _NAME,
            f"{_NAME}\ndeny = true",
            "rules[2] 'servers'",
            "max_lifetime_seconds limits what a rule grants, and a rule with deny grants nothing",
        ),
    ),
    "missing key": (
        _mistake("no identities", GOOD, "rules = []", "the policy lacks identities"),
        _mistake("no issuer", _ISSUER, "", "identities.web lacks issuer"),
        _mistake("no audience", _AUDIENCE, "", "identities.web lacks audience"),
        _mistake("no rule name", _NAME, "", "rules[2] lacks name"),
        _mistake("no callers", _CALLERS, "", "rules[1] 'members' lacks callers"),
        _mistake("no lifetime", _LIFETIME, "", "'servers' lacks max_lifetime_seconds"),
    ),
    "wrong type": (
        _mistake("audience", _AUDIENCE, 'audience = "a"', "identities.web", "audience must be"),
        _mistake("an empty audience", _AUDIENCE, "audience = []", "audience must be a non-empty"),
        _mistake("numbers as audience", _AUDIENCE, "audience = [1]", "array of strings"),
        _mistake("an empty string as audience", _AUDIENCE, 'audience = [""]', "array of strings"),
        _mistake("algorithms", _ALGORITHMS, 'algorithms = "RS256"', "algorithms must be"),
        _mistake("no algorithm", _ALGORITHMS, "algorithms = []", "algorithms must be a non-empty"),
        _mistake("issuer", _ISSUER, "issuer = 1", "issuer must be a non-empty string"),
        _mistake("an empty issuer", _ISSUER, 'issuer = ""', "issuer must be a non-empty string"),
        _mistake("user_ids", _USER_IDS, "user_ids = true", "user_ids must be"),
        _mistake("role", _ROLE, "role = 5", "identities.backend", "role must be"),
        _mistake("diagnose_tokens", _STATUS, "diagnose_tokens = 1", "must be true or false"),
        _mistake("read_status", _STATUS, 'read_status = "yes"', "must be true or false"),
        _mistake("a rule name", _NAME, "name = 2", "rules[2]", "name must be"),
        _mistake("an empty rule name", _NAME, 'name = ""', "rules[2]", "name must be"),
        _mistake("callers", _CALLERS, 'callers = "web"', "callers must be"),
        _mistake("no caller", _CALLERS, "callers = []", "callers must be"),
        _mistake("claims", _CLAIMS, 'claims = "admin"', "claims must be a table"),
        _mistake("a claim", _CLAIMS, "claims = { a = { b = 1 } }", "claims.a must be"),
        _mistake("a claim's date", _CLAIMS, "claims = { a = 2024-01-01 }", "claims.a must be"),
        _mistake("a claim's list", _CLAIMS, "claims = { a = [[1]] }", "claims.a must be"),
        _mistake("an empty list of a claim", _CLAIMS, "claims = { a = [] }", "claims.a must be"),
        _mistake("users", _USERS, 'users = "*"\n', "users must be"),
        _mistake("rooms", _ROOMS, 'rooms = "call_*"\n', "rooms must be"),
        _mistake("stream_ids", _STREAMS, "stream_ids = [1]\n", "stream_ids must be"),
        _mistake("privileges", _PRIVILEGES, 'privileges = "login"\n', "privileges must be"),
        _mistake("lifetime", _LIFETIME, 'max_lifetime_seconds = "1h"', "must be a whole number"),
        _mistake("a fraction", _LIFETIME, "max_lifetime_seconds = 60.5", "must be a whole number"),
        _mistake("a boolean", _LIFETIME, "max_lifetime_seconds = true", "must be a whole number"),
        _mistake("deny", _LIFETIME, 'deny = "no"', "deny must be true or false"),
        _mistake("identity_tokens", _ROOMS, "identity_tokens = 1\n", "must be true or false"),
        _added("an identity", "[identities]\nother = 1", "identities.other must be a table"),
        _mistake("identities", GOOD, 'identities = ["web"]', "identities must be a table"),
        _mistake("an identity as text", GOOD, 'identities = { web = "a" }', "web must be a table"),
        _mistake("rules", GOOD, "identities = {}\nrules = {}", "rules must be an array of tables"),
        _mistake("a rule", GOOD, "identities = {}\nrules = [1]", "rules must be an array of"),
    ),
    "URL": (
        _mistake("plain http", _JWKS, 'jwks_uri = "http://a.example.com/k"', "jwks_uri", "https"),
        _mistake("an issuer with http", _ISSUER, 'issuer = "http://a.example/"', "issuer", "https"),
        _mistake("another scheme", _JWKS, 'jwks_uri = "file:///etc/keys"', "jwks_uri", "URL"),
        _mistake("no scheme", _JWKS, 'jwks_uri = "login.example.com/k"', "jwks_uri", "URL"),
        _mistake("no host", _JWKS, 'jwks_uri = "https:///keys"', "jwks_uri", "URL"),
        _mistake("an open bracket", _JWKS, 'jwks_uri = "https://["', "jwks_uri", "URL"),
        _mistake("an invalid port", _JWKS, 'jwks_uri = "https://a:b/"', "jwks_uri", "URL"),
        _mistake("a port too high", _JWKS, 'jwks_uri = "https://a:65536/"', "jwks_uri", "URL"),
        _mistake("a space", _JWKS, 'jwks_uri = "https://a b/"', "jwks_uri", "URL"),
        _mistake("a space around", _JWKS, 'jwks_uri = " https://a/"', "jwks_uri", "URL"),
        _mistake("a newline", _JWKS, 'jwks_uri = "https://a/\\n"', "jwks_uri", "URL"),
        _mistake("not ASCII", _JWKS, 'jwks_uri = "https://a.example/ü"', "jwks_uri", "URL"),
        _mistake("a host not ASCII", _JWKS, 'jwks_uri = "https://ä.example/"', "jwks_uri", "URL"),
        _mistake("a loopback", _JWKS, 'jwks_uri = "http://127.0.0.1/keys"', "jwks_uri", "https"),
    ),
    "algorithm": (
        _mistake("none", _ALGORITHMS, 'algorithms = ["none"]', "'none' is not one of RS256"),
        _mistake("None", _ALGORITHMS, 'algorithms = ["RS256", "None"]', "'None' is not one of"),
        _mistake("symmetric", _ALGORITHMS, 'algorithms = ["HS256"]', "'HS256' is not one of"),
        _mistake("RSA and symmetric", _ALGORITHMS, 'algorithms = ["RS256", "HS512"]', "'HS512'"),
        _mistake("lower case", _ALGORITHMS, 'algorithms = ["rs256"]', "'rs256' is not one of"),
        _mistake("ES256K", _ALGORITHMS, 'algorithms = ["ES256K"]', "'ES256K' is not one of"),
        _mistake("encryption", _ALGORITHMS, 'algorithms = ["RSA-OAEP"]', "'RSA-OAEP' is not"),
    ),
    "user_ids": (
        _mistake("another word", _USER_IDS, 'user_ids = "email"', '"subject" or "hashed"'),
        _added(
            "two issuers with plain subjects",
            _PARTNER,
            "web and partner",
            "same subject",
            'user_ids = "hashed"',
        ),
    ),
    "identity that no token can have": (
        _added(
            "all of whose tokens an earlier one accepts",
            _LIKE_WEB + "required_claims = { email_verified = true }",
            "identities.again",
            "web has the same issuer, comes first",
            "accepts all of its tokens",
        ),
        _added(
            "a backend whose tokens are those of users",
            f"{_LIKE_WEB}names_users = true",
            "identities.again",
            "web has the same issuer, comes first",
            "put the identity with more conditions first",
        ),
        _mistake("two scopes in one", _USER_IDS, 'scope = ["read calls"]', "web: scope", '["a"'),
        _mistake(
            "another issuer", _USER_IDS, _required("iss"), "required_claims.iss", "set issuer"
        ),
        _mistake("a bound token", _USER_IDS, _required("cnf"), "required_claims.cnf", "itself"),
        _mistake("an event", _USER_IDS, _required("events"), "required_claims.events", "itself"),
        _mistake("a fixed time", _USER_IDS, _required("exp"), "required_claims.exp", "itself"),
    ),
    "identity whose users are equal": (
        _mistake("the issuer", _USER_IDS, 'user_id_claim = "iss"', "iss does not name a user"),
        _mistake("the audience", _USER_IDS, 'user_id_claim = "aud"', "aud does not name a user"),
        _mistake("a time", _USER_IDS, 'user_id_claim = "exp"', "exp does not name a user"),
        _mistake("a token's id", _USER_IDS, 'user_id_claim = "jti"', "jti does not name a user"),
    ),
    "discovery": (
        _added(
            "an issuer with a query",
            f'[identities.partner]\nissuer = "https://partner.example.com/?id=1"\n{_AUDIENCE}',
            "identities.partner",
            "query or fragment",
            "set jwks_uri",
        ),
    ),
    "audience_claim": (
        _added("without audience", _APP + 'audience_claim = "azp"', "no effect without audience"),
    ),
    "role": (
        _mistake("a wildcard", _ROLE, 'role = "arn:aws:iam::111122223333:role/*"', "wildcard"),
        _mistake("a wildcard behind", _ROLE, _ROLE.replace("Backend", "B*"), "without a wildcard"),
        _mistake("a wildcard path", _ROLE, _ROLE.replace("CallBackend", "*/a"), "wildcard"),
        _mistake("any account", _ROLE, _ROLE.replace("111122223333", "*"), "<12 digits>"),
        _mistake("a short account", _ROLE, _ROLE.replace("111122223333", "1"), "<12 digits>"),
        _mistake("a session", _ROLE, 'role = "arn:aws:sts::111122223333:assumed-role/A/s"', "role"),
        _mistake("a user", _ROLE, 'role = "arn:aws:iam::111122223333:user/A"', "role must be"),
        _mistake("root", _ROLE, 'role = "arn:aws:iam::111122223333:root"', "role must be"),
        _mistake("a name only", _ROLE, 'role = "CallBackend"', "role must be arn:aws:iam::"),
        _mistake("no name", _ROLE, _ROLE.replace("CallBackend", ""), "role must be"),
        _mistake("a newline", _ROLE, _ROLE.replace("Backend", "Backend\\n"), "role must be"),
    ),
    "said twice": (
        _added("a rule name", _LATE.replace("late", "servers"), "rules[3]", "the name 'servers'"),
        _added(
            "an issuer",
            _PARTNER.replace("partner.example", "login.example"),
            "identities.partner",
            "web has the same issuer",
        ),
        _added(
            "a role",
            f"[identities.other]\n{_ROLE}",
            "identities.other",
            "backend has the same role",
        ),
        _added(
            "a role under another path",
            "[identities.other]\n" + _ROLE.replace("CallBackend", "team/a/CallBackend"),
            "identities.other",
            "backend has the same role",
        ),
    ),
    "shared key": (
        _added(
            "with jwks_uri",
            f"{_APP}{_JWKS}",
            "identities.app",
            "shared_key and jwks_uri exclude each other",
        ),
        _mistake("a field only", _USER_IDS, 'shared_key_field = "a"', "needs shared_key"),
        _mistake("a flag only", _USER_IDS, "accept_previous_key = false", "needs shared_key"),
        _added("nothing else", _APP.replace('issuer = "calls-app"', ""), "set issuer, audience or"),
        _added(
            "no claims",
            _APP.replace('issuer = "calls-app"', "required_claims = {}"),
            "set issuer, audience or required_claims",
        ),
        _added("a public key's", f'{_APP}algorithms = ["RS256"]', "'RS256' is not one of HS256"),
        _added("a value", _APP.replace("calls/session-key", "a secret"), "the name or ARN of a"),
        _added("a URL", _APP.replace("calls/session-key", "https://a"), "the name or ARN of a"),
        _added(
            "twice without an issuer",
            _APP.replace('issuer = "calls-app"', 'audience = ["a"]')
            + _APP.replace('issuer = "calls-app"', 'audience = ["b"]').replace("app]", "old]"),
            "identities.old",
            "set issuer on one",
        ),
        _added(
            "two for one issuer",
            _APP + _APP.replace("app]", "old]").replace("session", "other"),
            "app has the same issuer, so shared_key must be the same",
        ),
        _added(
            "two fields for one issuer",
            _APP + _APP.replace("app]", "old]") + 'shared_key_field = "a"',
            "so shared_key_field must be the same",
        ),
    ),
    "backend": (
        _mistake("without users", _USER_IDS, "names_users = true", "'members'", "set users"),
        _mistake("with user_ids", _USER_IDS, f"{_USER_IDS}\nnames_users = true", "no effect"),
        _mistake("a role", _STATUS, "names_users = true", "unknown key 'names_users' for a role"),
    ),
    "conditions": (
        _mistake("scope", _USER_IDS, 'scope = "calls"', "scope must be a non-empty array"),
        _mistake("two in one", _USER_IDS, 'required_claims = { scope = "a b" }', '["a", "b"]'),
        _mistake("types", _USER_IDS, "token_types = []", "token_types must be a non-empty array"),
        _mistake("an age", _USER_IDS, "max_age_seconds = 59", "must be 60 to 31536000"),
        _mistake("no table", _USER_IDS, 'required_claims = "a"', "required_claims must be a table"),
        _mistake("an object", _USER_IDS, "required_claims = { a = {} }", "required_claims.a must"),
        _mistake("a claim's name", _USER_IDS, 'audience_claim = ""', "a non-empty string"),
        _added(
            "other keys of one issuer",
            _SAME_ISSUER.replace("jwks.json", "other.json"),
            "web has the same issuer, so jwks_uri must be the same",
        ),
        _added(
            "another claim for users",
            _SAME_ISSUER + 'user_id_claim = "email"',
            "web and partner have the same issuer and different claims for user ids",
        ),
    ),
    "caller": (
        _mistake("unknown", _CALLERS, 'callers = ["webb"]', "'members'", "called 'webb'"),
        _mistake("one of two", _CALLERS, 'callers = ["web", "app"]', "called 'app'"),
        _mistake("a role without users", _USERS, "", "'servers'", "set users: the users it may"),
        _mistake("a role among others", _CALLERS, 'callers = ["web", "backend"]', "set users"),
    ),
    "rule without rooms": (
        _mistake("none", _ROOMS, "", "'members' matches nothing", "rooms or identity_tokens"),
        _mistake("an empty list", _ROOMS, "rooms = []\n", "rooms must be a non-empty"),
        _mistake("denied rooms", _ROOMS, "identity_tokens = false\n", "'members' matches nothing"),
    ),
    "identity_tokens with bounds": (
        _mistake("streams", _ROOMS, "identity_tokens = true\n", "'members'", "has no privileges"),
        _mistake(
            "one privilege",
            _LIFETIME,
            f'{_LIFETIME}\nidentity_tokens = true\nprivileges = ["login"]',
            "'servers'",
            "write two rules",
        ),
    ),
    "privileges": (
        _mistake("unknown", _PRIVILEGES, 'privileges = ["watch"]\n', "'members'", '"login" and'),
        _mistake("in capitals", _PRIVILEGES, 'privileges = ["Login"]\n', '"login" and "publish"'),
        _mistake("none", _PRIVILEGES, "privileges = []\n", "privileges must be a non-empty"),
    ),
    "lifetime": (
        _mistake("too short", _LIFETIME, "max_lifetime_seconds = 59", "must be 60 to 2073600"),
        _mistake("too long", _LIFETIME, "max_lifetime_seconds = 2073601", "60 to 2073600"),
        _mistake("none", _LIFETIME, "max_lifetime_seconds = 0", "'servers'", "60 to 2073600"),
        _mistake("negative", _LIFETIME, "max_lifetime_seconds = -60", "60 to 2073600"),
    ),
    "pattern": (
        _mistake("a placeholder", _ROOMS, 'rooms = ["{user}"]\n', "rooms", "unknown placeholder"),
        _mistake("a brace", _ROOMS, 'rooms = ["a{"]\n', "'members'", "rooms", "unmatched brace"),
        _mistake("no separator", _ROOMS, 'rooms = ["{user_id}*"]\n', "rooms", "put a separator"),
        _mistake("two stars", _ROOMS, 'rooms = ["*.{user_id}.*"]\n', "star on both sides"),
        _mistake("a user", _USERS, 'users = ["{usr}"]\n', "'servers'", "users", "placeholder"),
        _mistake("a stream", _STREAMS, 'stream_ids = ["}"]\n', "stream_ids", "unmatched brace"),
    ),
    "placeholder in a rule that denies": (
        _added(
            "a room",
            _DENY.replace("lobby", "{claims.team}_lobby"),
            "rules[3] 'no'",
            "cannot have a placeholder",
        ),
        _added("a user", _DENY.replace("alice", "{claims.sub}"), "cannot have a placeholder"),
    ),
    "unless_claims": (
        _mistake("in a rule that grants", _CLAIMS, f"unless_{_CLAIMS}", "key 'unless_claims'"),
        _added("not a table", f"{_DENY}unless_claims = true", "unless_claims must be a table"),
        _added("a table", f"{_DENY}unless_claims = {{ a = {{}} }}", "unless_claims.a must be"),
        _added(
            "of a role",
            f"{_DENY.replace('web', 'backend')}unless_claims = {{ a = 1 }}",
            "rules[3] 'no'",
            "its callers include a role, which has no claims",
        ),
    ),
    "scope": (
        _mistake(
            "two in one text",
            _CLAIMS,
            'claims = { scope = "calls:join calls:publish" }',
            "'members'",
            "claims.scope",
            'write ["a", "b"] for "a b"',
        ),
        _mistake("a space", _CLAIMS, 'claims = { scp = ["a", "b "] }', "claims.scp"),
        _mistake("none", _CLAIMS, 'claims = { scp = "" }', "claims.scp", "one scope"),
        _added("to prevent a denial", f'{_DENY}unless_claims = {{ scp = "a b" }}', "one scope"),
    ),
    "max_session_seconds": (
        _mistake("of a role", _LIFETIME, f"{_LIFETIME}\n{_SESSION}", "'servers'", "for users"),
        _mistake(
            "too short", _STREAMS, "max_session_seconds = 59\n", "'members'", "60 to 31536000"
        ),
        _mistake("a text", _STREAMS, 'max_session_seconds = "8 h"\n', "must be a whole number"),
        _added("in a rule that denies", f"{_DENY}{_SESSION}", "max_session_seconds limits what"),
        _mistake("its claim", _USER_IDS, "session_start_claim = 1", "session_start_claim must be"),
    ),
    "too many": (
        _mistake(
            "streams",
            _STREAMS,
            f"stream_ids = {[f's{number}' for number in range(51)]}\n",
            "'members'",
            "stream_ids has more than 50",
        ),
    ),
    "callees": (
        _mistake("not a list", _STREAMS, 'callees = "*"\n', "'members'", "callees must be"),
        _mistake("a placeholder", _STREAMS, 'callees = ["{id}"]\n', "callees", "placeholder"),
        _mistake(
            "without a room",
            'rooms = ["*"]\n',
            'identity_tokens = true\ncallees = ["*"]\n',
            "'servers'",
            "callees is for calls, which have a room: set rooms",
        ),
        _added("in a rule that denies", f'{_DENY}callees = ["*"]', "callees limits what"),
    ),
    "unreachable rule": (
        _added(
            "everything was granted before",
            _LATE,
            "rules[3] 'late'",
            "can never be reached",
            "'servers' matches everything",
        ),
        _added(
            "a deny that comes too late",
            _LATE.replace("max_lifetime_seconds = 60", "deny = true\nidentity_tokens = false"),
            "rules[3] 'late'",
            "can never be reached",
        ),
    ),
}
