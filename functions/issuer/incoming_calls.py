"""Publishes the EventBridge event that tells your application whom a call invites.

Only requests with ``callees`` import this module. The token is made before the event is published,
so a failure here never costs the caller the token: the response reports the failure.

Sources: PutEvents and PutEventsResultEntry in the Amazon EventBridge API reference.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from issuer.issue import IssuedToken
from issuer.telemetry import telemetry
from zego import strict_json
from zego.aws import AwsClient, AwsError, unreadable

EVENT_SOURCE: Final = "zego-token-service"
DETAIL_TYPE: Final = "Incoming Call"

#: The codes of an entry that PutEvents may accept at the next attempt.
_RETRYABLE: Final = frozenset({"InternalFailure", "ThrottlingException"})
_PAUSE_SECONDS: Final = 0.1


class IncomingCall(NamedTuple):
    """A call and whom it invites."""

    call_id: str
    callees: tuple[str, ...]
    issued: IssuedToken
    request_id: str

    def detail(self) -> dict[str, object]:
        """The event's detail. It contains no token: many may read an event bus."""
        return {
            "call_id": self.call_id,
            "room_id": self.issued.grant.room_id,
            "app_id": self.issued.app_id,
            "caller": self.issued.grant.user_id,
            "callees": self.callees,
            "called_at": self.issued.issued_at,
            "expires_at": self.issued.expires_at,
            "request_id": self.request_id,
        }


class IncomingCalls:
    """The event bus as the issuer uses it.

    :param client: of EventBridge, for a single attempt: :meth:`publish` makes a second one.
    """

    def __init__(
        self, client: AwsClient, stage: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._stage = stage
        self._sleep = sleep

    def publish(self, call: IncomingCall, may_begin: Callable[[], bool]) -> bool:
        """Publish the event of a call. Return whether EventBridge accepted it.

        There is a second attempt if it may help. The event can then arrive twice.

        :param may_begin: whether there is time for another attempt.
        """
        entry = {
            "Source": EVENT_SOURCE,
            "DetailType": DETAIL_TYPE,
            "Detail": strict_json.dumps({"stage": self._stage} | call.detail()),
        }
        try:
            if not may_begin():
                raise AwsError("NoTimeLeft", "the request took too long before the event")
            self._put_twice({"Entries": [entry]}, may_begin)
        except AwsError as error:
            telemetry.add("IncomingCallsFailed")
            telemetry.logger.error(
                "The event of a call cannot be published: its callees are not notified",
                call_id=call.call_id,
                request_id=call.request_id,
                reason=str(error),
            )
            return False
        telemetry.add("IncomingCallsPublished")
        return True

    def _put_twice(self, parameters: Mapping[str, object], may_begin: Callable[[], bool]) -> None:
        try:
            self._put(parameters)
        except AwsError as error:
            if not error.temporary or not may_begin():
                raise
            self._sleep(_PAUSE_SECONDS)
            self._put(parameters)

    def _put(self, parameters: Mapping[str, object]) -> None:
        """Put one event.

        :raises AwsError: EventBridge did not accept it.
        """
        response = self._client.call("PutEvents", parameters)
        try:
            failed, (result,) = response["FailedEntryCount"], response["Entries"]
            if failed == 0 and isinstance(result["EventId"], str):
                return
            code = str(result["ErrorCode"])
        except (KeyError, TypeError, ValueError):
            raise unreadable() from None
        raise AwsError(code, "EventBridge did not accept the event", temporary=code in _RETRYABLE)
