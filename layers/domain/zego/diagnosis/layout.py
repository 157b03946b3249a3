"""Compares the envelope of an opened token with that of a Token04, field by field.

Once it is known where IV, ciphertext and tag are, the bytes around them can only be the expiry, two
lengths and a mode. :func:`compare` finds the forms of these that fit, and reports those that are
not the forms of a Token04 (:mod:`zego.token04`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final, Literal

from zego.diagnosis.model import Observation, found
from zego.diagnosis.plaintext import Plaintext

TAG_SIZE: Final = 16
GCM_IV_SIZE: Final = 12


@dataclass(frozen=True, slots=True, repr=False)
class Parts:
    """Where the parts of an envelope are.

    :ivar binary: the envelope.
    :ivar start: where the ciphertext begins.
    :ivar end: where it ends; ``None`` if that is not known.
    :ivar iv_at: where the IV begins; ``None`` if it is not there.
    :ivar tag_at: where the tag of GCM begins; ``None`` if it is not there.
    :ivar is_gcm: whether there should be a tag.
    """

    binary: bytes
    start: int
    end: int | None
    iv_at: int | None
    iv_size: int
    tag_at: int | None
    is_gcm: bool


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
    binary, iv_at, start = parts.binary, parts.iv_at, parts.start
    segments: tuple[tuple[bytes, tuple[_Field, ...]], ...]
    if iv_at is not None and iv_at < start:
        segments = (
            (binary[:iv_at], (fields.mode, fields.expiry, fields.iv_length)),
            (_without_tag(parts, iv_at + parts.iv_size), (fields.sealed_length,)),
        )
    else:
        all_fields = (fields.mode, fields.expiry, fields.iv_length, fields.iv, fields.sealed_length)
        segments = ((binary[:start], all_fields),)
    expires_at: int | None = None
    mode_in_front: int | None = None
    differences: list[Observation] = []
    for segment, wanted in segments:
        fit = _fit(segment, wanted)
        if fit is None:
            what = f"{len(segment)} bytes are where its expiry and its lengths belong"
            differences.append(found("malformed-envelope", what=what))
            continue
        for read in fit:
            if read.kind == "expiry-field":
                expires_at = expire if read.what else read.value
            if read.kind == "mode-byte":
                mode_in_front = 1 if read.what else None
            if read.what:
                differences.append(found(read.kind, what=read.what))
    if parts.end is not None:
        differences += _trailer(parts, parts.end, is_marked=mode_in_front is not None)
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
        self.iv = _Field("", (_Form(16), _Form(12), _Form(0)), lambda form, _: (not form.size, ""))
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
        if value == size or (form.size == 1 and value == size % 256):
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


def written_expiry(readable: int, sealed: int, size: int = 8) -> str | None:
    """How the readable expiry differs from the sealed one if both are the same time: empty if it
    does not; ``None``: they are different times.

    :param size: how many bytes the readable one has.
    """
    for value, unit in ((sealed, ""), (sealed * 1000, "in milliseconds")):
        if readable == value:
            return unit
        for part in {size, 4}:  # of 8 bytes, often only the lower 4 are turned round
            if value < 256**part and readable == int.from_bytes(value.to_bytes(part), "little"):
                return " and ".join(one for one in (unit, "little-endian") if one)
    return None


def _fit(segment: bytes, fields: Sequence[_Field]) -> list[_Read] | None:
    """The most likely reading of a segment as these fields; ``None`` if none has its length."""
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
    return None if best is None else best[1]


def _without_tag(parts: Parts, at: int) -> bytes:
    """The bytes between IV and ciphertext, without a tag and its length."""
    middle = parts.binary[at : parts.start]
    tag_at = parts.tag_at
    if tag_at is None or not at <= tag_at < parts.start:
        return middle
    before, after = middle[: tag_at - at], middle[tag_at - at + TAG_SIZE :]
    return after if int.from_bytes(before) == TAG_SIZE and after else before + after


def _trailer(parts: Parts, end: int, *, is_marked: bool) -> Iterator[Observation]:
    """What is wrong with the tag, and with what follows the ciphertext."""
    rest = parts.binary[end:]
    tag_at, iv_at = parts.tag_at, parts.iv_at
    for at, size, is_there in (
        (tag_at, TAG_SIZE, tag_at is not None and tag_at >= end),
        (iv_at, parts.iv_size, iv_at is not None and iv_at >= end),
    ):
        if at is None or not is_there:
            continue
        piece = parts.binary[at : at + size]
        before, _, after = rest.partition(piece)
        if before and int.from_bytes(before) == size:
            if size == TAG_SIZE and at == tag_at:
                yield found("tag-misplaced", what="in a field of its own, with its length")
            before = b""
        rest = before + after
    if tag_at is not None and tag_at < parts.start:
        yield found("tag-misplaced", what="before the ciphertext")
    if len(rest) > 1:
        yield found("trailing-bytes", extra=len(rest))
    elif parts.is_gcm and not rest and not is_marked:
        yield found("mode-missing")
    elif rest and rest[0] != parts.is_gcm:
        yield found("mode-byte", what=f"{rest[0]} instead of {parts.is_gcm:d}")
