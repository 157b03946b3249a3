"""The stand-in for ZEGO's cloud behaves as the vendor's documentation describes."""

from __future__ import annotations

import ast
import contextlib
import http.client
import json
from collections.abc import Iterator, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from local import fake_zego
from local.fake_zego import Trouble, TroubleKind, ZegoCloud
from local.fake_zego.server_api import MESSAGES, signature
from tests.local.exchange import Answer, exchange
from tests.support.clock import Clock
from zego import token04
from zego.server_api import ServerApi
from zego.server_secret import ServerSecret

APP_ID = 1234567890
SECRET = "0123456789abcdef" * 2
OTHER = "fedcba9876543210" * 2


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(clock: Clock) -> Iterator[ZegoCloud]:
    with ZegoCloud(APP_ID, SECRET, clock=clock) as cloud:
        yield cloud


def call(cloud: ZegoCloud, secret: str = SECRET, /, **changes: object) -> Answer:
    """Calls DescribeUserNum. A change to `...` omits a parameter."""
    app_id, nonce = str(changes.get("AppId", APP_ID)), "4fd24687296dd9f3"
    timestamp = str(changes.get("Timestamp", 1_700_000_000))
    parameters = {
        "Action": "DescribeUserNum",
        "AppId": app_id,
        "SignatureNonce": nonce,
        "Timestamp": timestamp,
        "Signature": signature(app_id, nonce, secret, timestamp),
        "SignatureVersion": "2.0",
        "RoomId[]": ["probe"],
    } | changes
    kept = {name: value for name, value in parameters.items() if value is not ...}
    return exchange(f"{cloud.url}/?{urlencode(kept, doseq=True)}")


def code(cloud: ZegoCloud, secret: str = SECRET, /, **changes: object) -> int:
    said: int = call(cloud, secret, **changes).json()["Code"]
    return said


def post(cloud: ZegoCloud, path: str, content: object, *headers: tuple[str, str]) -> Answer:
    json_type = ("content-type", "application/json")
    return exchange(cloud.url + path, "POST", headers or (json_type,), json.dumps(content).encode())


