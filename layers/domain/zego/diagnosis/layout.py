"""Compares the envelope of an opened token with that of a Token04, field by field.

Once it is known where IV, ciphertext and tag are, the bytes around them can only be the expiry, two
lengths and a mode. :func:`compare` finds the forms of these that fit, and reports those that are
not the forms of a Token04 (:mod:`zego.token04`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal

from zego.diagnosis.model import Observation, found
from zego.diagnosis.plaintext import Plaintext

TAG_SIZE: Final = 16
GCM_IV_SIZE: Final = 12
#: The bytes before the IV of a Token04: its expiry and the IV's length.
USUAL_HEAD: Final = 10
_LONGEST_IV: Final = 64
#: The year 2109 in milliseconds; a larger number is not an expiry.
_MAX_EXPIRY: Final = 2**42


TagPlace = Literal[
    "behind",
    "before the ciphertext",
    "in a field before the ciphertext",
    "in a separate field",
    "missing",
]
#: Where a tag is that the length of the ciphertext does not count.
_NOT_COUNTED: Final = ("missing", "in a separate field", "in a field before the ciphertext")


@dataclass(frozen=True, slots=True, repr=False)
class Parts:
    """Where the parts of an envelope are.

    :ivar binary: the envelope.
    :ivar start: where the ciphertext begins.
    :ivar end: where it ends; ``None`` if that is not known.
    :ivar iv_at: where the IV begins; ``None`` if there is none.
    :ivar tag_at: where the tag of GCM begins; ``None`` if there is none.
    :ivar is_gcm: whether there should be a tag.
    """

    binary: bytes
    start: int
    end: int | None
    iv_at: int | None
    iv_size: int
    tag_at: int | None
    is_gcm: bool

    @property
    def is_iv_before(self) -> bool:
        return self.iv_at is not None and self.iv_at < self.start

    @property
    def tag_place(self) -> TagPlace:
        """Where the tag is; only for GCM."""
        at, end = self.tag_at, self.end
        if at is None or end is None:
            return "missing"
        iv_end = 0 if self.iv_at is None else self.iv_at + self.iv_size
        if at < self.start:
            length = self.binary[iv_end if self.is_iv_before else at - 2 : at]
            is_alone = int.from_bytes(length) == TAG_SIZE and at + TAG_SIZE < self.start
            return "in a field before the ciphertext" if is_alone else "before the ciphertext"
        before = self.binary[max(end, iv_end) : at] if iv_end <= at else self.binary[end:at]
        return "in a separate field" if before else "behind"


@dataclass(frozen=True, slots=True)
class _Form:
    """How a number is written.

    :ivar what: how that differs from how it should be; empty if it does not.
    """

    size: int
    order: Literal["big", "little"] = "big"
    what: str = ""


#: How much less likely a form is for its number, and what is wrong with the number.
_Judge = Callable[[_Form, int], tuple[int, str]]


@dataclass(frozen=True, slots=True)
class _Field:
    kind: str
    forms: Sequence[_Form]
    judge: _Judge


@dataclass(frozen=True, slots=True)
class _Read:
    """A field as it was found."""

    kind: str
    value: int
    what: str


_EXPIRIES: Final = (_Form(8), _Form(4, what="4 bytes long"), _Form(0, what="missing"))
_LENGTHS: Final = (
    _Form(2),
    _Form(2, "little", "little-endian"),
    _Form(1, what="1 byte long"),
    _Form(4, what="4 bytes long"),
    _Form(4, "little", "4 bytes long and little-endian"),
    _Form(0, what="missing"),
)
#: The first time that is taken for an expiry, and the one after the last: 2001 and 2286.
_TIMES: Final = range(10**9, 10**10)
#: More than all differences in how the fields of one envelope are written.
_IMPLAUSIBLE: Final = 10


def compare(
    parts: Parts, claims: Plaintext, expire: int | None
) -> tuple[int | None, list[Observation]]:
    """The readable expiry in Unix seconds, if there is one, and every difference.

    :param expire: the sealed one.
    """
    fields = _Fields(parts, claims, expire)
    binary, iv_at = parts.binary, parts.iv_at
    if iv_at is not None and parts.is_iv_before:
        reads = _fit(binary[:iv_at], fields.mode, fields.expiry, fields.iv_length)
        reads += _fit(_without_tag(parts, iv_at + parts.iv_size), fields.sealed_length)
    else:
        reads = _fit(
            _without_tag(parts, 0),
            *(fields.mode, fields.expiry, fields.iv_length, fields.iv, fields.sealed_length),
        )
    behind = _Behind.of(parts, fields)
    values = {read.kind: read for read in reads}
    if behind.iv_length is not None:
        values["iv-length-field"] = behind.iv_length
    differences = [found(read.kind, what=read.what) for read in values.values() if read.what]
    if parts.is_gcm and parts.end is not None and parts.tag_place != "behind":
        differences.append(found("tag-misplaced", what=parts.tag_place))
    is_marked = "mode-byte" in values and bool(values["mode-byte"].what)
    differences += behind.about_mode(is_gcm=parts.is_gcm, is_marked=is_marked)
    expiry = values.get("expiry-field")
    expires_at = None if expiry is None else expire if expiry.what else expiry.value
    return expires_at, differences


class _Fields:
    """The fields of an envelope, each with its forms and what judges its number."""

    def __init__(self, parts: Parts, claims: Plaintext, expire: int | None) -> None:
        self._parts = parts
        self._plain_size = claims.size
        self._expire = expire
        self.mode = _Field("mode-byte", (_Form(0), _Form(1, what="in front")), self._judge_mode)
        self.expiry = _Field("expiry-field", _EXPIRIES, self._judge_expiry)
        self.iv_length = _Field("iv-length-field", _LENGTHS, self._judge_iv_length)
        self.iv = _Field(
            "", tuple(map(_Form, (16, 12, 0, 32, 24))), lambda form, _: (not form.size, "")
        )
        self.sealed_length = _Field("sealed-length-field", _LENGTHS, self._judge_sealed_length)

    @staticmethod
    def _judge_mode(form: _Form, value: int) -> tuple[int, str]:
        return (0 if form.size == 0 or value in (0, 1, 2) else _IMPLAUSIBLE), ""

    def _judge_expiry(self, form: _Form, value: int) -> tuple[int, str]:
        if form.size == 0:
            return 2, ""
        if self._expire is not None:
            what = written_expiry(value, self._expire, form.size)
            if what is not None:
                return 0, what
        return (3 if value in _TIMES else _IMPLAUSIBLE), ""

    def _judge_iv_length(self, form: _Form, value: int) -> tuple[int, str]:
        size = self._parts.iv_size
        if form.size == 0:
            return 2, ""
        if not size:  # it is not known how long it is
            return (0 if value in (12, 16) else _IMPLAUSIBLE), ""
        if value == size:
            return 0, ""
        return 5, f"{value}, but the IV has {size} bytes"

    def _judge_sealed_length(self, form: _Form, value: int) -> tuple[int, str]:
        parts = self._parts
        if form.size == 0:
            return 2, ""
        if parts.end is None:
            return 1, ""
        cipher_size = parts.end - parts.start
        size = cipher_size + (TAG_SIZE if parts.is_gcm else 0)
        if parts.is_gcm and parts.tag_place in _NOT_COUNTED:
            size = cipher_size
        if value == size:
            return 0, ""
        if value == size % 256:
            return 1, "only the lowest byte of the length"
        counts = {
            self._plain_size: "the claims before encryption",
            cipher_size: "the ciphertext without the tag",
            -(-size // 3) * 4: "the base64 of the ciphertext",
            2 * size: "the hexadecimal digits of the ciphertext",
        }
        if value in counts:
            return 2, f"the length of {counts[value]}"
        return 5, f"{value}, but {size} bytes are sealed"


def heads(binary: bytes) -> list[int]:
    """How many bytes may be an expiry and the length of an IV, in any form, at the beginning."""
    sizes = {USUAL_HEAD: None}
    for mode in (0, 1):
        if mode and binary[:1] not in (b"\0", b"\1", b"\2"):
            continue
        for expiry in (8, 4, 0):
            if expiry and not _may_be_time(binary[mode : mode + expiry]):
                continue
            for length in (2, 1, 4, 0):
                at = mode + expiry
                if _may_be_length(binary[at : at + length], _LONGEST_IV):
                    sizes[at + length] = None
    return list(sizes)


def starts(binary: bytes, heads: list[int]) -> list[int]:
    """Where the ciphertext may begin if neither IV nor tag is before it."""
    return sorted(
        {
            head + length
            for head in heads
            for length in (2, 1, 4, 0)
            if _may_be_length(binary[head : head + length], 2 * len(binary))
        }
    )


def _may_be_time(number: bytes) -> bool:
    values = (int.from_bytes(number), int.from_bytes(number, "little"))
    if len(number) == 4:
        return any(value in _TIMES for value in values)
    return any(value < _MAX_EXPIRY for value in values)


def _may_be_length(number: bytes, limit: int) -> bool:
    values = (int.from_bytes(number), int.from_bytes(number, "little"))
    return not number or any(0 < value <= limit for value in values)


def written_expiry(readable: int, sealed: int, size: int = 8) -> str | None:
    """How the readable expiry differs from the sealed one if both are the same time: empty if it
    does not; ``None``: they are different times.

    :param size: how many bytes the readable one has.
    """
    for value, unit in ((sealed, ""), (sealed * 1000, "in milliseconds")):
        if readable == value:
            return unit
        if size == 8 and readable == value << 32:
            return " and ".join(one for one in (unit, "in the upper 4 of its 8 bytes") if one)
        for part in {size, 4}:  # of 8 bytes, often only the lower 4 are turned round
            turned = int.from_bytes(value.to_bytes(part), "little") if value < 256**part else None
            if readable % 256**size == turned:
                return " and ".join(one for one in (unit, "little-endian") if one)
    is_float = size == 8 and readable == int.from_bytes(struct.pack(">d", sealed))
    return "a floating-point number" if is_float else None


def _fit(segment: bytes, *fields: _Field) -> list[_Read]:
    """The most likely reading of a segment as these fields."""
    best: tuple[int, list[_Read]] | None = None
    for forms in product(*(field.forms for field in fields)):
        if sum(form.size for form in forms) != len(segment):
            continue
        at = cost = 0
        reads = []
        for field, form in zip(fields, forms, strict=True):
            value = int.from_bytes(segment[at : at + form.size], form.order)
            at += form.size
            extra, what = field.judge(form, value)
            cost += extra + bool(form.what) + bool(what)
            said = " and ".join(one for one in (form.what, what) if one)
            reads.append(_Read(field.kind, value, said))
        if best is None or cost < best[0]:
            best = cost, reads
    if best is not None:
        return best[1]
    what = f"{len(segment)} bytes are where its expiry and its lengths belong"
    return [_Read("malformed-envelope", 0, what)]


def _without_tag(parts: Parts, at: int) -> bytes:
    """The bytes from there to the ciphertext, without a tag and its length."""
    before = parts.binary[at : parts.start]
    tag_at = parts.tag_at
    if tag_at is None or not at <= tag_at < parts.start:
        return before
    head, tail = before[: tag_at - at], before[tag_at - at + TAG_SIZE :]
    if parts.tag_place == "in a field before the ciphertext":
        head = b"" if parts.is_iv_before else head[:-2]
    return head + tail


@dataclass(frozen=True, slots=True)
class _Behind:
    """What follows the ciphertext, apart from tag and IV.

    :ivar iv_length: the length of an IV that also follows.
    :ivar rest: what is left: the mode.
    """

    iv_length: _Read | None
    rest: bytes

    @classmethod
    def of(cls, parts: Parts, fields: _Fields) -> _Behind:
        if parts.end is None:
            return cls(None, b"\x01" if parts.is_gcm else b"")
        iv_length = None
        at = parts.end
        pieces = [(parts.tag_at, TAG_SIZE), (parts.iv_at, parts.iv_size)]
        for piece_at, size in sorted((one, size) for one, size in pieces if one is not None):
            if piece_at < at:
                continue
            before = parts.binary[at:piece_at]
            if before and piece_at == parts.iv_at:
                (iv_length,) = _fit(before, fields.iv_length)
            at = piece_at + size
        return cls(iv_length, parts.binary[at:])

    def about_mode(self, *, is_gcm: bool, is_marked: bool) -> Iterator[Observation]:
        rest = self.rest
        if len(rest) > 1:
            yield found("trailing-bytes", extra=len(rest))
        elif is_gcm and not rest and not is_marked:
            yield found("mode-missing")
        elif rest and rest[0] != is_gcm:
            yield found("mode-byte", what=f"{rest[0]} instead of {is_gcm:d}")
