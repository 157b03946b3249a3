"""`python -m local.demo SCENE`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial

import click

from local.demo.call import play_call
from local.demo.incident import incident
from local.demo.rotation import rotation
from local.demo.scene import play, show

SCENES: Mapping[str, tuple[str, Callable[[], int]]] = {
    "call": ("A call between two users", play_call),
    "rotation": ("A rotation", partial(play, rotation)),
    "drill": ("A reset ServerSecret", partial(play, incident)),
}


@click.command()
@click.argument("scene", type=click.Choice([*SCENES]))
def main(scene: str) -> None:
    """Play a scene on a separate stack."""
    title, played = SCENES[scene]
    show(f"{title} on a separate stack, with fingerprints instead of secrets and without tokens.")
    sys.exit(played())


if __name__ == "__main__":
    main(prog_name="python -m local.demo")
