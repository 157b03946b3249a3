"""`python -m local.demo SCENE`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

import click

from local.demo.incident import incident
from local.demo.rotation import rotation
from local.demo.scene import Scene, play, show

SCENES: Mapping[str, tuple[str, Callable[[Scene], None]]] = {
    "rotation": ("A rotation on a separate stack, with fingerprints instead of secrets.", rotation),
    "drill": (
        "A reset ServerSecret on a separate stack, with fingerprints instead of secrets.",
        incident,
    ),
}


@click.command()
@click.argument("scene", type=click.Choice([*SCENES]))
def main(scene: str) -> None:
    """Play a scene on a separate stack."""
    title, act = SCENES[scene]
    show(title)
    sys.exit(play(act))


if __name__ == "__main__":
    main(prog_name="python -m local.demo")
