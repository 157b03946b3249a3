"""An invalid policy file is refused, with the place and what to fix."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from tests.support.policy_mistakes import GOOD, MISTAKES, PolicyMistake
from tests.support.table import table
from zego.policy import file as policy_file
from zego.policy.file import Example, PolicyError
from zego.policy.model import AccessPolicy, BearerIdentity, RoleIdentity, TokenRequest

EVERY_MISTAKE = {
    f"{kind}: {mistake.name}": mistake
    for kind, mistakes in MISTAKES.items()
    for mistake in mistakes
}

EXAMPLE = """
[[examples]]
description = "alice joins a call"
caller = "web"
claims = { sub = "alice" }
request = { room_id = "call_1" }
expect = "granted"
rule = "members"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prod.toml"


def load(file: Path, text: str, *, allow_loopback: bool = False) -> AccessPolicy:
    file.write_text(text, encoding="utf-8")
    return policy_file.load(file, allow_loopback=allow_loopback)


def load_examples(file: Path, text: str) -> list[Example]:
    file.write_text(text, encoding="utf-8")
    return policy_file.load_examples(file)


class TestMistakes:
    @table("mistake", EVERY_MISTAKE.values(), ids=EVERY_MISTAKE)
    def test_it_is_refused_with_its_place_and_what_is_wrong(
        self, file: Path, mistake: PolicyMistake
    ) -> None:
        with pytest.raises(PolicyError) as refused:
            load(file, mistake.policy)
        message = str(refused.value)
        assert message.startswith("prod.toml")
        position = 0
        for words in mistake.words:
            assert words in message[position:]
            position = message.index(words, position) + len(words)

    @table("mistake", EVERY_MISTAKE.values(), ids=EVERY_MISTAKE)
    def test_it_names_the_place_once(self, file: Path, mistake: PolicyMistake) -> None:
        with pytest.raises(PolicyError) as refused:
            load(file, mistake.policy)
        assert len(re.findall(r"identities\.\w|rules\[", str(refused.value))) <= 1

    def test_the_policy_without_the_mistakes_is_good(self, file: Path) -> None:
        assert [rule.name for rule in load(file, GOOD).rules] == ["members", "servers"]

    def test_a_file_that_is_missing_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(PolicyError, match=r"absent\.toml cannot be read: No such file"):
            policy_file.load(tmp_path / "absent.toml")

    def test_a_folder_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(PolicyError, match="cannot be read"):
            policy_file.load(tmp_path)

    def test_a_file_that_is_nested_without_end_is_not_toml(self, file: Path) -> None:
        file.write_text("a = " + "[" * 5000)
        with pytest.raises(PolicyError, match="is not TOML: it is nested too deeply"):
            policy_file.load(file)
        with pytest.raises(PolicyError, match="is not TOML: it is nested too deeply"):
            policy_file.load_examples(file)

    def test_a_file_that_is_not_utf8_is_not_toml(self, file: Path) -> None:
        file.write_bytes(b'issuer = "\xff"')
        with pytest.raises(PolicyError, match="is not TOML"):
            policy_file.load(file)


class TestLoopback:
    @pytest.mark.parametrize(
        "host", ["127.0.0.1:8081", "localhost:8081", "[::1]:8081", "127.0.0.2", "localhost"]
    )
    def test_plain_http_to_this_machine_is_accepted_if_allowed(self, file: Path, host: str) -> None:
        text = GOOD.replace("https://login.example.com", f"http://{host}")
        (web,) = load(file, text, allow_loopback=True).bearers
        assert web.issuer == f"http://{host}/"

    @pytest.mark.parametrize("host", ["127.0.0.1:8081", "localhost:8081", "[::1]:8081"])
    def test_plain_http_to_this_machine_is_refused_otherwise(self, file: Path, host: str) -> None:
        with pytest.raises(PolicyError, match="https"):
            load(file, GOOD.replace("https://login.example.com", f"http://{host}"))

    @pytest.mark.parametrize(
        "host",
        [
            "login.example.com",
            "127.0.0.1.example.com",
            "localhost.example.com",
            "127.0.0.1@example.com",
            "10.0.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "[::]",
            "2130706433",
        ],
    )
    def test_plain_http_to_another_machine_is_never_accepted(self, file: Path, host: str) -> None:
        text = GOOD.replace("https://login.example.com", f"http://{host}")
        with pytest.raises(PolicyError):
            load(file, text, allow_loopback=True)


