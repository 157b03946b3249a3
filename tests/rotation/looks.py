"""Checks of the watcher, and the world in which they run."""

from __future__ import annotations

import json
from typing import Final

from local.aws.secrets_manager import APP_ID
from tests.rotation.world import World
from watcher.watch import Tick

HEX: Final = "0123456789abcdef" * 2
#: The time from one check to the next.
TICK_SECONDS: Final = 300.0
SCHEDULE: Final = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def healthy() -> World:
    """A world whose secret was rotated once, and whose watcher has reported it as accepted."""
    world = World()
    world.stage(world.reset(keep_old=True))
    assert world.rotate()
    world.tick()
    world.published.clear()
    return world


def heal(world: World) -> Tick:
    """A tick, and the rotation that it may have started."""
    tick = world.tick()
    pending = world.versions.describe().in_flight
    if pending is not None and tick.healed_with is not None:
        world.driver.run(pending)
    world.clock.turn(TICK_SECONDS)
    return tick


def pair(value: object, app_id: object = APP_ID) -> str:
    """The text of a version."""
    return json.dumps({"app_id": app_id, "server_secret": value})