def test_it_shares_no_code_with_the_services_client() -> None:
    for path in Path(fake_zego.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.module != "zego.server_api"
                assert (node.module, "server_api") not in [
                    ("zego", alias.name) for alias in node.names if node.module == "zego"
                ]


class TestTheServerApi:
    def test_its_signature_is_the_documented_one(self) -> None:
        signed = signature(
            "12345", "4fd24687296dd9f3", "9193cc662a4c0ec135ec71fb57194b38", "1615186943"
        )
        assert signed == "43e5cfcca828314675f91b001390566a"

    def test_a_call_signed_with_the_accepted_secret_counts_the_users_of_each_room(
        self, cloud: ZegoCloud
    ) -> None:
        answer = call(cloud, **{"RoomId[]": ["room1", "room2"]})
        document = answer.json()
        assert (answer.status, document["Code"], document["Message"]) == (200, 0, "success")
        assert document["RequestId"].isdigit()
        assert document["Data"] == {
            "UserCountList": [
                {"RoomId": "room1", "UserCount": 0, "AdminUserCount": 0},
                {"RoomId": "room2", "UserCount": 0, "AdminUserCount": 0},
            ]
        }

    def test_another_secret_is_rejected(self, cloud: ZegoCloud) -> None:
        answer = call(cloud, OTHER)
        assert (answer.status, answer.json()["Code"]) == (200, 100000005)
        assert answer.json()["Data"] == {}

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"AppId": ...}, 100000001),
            ({"AppId": "one"}, 100000001),
            ({"AppId": "0"}, 100000001),
            ({"AppId": 2**32}, 100000001),
            ({"Timestamp": ...}, 100000002),
            ({"Timestamp": ""}, 100000002),
            ({"Timestamp": "now"}, 100000003),
            ({"Timestamp": "-5"}, 100000003),
            ({"Timestamp": 1_700_000_000 - 601}, 100000004),
            ({"Timestamp": 1_700_000_000 + 601}, 100000004),
            ({"Timestamp": 1_700_000_000 - 600}, 0),
            ({"Timestamp": 1_700_000_000 + 600}, 0),
            ({"Signature": "0" * 32}, 100000005),
            ({"Signature": "é"}, 100000005),
            ({"Action": ...}, 100000006),
            ({"Action": "DescribeEverything"}, 100000007),
            ({"SignatureNonce": ...}, 100000008),
            ({"SignatureNonce": "0" * 16}, 100000005),
            ({"Signature": ...}, 100000009),
            ({"AppId": 12345}, 100000011),
            ({"SignatureVersion": ...}, 100000013),
            ({"SignatureVersion": "1.0"}, 100000014),
            ({"RoomId[]": ...}, 2),
            ({"RoomId[]": ["room"] * 11}, 2),
            ({"Action": "KickoutUser"}, 2),
            ({"Action": "KickoutUser", "RoomId": "room"}, 2),
            ({"Action": "KickoutUser", "UserId[]": ["alice"]}, 2),
            ({"Action": "KickoutUser", "RoomId": "room", "UserId[]": [""]}, 2),
            ({"Action": "KickoutUser", "RoomId": "room", "UserId[]": ["alice"] * 6}, 50011),
            ({"Action": "KickoutUser", "RoomId": "room", "UserId[]": ["alice"] * 5}, 104),
            ({"Action": "CloseRoom"}, 2),
            ({"Action": "CloseRoom", "RoomId": "room"}, 5024),
        ],
    )
    def test_each_mistake_has_its_documented_code(
        self, cloud: ZegoCloud, changes: dict[str, object], expected: int
    ) -> None:
        assert code(cloud, **changes) == expected

    def test_a_project_without_an_accepted_secret_rejects_all(self, cloud: ZegoCloud) -> None:
        cloud.project.switch_off(cloud.project.accepted[0].fingerprint)
        assert code(cloud) == 100000010

    def test_every_response_has_the_time_of_its_clock(self, cloud: ZegoCloud, clock: Clock) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", cloud.port)
        with contextlib.closing(connection):
            connection.request("GET", "/")
            (date,) = connection.getresponse().headers.get_all("date", [])
        assert parsedate_to_datetime(date).timestamp() == clock.now

    def test_the_services_own_probe_understands_it(self, cloud: ZegoCloud, clock: Clock) -> None:
        api = ServerApi(cloud.url, clock=clock)
        assert api.probe(ServerSecret(APP_ID, SECRET)).accepted
        assert api.probe(ServerSecret(APP_ID, OTHER)).rejected
        cloud.trouble = Trouble(clock_skew_seconds=-700)
        verdict = api.probe(ServerSecret(APP_ID, SECRET))
        assert (verdict.code, verdict.clock_skew_seconds) == (100000004, 700)

    def test_every_code_has_a_message(self) -> None:
        assert all(MESSAGES.values())


class TestTroubles:
    @pytest.mark.parametrize(("kind", "expected"), [("rate-limit", 206), ("gateway", 100000015)])
    def test_it_can_respond_with_a_temporary_code(
        self, cloud: ZegoCloud, kind: TroubleKind, expected: int
    ) -> None:
        cloud.trouble = Trouble(kind)
        assert code(cloud) == expected

    def test_a_gateway_can_respond_instead(self, cloud: ZegoCloud) -> None:
        cloud.trouble = Trouble("bad-gateway")
        answer = call(cloud)
        assert answer.status == 502
        assert answer.body.startswith(b"<html>")

    def test_it_can_respond_with_garbage(self, cloud: ZegoCloud) -> None:
        cloud.trouble = Trouble("garbage")
        with pytest.raises(json.JSONDecodeError):
            call(cloud).json()

    def test_it_can_hang_up(self, cloud: ZegoCloud) -> None:
        cloud.trouble = Trouble("hang-up")
        with pytest.raises(ConnectionError):
            call(cloud)

    def test_it_can_be_slow(self, cloud: ZegoCloud, monkeypatch: pytest.MonkeyPatch) -> None:
        slept: list[float] = []
        monkeypatch.setattr("local.fake_zego.cloud.time.sleep", slept.append)
        cloud.trouble = Trouble(slow_seconds=2.5)
        assert code(cloud) == 0
        assert slept == [2.5]

    def test_its_clock_can_be_skewed(self, cloud: ZegoCloud, clock: Clock) -> None:
        cloud.trouble = Trouble(clock_skew_seconds=700)
        answer = call(cloud)
        assert answer.json()["Code"] == 100000004
        date = parsedate_to_datetime(answer.headers["date"])
        assert date.timestamp() == clock.now + 700

    def test_troubles_can_end(self, cloud: ZegoCloud) -> None:
        cloud.trouble = Trouble("garbage", clock_skew_seconds=-900)
        cloud.trouble = Trouble()
        assert code(cloud) == 0


