"""What a caller may get: the first matching rule decides; without one, the request is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.table import table
from zego.policy import patterns
from zego.policy.claims import Claim
from zego.policy.decide import DEFAULT_LIFETIME_SECONDS
from zego.policy.decide import decide as decide_by
from zego.policy.model import (
    AccessPolicy,
    BearerIdentity,
    Caller,
    ClaimValues,
    Grant,
    Privilege,
    Refusal,
    Rule,
    TokenRequest,
)

BOTH: frozenset[Privilege] = frozenset({"login", "publish"})
LOGIN: frozenset[Privilege] = frozenset({"login"})
PUBLISH: frozenset[Privilege] = frozenset({"publish"})

#: When every request is made.
NOW = 1_700_000_000.0
WEB = BearerIdentity("web", "https://login.example.com/", ("a",), "https://x/keys", ("RS256",))
BACKEND = Caller("backend", "arn:aws:sts::111122223333:assumed-role/Backend/s", None, {})


def web(user: str = "alice", /, **claims: object) -> Caller:
    """A user whose bearer token has these claims."""
    return Caller("web", f"https://login.example.com/ {user}", user, claims)


def rule(
    name: str = "the rule",
    *,
    callers: Sequence[str] = ("web",),
    claims: ClaimValues | None = None,
    unless_claims: ClaimValues | None = None,
    users: Sequence[str] = ("*",),
    rooms: Sequence[str] = ("*",),
    identity_tokens: bool = False,
    deny: bool = False,
    privileges: frozenset[Privilege] = BOTH,
    streams: Sequence[str] | None = None,
    max_lifetime_seconds: int = 7200,
    max_session_seconds: int | None = None,
    callees: Sequence[str] = (),
) -> Rule:
    return Rule(
        name=name,
        callers=frozenset(callers),
        claims=claims or {},
        unless_claims=unless_claims or {},
        users=tuple(map(patterns.parse, users)),
        rooms=tuple(map(patterns.parse, rooms)),
        identity_tokens=identity_tokens,
        deny=deny,
        privileges=privileges,
        streams=None if streams is None else tuple(map(patterns.parse, streams)),
        max_lifetime_seconds=max_lifetime_seconds,
        max_session_seconds=max_session_seconds,
        callees=tuple(map(patterns.parse, callees)),
    )


def decide(rules: Sequence[Rule], caller: Caller, **asked: Any) -> Grant:
    """What a policy with these rules grants."""
    decision = decision_of(rules, caller, **asked)
    assert isinstance(decision, Grant), decision
    return decision


def granted(rules: Sequence[Rule], caller: Caller, **asked: Any) -> bool:
    """Whether a policy with these rules grants."""
    return isinstance(decision_of(rules, caller, **asked), Grant)


def refusal(rules: Sequence[Rule], caller: Caller, **asked: Any) -> Refusal:
    """Why a policy with these rules refuses."""
    decision = decision_of(rules, caller, **asked)
    assert isinstance(decision, Refusal), decision
    return decision


def decision_of(rules: Sequence[Rule], caller: Caller, **asked: Any) -> Grant | Refusal:
    asked = {"room_id": "call_1"} | asked
    policy = AccessPolicy("0" * 64, (WEB,), {}, tuple(rules))
    return decide_by(policy, caller, TokenRequest(**asked), now=NOW)


class TestFirstMatch:
    def test_without_a_rule_nothing_is_granted(self) -> None:
        problem = refusal([], web())
        assert (problem.code, problem.reason, problem.rule) == (
            "not_granted",
            "no rule matches",
            None,
        )

    def test_the_first_rule_that_matches_decides(self) -> None:
        rules = [
            rule("other rooms", rooms=["lobby"]),
            rule("first", max_lifetime_seconds=600),
            rule("second", max_lifetime_seconds=7200),
        ]
        grant = decide(rules, web())
        assert (grant.rule, grant.lifetime_seconds) == ("first", 600)

    def test_a_rule_matches_its_callers_only(self) -> None:
        assert refusal([rule(callers=["partner"])], web()).code == "not_granted"
        assert decide([rule(callers=["partner", "web"])], web()).rule == "the rule"

    def test_the_matching_rule_refuses_what_only_a_later_rule_grants(
        self,
    ) -> None:
        rules = [rule("watch", privileges=LOGIN), rule("everything")]
        problem = refusal(rules, web(), privileges=PUBLISH)
        assert (problem.code, problem.rule) == ("not_granted", "watch")

    def test_a_deny_rule_that_comes_first_refuses(self) -> None:
        rules = [rule("suspended", deny=True, claims={"suspended": (True,)}), rule("everybody")]
        problem = refusal(rules, web(suspended=True))
        assert (problem.code, problem.rule, problem.reason) == (
            "not_granted",
            "suspended",
            "the rule denies",
        )
        assert decide(rules, web()).rule == "everybody"

    def test_a_deny_rule_that_comes_later_does_not(self) -> None:
        rules = [rule("everybody"), rule("suspended", deny=True)]
        assert decide(rules, web()).rule == "everybody"

    def test_the_reason_goes_to_the_audit_log_only(self) -> None:
        for problem in (
            refusal([], web()),
            refusal([rule("suspended", deny=True)], web()),
            refusal([rule("watch", privileges=LOGIN)], web(), privileges=PUBLISH),
        ):
            assert problem.reason not in problem.detail
            for name in ("suspended", "watch"):
                assert name not in problem.detail


class TestUsers:
    def test_a_bearer_token_identifies_its_own_user(self) -> None:
        assert decide([rule()], web("alice")).user_id == "alice"

    def test_a_request_never_names_the_user_of_a_bearer_token(self) -> None:
        assert decide([rule()], web("alice"), user_id="bob").user_id == "alice"

    def test_a_role_names_a_user(self) -> None:
        rules = [rule(callers=["backend"])]
        assert decide(rules, BACKEND, user_id="bob").user_id == "bob"

    def test_a_role_that_names_no_user_is_refused(self) -> None:
        problem = refusal([rule(callers=["backend"])], BACKEND)
        assert (problem.code, problem.reason) == ("not_granted", "the request names no user")

    def test_a_role_names_only_users_of_its_rule(self) -> None:
        rules = [rule(callers=["backend"], users=["bot_*", "tester"])]
        for user in ("bot_1", "tester"):
            assert decide(rules, BACKEND, user_id=user).user_id == user
        for user in ("alice", "a_bot_1", "tester2"):
            assert refusal(rules, BACKEND, user_id=user).reason == "no rule matches"

    def test_a_rule_may_also_limit_the_users_of_bearer_tokens(self) -> None:
        rules = [rule(users=["admin_*"])]
        assert decide(rules, web("admin_1")).rule == "the rule"
        assert refusal(rules, web("alice")).code == "not_granted"


class TestClaims:
    @pytest.mark.parametrize(
        ("wanted", "claim"),
        [
            ((True,), True),
            ((False,), False),
            (("red",), "red"),
            (("red", "blue"), "blue"),
            ((1,), 1),
            ((1.5,), 1.5),
            (("admin",), ["user", "admin"]),
            (("a", "b"), ["b", "c"]),
        ],
    )
    def test_a_claim_matches_if_it_is_or_contains_one_of_the_values(
        self, wanted: tuple[Claim, ...], claim: object
    ) -> None:
        assert decide([rule(claims={"c": wanted})], web(c=claim)).rule == "the rule"

    @pytest.mark.parametrize(
        ("wanted", "claim"),
        [
            ((True,), "true"),
            ((True,), 1),
            ((True,), 1.0),
            ((1,), True),
            ((1,), 1.0),
            ((1,), "1"),
            ((0,), False),
            ((False,), None),
            ((False,), 0),
            ((False,), ""),
            (("true",), True),
            (("red",), "Red"),
            (("red",), "redder"),
            (("red",), {"red": True}),
            (("red",), [["red"]]),
            (("red",), []),
            (("r",), "red"),
            (("*",), "red"),
        ],
    )
    def test_any_other_value_or_type_does_not_match(
        self, wanted: tuple[Claim, ...], claim: object
    ) -> None:
        assert refusal([rule(claims={"c": wanted})], web(c=claim)).reason == "no rule matches"

    def test_a_missing_claim_matches_nothing(self) -> None:
        for wanted in (True, False, "", 0, "None"):
            assert refusal([rule(claims={"c": (wanted,)})], web()).code == "not_granted"

    @pytest.mark.parametrize("name", ["scope", "scp"])
    def test_scopes_are_one_text_with_spaces_or_an_array(self, name: str) -> None:
        rules = [rule(claims={name: ("calls",)})]
        for claim in ("calls", "openid calls", ["openid", "calls"]):
            assert decide(rules, web(**{name: claim})).rule == "the rule"
        for other in ("calls:read", "openid Calls", ["openid calls"], "", None):
            assert refusal(rules, web(**{name: other})).reason == "no rule matches"
        assert refusal([rule(claims={"c": ("calls",)})], web(c="openid calls")).rule is None

    def test_every_claim_of_a_rule_must_match(self) -> None:
        rules = [rule(claims={"team": ("red",), "email_verified": (True,)})]
        assert decide(rules, web(team="red", email_verified=True)).rule == "the rule"
        assert refusal(rules, web(team="red")).code == "not_granted"
        assert refusal(rules, web(email_verified=True)).code == "not_granted"

    def test_a_role_has_no_claims(self) -> None:
        rules = [rule(callers=["backend"], claims={"team": ("red",)})]
        assert refusal(rules, BACKEND, user_id="bob").code == "not_granted"


class TestDeniedClaims:
    """Claims in rules that deny. They come from identity providers, which spell them variously."""

    @table(
        ("denied", "claim"),
        [
            *((True, one) for one in (True, "true", "True", " TRUE ", 1, 1.0, "1", "yes", "on")),
            *((True, one) for one in ([1], ["true"], [[True]], {"value": True}, {"a": [{"b": 1}]})),
            *((True, one) for one in ("since Monday", 7, "", [False, True], {"at": 1700000000})),
            *((False, one) for one in (False, "false", "FALSE", 0, 0.0, "0", "no", "never", [0])),
            *((1, one) for one in (1, 1.0, "1", True, "true", [1], {"level": "1"})),
            *((1.5, one) for one in (1.5, "1.5", [1.5])),
            *(("guest", one) for one in ("guest", "Guest", " guest ", ["member", "GUEST"])),
            *(("guest", one) for one in ([["guest"]], {"roles": ["guest"]})),
            *(("true", one) for one in (True, "True", 1)),
        ],
    )
    def test_a_denial_holds_however_the_claim_is_spelled(
        self, denied: Claim, claim: object
    ) -> None:
        rules = [rule("no", deny=True, claims={"c": (denied,)}), rule()]
        assert refusal(rules, web(c=claim)).rule == "no"

    @table(
        ("denied", "claim"),
        [
            *((True, one) for one in (False, "false", "False ", 0, 0.0, "0", "no", "off", [False])),
            *((True, one) for one in (None, [], [None])),
            (True, {}),
            *((False, one) for one in (True, "TRUE", 1, "yes", None)),
            *((1, one) for one in (2, "11", False, None)),
            *(("guest", one) for one in ("guests", "member", ["member"], None, True, "")),
        ],
    )
    def test_a_denial_does_not_hold_for_another_value_or_none(
        self, denied: Claim, claim: object
    ) -> None:
        assert granted([rule("no", deny=True, claims={"c": (denied,)}), rule()], web(c=claim))

    @pytest.mark.parametrize("claim", ["guest", "guest profile", "a\tguest", ["x", "a guest"]])
    def test_a_denial_of_a_scope_holds_among_others(self, claim: object) -> None:
        rules = [rule("no", deny=True, claims={"scope": ("guest",)}), rule()]
        assert refusal(rules, web(scope=claim)).rule == "no"
        assert granted(rules, web(scope="guests profile"))

    def test_a_missing_claim_denies_only_with_unless(self) -> None:
        assert granted([rule("no", deny=True, claims={"suspended": (True,)}), rule()], web())
        rules = [rule("no", deny=True, unless_claims={"suspended": (False,)}), rule()]
        denied = refusal(rules, web())
        assert (denied.rule, denied.reason) == (
            "no",
            "the rule denies, because of the claim suspended",
        )

    @pytest.mark.parametrize(
        "claim",
        [True, "true", "false", "False", 0, 0.0, None, "", [], {}, [[False]], {"value": False}],
    )
    def test_unless_the_claim_is_exactly_that_the_rule_denies(self, claim: object) -> None:
        rules = [rule("no", deny=True, unless_claims={"suspended": (False,)}), rule()]
        assert refusal(rules, web(suspended=claim)).rule == "no"
        assert decide(rules, web(suspended=False)).rule == "the rule"

    def test_all_claims_together_prevent_a_denial(self) -> None:
        unless: ClaimValues = {"suspended": (False, "false"), "amr": ("mfa",)}
        rules = [rule("no", deny=True, unless_claims=unless), rule()]
        assert granted(rules, web(suspended="false", amr=["pwd", "mfa"]))
        assert refusal(rules, web(suspended=False)).rule == "no"
        assert refusal(rules, web(amr=["mfa"])).rule == "no"

    def test_claims_narrow_whom_unless_denies(self) -> None:
        rules = [
            rule("no", deny=True, claims={"plan": ("trial",)}, unless_claims={"paid": (True,)}),
            rule(),
        ]
        assert refusal(rules, web(plan="Trial")).rule == "no"
        assert granted(rules, web(plan="trial", paid=True))
        assert granted(rules, web(plan="pro"))


class TestRooms:
    def test_one_pattern_that_matches_is_enough(self) -> None:
        assert decide([rule(rooms=["lobby", "call_*"])], web()).room_id == "call_1"

    @pytest.mark.parametrize("room", ["lobby", "a call_1", "Call_1", "call"])
    def test_another_room_is_refused(self, room: str) -> None:
        assert refusal([rule(rooms=["call_*"])], web(), room_id=room).reason == "no rule matches"

    def test_a_template_is_filled_in_with_the_callers_values(self) -> None:
        rules = [rule(rooms=["{user_id}_*", "team.{claims.team}.*"])]
        caller = web("alice", team="red")
        for room in ("alice_desk", "team.red.standup"):
            assert decide(rules, caller, room_id=room).room_id == room
        for room in ("bob_desk", "team.blue.standup", "team.alice.x", "red_desk"):
            assert refusal(rules, caller, room_id=room).code == "not_granted"

    def test_a_template_for_a_role_is_filled_in_with_the_user_whom_it_names(self) -> None:
        rules = [rule(callers=["backend"], rooms=["home.{user_id}"])]
        assert decide(rules, BACKEND, user_id="bob", room_id="home.bob").room_id == "home.bob"
        assert refusal(rules, BACKEND, user_id="bob", room_id="home.alice").code == "not_granted"

    @pytest.mark.parametrize("team", ["*", "red*", ".*", "{user_id}", "red.*"])
    def test_a_value_is_a_literal_never_a_pattern(self, team: str) -> None:
        rules = [rule(rooms=["team.{claims.team}"])]
        caller = web(team=team)
        assert decide(rules, caller, room_id=f"team.{team}").room_id == f"team.{team}"
        for room in ("team.blue", "team.redder", "team.alice", "team.red.x", "team."):
            assert refusal(rules, caller, room_id=room).code == "not_granted"

    @pytest.mark.parametrize("team", [None, True, 5, "", ["red"], {"name": "red"}])
    def test_only_text_fills_in_a_template(self, team: object) -> None:
        rules = [rule(rooms=["team.{claims.team}"])]
        for room in ("team.", f"team.{team}", "team.red", "team.None", "team.5", "team.True"):
            assert refusal(rules, web(team=team), room_id=room).code == "not_granted"

    def test_a_claim_called_user_id_is_not_the_user(self) -> None:
        rules = [rule(rooms=["{user_id}_*"])]
        caller = web("alice", user_id="bob")
        assert refusal(rules, caller, room_id="bob_desk").code == "not_granted"
        assert decide(rules, caller, room_id="alice_desk").user_id == "alice"


class TestIdentityTokens:
    def test_a_token_without_a_room_needs_a_rule_with_identity_tokens(self) -> None:
        problem = refusal([rule(rooms=["*"])], web(), room_id=None)
        assert problem.reason == "no rule matches"

    def test_it_has_no_room(self) -> None:
        grant = decide([rule(identity_tokens=True)], web(), room_id=None)
        assert (grant.room_id, grant.privileges, grant.stream_ids) == (None, BOTH, None)

    def test_a_rule_for_identity_tokens_only_opens_no_room(self) -> None:
        assert refusal([rule(rooms=[], identity_tokens=True)], web()).code == "not_granted"

    def test_a_deny_rule_refuses_it_too(self) -> None:
        rules = [rule("no", deny=True, identity_tokens=True), rule(identity_tokens=True)]
        assert refusal(rules, web(), room_id=None).rule == "no"


class TestPrivileges:
    def test_the_default_is_all_that_the_rule_grants(self) -> None:
        assert decide([rule()], web()).privileges == BOTH
        assert decide([rule(privileges=LOGIN)], web()).privileges == LOGIN

    @pytest.mark.parametrize("wished", [LOGIN, PUBLISH, BOTH])
    def test_a_caller_may_narrow_them(self, wished: frozenset[Privilege]) -> None:
        assert decide([rule()], web(), privileges=wished).privileges == wished

    @pytest.mark.parametrize(
        ("granted", "wished", "beyond"),
        [(LOGIN, PUBLISH, "publish"), (LOGIN, BOTH, "publish"), (PUBLISH, BOTH, "login")],
    )
    def test_a_caller_may_not_widen_them(
        self, granted: frozenset[Privilege], wished: frozenset[Privilege], beyond: str
    ) -> None:
        problem = refusal([rule(privileges=granted)], web(), privileges=wished)
        assert (problem.code, problem.reason) == (
            "not_granted",
            f"the rule does not grant {beyond}",
        )


class TestLifetimes:
    def test_the_default_is_two_hours(self) -> None:
        grant = decide([rule(max_lifetime_seconds=86400)], web())
        assert grant.lifetime_seconds == DEFAULT_LIFETIME_SECONDS == 7200

    def test_the_default_is_never_longer_than_the_rule_allows(self) -> None:
        assert decide([rule(max_lifetime_seconds=600)], web()).lifetime_seconds == 600

    @pytest.mark.parametrize("seconds", [60, 7199, 7200])
    def test_a_caller_may_shorten_it(self, seconds: int) -> None:
        assert decide([rule()], web(), lifetime_seconds=seconds).lifetime_seconds == seconds

    def test_a_rule_may_allow_more_than_the_default(self) -> None:
        rules = [rule(max_lifetime_seconds=86400)]
        assert decide(rules, web(), lifetime_seconds=86400).lifetime_seconds == 86400

    def test_a_refused_lifetime_names_the_rules_limit(self) -> None:
        problem = refusal([rule()], web(), lifetime_seconds=7201)
        assert (problem.code, problem.field, problem.rule) == (
            "lifetime_out_of_range",
            "lifetime_seconds",
            "the rule",
        )
        assert "7200" in problem.detail


class TestSessions:
    @pytest.mark.parametrize(
        ("began", "asked", "granted"),
        [
            (NOW, None, 7200),
            (NOW, 600, 600),
            (NOW - 3600, None, 7200),
            (NOW - 21_600, None, 7200),
            (NOW - 21_601, None, 7199),
            (NOW - 28_740, 7200, 60),
            (NOW - 28_739.5, None, 60),
            (int(NOW) + 60, None, 7200),
        ],
    )
    def test_a_token_ends_with_the_session_at_the_latest(
        self, began: float, asked: int | None, granted: int
    ) -> None:
        rules = [rule(max_session_seconds=28_800)]
        grant = decide(rules, web(auth_time=began), lifetime_seconds=asked)
        assert grant.lifetime_seconds == granted

    @pytest.mark.parametrize(
        ("claims", "code"),
        [
            ({"auth_time": NOW - 28_741}, "bearer_session_ended"),
            ({"auth_time": 0}, "bearer_session_ended"),
            ({"auth_time": -(10**400)}, "bearer_session_ended"),
            ({"auth_time": NOW + 61}, "bearer_not_yet_valid"),
            ({"auth_time": NOW * 1000}, "bearer_not_yet_valid"),
            ({"auth_time": 10**400}, "bearer_not_yet_valid"),
            ({"auth_time": float("inf")}, "bearer_malformed"),
            ({"auth_time": -float("inf")}, "bearer_malformed"),
            ({"auth_time": True}, "bearer_malformed"),
            ({"auth_time": str(NOW)}, "bearer_malformed"),
            ({"auth_time": [NOW]}, "bearer_malformed"),
            ({"auth_time": None}, "bearer_missing_claim"),
            ({"iat": NOW}, "bearer_missing_claim"),
        ],
    )
    def test_a_session_without_a_minute_left_or_a_valid_begin_is_refused(
        self, claims: dict[str, object], code: str
    ) -> None:
        refused = refusal([rule(max_session_seconds=28_800)], web(**claims))
        assert (refused.code, refused.rule) == (code, "the rule")
        assert "auth_time" in refused.detail or code == "bearer_session_ended"
        assert granted([rule()], web(**claims))

    def test_an_identity_token_ends_with_the_session_too(self) -> None:
        rules = [rule(identity_tokens=True, max_session_seconds=600)]
        assert decide(rules, web(auth_time=NOW), room_id=None).lifetime_seconds == 600


class TestStreams:
    def test_if_the_rule_names_no_streams_any_may_be_published(self) -> None:
        assert decide([rule()], web()).stream_ids is None
        assert decide([rule()], web(), stream_ids=("s1", "s2")).stream_ids == ("s1", "s2")

    def test_a_caller_may_name_streams_that_the_rule_matches(self) -> None:
        rules = [rule(streams=["{user_id}_*", "shared"])]
        asked = ("alice_cam", "shared")
        assert decide(rules, web(), stream_ids=asked).stream_ids == asked

    @pytest.mark.parametrize(
        "asked", [("bob_cam",), ("alice_cam", "bob_cam"), ("alice",), ("share",), ("*",)]
    )
    def test_one_stream_that_the_rule_does_not_match_is_refused(
        self, asked: tuple[str, ...]
    ) -> None:
        problem = refusal([rule(streams=["{user_id}_*", "shared"])], web(), stream_ids=asked)
        assert (problem.code, problem.rule) == ("not_granted", "the rule")

    def test_the_default_is_the_streams_that_the_rule_names_exactly(self) -> None:
        rules = [rule(streams=["{user_id}_cam", "{user_id}_screen", "shared"])]
        assert decide(rules, web()).stream_ids == ("alice_cam", "alice_screen", "shared")

    @pytest.mark.parametrize("streams", [["{user_id}_*"], ["shared", "*"], ["{claims.team}_cam"]])
    def test_if_the_rule_has_patterns_the_request_must_name_its_streams(
        self, streams: list[str]
    ) -> None:
        problem = refusal([rule(streams=streams)], web())
        assert (problem.code, problem.field) == ("invalid_stream_ids", "stream_ids")
        assert "stream_ids is required" in problem.detail

    def test_if_zego_refuses_the_rules_stream_the_request_must_name_one(self) -> None:
        rules = [rule(streams=["{user_id}_cam"])]
        assert refusal(rules, web("al.ice")).code == "invalid_stream_ids"

    def test_a_token_that_publishes_nothing_needs_no_streams(self) -> None:
        rules = [rule(streams=["{user_id}_*"])]
        assert decide(rules, web(), privileges=LOGIN).stream_ids is None

    def test_a_token_that_publishes_nothing_may_still_name_streams(self) -> None:
        grant = decide(
            [rule(streams=["{user_id}_*"])], web(), privileges=LOGIN, stream_ids=("bob_cam",)
        )
        assert (grant.privileges, grant.stream_ids) == (LOGIN, ("bob_cam",))


class TestCallees:
    def test_a_rule_without_the_key_allows_no_callees(self) -> None:
        problem = refusal([rule()], web(), callees=("bob",))
        assert (problem.code, problem.rule) == ("not_granted", "the rule")
        assert granted([rule()], web())

    def test_each_callee_must_match_a_pattern(self) -> None:
        rules = [rule(callees=["{claims.team}.*", "bob"])]
        assert granted(rules, web(team="red"), callees=("bob", "red.1"))
        assert not granted(rules, web(team="red"), callees=("bob", "blue.1"))
        assert not granted(rules, web(), callees=("bob", "red.1"))

    def test_callees_do_not_choose_the_rule(self) -> None:
        """As for streams: a request for more than the matching rule grants is refused."""
        rules = [rule("narrow", callees=["bob"]), rule("wide", users=["al*"], callees=["*"])]
        problem = refusal(rules, web(), callees=("carol",))
        assert (problem.code, problem.rule) == ("not_granted", "narrow")

    @pytest.mark.parametrize("callees", [("alice",), ("bob", "alice")])
    def test_the_caller_is_not_a_callee(self, callees: tuple[str, ...]) -> None:
        problem = refusal([rule(callees=["*"])], web(), callees=callees)
        assert (problem.code, problem.field) == ("invalid_callees", "callees")

    def test_a_backend_calls_for_the_user_whom_it_names(self) -> None:
        rules = [rule(callers=["backend"], callees=["{user_id}.*"])]
        assert granted(rules, BACKEND, user_id="bob", callees=("bob.1",))
        assert refusal(rules, BACKEND, user_id="bob", callees=("bob",)).code == "invalid_callees"


class TestCovers:
    """Whether a rule matches everything that a later one does."""

    @pytest.mark.parametrize(
        ("earlier", "later"),
        [
            (rule(), rule()),
            (rule(), rule(rooms=["call_*"])),
            (rule(), rule(claims={"team": ("red",)})),
            (rule(), rule(deny=True)),
            (rule(), rule(deny=True, claims={"a": (1,)}, unless_claims={"b": (1,)})),
            (rule(deny=True, claims={"a": (1, 2)}), rule(claims={"a": (1,)})),
            (rule(deny=True, claims={"a": (1, 2)}), rule(deny=True, claims={"a": (1,)})),
            (
                rule(deny=True, unless_claims={"a": (1,), "b": (1,)}),
                rule(deny=True, unless_claims={"a": (1, 2)}),
            ),
            (rule(deny=True), rule()),
            (rule(), rule(users=["bot_*"])),
            (rule(callers=["web", "backend"]), rule(callers=["web"])),
            (rule(claims={"t": ("a", "b")}), rule(claims={"t": ("b",)})),
            (rule(claims={"t": ("a",)}), rule(claims={"t": ("a",), "u": (1,)})),
            (rule(identity_tokens=True), rule(identity_tokens=True)),
            (rule(identity_tokens=True), rule(rooms=[], identity_tokens=True)),
            (rule(rooms=["a*", "b*"]), rule(rooms=["b1", "a1"])),
        ],
    )
    def test_a_rule_covers_the_later_one(self, earlier: Rule, later: Rule) -> None:
        assert earlier.covers(later)

    @pytest.mark.parametrize(
        ("earlier", "later"),
        [
            (rule(rooms=["call_*"]), rule()),
            (rule(rooms=["call_*"]), rule(rooms=["call_1", "lobby"])),
            (rule(claims={"team": ("red",)}), rule()),
            (rule(claims={"t": ("a",)}), rule(claims={"t": ("a", "b")})),
            (rule(claims={"t": ("a",)}), rule(claims={"u": ("a",)})),
            (rule(claims={"t": (True,)}), rule(claims={"t": (1,)})),
            (rule(claims={"t": (1,)}), rule(claims={"t": (True,)})),
            (rule(claims={"t": (1.0,)}), rule(claims={"t": (1,)})),
            (rule(users=["bot_*"]), rule()),
            (rule(callers=["web"]), rule(callers=["web", "backend"])),
            (rule(), rule(identity_tokens=True)),
            (rule(rooms=["{user_id}.*"]), rule(rooms=["{user_id}.desk"])),
            (rule(claims={"a": (1,)}), rule(deny=True, claims={"a": (1,)})),
            (rule(deny=True, unless_claims={"a": (1,)}), rule()),
            (rule(deny=True, unless_claims={"a": (1,)}), rule(claims={"a": (2,)})),
            (
                rule(deny=True, unless_claims={"a": (1, 2)}),
                rule(deny=True, unless_claims={"a": (1,)}),
            ),
            (
                rule(deny=True, unless_claims={"a": (1,)}),
                rule(deny=True, unless_claims={"a": (1,), "b": (1,)}),
            ),
        ],
    )
    def test_a_rule_does_not_cover_the_later_one(self, earlier: Rule, later: Rule) -> None:
        assert not earlier.covers(later)