class TestGoodPolicies:
    def test_it_is_known_by_the_hash_of_its_file(self, file: Path) -> None:
        assert load(file, GOOD).sha256 == hashlib.sha256(file.read_bytes()).hexdigest()

    def test_issuers_and_roles_are_read(self, file: Path) -> None:
        policy = load(file, GOOD)
        web = BearerIdentity(
            "web",
            "https://login.example.com/",
            ("https://calls.example.com",),
            "https://login.example.com/jwks.json",
            ("RS256",),
        )
        assert policy.bearers == (web,)
        role = "arn:aws:iam::111122223333:role/CallBackend"
        assert policy.roles == {role: RoleIdentity("backend", role, read_status=True)}

    def test_what_a_rule_says_is_read(self, file: Path) -> None:
        rule = load(file, GOOD).rules[0]
        assert rule.callers == {"web"}
        assert rule.claims == {"email_verified": (True,)}
        assert [pattern.text for pattern in rule.rooms] == ["call_*"]
        assert [pattern.text for pattern in rule.streams or ()] == ["{user_id}_*"]
        assert rule.privileges == {"login", "publish"}
        assert rule.max_lifetime_seconds == 7200
        assert (rule.deny, rule.identity_tokens) == (False, False)

    def test_what_a_rule_leaves_out_has_a_default(self, file: Path) -> None:
        rule = load(file, GOOD).rules[1]
        assert (rule.claims, rule.streams) == ({}, None)
        assert rule.privileges == {"login", "publish"}

    def test_what_an_identity_leaves_out_has_a_default(self, file: Path) -> None:
        text = GOOD.replace('algorithms = ["RS256"]\nuser_ids = "subject"\n', "")
        text = text.replace("read_status = true\n", "")
        policy = load(file, text)
        (web,), (backend,) = policy.bearers, policy.roles.values()
        assert (web.algorithms, web.hashed_user_ids) == (("RS256",), False)
        assert (backend.read_status, backend.diagnose_tokens) == (False, False)

    def test_a_role_may_diagnose_tokens_without_reading_the_status(self, file: Path) -> None:
        text = GOOD.replace("read_status = true\n", "diagnose_tokens = true\n")
        (backend,) = load(file, text).roles.values()
        assert (backend.read_status, backend.diagnose_tokens) == (False, True)

    def test_a_rule_that_denies_matches_every_room_and_user_by_default(self, file: Path) -> None:
        text = GOOD.replace("[[rules]]", '[[rules]]\nname = "no"\ncallers = ["backend"]\n'
                            "deny = true\nclaims = { a = 1 }\n[[rules]]", 1)  # fmt: skip
        rule = load(file, text).rules[0]
        assert (rule.deny, rule.identity_tokens) == (True, True)
        assert [pattern.text for pattern in (*rule.users, *rule.rooms)] == ["*", "*"]

    def test_claims_that_prevent_a_denial_are_read(self, file: Path) -> None:
        denying = '[[rules]]\nname = "no"\ncallers = ["web"]\ndeny = true\n'
        denying += "unless_claims = { a = [1, 2] }\n"
        text = GOOD.replace("[[rules]]", f"{denying}[[rules]]", 1)
        assert load(file, text).rules[0].unless_claims == {"a": (1, 2)}

    def test_a_session_has_a_bound_and_a_claim_that_begins_it(self, file: Path) -> None:
        text = GOOD.replace('stream_ids = ["{user_id}_*"]', "max_session_seconds = 28800")
        text = text.replace('user_ids = "subject"', 'session_start_claim = "logged_in_at"')
        policy = load(file, text)
        assert [rule.max_session_seconds for rule in policy.rules] == [28_800, None]
        assert policy.bearers[0].session_start_claim == "logged_in_at"

    @pytest.mark.parametrize(
        ("written", "kept"),
        [
            ("arn:aws:iam::111122223333:role/CallBackend", "CallBackend"),
            ("arn:aws:iam::111122223333:role/team/CallBackend", "CallBackend"),
            ("arn:aws:iam::111122223333:role/aws-reserved/sso/a.b/C_d+e=f,g@h-i", "C_d+e=f,g@h-i"),
        ],
    )
    def test_a_roles_path_is_dropped_because_sessions_have_none(
        self, file: Path, written: str, kept: str
    ) -> None:
        text = GOOD.replace("arn:aws:iam::111122223333:role/CallBackend", written)
        assert list(load(file, text).roles) == [f"arn:aws:iam::111122223333:role/{kept}"]

    @pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
    def test_a_role_may_be_of_any_partition(self, file: Path, partition: str) -> None:
        text = GOOD.replace("arn:aws:", f"arn:{partition}:")
        assert list(load(file, text).roles) == [
            f"arn:{partition}:iam::111122223333:role/CallBackend"
        ]

    def test_two_issuers_are_allowed_if_one_has_hashed_user_ids(self, file: Path) -> None:
        text = f"""{GOOD}
[identities.partner]
issuer = "https://partner.example.com/"
audience = ["a", "b"]
jwks_uri = "https://partner.example.com/jwks.json"
algorithms = ["ES256", "EdDSA"]
user_ids = "hashed"
"""
        policy = load(file, text)
        _, partner = policy.bearers
        assert (partner.audience, partner.algorithms) == (("a", "b"), ("ES256", "EdDSA"))
        assert partner.hashed_user_ids is True

    def test_the_same_role_name_in_another_account_is_another_role(self, file: Path) -> None:
        text = f'{GOOD}\n[identities.b]\nrole = "arn:aws:iam::444455556666:role/CallBackend"'
        assert len(load(file, text).roles) == 2

    def test_a_claim_may_be_one_of_several_values(self, file: Path) -> None:
        wanted = 'claims = { team = ["red", "blue"], level = 3, ratio = 0.5, "https://x/y" = true }'
        text = GOOD.replace("claims = { email_verified = true }", wanted)
        assert load(file, text).rules[0].claims == {
            "team": ("red", "blue"),
            "level": (3,),
            "ratio": (0.5,),
            "https://x/y": (True,),
        }

    def test_a_rule_with_identity_tokens_may_spell_out_both_privileges(self, file: Path) -> None:
        text = GOOD.replace('stream_ids = ["{user_id}_*"]', "identity_tokens = true")
        assert load(file, text).rules[0].identity_tokens is True

    @pytest.mark.parametrize("seconds", [60, 2_073_600])
    def test_lifetimes_go_from_a_minute_to_24_days(self, file: Path, seconds: int) -> None:
        text = GOOD.replace("max_lifetime_seconds = 7200", f"max_lifetime_seconds = {seconds}")
        assert load(file, text).rules[0].max_lifetime_seconds == seconds

    def test_a_policy_without_rules_grants_nothing_and_is_good(self, file: Path) -> None:
        assert load(file, GOOD.partition("[[rules]]")[0]).rules == ()

    def test_a_rule_whose_claims_differ_only_in_type_can_be_reached(self, file: Path) -> None:
        rules = "\n".join(
            f'[[rules]]\nname = "rule {number}"\ncallers = ["web"]\n'
            f'claims = {{ level = {level} }}\nrooms = ["*"]\nmax_lifetime_seconds = 60'
            for number, level in enumerate(("true", "1", "1.0", '"1"'))
        )
        text = GOOD.partition("[[rules]]")[0] + rules
        assert len(load(file, text).rules) == 4


