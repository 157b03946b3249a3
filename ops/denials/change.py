"""Deny users, identities and rooms, and lift denials."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from ops.denials.removal import check_rooms, remove_from_rooms
from ops.denials.render import all_of_it, as_fields, clock_time, ends, noun, say, sentence, whom
from ops.denials.table import IN_FORCE_SECONDS, DenialTable, connected_table
from ops.errors import CommandError, ExitCode, InputError
from ops.output import GOOD, QUIET, Output, timestamp
from ops.policy.commands import local_file, stage_file
from ops.prompt import interruptible
from ops.target import TargetOptions, copyable_remedies
from zego.denials import MAX_DENIALS, Denial, DenialError, Denials, Effect, Kind, denial_sk
from zego.policy.file import PolicyError, load

_NOT_DENIED: Final = "Nothing was denied."
_NOT_LIFTED: Final = "Nothing was lifted."


@dataclass(frozen=True, slots=True)
class DenyOptions:
    """What to deny.

    :ivar until: when it ends; ``None``: never.
    :ivar not_before: if set, refuse only earlier sign-ins.
    :ivar rooms: the rooms to remove users from.
    """

    kind: Kind
    value: str
    reason: str
    until: int | None
    not_before: int | None
    rooms: tuple[str, ...]

    def denial(self, by: str) -> Denial:
        """The denial, without the time at which it is written.

        :raises DenialError: it is invalid.
        """
        return Denial(self.kind, self.value, self.reason, by, 0, self.until, self.not_before)


def deny(
    target_options: TargetOptions,
    out: Output,
    options: DenyOptions,
    confirm: Callable[[str], None],
) -> ExitCode:
    """Write a denial, then remove users from rooms.

    :param confirm: asks the user; raises an error if the user says no.
    :raises CommandError: the denial is invalid, there are too many, or it is written and a user may
        still be in a room.
    """
    with _checked(_NOT_DENIED):
        denial = options.denial("not known yet")
    check_rooms(denial, options.rooms)
    unknown = _unknown_identity(target_options, denial)
    with connected_table(target_options) as table:
        denial = _write(table, out, options, unknown, confirm)
    with copyable_remedies(target_options):
        if options.rooms:
            remove_from_rooms(target_options, out, denial, options.rooms)
    return ExitCode.DONE


def allow(
    target_options: TargetOptions, out: Output, effect: Effect, kind: Kind, value: str, reason: str
) -> ExitCode:
    """Lift a denial.

    :raises CommandError: there is no such denial.
    """
    now = int(time.time())
    with connected_table(target_options) as table, interruptible("The denial may be lifted."):
        live = {denial.sk: denial for denial in table.denials(now)[0]}
        lifted = live.pop(denial_sk(effect, kind, value), None)
        same = [one for one in live.values() if (one.kind, one.value) == (kind, value)]
        if lifted is None:
            raise _not_denied(effect, kind, value, same, live.values())
        with _checked(_NOT_LIFTED):
            replace(lifted, reason=reason)
        table.lift(lifted, reason, now)
    out.go_on()
    by = time.time() + IN_FORCE_SECONDS
    say(
        out,
        "allowed",
        f"Lifted {noun(lifted)}. Every issuer knows it by {clock_time(by)} (within"
        f" {IN_FORCE_SECONDS} s).",
        style=GOOD,
        **as_fields(lifted),
        allowed_by=table.by,
        allowed_reason=reason,
        in_force_by=timestamp(by),
    )
    for remaining in same:
        text = f"Still in force: {noun(remaining)}, {ends(remaining, now)}."
        say(out, "remaining", text, **as_fields(remaining))
    return ExitCode.DONE


def _write(
    table: DenialTable,
    out: Output,
    options: DenyOptions,
    unknown: str,
    confirm: Callable[[str], None],
) -> Denial:
    with interruptible(_NOT_DENIED):
        now = time.time()
        denial = options.denial(table.by)
        live = {one.sk: one for one in table.denials(now)[0]}
        replaced = live.get(denial.sk)
        if replaced is None and len(live) >= MAX_DENIALS:
            raise CommandError(
                f"{_NOT_DENIED} There are {len(live)} denials, and {MAX_DENIALS} is the most.",
                "Lift some (allow), or replace many by one: deny an identity instead of its users,"
                " or a pattern of rooms. List them: zego-token denials.",
            )
        if all_of_it(denial):
            confirm(" ".join(filter(None, (unknown, _effect_on_all(denial), "Continue?"))))
        denial = replace(denial, at=int(time.time()))
    with interruptible("The denial may be written.", "List the denials: zego-token denials."):
        table.deny(denial)
    out.go_on()
    now, by = time.time(), time.time() + IN_FORCE_SECONDS
    say(
        out,
        "denied",
        f"{sentence(denial, now)} It is in force by {clock_time(by)} (within"
        f" {IN_FORCE_SECONDS} s).",
        style=GOOD,
        **as_fields(denial),
        replaced=replaced and as_fields(replaced),
        in_force_by=timestamp(by),
    )
    if replaced is not None:
        text = f"It replaces one {ends(replaced, now)}, by {replaced.by}: {replaced.reason}"
        say(out, "", text)
    for note in filter(None, (unknown, *_notes(denial))):
        say(out, "note", note, style=QUIET, note=note)
    return denial


@contextmanager
def _checked(so_far: str) -> Iterator[None]:
    """:raises InputError: the denial is invalid."""
    try:
        yield
    except DenialError as error:
        raise InputError(f"{so_far.removesuffix('.')}: {error}.") from None


def _unknown_identity(options: TargetOptions, denial: Denial) -> str:
    """What is wrong with the name of an identity, by the access policy; empty if nothing is.

    The policy is the local stack's, or the one of the stage in this checkout.
    """
    if denial.kind != "identity":
        return ""
    try:
        file = local_file(options.local) if options.local else stage_file(options.stage or "")
        policy = load(file, allow_loopback=True)
    except (InputError, PolicyError):
        return "The name must be that of an identity in the access policy: no such file is here."
    names = {one.name for one in policy.bearers} | {one.name for one in policy.roles.values()}
    if denial.value in names:
        return ""
    return f"{file} has no identity {denial.value}. It has {', '.join(sorted(names))}."


def _effect_on_all(denial: Denial) -> str:
    if denial.kind == "room":
        return "This denies every room to every user."
    what = "denies" if denial.effect == "deny" else "signs out"
    return f"This {what} every caller of {whom(denial)}."


def _notes(denial: Denial) -> Iterable[str]:
    """What the denial does not do."""
    if denial.kind == "room":
        yield (
            "Identity tokens, which name no room, still open it. So do existing tokens for it,"
            " until they expire."
        )
    else:
        yield "Existing tokens still work until they expire."
    if denial.kind == "user" and "*" in denial.value:
        yield "This denies the one user whose id has this star: * is any text only in rooms."
    if denial.effect == "signed-out":
        yield (
            "Also end the sessions at the identity provider: a bearer token that it refreshes may"
            " count as a new sign-in, if the token has no auth_time."
        )
        if denial.kind == "identity":
            yield "IAM roles are not signed out: they sign each request anew. Deny them instead."


def _not_denied(
    effect: Effect, kind: Kind, value: str, same: Iterable[Denial], live: Iterable[Denial]
) -> CommandError:
    """The error if there is no such denial, with the one that was perhaps meant."""
    state = "denied" if effect == "deny" else "signed out"
    message = f"Nothing was lifted: {kind} {value} is not {state}."
    for _ in same:
        if effect == "deny":
            return CommandError(message, "It is signed out: use --signed-out to lift that.")
        return CommandError(message, "It is denied: leave out --signed-out to lift that.")
    wider = Denials(live).denying(time.time(), room_id=value) if kind == "room" else None
    if wider is not None:
        return CommandError(message, f"Rooms {wider.value} are denied: lift that one.")
    return CommandError(message, "Is the value exactly the same? List them: zego-token denials.")
