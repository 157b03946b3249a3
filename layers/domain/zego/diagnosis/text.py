"""What a text is that was given as a token, and the Token04 in it where there is one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from zego.diagnosis import envelopes, kit_token, lookalikes, wrapping
from zego.diagnosis.findings import Form, Found, found
from zego.token04 import PREFIX, Envelope

#: A Token04's two length fields have 16 bits each, so it has fewer than 174,800 characters.
MAX_CHARACTERS: Final = 200_000

_NON_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_KIT_MARK: Final = "#"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text is.

    :ivar envelope: of the Token04 in it; ``None`` where there is none, or it cannot be read.
    :ivar header_expires_at: Unix seconds, where as much of a Token04 is there.
    :ivar kit_details: what stands behind the # of a kit token.
    """

    form: Form
    problems: tuple[Found, ...]
    envelope: Envelope | None = None
    header_expires_at: int | None = None
    kit_details: Mapping[str, Any] | None = field(default=None, repr=False)


def read(text: str) -> Reading:
    """Recognise a text. What happened to a Token04 on its way is undone, and said."""
    if len(text) > MAX_CHARACTERS:
        return _other(found("too-long", length=len(text), limit=MAX_CHARACTERS))
    text, problems = wrapping.unwrap(text)
    if not text:
        return _other(found("empty"), problems)
    if foreign := _NON_ASCII.search(text):
        return _other(found("non-ascii", codepoint=f"{ord(foreign[0]):04X}"), problems)
    if known := lookalikes.recognise(text):
        form, problem = known
        return Reading(form, (problem, *problems))
    return _token04(text, problems)


def _token04(text: str, problems: list[Found]) -> Reading:
    """A text that is a Token04 or a kit token, whole or damaged, or nothing that is known."""
    token, mark, details = text.partition(_KIT_MARK)
    if not token.startswith(PREFIX):
        if envelopes.read(PREFIX + token)[0] is None:
            return _other(found("not-a-token"), problems)
        token, problems = PREFIX + token, [*problems, found("prefix-missing")]
    envelope, expires_at, damages = envelopes.read(token)
    problems += damages
    if not mark:
        return Reading("token04", tuple(problems), envelope, expires_at)
    kit_details, kit_problem = kit_token.read_details(details)
    problems += [found("kit-token"), *([kit_problem] if kit_problem else ())]
    return Reading("kit-token", tuple(problems), envelope, expires_at, kit_details)


def _other(problem: Found, problems: Iterable[Found] = ()) -> Reading:
    return Reading("other", (problem, *problems))
