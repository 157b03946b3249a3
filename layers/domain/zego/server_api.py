"""ZEGO's server API: signed calls, and what they prove about a ServerSecret.

A ServerSecret signs these calls, so ZEGO itself shows whether it is the right one:
:meth:`ServerApi.probe` makes a call that changes nothing, and
:data:`zego.error_codes.SERVER_API_CODES` says what the response's code means for the secret.
:meth:`ServerApi.kick` and :meth:`ServerApi.close_room` remove users from a room.

The probe's call is DescribeUserNum for a room that does not exist. ZEGO documents its result: "When
the Room does not exist, the User count is 0". ZEGO allows 10 of these calls per second and AppID,
and 1 per second in the test environment.

The signature covers the AppID, the nonce and the timestamp only: not the Action, other
parameters or the body. So for 10 minutes, anyone who sees one URL can make any server call with it,
unless ZEGO refuses a used nonce, which it does not document. Only TLS protects the URL; never log
it.

A regional host speaks only for its region. While a reset of the secret spreads, another region may
still give a different verdict.

Source: "Calling APIs", "Global return codes", "Return codes", "DescribeUserNum", "KickoutUser" and
"CloseRoom" in the vendor's documentation of server API v2.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from random import SystemRandom
from typing import Final, Literal
from urllib.parse import urlencode, urlsplit

from zego import strict_json
from zego.bounded_http import HttpError, Response, check_url, request
from zego.error_codes import SERVER_API_CODES
from zego.error_codes.code import Outcome
from zego.server_secret import ServerSecret

#: Regional hosts are ``rtc-api-{sha,hkg,fra,lax,bom,sgp}.zego.im``.
ENDPOINT: Final = "https://rtc-api.zego.im/"
#: How far a timestamp may be off, in seconds.
MAX_CLOCK_SKEW_SECONDS: Final = 600
#: How many users one call of :meth:`ServerApi.kick` may remove.
MAX_KICKED_USERS: Final = 5

_MAX_BYTES: Final = 65536
#: No code has more than 12 digits.
_CODES_END: Final = 10**12
_random: Final = SystemRandom().random

_SIGNATURE_EXPIRED: Final = 100000004
#: The codes of a room that does not exist, and of a user who is not online. "KickoutUser" does not
#: say which of them it returns.
_ABSENT: Final = frozenset({104, 105, 5024, 50001, 50002, 50003})
#: "CloseRoom" documents 5018 as one of its codes for such a room; other pages, as temporary.
_CLOSED: Final = _ABSENT | {5018}


@dataclass(frozen=True, slots=True)
class Verdict:
    """ZEGO's verdict on an AppID with its ServerSecret.

    :ivar reason: what it means and what to do, as text for users; safe to log.
    :ivar code: ZEGO's code; ``None`` if no response could be read.
    :ivar clock_skew_seconds: how far this machine's clock is ahead of ZEGO's, to a second or so;
        ``None`` if the response has no time.
    """

    outcome: Outcome
    reason: str
    code: int | None = None
    clock_skew_seconds: float | None = None

    @property
    def accepted(self) -> bool:
        return self.outcome == "accepted"

    @property
    def rejected(self) -> bool:
        return self.outcome == "rejected"

    @property
    def needs_repeating(self) -> bool:
        """Whether the rejection may be a fault of ZEGO's gateway.

        This is true for 100000010 and 100000011. Their wording suggests that ZEGO may give them for
        a good secret while its gateway cannot get the project's data, and the chat server's page
        of return codes calls them internal errors. :meth:`ServerApi.probe` has already repeated
        the call. Before you move a label because of such a verdict, probe again later.
        """
        return self.rejected and _is_temporary(self.code)


@dataclass(frozen=True, slots=True)
class Removal:
    """ZEGO's response to a request to remove users from a room.

    :ivar outcome: ``removed``; ``absent``: ZEGO knows no such room or user; ``failed``: the users
        may still be in the room.
    :ivar reason: what happened, as text for users; safe to log.
    :ivar code: ZEGO's code; ``None`` if no response could be read.
    """

    outcome: Literal["removed", "absent", "failed"]
    reason: str
    code: int | None


def signature(app_id: int, nonce: str, server_secret: str, timestamp: int) -> str:
    """The signature of a call: 32 lower-case hex digits.

    It does not cover parameters and body; only TLS protects them.

    :param nonce: 16 hex digits, fresh for each call.
    :param timestamp: Unix seconds, within 10 minutes of ZEGO's clock.
    """
    text = f"{app_id}{nonce}{server_secret}{timestamp}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class ServerApi:
    """ZEGO's server API at one address.

    :param endpoint: https, or plain http to this machine; ``None`` is :data:`ENDPOINT`.
    :param attempt_seconds: the time limit of one attempt.
    :param attempts: the most attempts; only a temporary failure is retried.
    :raises ValueError: the endpoint is neither.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        attempt_seconds: float = 3.0,
        attempts: int = 3,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = _random,
    ) -> None:
        endpoint = ENDPOINT if endpoint is None else endpoint
        try:
            parts = urlsplit(check_url(endpoint, allow_loopback=True))
            if parts.query or parts.fragment or parts.path not in ("", "/"):
                raise ValueError("it may only have a scheme, a host and a port")
        except ValueError as error:
            raise ValueError(f"the address of ZEGO's server API: {error}") from None
        self._endpoint = endpoint.rstrip("/") + "/"
        self._attempt_seconds = attempt_seconds
        self._attempts = attempts
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter

    def probe(self, secret: ServerSecret) -> Verdict:
        """Ask ZEGO whether it accepts the secret for its AppID. Changes nothing there.

        The last response decides. A rejection that :attr:`Verdict.needs_repeating` is the verdict
        only if every attempt ended so; if another attempt failed otherwise, the verdict is unknown.

        Takes at most ``attempts * attempt_seconds`` and a second or two between them.
        """
        call = self._call(secret, "DescribeUserNum", (("RoomId[]", f"probe_{_nonce()}"),))
        last = call[-1]
        if last.needs_repeating and not all(verdict.needs_repeating for verdict in call):
            reason = f"{last.reason}; not every attempt got this verdict: try again"
            return replace(last, outcome="unknown", reason=reason)
        return last

    def kick(self, secret: ServerSecret, room_id: str, user_ids: Sequence[str]) -> Removal:
        """Remove users from a room, which also stops all that they publish and play.

        ZEGO does not keep them out: as long as a user has a token that has not expired, the user
        can log in again. ZEGO allows 50 of these calls per second and AppID. It takes as long as
        :meth:`probe`.

        :param user_ids: 1 to :data:`MAX_KICKED_USERS`.
        """
        users = (("UserId[]", user_id) for user_id in user_ids)
        *_, last = self._call(secret, "KickoutUser", (("RoomId", room_id), *users))
        return _removal(last, _ABSENT)

    def close_room(self, secret: ServerSecret, room_id: str) -> Removal:
        """Remove all users from a room and close it. The next login opens it again.

        ZEGO allows 1 of these calls per second and AppID. It takes as long as :meth:`probe`.
        """
        *_, last = self._call(secret, "CloseRoom", (("RoomId", room_id),))
        return _removal(last, _CLOSED)

    def _call(
        self, secret: ServerSecret, action: str, query: Sequence[tuple[str, str]]
    ) -> list[Verdict]:
        """Make a call until its response is not a temporary failure; a verdict per attempt."""
        verdicts = [self._attempt(secret, action, query)]
        while _may_retry(verdicts[-1]) and len(verdicts) < self._attempts:
            self._sleep(0.3 * 2 ** len(verdicts) * (0.5 + 0.5 * self._jitter()))
            verdicts.append(self._attempt(secret, action, query))
        return verdicts

    def _attempt(
        self, secret: ServerSecret, action: str, query: Sequence[tuple[str, str]]
    ) -> Verdict:
        url = self._signed_url(secret, action, query)
        try:
            response = request(
                "GET", url, timeout_seconds=self._attempt_seconds, max_bytes=_MAX_BYTES
            )
        except HttpError as error:
            return Verdict("unknown", f"ZEGO gave no usable response: {error}")
        return _verdict(response, self._clock())

    def _signed_url(
        self, secret: ServerSecret, action: str, query: Sequence[tuple[str, str]]
    ) -> str:
        nonce, timestamp = _nonce(), int(self._clock())
        parameters = {
            "Action": action,
            "AppId": str(secret.app_id),
            "SignatureNonce": nonce,
            "Timestamp": str(timestamp),
            "Signature": signature(secret.app_id, nonce, secret.value, timestamp),
            "SignatureVersion": "2.0",
        }
        return f"{self._endpoint}?{urlencode((*parameters.items(), *query))}"


