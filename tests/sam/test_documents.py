"""The commands of the SAM CLI in the documents exist, and so do their options."""

from __future__ import annotations

import re
import subprocess
from typing import Final

import pytest

from tests.docs.test_documents import DOCUMENTS
from tests.support.environments import part_of
from tests.support.tiers import only_proved

pytestmark = [pytest.mark.exhaustive, only_proved]

#: Each command in the documents and in remedies: its words, and its options.
_COMMAND: Final = re.compile(r"(?:`|^ *)sam ([a-z][a-z -]*?)((?: --[^`\n]*)?)[`\n]", re.MULTILINE)


def commands() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for document in DOCUMENTS:
        for words, rest in _COMMAND.findall(document.read_text(encoding="utf-8")):
            found.setdefault(words.strip(), set()).update(re.findall(r"--[a-z-]+", rest))
    return found


def test_they_exist() -> None:
    found = commands()
    assert {"deploy", "delete", "list stack-outputs"} <= found.keys()
    for words, options in found.items():
        command = [str(part_of("sam", "bin/sam")), *words.split(), "--help"]
        helped = subprocess.run(command, capture_output=True, text=True, check=True)
        assert options <= set(re.findall(r"--[a-z-]+", helped.stdout)), words