OIDC = """\
[identities.web]
issuer = "https://login.example.com/"
audience = ["https://calls.example.com"]
"""
SHARED = """\
[identities.app]
shared_key = "calls/session-key"
"""


class TestIdentities:
    def test_without_a_jwks_uri_discovery_finds_it(self, file: Path) -> None:
        (web,) = load(file, OIDC).bearers
        assert web == BearerIdentity(
            "web",
            "https://login.example.com/",
            ("https://calls.example.com",),
            None,
            ("RS256",),
        )

    def test_every_condition_is_read(self, file: Path) -> None:
        (web,) = load(
            file,
            OIDC
            + """
            audience_claim = "client_id"
            user_id_claim = "username"
            required_claims = { token_use = "access", level = [2, 3] }
            scope = ["calls", "rooms"]
            token_types = ["at+jwt"]
            max_age_seconds = 3600
            session_start_claim = "began"
            names_users = true
            """,
        ).bearers
        assert (web.audience_claim, web.user_id_claim) == ("client_id", "username")
        assert web.required_claims == {"token_use": ("access",), "level": (2, 3)}
        assert (web.scope, web.token_types) == (("calls", "rooms"), ("at+jwt",))
        assert (web.max_age_seconds, web.session_start_claim) == (3600, "began")
        assert web.names_users is True

    @pytest.mark.parametrize(
        "condition",
        ['issuer = "calls-app"', 'audience = ["calls"]', 'required_claims = { use = "session" }'],
    )
    def test_a_shared_key_needs_one_condition(self, file: Path, condition: str) -> None:
        (app,) = load(file, SHARED + condition).bearers
        assert (app.shared_key, app.shared_key_field) == ("calls/session-key", None)
        assert (app.algorithms, app.accept_previous_key) == (("HS256",), True)
        assert (app.jwks_uri, app.issuer) == (None, "calls-app" if "issuer" in condition else None)

    def test_every_key_of_a_shared_key_is_read(self, file: Path) -> None:
        arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:calls/session-key-AbCdEf"
        (app,) = load(
            file,
            f'''[identities.app]
            shared_key = "{arn}"
            shared_key_field = "jwt"
            accept_previous_key = false
            issuer = "calls-app"
            algorithms = ["HS512"]
            ''',
        ).bearers
        assert (app.shared_key, app.shared_key_field) == (arn, "jwt")
        assert (app.algorithms, app.accept_previous_key) == (("HS512",), False)

    def test_several_identities_may_have_one_issuer(self, file: Path) -> None:
        backends = OIDC.replace("web", "backends") + 'scope = ["calls"]\nnames_users = true\n'
        app = SHARED + 'issuer = "https://login.example.com/"\n'
        names = [one.name for one in load(file, backends + OIDC + app).bearers]
        assert names == ["backends", "web", "app"]

    def test_users_of_one_issuer_are_the_same_users_whatever_signed(self, file: Path) -> None:
        """Such as ID and access tokens, or a provider that changes from an HMAC to public keys."""
        id_tokens = OIDC.replace("web", "id") + 'required_claims = { token_use = "id" }\n'
        assert len(load(file, id_tokens + OIDC).bearers) == 2


