"""zego.denials: what a denial may be, its item in the table, and the keys of the table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from zego import denials
from zego.denials import Denial, DenialError, Denials, Kind

NOW = 1_700_000_000
DENIAL = Denial("user", "alice", "spam", "arn:aws:iam::111122223333:user/op", NOW)
USER_IDS = st.from_regex(r"[0-9A-Za-z#*_.@-]{1,63}", fullmatch=True)
PRINTABLE = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=200)
TIMES = st.integers(0, 253402300799)


@st.composite
def any_denial(draw: st.DrawFn) -> Denial:
    kind: Kind = draw(st.sampled_from(denials.KINDS))
    return Denial(
        kind,
        draw(PRINTABLE if kind == "identity" else USER_IDS),
        draw(PRINTABLE),
        draw(PRINTABLE),
        draw(TIMES),
        draw(st.none() | TIMES),
        None if kind == "room" else draw(st.none() | TIMES),
    )


class TestItem:
    def test_a_denial_has_this_item(self) -> None:
        assert replace(DENIAL, until=NOW + 60).to_item() == {
            "pk": {"S": "denials"},
            "sk": {"S": "deny#user#alice"},
            "kind": {"S": "user"},
            "value": {"S": "alice"},
            "reason": {"S": "spam"},
            "by": {"S": "arn:aws:iam::111122223333:user/op"},
            "at": {"N": "1700000000"},
            "until": {"N": "1700000060"},
            "expires_at": {"N": "1700000060"},
        }

    def test_without_an_end_dynamodb_never_deletes_it(self) -> None:
        assert DENIAL.to_item().keys().isdisjoint({"until", "expires_at"})

    def test_a_sign_out_is_another_item_than_a_denial(self) -> None:
        signed_out = replace(DENIAL, not_before=NOW)
        assert signed_out.sk == "signed-out#user#alice"
        assert signed_out.to_item()["not_before"] == {"N": "1700000000"}

    @given(any_denial())
    def test_every_denial_survives_the_table(self, denial: Denial) -> None:
        # boto3's own conversion accepts the item, and gives the same one back.
        item: dict[str, Any] = denial.to_item()
        native = {name: TypeDeserializer().deserialize(value) for name, value in item.items()}
        stored: dict[str, Any] = {
            name: TypeSerializer().serialize(value) for name, value in native.items()
        }
        assert Denial.from_item(stored) == denial

    @given(any_denial())
    def test_its_key_is_the_key_of_its_item(self, denial: Denial) -> None:
        item = denial.to_item()
        key = denials.denial_key(denial.effect, denial.kind, denial.value)
        assert key == {"pk": item["pk"], "sk": item["sk"]}

    def test_attributes_of_a_later_version_are_ignored(self) -> None:
        assert Denial.from_item(DENIAL.to_item() | {"ticket": {"S": "42"}}) == DENIAL

    @pytest.mark.parametrize("name", ["sk", "kind", "value", "reason", "by", "at"])
    def test_each_of_its_attributes_is_needed(self, name: str) -> None:
        item = DENIAL.to_item()
        del item[name]
        with pytest.raises(DenialError, match=name):
            Denial.from_item(item)

    @pytest.mark.parametrize(
        ("name", "attribute"),
        [
            ("sk", {"S": "deny#user#bob"}),
            ("sk", {"S": "signed-out#user#alice"}),
            ("sk", {"B": "ZGVueQ=="}),
            ("kind", {"S": "device"}),
            ("kind", {"SS": ["user"]}),
            ("value", {"S": "bob"}),
            ("value", {"S": ""}),
            ("value", {"N": "7"}),
            ("value", "alice"),
            ("reason", {"S": "x" * 201}),
            ("reason", {"S": "two\nlines"}),
            ("reason", {"NULL": True}),
            ("at", {"S": "1700000000"}),
            ("at", {"N": "1.7E9"}),
            ("at", {"N": "-1"}),
            ("until", {"N": "1700000000.5"}),
            ("until", {"S": "tomorrow"}),
            ("until", {"N": "999999999999"}),
            ("not_before", {"N": "1700000000"}),
            ("not_before", None),
        ],
    )
    def test_an_item_of_another_shape_is_refused(self, name: str, attribute: object) -> None:
        item: dict[str, object] = {**DENIAL.to_item(), name: attribute}
        with pytest.raises(DenialError):
            Denial.from_item(item)  # type: ignore[arg-type]


class TestBounds:
    @pytest.mark.parametrize(
        ("kind", "value"),
        [
            ("user", "u" * 63),
            ("user", "al#ice"),
            ("room", "*"),
            ("room", "team.*"),
            ("room", "r" * 127),
            ("identity", "the app's own sessions"),
            ("identity", "i" * 200),
        ],
    )
    def test_these_values_are_accepted(self, kind: Kind, value: str) -> None:
        assert replace(DENIAL, kind=kind, value=value).value == value

    @pytest.mark.parametrize(
        ("kind", "value", "message"),
        [
            ("user", "", "user_id is empty"),
            ("user", "u" * 64, "user_id has 64 bytes; ZEGO accepts at most 63"),
            ("user", "al ice", "user_id contains a space"),
            ("room", "r" * 128, "room_id has 128 bytes"),
            ("room", "{user_id}", "room_id contains the character {"),
            ("identity", "", "the name of an identity must have 1 to 200 characters, not 0"),
            ("identity", "i" * 201, "the name of an identity must have 1 to 200 characters"),
            ("identity", "a\x1b[2J", "the name of an identity contains a line break or another"),
        ],
    )
    def test_these_are_not(self, kind: Kind, value: str, message: str) -> None:
        with pytest.raises(DenialError) as refused:
            replace(DENIAL, kind=kind, value=value)
        assert str(refused.value).startswith(message)

    @pytest.mark.parametrize("reason", ["", "x" * 201, "a\nb", "a\x00b", "a\u2028b", "\ud800"])
    def test_a_reason_has_1_to_200_printable_characters(self, reason: str) -> None:
        with pytest.raises(DenialError, match="reason"):
            replace(DENIAL, reason=reason)

    @pytest.mark.parametrize("name", ["at", "until", "not_before"])
    @pytest.mark.parametrize("seconds", [-1, 253402300800])
    def test_times_are_from_1970_to_9999(self, name: str, seconds: int) -> None:
        changes: dict[str, int] = {name: seconds}
        with pytest.raises(DenialError, match=f"{name} is out of range"):
            replace(DENIAL, **changes)  # type: ignore[arg-type]

    def test_rooms_are_not_signed_out(self) -> None:
        with pytest.raises(DenialError, match="a room cannot be signed out"):
            replace(DENIAL, kind="room", value="team.1", not_before=NOW)


class TestDenials:
    """The ones that concern a request; tests/unit/issuer/test_limits.py has the rest."""

    def test_it_counts_its_denials(self) -> None:
        assert (len(Denials()), len(Denials([DENIAL, replace(DENIAL, value="bob")]))) == (0, 2)

    @given(
        st.lists(any_denial(), max_size=12, unique_by=lambda denial: denial.sk),
        st.sampled_from(["alice", "bob"]) | USER_IDS,
        USER_IDS,
        TIMES,
    )
    def test_it_finds_what_a_search_of_all_finds(
        self, many: list[Denial], user_id: str, room_id: str, now: int
    ) -> None:
        expected = {
            denial.sk
            for denial in many
            if denial.not_before is None
            and (denial.until is None or denial.until > now)
            and (
                (denial.kind, denial.value) in {("identity", "web"), ("user", user_id)}
                or (denial.kind == "room" and _matches(denial.value, room_id))
            )
        }
        found = Denials(many).denying(now, identity="web", user_id=user_id, room_id=room_id)
        assert expected == set() if found is None else found.sk in expected

    def test_absent_names_match_no_denial(self) -> None:
        none = Denials([replace(DENIAL, value="None"), replace(DENIAL, kind="room", value="None")])
        assert none.denying(NOW) is None

    def test_many_stars_are_matched_in_no_time(self) -> None:
        stars = Denials([replace(DENIAL, kind="room", value="*a" * 63)])
        assert stars.denying(NOW, room_id="a" * 62 + "b" * 65) is None


def _matches(pattern: str, room_id: str) -> bool:
    """Match by trying every text for each star."""
    if not pattern or not room_id:
        return pattern.strip("*") == "" and not room_id
    if pattern[0] == "*":
        return _matches(pattern[1:], room_id) or _matches(pattern, room_id[1:])
    return pattern[0] == room_id[0] and _matches(pattern[1:], room_id[1:])


class TestLife:
    def test_without_an_end_it_holds_until_it_is_lifted(self) -> None:
        assert DENIAL.is_live(4_000_000_000.0)

    def test_it_ends_at_its_end(self) -> None:
        denial = replace(DENIAL, until=NOW + 60)
        assert denial.is_live(NOW + 59.9)
        assert not denial.is_live(NOW + 60.0)


class TestKeys:
    def test_a_change_is_sorted_by_its_time(self) -> None:
        key = denials.change_key(1_700_000_000.9, bytes.fromhex("0a1b2c3d"))
        assert key == {"pk": {"S": "changes"}, "sk": {"S": "2023-11-14T22:13:20Z#0a1b2c3d"}}

    def test_a_budget_is_a_rules_and_a_users_for_one_hour(self) -> None:
        key = denials.budget_key("call rooms", "alice", 1_700_000_000.0)
        assert key == {"pk": {"S": "tokens#call rooms#alice"}, "sk": {"S": "2023-11-14T22"}}

    @pytest.mark.parametrize(
        ("now", "ends_at"),
        [
            (1_699_999_200.0, 1_700_002_800),
            (1_700_000_000.5, 1_700_002_800),
            (1_700_002_799.9, 1_700_002_800),
            (1_700_002_800.0, 1_700_006_400),
        ],
    )
    def test_it_ends_with_the_clock_hour_and_is_kept_for_two_more(
        self, now: float, ends_at: int
    ) -> None:
        assert denials.budget_ends_at(now) == ends_at
        assert denials.budget_expires_at(now) == ends_at + 7200
