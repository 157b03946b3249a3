"""Texts of a sentence or more: broken into lines, and their commands ready to be copied."""

from __future__ import annotations

import pytest

from ops.output import copyable, wrapped

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego/server-secret-AbCdEf"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "Follow it: zego-token secret watch. Or go on: zego-token secret rotate --staged.",
            [
                "Follow it:",
                "  zego-token secret watch X",
                "Or go on:",
                "  zego-token secret rotate --staged X",
            ],
        ),
        ("Compare: zego-token doctor.", ["Compare:", "  zego-token doctor X"]),
        (
            "See it: zego-token inspect --expect-room ID. Then log in.",
            ["See it:", "  zego-token inspect --expect-room ID X", "Then log in."],
        ),
        ("It ends. See docs/deploy.md.", ["It ends. See docs/deploy.md."]),
    ],
    ids=["two commands", "a command without a part", "an option with its value", "none"],
)
def test_a_command_in_a_text_stands_alone_with_the_targets_options(
    text: str, lines: list[str]
) -> None:
    assert copyable(text, "X").splitlines() == lines


def test_lines_are_as_wide_as_was_asked_with_what_begins_them() -> None:
    shown = wrapped("a bc " * 40, 40, first="-> ", then="   ").plain.split("\n")
    assert [text[:3] for text in shown] == ["-> ", *["   "] * (len(shown) - 1)]
    assert 36 < max(map(len, shown)) <= 40


@pytest.mark.parametrize("text", [f"It is {ARN}, and", f"See: zego-token doctor --secret-id {ARN}"])
def test_what_is_to_be_copied_is_not_broken(text: str) -> None:
    assert ARN in wrapped(text, 40, then="   ").plain


def test_a_command_is_not_broken_and_stands_out() -> None:
    shown = wrapped(
        "See: zego-token doctor.", 20, first="> ", then="  ", target=f"--secret-id {ARN}"
    )
    assert shown.plain == f"> See:\n    zego-token doctor --secret-id {ARN}"
    (span,) = shown.spans
    assert shown.plain[span.start : span.end].strip() == shown.plain.split("\n")[1].strip()


def test_without_a_target_a_text_is_left_as_it_is() -> None:
    said = "alice. zego-token doctor."
    assert wrapped(said, 80).plain == said


def test_what_steers_a_terminal_is_not_shown() -> None:
    assert wrapped("\x1b[2J\u202e", 80).plain == "?[2J?"
