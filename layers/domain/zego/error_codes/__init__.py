"""ZEGO's error codes about tokens: what happened, the likely causes, and what to do.

The web SDK often shows one mistake as three codes: 20014 in its log, then the raw code of the room
server, and 1102016 to the app. Telemetry adds :data:`TELEMETRY` to a raw code; :func:`resolve`
subtracts it again::

    resolve(52050119).code      # 50119
    resolve(50119).shown_as     # 1102016
    near(1102061)               # similar codes: 1102016, ...

:mod:`.clients` has the codes of the SDKs, :mod:`.server` those of the server API with the verdict
of each on a ServerSecret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from zego.error_codes import clients, server
from zego.error_codes.code import ErrorCode, ServerApiCode

#: Added to a raw code in the web SDK's telemetry, and in some of its messages.
TELEMETRY: Final = 52_000_000
#: Added by the web SDK, before that, to some raw codes of the room server: 2002 is also 202002.
_ROOM_SERVER: Final = 200_000
_MOST_NEAR: Final = 4
#: A shorter code is not suggested: one typing error turns any number of that length into it.
_SHORTEST_NEAR: Final = 100

#: The codes of the server API that ZEGO documents.
SERVER_API_CODES: Final[Mapping[int, ServerApiCode]] = {known.code: known for known in server.CODES}
#: All known codes, grouped by platforms.
CODES: Final[Mapping[int, ErrorCode]] = {
    **{known.code: known for known in clients.CODES},
    **SERVER_API_CODES,
}


def resolve(code: int) -> ErrorCode | None:
    """The known code with this number, if any; for a telemetry code, the raw code."""
    if code in CODES:
        return CODES[code]
    for added in (TELEMETRY, _ROOM_SERVER):
        if code > added:
            code -= added
            if (known := CODES.get(code)) is not None and known.is_raw:
                return known
    return None


def near(code: int) -> tuple[ErrorCode, ...]:
    """Known codes that are similar to an unknown one: the most likely first, at most four.

    First come codes that one typing error turns into the given one, then those of the same
    hundred. For a telemetry code, only raw codes are considered if any is similar. Codes below 100
    are never returned.
    """
    if code > TELEMETRY and (raw := [known for known in _slips(code - TELEMETRY) if known.is_raw]):
        return tuple(raw)
    return tuple(_slips(code))


def _slips(code: int) -> list[ErrorCode]:
    slips = {
        known: slip
        for known in CODES.values()
        if known.code >= _SHORTEST_NEAR and (slip := _slip(str(code), str(known.code))) is not None
    }
    ranked = sorted(slips, key=lambda known: (slips[known], abs(known.code - code)))
    return ranked[:_MOST_NEAR]


def _slip(given: str, meant: str) -> int | None:
    """Rank how likely one typing error is the difference, best 0; ``None``: not similar."""
    if len(given) == len(meant):
        wrong = [pair for pair in zip(given, meant, strict=True) if pair[0] != pair[1]]
        if len(wrong) == 2 and wrong[0] == wrong[1][::-1]:
            return 0
        if len(wrong) == 1:
            return 1
    elif given in _one_left_out(meant) or meant in _one_left_out(given):
        return 2
    return 3 if given[:-2] == meant[:-2] else None


def _one_left_out(digits: str) -> set[str]:
    return {digits[:at] + digits[at + 1 :] for at in range(len(digits))}
