"""zego.error_codes: every code is known, has its texts, and unknown codes get suggestions."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Iterable
from itertools import groupby

import pytest

from issuer.token_request import REFUSAL_CODES
from local.fake_zego import room_login
from local.fake_zego.room_login import LoginRefusal
from tests.support.table import table
from zego.diagnosis.kinds import KINDS
from zego.error_codes import CODES, SERVER_API_CODES, TELEMETRY, near, resolve
from zego.error_codes.code import PLATFORMS, ErrorCode

WEB, NATIVE, ZIM, SERVER_API = ({platform} for platform in PLATFORMS)
BOTH = WEB | NATIVE

#: The vendor's codes and who shows them, written by hand: the table must not test itself.
PUBLISHED = {
    # Server API: responses to every call, then those about rooms and rates.
    **dict.fromkeys([0, 1, 2, 3, 7, *range(100000000, 100000018)], SERVER_API),
    **dict.fromkeys([104, 105, 206, 207, 5018, 5024], SERVER_API),
    **dict.fromkeys([50001, 50002, 50003, 50011], SERVER_API),
    # Web: what is logged, the room server's raw codes, what the app sees.
    20014: WEB,
    **dict.fromkeys([2002, 2010, *range(50116, 50129)], WEB),
    **dict.fromkeys([1102016, 1102018, 1102020, 1100001], WEB),
    # Native.
    **dict.fromkeys([1002033, 1002067], NATIVE),
    **dict.fromkeys([*range(1002074, 1002081), 1002082], NATIVE),
    **dict.fromkeys([1002055, 1002056, 1002066], NATIVE),
    # Both.
    **dict.fromkeys([1001004, 1101000], BOTH),
    # ZIM.
    **dict.fromkeys([6000004, 6000101, 6000103, 6000106, 6000107, 6000108, 6000109], ZIM),
    # Not about tokens.
    **dict.fromkeys([1000014, 1002052, 1000037], NATIVE),
    # Limits of ids and of calls.
    **dict.fromkeys([1000016, 1002005, 1002006, 1002007, 1002011, 1002012, 1002013], BOTH),
    **dict.fromkeys([1002071, 1002072, 1002073], NATIVE),
    # The neighbour of 20014.
    20012: WEB,
}

#: The room server's codes, by what the app sees.
RAW = {
    1102016: {2002, 2010, 50116, *range(50118, 50123), *range(50124, 50129)},
    1102018: {50117, 50123},
}

#: The vendor's names, from the declarations in its packages for the web, React Native and chat.
NAMES = {
    20012: "ACCESSHUB_INVALID_APPID",
    20014: "ACCESSHUB_INVALID_SIGNATURE",
    2002: "THIRD_TOKEN_AUTH_ERROR",
    1102016: "TOKEN_ERROR",
    1102018: "TOKEN_EXPIRED",
    1102020: "ZEGO_AUTH_ERROR",
    1100001: "INPUT_PARAM",
    1101000: "INIT_SDK_WRONG",
    1001004: "EngineAppidIncorrectOrNotOnline",
    1000014: "CommonStreamIdTooLong",
    1000016: "CommonStreamIdInvalidCharacter",
    1000037: "CommonAppOfflineError",
    1002005: "RoomUserIdNull",
    1002006: "RoomUserIdInvalidCharacter",
    1002007: "RoomUserIdTooLong",
    1002011: "RoomRoomidNull",
    1002012: "RoomRoomidInvalidCharacter",
    1002013: "RoomRoomidTooLong",
    1002033: "RoomErrorAuthenticationFailed",
    1002052: "RoomDisconnect",
    1002055: "RoomManualKickedOut",
    1002056: "RoomTokenExpiredKickedOut",
    1002066: "RoomUserInBlacklist",
    1002067: "RoomNoToken",
    1002071: "RoomAppCallApiTooFrequent",
    1002072: "RoomRoomCallApiTooFrequent",
    1002073: "RoomAppCallTooFrequent",
    1002074: "RoomTokenInnerError",
    1002075: "RoomTokenFormatError",
    1002076: "RoomTokenAppidError",
    1002077: "RoomTokenUseridError",
    1002078: "RoomTokenExpireError",
    1002079: "RoomTokenVersionError",
    1002080: "RoomTokenNoncetypeError",
    1002082: "RoomRenewTokenNoPublishAuthError",
    6000004: "CommonModuleTriggerSDKFrequencyLimit",
    6000101: "NetworkModuleCommonError",
    6000103: "NetworkModuleTokenInvalid",
    6000106: "NetworkModuleTokenExpired",
    6000107: "NetworkModuleTokenVersionError",
    6000108: "NetworkModuleTokenTimeIsTooShort",
    6000109: "NetworkModuleRspProtoParseError",
}

#: Codes that another token cannot fix.
NOT_ABOUT_TOKENS = {
    *(code for code, platforms in PUBLISHED.items() if platforms == SERVER_API),
    *(20012, 1001004, 1101000, 1002055, 1002066),
    *(1000014, 1000016, 1002005, 1002006, 1002007, 1002011, 1002012, 1002013),
    *(1000037, 1002052, 1002071, 1002072, 1002073, 6000004),
}

#: A code that callers may report, but that the vendor's tables do not have.
UNPUBLISHED = {1002070}

every_code = table("known", CODES.values(), ids=lambda known: str(known.code))


def codes(found: Iterable[ErrorCode]) -> list[int]:
    return [known.code for known in found]


class TestTable:
    def test_it_has_every_published_code_and_no_other(self) -> None:
        assert CODES.keys() == PUBLISHED.keys()

    @every_code
    def test_a_code_says_who_shows_it(self, known: ErrorCode) -> None:
        assert PUBLISHED[known.code] <= {*known.platforms}

    def test_codes_are_grouped_by_platforms(self) -> None:
        order = [platforms for platforms, _ in groupby(known.platforms for known in CODES.values())]
        assert len(order) == len({*order}) == 5

    def test_every_name_is_the_vendors(self) -> None:
        assert {code: known.name for code, known in CODES.items() if known.name} == NAMES

    def test_a_raw_code_says_what_the_app_sees(self) -> None:
        shown = {code: known.shown_as for code, known in CODES.items() if known.shown_as}
        raw = {code: app_sees for app_sees, found in RAW.items() for code in found}
        assert shown == raw | {20014: 1102016, 20012: 1001004}

    def test_codes_that_are_not_about_the_token_say_so(self) -> None:
        assert {code for code, known in CODES.items() if not known.is_about_token} == (
            NOT_ABOUT_TOKENS
        )

    @every_code
    def test_every_code_says_what_happened_why_and_what_to_do(self, known: ErrorCode) -> None:
        assert CODES[known.code] is known
        for text in (known.meaning, *known.causes, known.remedy):
            assert re.fullmatch(r"[A-Za-z].*\S\.", text), text
        assert known.causes
        assert len({*known.causes}) == len(known.causes), "no cause is listed twice"

    @every_code
    def test_a_code_is_observed_if_the_sdk_only_logs_it(self, known: ErrorCode) -> None:
        assert known.source == ("observed" if known.shown_as else "documented")

    @pytest.mark.parametrize("code", [20014, 50119, 1102016, 1002033, 6000103])
    def test_a_jwt_is_the_first_cause_of_a_token_that_cannot_be_opened(self, code: int) -> None:
        causes = CODES[code].causes
        seen = ["JWT", "another project", "quotes, spaces", "AppSign", "app_id", "payload"]
        assert all(word in cause for word, cause in zip(seen, causes, strict=False))
        assert len(causes) >= len(seen)

    def test_only_the_room_server_detects_another_user(self) -> None:
        assert "user id at login" in CODES[50119].causes[-1]
        assert not any("user id" in cause for cause in CODES[20014].causes)

    @pytest.mark.parametrize("code", [20014, 50119, 1102016, 1002033, 6000101, 6000103])
    def test_the_remedy_checks_the_token_before_any_secret(self, code: int) -> None:
        commands = re.findall(r"zego-token ([a-z]+)", CODES[code].remedy)
        assert commands == ["inspect", "doctor", "secret"]


class TestOtherTables:
    """The same codes in other tables: each table owns one fact, and they agree."""

    def test_the_server_apis_codes_are_those_with_a_verdict(self) -> None:
        of_server = {code for code, known in CODES.items() if known.platforms == ("server-api",)}
        assert of_server == SERVER_API_CODES.keys()

    @table("code", SERVER_API_CODES)
    def test_a_verdict_and_a_remedy_do_not_contradict_each_other(self, code: int) -> None:
        known = SERVER_API_CODES[code]
        assert CODES[code] is known
        blames_nobody = "says nothing about the ServerSecret" in known.remedy
        assert (known.temporary and known.outcome == "unknown") == blames_nobody
        blames_the_request = "code that makes the request" in known.remedy
        assert blames_the_request == known.reason.startswith("ZEGO found the request malformed")
        if known.outcome == "rejected":
            assert re.search("ServerSecret|AppID", known.meaning)
            assert re.search("zego-token secret rotate|[Cc]ompare the AppID", known.remedy)
            assert known.temporary == known.remedy.startswith("Try again in a moment.")

    @pytest.mark.parametrize("code", [3, 104, 100000001, 100000004, 100000010, 100000016])
    def test_a_verdict_uses_the_words_of_the_code(self, code: int) -> None:
        assert SERVER_API_CODES[code].reason.startswith(CODES[code].meaning.removesuffix("."))

    def test_codes_that_callers_may_report_are_known(self) -> None:
        assert REFUSAL_CODES - CODES.keys() == UNPUBLISHED

    @pytest.mark.parametrize("kind", ["other-secret", "made-with-previous", "altered-secret"])
    def test_codes_for_a_token_of_another_secret_may_be_reported(self, kind: str) -> None:
        shown = {code for codes in KINDS[kind].codes.values() for code in codes}
        assert shown
        assert shown <= REFUSAL_CODES

    def test_codes_of_the_local_zego_are_known(self) -> None:
        refusals = [value for value in vars(room_login).values() if isinstance(value, LoginRefusal)]
        assert len(refusals) > 5
        for refusal in refusals:
            for code in refusal.logged:
                known = CODES[code]
                assert "web" in known.platforms
                assert (known.shown_as or code) == refusal.code
            assert refusal.raw in (None, refusal.logged[-1])

    @table("kind", KINDS)
    def test_codes_of_a_finding_are_known(self, kind: str) -> None:
        for sdk, shown in KINDS[kind].codes.items():
            for code in shown:
                assert sdk in CODES[code].platforms
                assert CODES[code].is_about_token or " id " in CODES[code].meaning
                assert CODES[code].shown_as in (None, shown[-1])


class TestResolve:
    @every_code
    def test_a_known_code_resolves_to_itself(self, known: ErrorCode) -> None:
        assert resolve(known.code) is known

    @pytest.mark.parametrize("raw", sorted({20012, 20014}.union(*RAW.values())))
    def test_telemetry_shows_a_raw_code_with_52000000_added(self, raw: int) -> None:
        assert TELEMETRY == 52_000_000
        assert resolve(52_000_000 + raw) is CODES[raw]

    @pytest.mark.parametrize("shown", [202002, 52202002])
    def test_a_room_server_code_with_200000_added_is_resolved(self, shown: int) -> None:
        assert resolve(shown) is CODES[2002]

    @pytest.mark.parametrize(
        "code",
        [
            TELEMETRY,  # 0 is success; telemetry adds nothing to it
            TELEMETRY + 206,
            TELEMETRY + 1102016,
            TELEMETRY + 6000103,
            200_206,
            -20014,
            1002070,
            424242,
            10**4000,
        ],
        ids=lambda code: str(code)[:12],
    )
    def test_other_numbers_are_not_known(self, code: int) -> None:
        assert resolve(code) is None


class TestNear:
    @pytest.mark.parametrize(
        ("given", "meant"),
        [
            (1102061, 1102016),  # two digits in the wrong order
            (20041, 20014),
            (50919, 50119),  # one digit wrong
            (6000180, 6000108),
            (100000018, 100000017),
            (5119, 50119),  # one digit too few
            (501119, 50119),  # one digit too many
            (11020016, 1102016),
            (52050191, 50119),  # in telemetry
        ],
    )
    def test_a_typing_error_is_recognised(self, given: int, meant: int) -> None:
        assert resolve(given) is None
        assert near(given)[0].code == meant

    def test_the_most_likely_typing_error_comes_first(self) -> None:
        swapped, one_wrong, hundred = 50119, 50121, [50128, 50127]
        assert codes(near(50191)) == [swapped, one_wrong, *hundred]

    def test_codes_of_the_same_hundred_are_suggested_the_nearest_first(self) -> None:
        assert codes(near(1102044)) == [1102020, 1102018, 1102016]

    def test_only_a_few_codes_are_suggested(self) -> None:
        assert max(len(near(code)) for code in range(50100, 50200)) == 4

    @pytest.mark.parametrize(
        "code",
        [5, 8, 16, 99, 424242, 9_876_543_210, 999_999_999_999, 10**30, 52_000_000, 52_424_242, -1],
    )
    def test_no_code_is_suggested_if_none_is_similar(self, code: int) -> None:
        assert near(code) == ()

    def test_success_is_never_suggested(self) -> None:
        assert all(0 not in codes(near(code)) for code in range(1, 120))

    def test_a_server_api_code_is_not_suggested_for_telemetry(self) -> None:
        assert near(TELEMETRY + 205) == ()


def test_the_table_cannot_be_changed_by_mistake() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CODES[20014].remedy = "x"  # type: ignore[misc]


def test_it_imports_nothing_slow() -> None:
    code = "import sys; import zego.error_codes; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"boto3", "botocore", "cryptography", "json", "rich", "ssl", "urllib"}