def _verdict(response: Response, now: float) -> Verdict:
    """Read a response by its code, whatever the HTTP status."""
    skew = clock_skew(response, now)
    try:
        code = strict_json.loads_object(response.body)["Code"]
    except (ValueError, KeyError):
        code = None
    if not isinstance(code, int) or isinstance(code, bool) or not 0 <= code < _CODES_END:
        reason = f"ZEGO's response (HTTP {response.status}) has no readable code"
        return Verdict("unknown", reason, None, skew)
    known = SERVER_API_CODES.get(code)
    if known is None:
        return Verdict("unknown", "ZEGO returned a code that it does not document", code, skew)
    reason = known.reason
    if code == _SIGNATURE_EXPIRED:
        reason += _skew_in_words(skew)
    return Verdict(known.outcome, reason, code, skew)


def _removal(verdict: Verdict, absent: Container[int | None]) -> Removal:
    """What the response to a removal means, with the meaning of its code."""
    code = verdict.code
    known = None if code is None else SERVER_API_CODES.get(code)
    if verdict.accepted:
        return Removal("removed", "ZEGO removed them", code)
    reason = verdict.reason if known is None else known.meaning.removesuffix(".")
    return Removal("absent" if code in absent else "failed", reason, code)


def _may_retry(verdict: Verdict) -> bool:
    """Whether to retry: the response cannot be read, or its code is a temporary failure."""
    return verdict.code is None or _is_temporary(verdict.code)


def _is_temporary(code: int | None) -> bool:
    known = None if code is None else SERVER_API_CODES.get(code)
    return known is not None and known.temporary


def clock_skew(response: Response, now: float) -> float | None:
    """How far this machine's clock is ahead of the server's, in seconds, to a second or so.

    :returns: ``None`` if the response has no time.
    """
    try:
        return round(now - parsedate_to_datetime(response.headers["date"]).timestamp(), 1)
    except (KeyError, ValueError, OverflowError):
        return None


def _skew_in_words(skew: float | None) -> str:
    if skew is None:
        return ": set this machine's clock"
    side = "ahead of" if skew > 0 else "behind"
    return f": this machine's clock is {abs(skew):.0f} s {side} ZEGO's"


def _nonce() -> str:
    """16 hex digits."""
    return os.urandom(8).hex()
