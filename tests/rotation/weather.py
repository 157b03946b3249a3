"""What ops and ZEGO do in a month: resets, mistakes, rotations, outages.

Each story is a generator that yields the seconds until it continues. Stories follow each other with
hours between, each kind once before any comes again; outages of ZEGO come at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final, get_args

from local.aws.secrets_manager import APP_ID
from local.fake_zego import Trouble, TroubleKind
from tests.rotation.simulation import DAY, HOUR, MINUTE, Month, Story
from zego.secret_store.versions import RotationInFlightError
from zego.server_secret import ServerSecret

OTHER_APP_ID: Final = 42
_OUTAGES: Final = tuple(kind for kind in get_args(TroubleKind) if kind != "none")


def stories(month: Month) -> Story:
    """One story after the other."""
    while True:
        for story in month.random.sample(STORIES, len(STORIES)):
            yield month.random.uniform(0.5, 6) * HOUR
            yield from story(month)
            yield from _quiet(month)


def outages(month: Month) -> Story:
    """ZEGO gives no verdict for a minute to an hour, about every second day."""
    while True:
        yield month.random.expovariate(1 / (2 * DAY))
        yield from _outage(month)


def _staged_before(month: Month) -> Story:
    new = month.make()
    yield from month.stage(new)
    yield _minutes(month, 2, 120)
    month.accept(new)
    yield HOUR


def _staged_after(month: Month) -> Story:
    new = month.make()
    month.accept(new)
    yield _minutes(month, 1, 60)
    yield from month.stage(new)
    yield HOUR


def _staged_after_mistakes(month: Month) -> Story:
    new = month.make()
    month.accept(new)
    for mistake in month.random.choices(MISTAKES, k=month.random.randint(1, 3)):
        yield _minutes(month, 1, 30)
        yield from month.stage(mistake(month))
    yield _minutes(month, 1, 60)
    yield from month.stage(new)
    yield HOUR


def _staged_by_nobody_for_hours(month: Month) -> Story:
    new = month.make()
    month.accept(new)
    yield _minutes(month, 120, 480)
    yield from month.stage(new)
    yield HOUR


def _both_accepted_for_a_while(month: Month) -> Story:
    new = month.make()
    yield from month.stage(new)
    month.accept(*month.accepted, new)
    yield _minutes(month, 30, 240)
    month.accept(new)
    yield HOUR


def _rotated_while_both_are_accepted(month: Month) -> Story:
    new = yield from _rotate_to_new(month)
    if month.random.random() < 0.5:
        yield from month.stage(month.random.choice(MISTAKES)(month))
        yield from month.rotate()
    yield _minutes(month, 60, 360)
    month.accept(new)
    yield HOUR


def _switched_back(month: Month) -> Story:
    """After a rotation ZEGO's support switches the new one off, not the old one."""
    old = month.accepted
    new = yield from _rotate_to_new(month)
    yield _minutes(month, 10, 240)
    month.accept(*(secret for secret in old if secret != new))
    yield HOUR


def _propagates(month: Month) -> Story:
    new = month.make()
    yield from month.stage(new)
    yield _minutes(month, 2, 60)
    yield from month.propagate(new)
    yield HOUR


def _propagates_and_is_staged_meanwhile(month: Month) -> Story:
    new = month.make()
    spread = month.propagate(new)
    seconds = next(spread)
    yield seconds / 2
    yield from month.stage(new)
    yield seconds / 2
    yield from spread
    yield HOUR


def _rotation_that_never_runs(month: Month) -> Story:
    _begin_without_steps(month)
    yield HOUR


def _reset_while_a_rotation_never_runs(month: Month) -> Story:
    new = month.make()
    yield from month.stage(new)
    _begin_without_steps(month)
    yield _minutes(month, 0, 20)
    month.accept(new)
    yield HOUR


def _mistakes_while_all_is_well(month: Month) -> Story:
    for mistake in month.random.sample(MISTAKES, len(MISTAKES)):
        yield from month.stage(mistake(month))
        yield _minutes(month, 5, 60)
        if month.random.random() < 0.5:
            yield from month.rotate()


def _reset_in_an_outage(month: Month) -> Story:
    new = month.make()
    yield from month.stage(new)
    month.world.zego.trouble = Trouble(month.random.choice(_OUTAGES))
    yield _minutes(month, 0, 10)
    month.accept(new)
    yield _minutes(month, 0, 50)
    month.world.zego.trouble = Trouble()
    yield HOUR


STORIES: Final[tuple[Callable[[Month], Story], ...]] = (
    _staged_before,
    _staged_after,
    _staged_after_mistakes,
    _staged_by_nobody_for_hours,
    _both_accepted_for_a_while,
    _rotated_while_both_are_accepted,
    _switched_back,
    _propagates,
    _propagates_and_is_staged_meanwhile,
    _rotation_that_never_runs,
    _reset_while_a_rotation_never_runs,
    _mistakes_while_all_is_well,
    _reset_in_an_outage,
)


def _wrong(month: Month) -> ServerSecret:
    return ServerSecret(APP_ID, f"{month.random.getrandbits(128):032x}")


def _foreign(month: Month) -> ServerSecret:
    return ServerSecret(OTHER_APP_ID, f"{month.random.getrandbits(128):032x}")


def _old(month: Month) -> ServerSecret:
    """A secret that ZEGO does not accept any more."""
    old = [secret for secret in month.world.zego.project.made if secret not in month.accepted]
    return month.random.choice(old) if old else _wrong(month)


MISTAKES: Final[tuple[Callable[[Month], ServerSecret], ...]] = (_wrong, _foreign, _old)
"""What ops stages by mistake."""


def _rotate_to_new(month: Month) -> Generator[float, None, ServerSecret]:
    """Ops rotates to a new secret, and ZEGO accepts the old ones too."""
    new = month.make()
    month.accept(*month.accepted, new)
    yield from month.stage(new)
    yield _minutes(month, 1, 10)
    yield from month.rotate()
    return new


def _begin_without_steps(month: Month) -> None:
    """Ops asks for a rotation, and Lambda never runs the rotator."""
    try:
        month.never_run.add(month.world.begin())
    except RotationInFlightError:
        return


def _outage(month: Month) -> Story:
    month.world.zego.trouble = Trouble(month.random.choice(_OUTAGES))
    yield 60 ** month.random.uniform(0, 1) * MINUTE
    month.world.zego.trouble = Trouble()


def _quiet(month: Month) -> Story:
    """Waits until the watcher has healed and no rotation is in flight, for a day at most."""
    for _ in range(144):
        if month.is_quiet:
            return
        yield 10 * MINUTE


def _minutes(month: Month, least: float, most: float) -> float:
    return month.random.uniform(least, most) * MINUTE