class TestExamples:
    def test_an_example_is_read(self, file: Path) -> None:
        assert load_examples(file, GOOD + EXAMPLE) == [
            Example(
                description="alice joins a call",
                caller="web",
                claims={"sub": "alice"},
                request=TokenRequest(room_id="call_1"),
                granted=True,
                rule="members",
            )
        ]

    def test_claims_request_and_rule_may_be_left_out(self, file: Path) -> None:
        text = '[[examples]]\ndescription = "no"\ncaller = "web"\nexpect = "refused"'
        assert load_examples(file, text) == [
            Example("no", "web", {}, TokenRequest(), granted=False, rule=None)
        ]

    def test_a_policy_may_have_none(self, file: Path) -> None:
        assert load_examples(file, GOOD) == []

    def test_an_example_with_callees_begins_a_call_in_a_new_room(self, file: Path) -> None:
        text = EXAMPLE.replace('room_id = "call_1"', 'callees = ["bob"], privileges = ["login"]')
        (example,) = load_examples(file, text)
        assert example.request.callees == ("bob",)
        assert re.fullmatch("call_[0-9a-f]{32}", example.request.room_id or "")

    def test_a_policy_with_examples_loads(self, file: Path) -> None:
        assert len(load(file, GOOD + EXAMPLE).rules) == 2

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ('expect = "granted"', 'expect = "denied"', '"granted" or "refused"'),
            ('expect = "granted"', "", "lacks expect"),
            ('expect = "granted"', "expect = true", "expect must be"),
            ('description = "alice joins a call"', "", "lacks description"),
            ('caller = "web"', "", "lacks caller"),
            ('caller = "web"', "caller = 5", "caller must be a non-empty string"),
            ('claims = { sub = "alice" }', 'claims = "alice"', "claims must be a table"),
            ('request = { room_id = "call_1" }', "request = []", "request must be a table"),
            ('room_id = "call_1"', 'room_id = "call_1", callees = ["bob"]', "leave out room_id"),
            ('room_id = "call_1"', 'callees = ["bob", "bob"]', "1 to 50 different users"),
            (
                'room_id = "call_1"',
                f"callees = {[f'user_{number}' for number in range(51)]}",
                "1 to 50 different users",
            ),
            ('room_id = "call_1"', 'callees = ["a b"]', "callees: user_id contains a space"),
            ('room_id = "call_1"', "callees = []", "callees must be a non-empty array"),
            ('rule = "members"', "rule = 1", "rule must be a non-empty string"),
            ('rule = "members"', 'rules = "members"', "unknown key 'rules'"),
        ],
    )
    def test_a_bad_example_is_refused_with_its_place(
        self, file: Path, old: str, new: str, words: str
    ) -> None:
        with pytest.raises(PolicyError) as refused:
            load_examples(file, EXAMPLE.replace(old, new))
        assert str(refused.value).startswith("prod.toml: examples[1]")
        assert words in str(refused.value)

    def test_examples_that_are_one_table_are_refused(self, file: Path) -> None:
        with pytest.raises(PolicyError, match="array of tables"):
            load_examples(file, EXAMPLE.replace("[[examples]]", "[examples]"))
