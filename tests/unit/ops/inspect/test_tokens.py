"""Reading tokens: from an argument, a file, standard input or a prompt."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import click
import pytest

from ops.cli import refuse_in_arguments
from ops.errors import CommandError, ExitCode
from ops.inspect.tokens import MAX_BYTES, Token, is_standard_input, lines, read, tokens
from tests.support.table import table
from tests.unit.ops.tokens import broken, jwt, kit_token, room_token, token
from tests.unit.zego.vendor_tokens import VendorToken, vendor_tokens
from zego.token04 import Cipher

GOOD = room_token()


def given(*texts: str) -> list[tuple[str, int | None]]:
    """The tokens in the lines of a file, each with its line."""
    return [(one.text, one.line) for one in tokens(iter(texts), "It")]


class TestAnArgument:
    @pytest.mark.parametrize(
        "argument",
        [
            GOOD,
            f'"{GOOD}"',
            f" {GOOD}",
            kit_token(),
            jwt(),
            quote(GOOD, safe=""),
            GOOD[:20],
            GOOD[2:],
            GOOD[40:].lstrip("/"),  # otherwise it is a path
            "03AAAAAGVT/x",
            "01eyJ2ZXIiOjEsImhhc2gi",
            f"Bearer {GOOD}",
            json.dumps({"token": GOOD}),
            "hello",
            "x" * 5000,
        ],
        ids=[
            "a Token04",
            "quoted",
            "a space before it",
            "a kit token",
            "a JWT",
            "URL-encoded",
            "truncated",
            "without its version",
            "without its beginning",
            "a Token03",
            "a Token01",
            "with its scheme",
            "a JSON response",
            "something else",
            "longer than any path",
        ],
    )
    def test_a_token_is_read_unchanged_and_not_refused_as_a_secret(self, argument: str) -> None:
        refuse_in_arguments(["inspect", argument, "--json"])
        assert list(read(argument)) == [Token(argument)]

    @table("one", vendor_tokens(), ids=str)
    def test_the_vendors_tokens_are_not_refused_as_secrets(self, one: VendorToken) -> None:
        refuse_in_arguments([one.token, f"--x={one.token}", quote(one.token, safe="")])

    def test_a_file_is_read(self, a_file: Callable[[str], str]) -> None:
        assert list(read(a_file(f"{GOOD}\n"))) == [Token(GOOD, 1)]

    def test_text_that_begins_like_a_token_is_never_opened(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for name in ("04AAAAAG", "eyJhbGci"):
            Path(name).write_text(GOOD, encoding="utf-8")
            assert list(read(name)) == [Token(name)]

    def test_a_file_may_have_any_other_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for name in ("token", "04-tokens.txt", "04", "a b"):
            Path(name).write_text(GOOD, encoding="utf-8")
            assert list(read(name)) == [Token(GOOD, 1)]

    @pytest.mark.parametrize(
        "path", ["x.txt", "tokens/today", "./tokens", "~/tokens", "/" + "x" * 300, "C:\\tokens"]
    )
    def test_text_that_looks_like_a_path_is_a_missing_file(self, path: str) -> None:
        with pytest.raises(click.UsageError, match="does not exist"):
            list(read(path))

    def test_a_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="cannot be read: Is a directory") as caught:
            list(read(str(tmp_path)))
        assert caught.value.failure.exit_code is ExitCode.USAGE


class TestStandardInput:
    @pytest.mark.parametrize("argument", ["-", None])
    def test_it_is_read_if_it_is_named_or_a_pipe(
        self, argument: str | None, type_in: Callable[[bytes], None]
    ) -> None:
        type_in(f"{GOOD}\r\n\r\n{jwt()}\r\n".encode())
        assert is_standard_input(argument)
        assert list(read(argument)) == [Token(GOOD, 1), Token(jwt(), 3)]

    def test_on_a_terminal_there_is_a_hidden_prompt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr(
            "getpass.getpass",
            lambda prompt: f"\x1b[200~{GOOD}\x1b[201~" if "not shown" in prompt else "",
        )
        assert not is_standard_input(None)
        assert list(read(None)) == [Token(GOOD, line=1)]

    def test_an_empty_input_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("getpass.getpass", lambda _prompt: "")
        with pytest.raises(CommandError, match="Nothing was typed"):
            list(read(None))

    def test_a_terminal_is_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        with pytest.raises(CommandError, match="would show the token"):
            list(read("-"))

    def test_a_closed_standard_input_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", None)
        with pytest.raises(CommandError, match="Standard input is closed"):
            list(read("-"))

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "contains no token"),
            (b"\n  \n", "contains no token"),
            (b"\xef\xbb\xbf\n", "contains no token"),
            (GOOD.encode("utf-16"), "is in UTF-16"),
            (b"x" * (MAX_BYTES + 1), "that are not a token"),
            (("\u00e9" * (MAX_BYTES // 2 + 1)).encode(), "that are not a token"),
            (b"x\n" * (MAX_BYTES // 2 + 1), "that are not a token"),
            (b"{x\n" + b"}\n" * (MAX_BYTES // 2), "that are not a token"),
        ],
        ids=[
            "nothing",
            "blank lines",
            "a byte order mark",
            "UTF-16",
            "a line without an end",
            "a line of fewer characters than bytes",
            "lines without a token",
            "braces that are not JSON",
        ],
    )
    def test_input_without_a_token_is_a_usage_error(
        self, content: bytes, words: str, type_in: Callable[[bytes], None]
    ) -> None:
        type_in(content)
        with pytest.raises(CommandError, match=words) as caught:
            list(read("-"))
        assert caught.value.failure.exit_code is ExitCode.USAGE

    def test_binary_input_is_examined_anyway(self, type_in: Callable[[bytes], None]) -> None:
        type_in(b"\xff\xfd\n")
        assert list(read("-")) == [Token("\ufffd\ufffd", 1)]

    def test_a_byte_order_mark_is_not_part_of_the_token(
        self, type_in: Callable[[bytes], None]
    ) -> None:
        type_in(b"\xef\xbb\xbf" + GOOD.encode())
        assert list(read("-")) == [Token(GOOD, 1)]


class TestLines:
    def test_each_line_is_a_token_and_blank_ones_are_skipped(self) -> None:
        kit = kit_token()
        assert given("", GOOD, " ", jwt(), kit) == [(GOOD, 2), (jwt(), 4), (kit, 5)]

    @pytest.mark.parametrize("width", [5, 64, 76, 300])
    @pytest.mark.parametrize("cipher", ["gcm", "cbc"])
    def test_a_token_that_is_broken_over_lines_is_one(self, cipher: Cipher, width: int) -> None:
        text = broken(token(cipher=cipher), width)
        assert given(*text.split("\n")) == [(text, 1)]

    def test_a_token_after_a_broken_one_is_separate(self) -> None:
        damaged = broken(GOOD)
        assert given(*damaged.split("\n"), GOOD, GOOD) == [
            (damaged, 1),
            (GOOD, damaged.count("\n") + 2),
            (GOOD, damaged.count("\n") + 3),
        ]

    @pytest.mark.parametrize(
        "damaged",
        [
            GOOD[:-30],
            f'"{GOOD}"',
            f"  {GOOD}",
            f"Bearer {GOOD}",
            f"ZEGO_TOKEN={GOOD}",
            f"alice,{GOOD}",
            quote(GOOD, safe=""),
            GOOD.replace("+", "-"),
            GOOD[2:],
            "03AAAAAGVT/x",
        ],
        ids=[
            "truncated",
            "quoted",
            "a space before it",
            "a scheme",
            "a variable",
            "a column",
            "URL-encoded",
            "base64url",
            "no version",
            "a Token03",
        ],
    )
    def test_damaged_tokens_on_separate_lines_stay_separate(self, damaged: str) -> None:
        assert given(damaged, damaged, GOOD) == [(damaged, 1), (damaged, 2), (GOOD, 3)]

    @pytest.mark.parametrize("width", [20, 37, 76])
    def test_a_jwt_that_is_broken_over_lines_is_one(self, width: int) -> None:
        text = broken(jwt(), width)
        assert given(*text.split("\n"), GOOD) == [(text, 1), (GOOD, text.count("\n") + 2)]

    @pytest.mark.parametrize("separator", [".", "#"])
    def test_a_token_broken_between_parts_is_one(self, separator: str) -> None:
        text = jwt() if separator == "." else kit_token()
        head, _, rest = text.partition(separator)
        assert given(head + separator, rest) == [(f"{head}{separator}\n{rest}", 1)]

    @pytest.mark.parametrize("indent", [None, 0, 2])
    def test_a_json_object_is_one(self, indent: int | None) -> None:
        answer = json.dumps(
            {"zegoRoom": {"token": GOOD, "roomId": "a}"}, "renewal": {"token": jwt()}, "x": "{"},
            indent=indent,
        )
        assert given(*answer.split("\n")) == [(answer, 1)]

    def test_json_objects_on_separate_lines_stay_separate(self) -> None:
        answer = json.dumps({"token": GOOD})
        assert given(answer, answer) == [(answer, 1), (answer, 2)]

    def test_unfinished_json_does_not_include_the_next_token(self) -> None:
        cut = json.dumps({"token": GOOD})[:-3]
        assert given(cut, GOOD, cut, cut) == [(cut, 1), (GOOD, 2), (cut, 3), (cut, 4)]

    @pytest.mark.parametrize(
        "whole", [GOOD, jwt(), kit_token(), json.dumps({"token": GOOD})], ids=len
    )
    def test_a_whole_token_does_not_wait_for_another_line(self, whole: str) -> None:
        def one_line() -> Iterator[str]:
            yield whole
            raise AssertionError("it read the next line")

        assert next(tokens(one_line(), "It")).text == whole

    def test_unread_lines_are_not_kept(self) -> None:
        stream = io.BytesIO(b"a\nb\n")
        assert next(lines(stream, "It")) == "a"
        assert stream.tell() == 2


class TestAToken:
    @pytest.mark.parametrize(
        ("text", "beginning"),
        [
            (GOOD, "04AAAAAG"),
            (jwt(), "eyJhbGci"),
            (kit_token(), "04AAAAAG"),
            (f'"{GOOD}"', ""),
            ("0123456789abcdef", ""),
            ("04correct horse battery staple", ""),
            ("password", ""),
            ("eyJ", ""),
            ("", ""),
        ],
        ids=[
            "a Token04",
            "a JWT",
            "a kit token",
            "quoted",
            "hex digits",
            "a password after 04",
            "a password",
            "short",
            "empty",
        ],
    )
    def test_its_beginning_is_shown_if_it_only_tells_the_form(
        self, text: str, beginning: str
    ) -> None:
        assert Token(text).beginning == beginning

    @pytest.mark.parametrize(
        "text",
        [GOOD, f" {GOOD}\n", f'"{GOOD}"', f"{GOOD}#eyJ", json.dumps({"token": GOOD, "a": 1})],
        ids=["alone", "in space", "quoted", "in a kit token", "in a response"],
    )
    def test_its_hash_is_that_of_the_audit_log(self, text: str) -> None:
        assert Token(text).sha256 == hashlib.sha256(GOOD.encode()).hexdigest()

    @pytest.mark.parametrize("text", ["", "hello", "\ud800", GOOD[:-9], broken(GOOD)], ids=len)
    def test_text_without_a_whole_token_is_hashed_itself(self, text: str) -> None:
        expected = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
        assert Token(text).sha256 == expected

    def test_its_repr_shows_nothing(self) -> None:
        assert repr(Token(GOOD, 3)) == f"<Token of {len(GOOD)} characters>"