def token(clock: Clock, secret: str = SECRET, **changes: Any) -> str:
    parts: dict[str, Any] = {
        "app_id": APP_ID,
        "user_id": "alice",
        "server_secret": secret,
        "issued_at": int(clock()),
        "lifetime_seconds": 60,
    }
    return token04.mint(**(parts | changes))


def log_in(cloud: ZegoCloud, token: object, **changes: object) -> dict[str, Any]:
    login = {"app_id": APP_ID, "user_id": "alice", "room_id": "call_1", "token": token} | changes
    answer: dict[str, Any] = post(cloud, "/v1/rooms/login", login).json()
    return answer


class TestTheRoomLogin:
    @pytest.mark.parametrize("cipher", ["gcm", "cbc"])
    @pytest.mark.parametrize(
        "payload", ["", token04.room_payload("call_1", login=True, publish=False)]
    )
    def test_a_valid_token_is_accepted(
        self, cloud: ZegoCloud, clock: Clock, cipher: str, payload: str
    ) -> None:
        assert log_in(cloud, token(clock, cipher=cipher, payload=payload))["code"] == 0

    def test_a_token_made_with_another_secret_gets_the_incidents_codes(
        self, cloud: ZegoCloud, clock: Clock
    ) -> None:
        for cipher in ("gcm", "cbc"):
            answer = log_in(cloud, token(clock, OTHER, cipher=cipher))
            assert answer["message"]
            assert (answer["code"], answer["raw"]) == (1102016, 50119)
            assert answer["logged"] == [20014, 50119]

    @pytest.mark.parametrize("wrong", ["eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2ln", "04", "04AAAA"])
    def test_text_that_is_not_a_token04_gets_the_same_codes(
        self, cloud: ZegoCloud, wrong: str
    ) -> None:
        assert log_in(cloud, wrong)["logged"] == [20014, 50119]

    @pytest.mark.parametrize("missing", [None, "", 5])
    def test_a_missing_token_has_its_own_code(self, cloud: ZegoCloud, missing: object) -> None:
        assert log_in(cloud, missing)["code"] == 1100001

    def test_an_expired_token_has_its_own_code(self, cloud: ZegoCloud, clock: Clock) -> None:
        good = token(clock)
        clock.turn(60)
        answer = log_in(cloud, good)
        assert (answer["code"], answer["raw"]) == (1102018, 50117)

    @pytest.mark.parametrize(
        "changes", [{"user_id": "bob"}, {"user_id": None}, {"app_id": 1}, {"app_id": str(APP_ID)}]
    )
    def test_another_user_or_app_id_is_refused(
        self, cloud: ZegoCloud, clock: Clock, changes: dict[str, object]
    ) -> None:
        assert log_in(cloud, token(clock), **changes)["code"] == 1102016

    def test_a_token_for_another_app_id_is_refused(self, cloud: ZegoCloud, clock: Clock) -> None:
        assert log_in(cloud, token(clock, app_id=5))["code"] == 1102016

    def test_a_token_without_its_claims_is_malformed(self, cloud: ZegoCloud) -> None:
        sealed = token04.seal(b"{}", 2**33, SECRET.encode(), cipher="gcm", iv=bytes(12))
        assert log_in(cloud, sealed)["raw"] == 50120

    @pytest.mark.parametrize(
        "payload",
        [
            token04.room_payload("call_2", login=True, publish=True),
            token04.room_payload("call_1", login=False, publish=True),
            "not JSON",
            "[]",
        ],
    )
    def test_a_payload_for_another_room_or_without_login_is_refused(
        self, cloud: ZegoCloud, clock: Clock, payload: str
    ) -> None:
        assert log_in(cloud, token(clock, payload=payload))["code"] == 1102020

    def test_if_a_reset_keeps_the_old_secret_tokens_of_both_are_accepted(
        self, cloud: ZegoCloud, clock: Clock
    ) -> None:
        new = cloud.project.reset(keep_old=True)
        for secret in (SECRET, new.value):
            assert log_in(cloud, token(clock, secret))["code"] == 0


def users_in(cloud: ZegoCloud, room: str) -> int:
    """Returns the number of users that the server API counts."""
    counts = call(cloud, **{"RoomId[]": [room]}).json()["Data"]["UserCountList"]
    count: int = counts[0]["UserCount"]
    return count


