"""What is wrong with a token's payload: what its holder may do in one room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from zego import identifiers, strict_json
from zego.diagnosis.claims import HALF_A_PAIR, identifier, is_encodable
from zego.diagnosis.findings import Expected, Found, found
from zego.diagnosis.spans import json_type
from zego.identifiers import IdentifierError

_LOGIN: Final = "1"
_PUBLISH: Final = "2"


def about(payload: object, expected: Expected) -> Iterator[Found]:
    """All that is wrong with it. ZIM reads none of it, so there it has to be text alone."""
    if type(payload) is not str:
        yield found("payload-wrong-type", what=json_type(payload))
        return
    if not is_encodable(payload):
        yield found("payload-wrong-type", what=HALF_A_PAIR)
        return
    if not payload or expected.sdk == "zim":
        return
    try:
        grant = strict_json.loads(payload)
    except ValueError:
        yield found("payload-not-json")
        return
    if not isinstance(grant, dict):
        yield found("payload-not-object")
        return
    yield from _room(grant, expected)
    yield from _privileges(grant.get("privilege"), expected)
    yield from _streams(grant.get("stream_id_list"))


def _room(grant: Mapping[str, Any], expected: Expected) -> Iterator[Found]:
    room_id = grant.get("room_id")
    if type(room_id) is not str or not room_id:
        what = "missing" if "room_id" not in grant else json_type(room_id)
        yield found("payload-without-room", what="empty" if room_id == "" else what)
        return
    if expected.room_id not in (None, room_id):
        yield found("room-mismatch", expected=expected.room_id)
    yield from identifier("room_id", room_id, expected)


def _privileges(privileges: object, expected: Expected) -> Iterator[Found]:
    if not isinstance(privileges, dict):
        yield found("privileges-malformed", what=f"it is {json_type(privileges)}, not an object")
        return
    if privileges.keys() - {_LOGIN, _PUBLISH}:
        yield found("privileges-malformed", what="it has keys other than 1 and 2")
        return
    if any(type(value) is not int or value not in (0, 1) for value in privileges.values()):
        yield found("privileges-malformed", what="its values are not the numbers 0 and 1")
        return
    if not privileges.get(_LOGIN):
        yield found("no-login")
    if not privileges.get(_PUBLISH) and expected.publish is not False:
        yield found("no-publish", "refused" if expected.publish else "note")


def _streams(stream_ids: object) -> Iterator[Found]:
    if stream_ids is None:
        return
    if not isinstance(stream_ids, list) or any(type(one) is not str for one in stream_ids):
        what = "an array of other things" if isinstance(stream_ids, list) else json_type(stream_ids)
        yield found("stream-ids-malformed", what=what)
        return
    for stream_id in stream_ids:
        try:
            identifiers.check("stream_id", stream_id)
        except IdentifierError as error:
            yield found("stream-id-refused", what=str(error))
            return
