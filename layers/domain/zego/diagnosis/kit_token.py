"""The part of a kit token behind its #: what UIKit reads of the user, in base64.

Source: the vendor's generators of kit tokens: base64 of ``{userID, roomID, userName, appID}``.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, Final

from zego import strict_json
from zego.diagnosis.findings import Expected, Found, found

_TYPES: Final[Mapping[str, type]] = {"userID": str, "roomID": str, "appID": int}


def read_details(text: str) -> tuple[Mapping[str, Any] | None, Found | None]:
    """What stands behind the #, or what is wrong with it."""
    standard = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        values = strict_json.loads_object(b64decode(standard + "=" * (-len(standard) % 4)))
    except ValueError:
        return None, found("kit-details-malformed", what="it is no JSON object in base64")
    wrong = [name for name, kind in _TYPES.items() if type(values.get(name)) is not kind]
    if wrong:
        what = f"{', '.join(wrong)} missing or of the wrong type"
        return None, found("kit-details-malformed", what=what)
    return values, None


def about(
    details: Mapping[str, Any], sealed: Mapping[str, Any] | None, expected: Expected
) -> Iterator[Found]:
    """Where the details are not those of the claims, or not what was expected.

    :param sealed: the claims; ``None``: they are not known.
    """
    wanted: dict[str, dict[str, Any]] = {
        "what was expected": {
            "userID": expected.user_id,
            "roomID": expected.room_id,
            "appID": expected.app_id,
        }
    }
    if sealed is not None:
        wanted = {"the claims sealed in it": _in_claims(sealed), **wanted}
    for what, values in wanted.items():
        names = [name for name, one in values.items() if one not in (None, details[name])]
        if names:
            yield found("kit-mismatch", names=", ".join(names), what=what)


def _in_claims(sealed: Mapping[str, Any]) -> dict[str, Any]:
    """The same as the claims have it, as far as they say."""
    try:
        room_id = strict_json.loads_object(sealed["payload"]).get("room_id")
    except (LookupError, TypeError, ValueError):  # no payload, an object, or no JSON
        room_id = None
    return {"userID": sealed.get("user_id"), "roomID": room_id, "appID": sealed.get("app_id")}
