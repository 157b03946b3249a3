"""What a caller may get: the first matching rule decides; without one, the request is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from zego.policy import patterns
from zego.policy.decide import DEFAULT_LIFETIME_SECONDS
from zego.policy.decide import decide as decide_by
from zego.policy.model import (
    AccessPolicy,
    Caller,
    Claim,
    Grant,
    Privilege,
    Refusal,
    Rule,
    TokenRequest,
)

BOTH: frozenset[Privilege] = frozenset({"login", "publish"})
LOGIN: frozenset[Privilege] = frozenset({"login"})
PUBLISH: frozenset[Privilege] = frozenset({"publish"})

BACKEND = Caller("backend", "arn:aws:sts::111122223333:assumed-role/Backend/s", None, {})


def web(user: str = "alice", **claims: object) -> Caller:
    """A user whose bearer token has these claims."""
    return Caller("web", f"https://login.example.com/ {user}", user, claims)


def rule(
    name: str = "the rule",
    *,
    callers: Sequence[str] = ("web",),
    claims: Mapping[str, tuple[Claim, ...]] | None = None,
    users: Sequence[str] = ("*",),
    rooms: Sequence[str] = ("*",),
    identity_tokens: bool = False,
    deny: bool = False,
    privileges: frozenset[Privilege] = BOTH,
    streams: Sequence[str] | None = None,
    max_lifetime_seconds: int = 7200,
) -> Rule:
    return Rule(
        name=name,
        callers=frozenset(callers),
        claims=claims or {},
        users=tuple(map(patterns.parse, users)),
        rooms=tuple(map(patterns.parse, rooms)),
        identity_tokens=identity_tokens,
        deny=deny,
        privileges=privileges,
        streams=None if streams is None else tuple(map(patterns.parse, streams)),
        max_lifetime_seconds=max_lifetime_seconds,
    )


def decide(rules: Sequence[Rule], caller: Caller, **asked: Any) -> Grant:
    """What a policy with these rules grants."""
    decision = decision_of(rules, caller, **asked)
    assert isinstance(decision, Grant), decision
    return decision


def refusal(rules: Sequence[Rule], caller: Caller, **asked: Any) -> Refusal:
    """Why a policy with these rules refuses."""
    decision = decision_of(rules, caller, **asked)
    assert isinstance(decision, Refusal), decision
    return decision


def decision_of(rules: Sequence[Rule], caller: Caller, **asked: Any) -> Grant | Refusal:
    asked = {"room_id": "call_1"} | asked
    return decide_by(AccessPolicy("0" * 64, (), {}, tuple(rules)), caller, TokenRequest(**asked))


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

    def test_every_claim_of_a_rule_must_match(self) -> None:
        rules = [rule(claims={"team": ("red",), "email_verified": (True,)})]
        assert decide(rules, web(team="red", email_verified=True)).rule == "the rule"
        assert refusal(rules, web(team="red")).code == "not_granted"
        assert refusal(rules, web(email_verified=True)).code == "not_granted"

    def test_a_role_has_no_claims(self) -> None:
        rules = [rule(callers=["backend"], claims={"team": ("red",)})]
        assert refusal(rules, BACKEND, user_id="bob").code == "not_granted"


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


class TestCovers:
    """Whether a rule matches everything that a later one does."""

    @pytest.mark.parametrize(
        ("earlier", "later"),
        [
            (rule(), rule()),
            (rule(), rule(rooms=["call_*"])),
            (rule(), rule(claims={"team": ("red",)})),
            (rule(), rule(deny=True)),
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
        ],
    )
    def test_a_rule_does_not_cover_the_later_one(self, earlier: Rule, later: Rule) -> None:
        assert not earlier.covers(later)
