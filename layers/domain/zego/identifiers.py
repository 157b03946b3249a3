"""Checks user, room and stream ids, and turns a caller's subject into a user id.

Lengths are in UTF-8 bytes. Sources: ZEGO's documentation for the limits, and for the characters
the checks in its web SDK, which is the strictest of the SDKs.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final, Literal

IdentifierKind = Literal["user_id", "room_id", "stream_id"]

#: Longest id of each kind, in bytes.
MAX_BYTES: Final[dict[IdentifierKind, int]] = {"user_id": 63, "room_id": 127, "stream_id": 255}

#: Printable ASCII characters that the web SDK refuses in user and room ids.
REFUSED_CHARACTERS: Final = frozenset(' "/:?[]{|}')

_STREAM_ID: Final = re.compile(r"[0-9A-Za-z_-]*")
_HASHED_SUBJECT: Final = re.compile(r"u_[a-z2-7]{26}")


class IdentifierError(ValueError):
    """ZEGO would refuse this id. The message names the kind of id, never its value."""


def check(kind: IdentifierKind, value: str) -> str:
    """Return the id if ZEGO accepts it.

    :raises IdentifierError: it is empty, too long, or contains a character that ZEGO refuses.
    """
    if not value:
        raise IdentifierError(f"{kind} is empty")
    size = len(value.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES[kind]:
        raise IdentifierError(f"{kind} has {size} bytes; ZEGO accepts at most {MAX_BYTES[kind]}")
    if kind == "stream_id":
        if not _STREAM_ID.fullmatch(value):
            raise IdentifierError("stream_id contains a character other than 0-9 A-Z a-z _ -")
        return value
    check_characters(kind, value)
    return value


def check_characters(kind: IdentifierKind, value: str) -> None:
    """Check only the characters of a user or room id, not its length.

    :raises IdentifierError: one of them is refused.
    """
    for character in value:
        if not "!" <= character <= "~" or character in REFUSED_CHARACTERS:
            raise IdentifierError(
                f"{kind} contains {_named(character)}, which ZEGO's web SDK refuses"
            )


def user_id_for_subject(issuer: str, subject: str, *, always_hash: bool = False) -> str:
    """The user id for an identity provider's subject: the subject itself if ZEGO accepts it.

    Any other subject (Auth0's ``auth0|123`` has a ``|``) becomes ``u_`` and 26 base32 digits of
    SHA-256(issuer NUL subject): the same every time, 28 bytes long, and never another subject's.
    A subject that already looks like such an id is hashed as well, so no caller can choose one.

    :param always_hash: hash even a subject that ZEGO would accept, for issuers whose subjects
        could be equal to another issuer's.
    """
    if not always_hash and not _HASHED_SUBJECT.fullmatch(subject):
        try:
            return check("user_id", subject)
        except IdentifierError:
            pass
    digest = hashlib.sha256(f"{issuer}\0{subject}".encode("utf-8", "surrogatepass")).digest()
    return "u_" + base64.b32encode(digest)[:26].decode().lower()


def _named(character: str) -> str:
    if character == " ":
        return "a space"
    if character < " " or character == "\x7f":
        return f"the control character U+{ord(character):04X}"
    if character > "\x7f":
        return f"the non-ASCII character U+{ord(character):04X}"
    return f"the character {character}"
