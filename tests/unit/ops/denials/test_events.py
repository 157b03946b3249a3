"""The objects for programs: ``docs/operations.md`` lists the keys of each."""

from __future__ import annotations

import re
from collections import defaultdict

from tests.unit.ops.denials.conftest import Site
from tools.sam_template import ROOT

DOCUMENT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
#: Each command's events with their keys; an event may have one of several lists of keys.
ROWS = {
    (command, event): {tuple(one.split(", ")) for one in keys.split("; with `--history`: ")}
    for command, event, keys in re.findall(
        r"^\| (deny|allow|denials) \| `(\w+)` \| (.+) \|$", DOCUMENT, re.MULTILINE
    )
}


def test_each_object_has_the_keys_that_are_documented(site: Site) -> None:
    found: dict[tuple[str, str], set[tuple[str, ...]]] = defaultdict(set)
    spam = "--until 2h --reason spam"
    site.put({"pk": {"S": "denials"}, "sk": {"S": "note"}})
    for line in (
        f"deny user alice {spam} --kick call_1",
        f"deny user alice {spam}",
        f"deny user alice {spam} --signed-out",
        "denials",
        "denials --history",
        "allow user alice --reason appeal",
    ):
        for event in site.run(line).events:
            name = event.pop("event")
            found[line.split()[0], name].add(tuple(event))
    assert found == ROWS
