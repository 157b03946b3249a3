"""What a text is that was given as a token, and the Token04 in it where there is one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from zego.diagnosis import envelopes, kit_token, lookalikes, stand_ins, wrapping
from zego.diagnosis.findings import Form, Found, found
from zego.token04 import PREFIX, Envelope

#: A Token04's two length fields have 16 bits each, so it has fewer than 174,800 characters.
MAX_CHARACTERS: Final = 200_000

_BASE64: Final = re.compile(r"[0-9A-Za-z+/_=-]*")
#: How logs and people write that something is left out.
_LEFT_OUT: Final = re.compile(
    "\u2026|\u2022{2,}|\\.{2,}|\\*{2,}"
    r"|[\[<(](?i:redacted|removed|hidden|masked|filtered|truncated|snip(?:ped)?|cut|omitted)[\])>]"
)
_NON_ASCII: Final = re.compile(r"[^\x00-\x7f]")
#: What is shorter and begins with 04 by chance is taken for no token: a date, a telephone number.
_MIN_MALFORMED: Final = 60
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
    envelope: Envelope | None = field(default=None, repr=False)
    header_expires_at: int | None = None
    kit_details: Mapping[str, Any] | None = field(default=None, repr=False)


def read(text: str) -> Reading:
    """Recognise a text. What happened to a Token04 on its way is undone, and said; of what is no
    Token04, only what it is.
    """
    if len(text) > MAX_CHARACTERS:
        return _other(found("too-long", length=len(text), limit=MAX_CHARACTERS))
    text, problems = wrapping.unwrap(text)
    if stand_in := stand_ins.recognise(text):
        return _other(stand_in)
    if known := lookalikes.recognise(text):
        form, problem = known
        return Reading(form, (problem,))
    token, mark, details = text.partition(_KIT_MARK)
    token, prefix_problem = _with_prefix(token)
    if not token:
        return _other(found("not-a-token"))
    if prefix_problem:
        problems.append(prefix_problem)
    if mark:
        return _kit_token(token, details, problems)
    return _token04(token, problems)


def _with_prefix(token: str) -> tuple[str, Found | None]:
    """The token with its 04, once; empty where it is none."""
    if token.startswith(PREFIX + PREFIX + "AAA"):
        return token[len(PREFIX) :], found("prefix-twice")
    if token.startswith(PREFIX):
        is_one = len(token) >= _MIN_MALFORMED or envelopes.has_head(token)
        return token if is_one else "", None
    for missing in (PREFIX, PREFIX[:1]):
        whole = missing + token
        if whole.startswith(PREFIX + "AA") and envelopes.read(whole)[0] is not None:
            return whole, found("prefix-missing")
    return "", None


def _token04(token: str, problems: list[Found]) -> Reading:
    """A Token04, whole or damaged."""
    hopeless: Found | None = None
    if not _BASE64.fullmatch(token):
        if _LEFT_OUT.search(token):
            hopeless = found("shortened")
        elif foreign := _NON_ASCII.search(token):
            hopeless = found("non-ascii", codepoint=f"{ord(foreign[0]):04X}")
    if hopeless:
        expires_at = envelopes.readable_expiry(token)
        return Reading("token04", (*problems, hopeless), header_expires_at=expires_at)
    envelope, expires_at, damages = envelopes.read(token)
    return Reading("token04", (*problems, *damages), envelope, expires_at)


def _kit_token(token: str, details: str, problems: list[Found]) -> Reading:
    kit_details, kit_problem = kit_token.read_details(details)
    problems = [*problems, found("kit-token"), *([kit_problem] if kit_problem else ())]
    inner = _token04(token, problems)
    return Reading(
        "kit-token", inner.problems, inner.envelope, inner.header_expires_at, kit_details
    )


def _other(problem: Found) -> Reading:
    return Reading("other", (problem,))
