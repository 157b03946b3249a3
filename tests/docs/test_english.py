"""Plain English: phrases that a reader has to decode appear in no document, message or docstring.

Checked are the documents, the texts of the API, the template and the page, and in code all
strings of more than one word, comments and the names of tests. ``INSTEAD`` has each phrase with
what to write. A phrase that is right where it is goes into the pattern as an exception.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
#: A phrase, and what plain English says.
INSTEAD: Final[Mapping[str, str]] = {
    r"(cannot|can) be meant": "is invalid",
    r"mend(s|ed|ing)?": "fix",
    r"(what|that) can pass|can pass by itself": "a temporary failure",
    r"falls? to the": "the ... decides",
    r"in the place of": "instead of",
    r"likewise": "also",
    r"of (its|their|his|her|our|your) own": "its own ...",
    r"(no|every|some|any)body": "no caller, no one, everyone, someone",
    r"look(s|ed|ing)? (at|into|that)|an? look": "check, read, examine",
    r"asked for": "requested",
    r"told": "reported, notified",
    r"stands?(?! (for|in for|alone)\b)": "is",
    r"answer(s|ed|ing)?(?!( the| a)? questions?\b| (which|yes|no)\b|\.\w)": "response, responds",
    r"(?<!there )(is|are|was|were) (?-i:none)": "there is no ...",
    r"what is to be": "a noun",
    r"be had": "is available",
    r"go(es)? not with": "cannot be combined with",
    r"makes? way for": "is replaced by",
    r"see to (the|your)": "check",
    r"it is not said": "... is unknown, ... is not set",
    r"one (\w+ )?(entry|event|line|object|request|result|row|stack|thread|token) an? \w+": (
        "one ... per ..."
    ),
    r"give one an? \w+": "one per ...",
    r"(?<!there )(is|are|was|were) no(?= (?!longer\b|more than\b|other\b))": (
        "is not a ..., there is no ..."
    ),
    r"no more(?=[.,;)])": "no longer",
    r"yet to": "has not yet",
    r"(all|everything|it|that) is well": "everything is in order",
    r"beside": "next to, with",
    r"(is|are|was) said": "is reported",
    r"nothing of": "no ...",
    r"what stands": "a noun",
    r"by then": "already",
    r"makes? no sense": "is invalid",
    r"of use": "useful",
    r"be it": "even if it is",
    r"(is|are) not there|is there": "exists, is missing",
}
#: Whole words, not within code or a name with a hyphen.
PATTERNS: Final = {
    re.compile(rf"(?<![\w`.-])(?:{phrase})(?![\w`-])", re.IGNORECASE): say
    for phrase, say in INSTEAD.items()
}
ANY_PATTERN: Final = re.compile(
    "|".join(f"(?:{pattern.pattern})" for pattern in PATTERNS), re.IGNORECASE
)
KINDS: Final = {".py", ".md", ".yaml", ".yml", ".toml", ".js", ".ts", ".html"}
FOLDERS: Final = (
    "clients",
    "deploy",
    "docs",
    "events",
    "examples",
    "functions",
    "layers/domain",
    "local",
    "ops",
)
FILES: Final = sorted(
    path
    for place in [
        *ROOT.glob("*.*"),
        *(ROOT.glob(".github/**/*")),
        *(found for folder in (*FOLDERS, "tests", "tools") for found in (ROOT / folder).rglob("*")),
    ]
    for path in [place.relative_to(ROOT)]
    if path.suffix in KINDS and not {"cjs", "node_modules", "npm"} & {*path.parts}
    if path != Path(__file__).relative_to(ROOT)
)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """What a file says to its readers: each line with its number."""
    content = (ROOT / path).read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from _python(content)
        return
    is_code = False
    for number, line in enumerate(content.splitlines(), 1):
        if path.suffix == ".md":
            is_code = is_code != line.strip().startswith("```")
            if not is_code:
                yield number, re.sub(r"`[^`]*`", "`x`", line)
        elif path.suffix in {".js", ".ts"}:
            said = r"//.*|^\s*\*.*|/\*.*|\"[^\"]* [^\"]*\"|'[^']* [^']*'|`[^`]* [^`]*`"
            yield number, " ".join(re.findall(said, re.sub(r"\$\{[^}]*\}", "x", line)))
        else:
            yield number, re.sub(r"`[^`]*`|<[^>]*>|\b[\w-]+=\"[^\"]*\"", " x ", line)


def _python(content: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(content)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            prose = re.sub(r":(ivar|param) \w+:", "", node.value)
            yield from enumerate(prose.split("\n"), node.lineno)
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name.lower()[:4] == "test":
            yield node.lineno, node.name.replace("_", " ")
    for number, line in enumerate(content.splitlines(), 1):
        if comment := re.search(r"(?:^|\s)#:? .*", line):
            yield number, comment[0]


def phrases(text: str) -> Iterator[str]:
    if not ANY_PATTERN.search(text):
        return
    for pattern, say in PATTERNS.items():
        if found := pattern.search(text):
            yield f"{found[0]!r}: say {say}"


def test_no_text_has_a_phrase_that_reads_as_translated() -> None:
    assert len(FILES) > 300
    found = [
        f"{path}:{number}: {phrase}: {text.strip()[:80]}"
        for path in FILES
        for number, text in texts(path)
        for phrase in phrases(text)
    ]
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize(
    "text",
    [
        "refuses to start with a value that cannot be meant",
        "look at onError for what cannot be mended",
        "Give one a line.",
        "--user goes not with --bearer-file",
        "It is not said in which AWS region the secret is.",
        "What answered is not the service, but what stands before it.",
        "An answer that repeats it counts as none",
        "--secret-id is no ARN of a secret.",
        "One audit event an exchange",
    ],
)
def test_sentences_that_people_stumbled_over_are_found(text: str) -> None:
    assert [*phrases(text)]


def test_plain_sentences_are_not_found() -> None:
    for text in (
        "ZEGO rejects this token.",
        "No AWS region is set. Use --region or AWS_REGION.",
        "A fingerprint stands for the secret.",
        "Which module answers which question?",
        "It is no longer than 64 characters.",
    ):
        assert [*phrases(text)] == []