class TestTheRooms:
    @pytest.fixture(autouse=True)
    def logged_in(self, cloud: ZegoCloud, clock: Clock) -> None:
        for user_id in ("alice", "bob"):
            login = token(clock, user_id=user_id)
            assert log_in(cloud, login, user_id=user_id)["code"] == 0

    def test_a_login_enters_the_room(self, cloud: ZegoCloud) -> None:
        assert exchange(f"{cloud.url}/console").json()["rooms"] == {"call_1": ["alice", "bob"]}
        assert (users_in(cloud, "call_1"), users_in(cloud, "call_2")) == (2, 0)

    def test_a_refused_login_does_not(self, cloud: ZegoCloud, clock: Clock) -> None:
        assert log_in(cloud, token(clock, OTHER), room_id="call_2")["code"] != 0
        assert users_in(cloud, "call_2") == 0

    def test_the_end_of_a_token_removes_no_one(self, cloud: ZegoCloud, clock: Clock) -> None:
        clock.turn(60)
        assert cloud.project.rooms.users("call_1") == {"alice", "bob"}

    def test_kickout_user_removes_users_from_one_room(self, cloud: ZegoCloud, clock: Clock) -> None:
        log_in(cloud, token(clock), room_id="call_2")
        kick = {"Action": "KickoutUser", "RoomId": "call_1", "UserId[]": ["alice", "mallory"]}
        answer = call(cloud, **kick).json()
        assert (answer["Code"], answer["Message"]) == (0, "success")
        assert cloud.project.rooms.to_json() == {"call_1": ["bob"], "call_2": ["alice"]}

    def test_close_room_removes_all_users(self, cloud: ZegoCloud) -> None:
        assert code(cloud, Action="CloseRoom", RoomId="call_1") == 0
        assert code(cloud, Action="CloseRoom", RoomId="call_1") == 5024
        assert cloud.project.rooms.to_json() == {}

    def test_a_room_ends_with_its_last_user(self, cloud: ZegoCloud) -> None:
        kick = {"Action": "KickoutUser", "RoomId": "call_1", "UserId[]": ["alice", "bob"]}
        assert [code(cloud, **kick), code(cloud, **kick)] == [0, 104]

    def test_a_wrong_signature_removes_no_one(self, cloud: ZegoCloud) -> None:
        assert code(cloud, OTHER, Action="CloseRoom", RoomId="call_1") == 100000005
        assert users_in(cloud, "call_1") == 2

    def test_a_kicked_user_logs_in_again_with_a_token_that_has_not_expired(
        self, cloud: ZegoCloud, clock: Clock
    ) -> None:
        code(cloud, **{"Action": "KickoutUser", "RoomId": "call_1", "UserId[]": ["alice"]})
        assert log_in(cloud, token(clock))["code"] == 0
        assert cloud.project.rooms.users("call_1") == {"alice", "bob"}

    def test_the_services_own_client_removes_users(self, cloud: ZegoCloud, clock: Clock) -> None:
        api, secret = ServerApi(cloud.url, clock=clock), ServerSecret(APP_ID, SECRET)
        assert api.kick(secret, "call_1", ["alice"]).outcome == "removed"
        assert cloud.project.rooms.users("call_1") == {"bob"}
        assert api.close_room(secret, "call_1").outcome == "removed"
        assert api.kick(secret, "call_1", ["alice"]).outcome == "absent"
        assert api.close_room(secret, "call_1").outcome == "absent"
        refused = api.kick(ServerSecret(APP_ID, OTHER), "call_1", ["alice"])
        assert (refused.outcome, refused.code) == ("failed", 100000005)


