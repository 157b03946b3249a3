"""The changelog names each changed interface, and each release records its interfaces."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from tests.recorded.interfaces import interfaces
from tools.build import ROOT, release

RELEASED: Final = Path(__file__).parent / "released.json"
CHANGELOG: Final = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_a_changed_interface_is_in_the_changelog(request: pytest.FixtureRequest) -> None:
    released: dict[str, Any] = {}
    if RELEASED.exists():
        released = json.loads(RELEASED.read_text(encoding="utf-8"))
    if request.config.getoption("--record") and released.get("version") != release():
        now = {"version": release(), "interfaces": interfaces()}
        RELEASED.write_text(f"{json.dumps(now, indent=1)}\n", encoding="utf-8")
        return
    assert released["version"] == release(), "a new version: record its interfaces (make record)"
    unreleased = CHANGELOG.partition("## Unreleased\n")[2].partition("\n## ")[0].lower()
    unmentioned = {
        name: changes
        for name, parts in interfaces().items()
        if (changes := _changes(released["interfaces"].get(name, []), parts))
        and f"**{name.lower()}**" not in unreleased
    }
    if unmentioned:
        listed = "\n".join(
            line for name, changes in unmentioned.items() for line in [f"{name}:", *changes[:20]]
        )
        pytest.fail(
            "Add a line to CHANGELOG.md, under Unreleased, that begins with the interface in bold:"
            f" **{next(iter(unmentioned))}**. Since {release()} these parts changed:\n{listed}",
            pytrace=False,
        )


def _changes(before: list[str], now: list[str]) -> list[str]:
    gone, new = set(before) - set(now), set(now) - set(before)
    return [*(f"  - {part}" for part in sorted(gone)), *(f"  + {part}" for part in sorted(new))]


def test_the_changelog_has_this_version_with_its_day() -> None:
    headings = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(release())} - \d{{4}}-\d\d-\d\d", headings[1])
