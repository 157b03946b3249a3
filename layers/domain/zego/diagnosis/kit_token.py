"""The part of a kit token behind its #: what UIKit reads of the user, in base64.

Source: the vendor's generators of kit tokens: base64 of ``{userID, roomID, userName, appID}``.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, Final

from zego import strict_json
from zego.diagnosis.findings import Found, found

_TYPES: Final[Mapping[str, type]] = {"userID": str, "roomID": str, "appID": int}
_SEALED: Final[Mapping[str, str]] = {"userID": "user_id", "appID": "app_id"}


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


def about(details: Mapping[str, Any], sealed: Mapping[str, Any]) -> Iterator[Found]:
    """Where the details are not those of the claims."""
    different = [ours for ours, theirs in _SEALED.items() if details[ours] != sealed.get(theirs)]
    if different:
        yield found("kit-mismatch", names=", ".join(different))