class TestTheConsole:
    def test_it_shows_the_project_without_a_secret(self, cloud: ZegoCloud) -> None:
        answer = exchange(f"{cloud.url}/console")
        (secret,) = cloud.project.accepted
        assert answer.json() == {
            "app_id": APP_ID,
            "accepted": [secret.fingerprint],
            "made": [secret.fingerprint],
            "rooms": {},
            "trouble": {"kind": "none", "slow_seconds": 0.0, "clock_skew_seconds": 0.0},
        }
        assert SECRET not in answer.body.decode()

    def test_a_reset_gives_a_new_secret_and_ends_the_old_one(self, cloud: ZegoCloud) -> None:
        said = post(cloud, "/console/reset", {}).json()
        new = said["server_secret"]
        assert len(new) == 32
        assert (code(cloud, new), code(cloud)) == (0, 100000005)
        assert said["accepted"] == [cloud.project.accepted[-1].fingerprint]

    def test_a_reset_can_keep_the_old_one_until_it_is_switched_off(self, cloud: ZegoCloud) -> None:
        (old,) = exchange(f"{cloud.url}/console").json()["accepted"]
        new = post(cloud, "/console/reset", {"keep_old": True}).json()["server_secret"]
        assert (code(cloud, new), code(cloud)) == (0, 0)
        post(cloud, "/console/switch-off", {"fingerprint": old})
        assert (code(cloud, new), code(cloud)) == (0, 100000005)

    def test_all_earlier_secrets_can_be_accepted_again(self, cloud: ZegoCloud) -> None:
        post(cloud, "/console/reset", {})
        said = post(cloud, "/console/accept-all", {}).json()
        assert said["accepted"] == said["made"]
        assert code(cloud) == 0

    def test_it_can_start_and_end_trouble(self, cloud: ZegoCloud) -> None:
        post(cloud, "/console/trouble", {"kind": "rate-limit", "clock_skew_seconds": 1})
        assert cloud.trouble == Trouble("rate-limit", clock_skew_seconds=1)
        post(cloud, "/console/trouble", {})
        assert cloud.trouble == Trouble()

    @pytest.mark.parametrize(
        ("path", "content"),
        [
            ("trouble", {"kind": "earthquake"}),
            ("trouble", {"kind": []}),
            ("trouble", {"slow_seconds": -1}),
            ("trouble", {"slow_seconds": 61}),
            ("trouble", {"slow_seconds": "2"}),
            ("trouble", {"clock_skew_seconds": True}),
            ("trouble", {"unknown": 1}),
            ("switch-off", {}),
            ("switch-off", {"fingerprint": "000000000000"}),
            ("reset", []),
        ],
    )
    def test_an_invalid_request_changes_nothing(
        self, cloud: ZegoCloud, path: str, content: object
    ) -> None:
        before = exchange(f"{cloud.url}/console").json()
        answer = post(cloud, f"/console/{path}", content)
        assert (answer.status, list(answer.json())) == (400, ["error"])
        assert exchange(f"{cloud.url}/console").json() == before

    @pytest.mark.parametrize(
        ("method", "path"), [("GET", "/console/reset"), ("POST", "/console/else"), ("GET", "/x")]
    )
    def test_other_pages_do_not_exist(self, cloud: ZegoCloud, method: str, path: str) -> None:
        answer = exchange(cloud.url + path, method, [("content-type", "application/json")])
        assert answer.status == 404


class TestOtherOrigins:
    JSON = ("content-type", "application/json")

    @pytest.mark.parametrize("path", ["/console/reset", "/v1/rooms/login"])
    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
    def test_a_foreign_origin_is_refused(self, cloud: ZegoCloud, path: str, origin: str) -> None:
        answer = post(cloud, path, {}, self.JSON, ("origin", origin))
        assert answer.status == 403
        assert "access-control-allow-origin" not in answer.headers
        assert len(cloud.project.made) == 1

    def test_a_foreign_origin_may_not_read_either(self, cloud: ZegoCloud) -> None:
        answer = exchange(f"{cloud.url}/console", "GET", [("origin", "https://evil.example")])
        assert answer.status == 403

    @pytest.mark.parametrize(
        "headers",
        [
            [("accept", "*/*")],
            [("content-type", "text/plain")],
            [("content-type", "application/x-www-form-urlencoded")],
        ],
    )
    def test_requests_that_need_no_preflight_are_refused(
        self, cloud: ZegoCloud, headers: Sequence[tuple[str, str]]
    ) -> None:
        assert post(cloud, "/console/reset", {}, *headers).status == 415
        assert len(cloud.project.made) == 1

    def test_the_stacks_own_pages_are_allowed(self, cloud: ZegoCloud) -> None:
        cloud.allowed_origins = ("http://127.0.0.1:8083",)
        for origin in (cloud.url, "http://127.0.0.1:8083"):
            preflight = exchange(
                f"{cloud.url}/console/reset",
                "OPTIONS",
                [("origin", origin), ("access-control-request-method", "POST")],
            )
            assert preflight.headers["access-control-allow-origin"] == origin
            answer = post(cloud, "/console/reset", {}, self.JSON, ("origin", origin))
            assert answer.status == 200
            assert answer.headers["access-control-allow-origin"] == origin
