"""zego.server_api: the verdict of every code, which failures are retried, and what is sent."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.clock import Clock
from tests.support.table import table
from tests.unit.zego.scripted_server import (
    SILENCE,
    Received,
    Reply,
    closed_port,
    drip,
    reply,
    serving,
)
from zego import server_api
from zego.error_codes import SERVER_API_CODES
from zego.server_api import Removal, ServerApi, Verdict
from zego.server_secret import ServerSecret

SECRET = ServerSecret(1234567890, "0123456789abcdef0123456789abcdef")

#: The vendor's codes and what ZEGO's documentation makes of each, written by hand: the table must
#: not test itself.
ACCEPTED = {0}
NEEDS_REPEATING = {100000010, 100000011}
REJECTED = {*NEEDS_REPEATING, 100000001, 100000005}
PASSING = {1, 7, 100000012, 100000015, 206, 207, 5018}
#: A room that does not exist, a user who is not online.
ABSENT = {104, 105, 5024, 50001, 50002, 50003}
UNKNOWN = {
    *PASSING,
    *ABSENT,
    2,
    3,
    50011,
    100000000,
    100000002,
    100000003,
    100000004,
    100000006,
    100000007,
    100000008,
    100000009,
    100000013,
    100000014,
    100000016,
    100000017,
}


def answer(code: Any, *, status: int = 200, date: float | None = None) -> Reply:
    body = {"Code": code, "Message": "m", "RequestId": "r", "Data": {}}
    headers = {} if date is None else {"Date": formatdate(date, usegmt=True)}
    return reply(status, json.dumps(body).encode(), headers)


@dataclass
class Probed:
    """A verdict, and the requests that led to it."""

    verdict: Verdict
    received: list[Received]
    pauses: list[float] = field(default_factory=list)


def probe(*replies: Reply, clock: Clock | None = None, jitter: float = 1.0) -> Probed:
    pauses: list[float] = []
    with serving(*replies) as server:
        api = ServerApi(
            server.url,
            attempt_seconds=server.bound_seconds,
            clock=clock or Clock(),
            sleep=pauses.append,
            jitter=lambda: jitter,
        )
        verdict = api.probe(SECRET)
        return Probed(verdict, list(server.received), pauses)


def test_the_signature_matches_the_vendors_example() -> None:
    signed = server_api.signature(
        12345, "4fd24687296dd9f3", "9193cc662a4c0ec135ec71fb57194b38", 1615186943
    )
    assert signed == "43e5cfcca828314675f91b001390566a"


def test_the_table_has_every_code_that_the_vendor_documents() -> None:
    assert set(SERVER_API_CODES) == ACCEPTED | REJECTED | UNKNOWN


@table("status", [200, 400, 500])
@table("code", sorted(ACCEPTED | REJECTED | UNKNOWN))
def test_the_code_alone_decides(code: int, status: int) -> None:
    probed = probe(answer(code, status=status))
    verdict = probed.verdict
    assert verdict.code == code
    assert verdict.accepted == (code in ACCEPTED)
    assert verdict.rejected == (code in REJECTED)
    assert (verdict.outcome == "unknown") == (code in UNKNOWN)
    assert verdict.needs_repeating == (code in NEEDS_REPEATING)
    assert verdict.reason
    assert len(probed.received) == (3 if code in PASSING | NEEDS_REPEATING else 1)


def test_a_code_that_zego_does_not_document_proves_nothing() -> None:
    probed = probe(answer(424242))
    assert probed.verdict.outcome == "unknown"
    assert probed.verdict.code == 424242
    assert len(probed.received) == 1


GARBAGE = {
    "html": reply(502, b"<html>Bad Gateway</html>"),
    "empty": reply(200, b""),
    "not UTF-8": reply(200, b"\xff\xfe"),
    "an array": reply(200, b"[0]"),
    "no code": reply(200, b"{}"),
    "a text": reply(200, b'{"Code": "0"}'),
    "a boolean": reply(200, b'{"Code": false}'),
    "null": reply(200, b'{"Code": null}'),
    "negative": reply(200, b'{"Code": -1}'),
    "too long": reply(200, b'{"Code": 1000000000000}'),
    "a fraction": reply(200, b'{"Code": 0.0}'),
    "NaN": reply(200, b'{"Code": NaN}'),
    "a redirect": reply(302, b"", {"Location": "http://127.0.0.1:9/"}),
    "too large": reply(200, b"0" * 70000),
    "not HTTP": Reply(),
    "silence": SILENCE,
    "a drip": Reply(slowly=drip(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_an_unreadable_response_proves_nothing_and_is_retried(garbage: Reply) -> None:
    probed = probe(garbage)
    assert probed.verdict.outcome == "unknown"
    assert probed.verdict.code is None
    assert len(probed.received) == 3


def test_no_response_proves_nothing() -> None:
    pauses: list[float] = []
    api = ServerApi(f"http://127.0.0.1:{closed_port()}", sleep=pauses.append)
    assert api.probe(SECRET).outcome == "unknown"
    assert len(pauses) == 2


def test_a_temporary_failure_is_retried() -> None:
    probed = probe(reply(502, b"<html>"), answer(100000015), answer(0))
    assert probed.verdict.accepted
    assert len(probed.received) == 3


def test_a_rejection_after_a_temporary_failure_is_a_rejection() -> None:
    assert probe(answer(206), answer(100000005)).verdict.rejected


class TestARejectionThatMayBeAFaultOfTheGateway:
    def test_it_is_a_rejection_if_every_attempt_ends_so(self) -> None:
        probed = probe(answer(100000010), answer(100000011), answer(100000010))
        assert (probed.verdict.outcome, probed.verdict.code) == ("rejected", 100000010)
        assert probed.verdict.needs_repeating
        assert len(probed.received) == 3

    @pytest.mark.parametrize("code", sorted(NEEDS_REPEATING))
    def test_a_later_acceptance_decides(self, code: int) -> None:
        probed = probe(answer(code), answer(0))
        assert probed.verdict.accepted
        assert len(probed.received) == 2

    def test_a_later_rejection_of_the_signature_decides(self) -> None:
        verdict = probe(answer(100000010), answer(100000005)).verdict
        assert (verdict.outcome, verdict.code) == ("rejected", 100000005)
        assert not verdict.needs_repeating

    @pytest.mark.parametrize(
        "codes",
        [(100000010, 100000010, 206), (206, 100000010, 100000010), (206, 206, 100000011)],
        ids=str,
    )
    def test_with_another_response_among_the_attempts_it_proves_nothing(
        self, codes: tuple[int, ...]
    ) -> None:
        verdict = probe(*map(answer, codes)).verdict
        assert (verdict.outcome, verdict.code) == ("unknown", codes[-1])
        assert not verdict.needs_repeating

    def test_after_an_attempt_without_a_response_it_proves_nothing(self) -> None:
        verdict = probe(reply(502, b"<html>"), answer(100000010)).verdict
        assert (verdict.outcome, verdict.code) == ("unknown", 100000010)
        assert "try again" in verdict.reason


@pytest.mark.parametrize(("jitter", "pauses"), [(0.0, [0.3, 0.6]), (1.0, [0.6, 1.2])])
def test_the_pauses_grow_and_are_spread(jitter: float, pauses: list[float]) -> None:
    assert probe(answer(206), jitter=jitter).pauses == pytest.approx(pauses)


def test_the_request_has_the_documented_parameters() -> None:
    clock = Clock(1_700_000_000.9)
    sent = probe(answer(206), clock=clock).received
    for one in sent:
        assert (one.method, one.body) == ("GET", b"")
        query = {name: values[0] for name, values in parse_qs(urlsplit(one.target).query).items()}
        assert query.pop("Action") == "DescribeUserNum"
        assert query.pop("AppId") == "1234567890"
        assert query.pop("SignatureVersion") == "2.0"
        assert query.pop("Timestamp") == "1700000000"
        nonce = query.pop("SignatureNonce")
        assert re.fullmatch("[0-9a-f]{16}", nonce)
        signed = server_api.signature(SECRET.app_id, nonce, SECRET.value, 1_700_000_000)
        assert query.pop("Signature") == signed
        assert re.fullmatch("probe_[0-9a-f]{16}", query.pop("RoomId[]"))
        assert query == {}
        assert SECRET.value not in one.target
    assert len({one.target for one in sent}) == 3, "a nonce is never sent twice"


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (700, "this machine's clock is 700 s ahead of ZEGO's"),
        (-3600, "this machine's clock is 3600 s behind ZEGO's"),
    ],
)
def test_an_expired_signature_reports_how_far_the_clock_is_off(ahead: int, words: str) -> None:
    clock = Clock()
    verdict = probe(answer(100000004, date=clock.now - ahead), clock=clock).verdict
    assert verdict.outcome == "unknown"
    assert verdict.clock_skew_seconds == ahead
    assert words in verdict.reason


def test_an_expired_signature_without_a_date_names_the_clock() -> None:
    verdict = probe(answer(100000004)).verdict
    assert verdict.clock_skew_seconds is None
    assert "set this machine's clock" in verdict.reason


@pytest.mark.parametrize("date", ["", "yesterday", "Thu, 01 Jan 99999 00:00:00 GMT", "0"])
def test_an_unreadable_date_is_ignored(date: str) -> None:
    body = json.dumps({"Code": 0}).encode()
    verdict = probe(reply(200, body, {"Date": date})).verdict
    assert verdict.accepted
    assert verdict.clock_skew_seconds is None


class TestRemovals:
    """Users are removed from a room, one by one or all at once."""

    @staticmethod
    def remove(*replies: Reply, users: tuple[str, ...]) -> tuple[Removal, list[Received]]:
        """Remove the users from a room; without users, close it."""
        with serving(*replies) as server:
            api = ServerApi(
                server.url,
                attempt_seconds=server.bound_seconds,
                clock=Clock(1_700_000_000),
                sleep=lambda _seconds: None,
            )
            removal = (
                api.kick(SECRET, "call & 1", users) if users else api.close_room(SECRET, "call & 1")
            )
            return removal, list(server.received)

    @pytest.mark.parametrize(
        ("users", "expected"),
        [
            (("alice", "b&b"), {"Action": ["KickoutUser"], "UserId[]": ["alice", "b&b"]}),
            ((), {"Action": ["CloseRoom"]}),
        ],
    )
    def test_the_request_has_the_documented_parameters(
        self, users: tuple[str, ...], expected: dict[str, list[str]]
    ) -> None:
        removal, (sent,) = self.remove(answer(0), users=users)
        assert (removal.outcome, removal.code) == ("removed", 0)
        query = parse_qs(urlsplit(sent.target).query)
        (nonce,) = query.pop("SignatureNonce")
        assert query == expected | {
            "AppId": ["1234567890"],
            "RoomId": ["call & 1"],
            "Signature": [server_api.signature(1234567890, nonce, SECRET.value, 1_700_000_000)],
            "SignatureVersion": ["2.0"],
            "Timestamp": ["1700000000"],
        }
        assert SECRET.value not in sent.target

    @table("code", sorted((ACCEPTED | REJECTED | UNKNOWN) - {0}))
    def test_each_code_means_an_absent_room_or_user_or_a_failure(self, code: int) -> None:
        kicked, _ = self.remove(answer(code), users=("alice",))
        closed, _ = self.remove(answer(code), users=())
        assert kicked.outcome == ("absent" if code in ABSENT else "failed")
        assert closed.outcome == ("absent" if code in ABSENT | {5018} else "failed")
        assert kicked.code == closed.code == code
        assert kicked.reason

    def test_a_temporary_failure_is_retried(self) -> None:
        removal, received = self.remove(reply(502, b"<html>"), answer(206), answer(0), users=("a",))
        assert removal.outcome == "removed"
        assert len({one.target for one in received}) == 3, "a nonce is never sent twice"

    def test_without_a_readable_response_it_failed(self) -> None:
        removal, received = self.remove(reply(502, b"<html>"), users=("alice",))
        assert (removal.outcome, removal.code) == ("failed", None)
        assert len(received) == 3
        assert SECRET.value not in repr(removal)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://rtc-api.example.com/",
        "https://rtc-api.example.com/path",
        "https://rtc-api.example.com/?AppId=1",
        "https://rtc-api.example.com/#f",
        "https://user:password@rtc-api.example.com/",
        "rtc-api.example.com",
        "",
    ],
)
def test_an_invalid_address_is_refused(endpoint: str) -> None:
    with pytest.raises(ValueError, match="server API"):
        ServerApi(endpoint)


def test_a_slash_at_its_end_makes_no_difference() -> None:
    ServerApi("https://rtc-api-fra.zego.im")
    ServerApi("https://rtc-api-fra.zego.im/")


def test_a_verdict_shows_no_secret() -> None:
    for replies in (answer(0), answer(100000005), SILENCE):
        assert SECRET.value not in repr(probe(replies).verdict)
