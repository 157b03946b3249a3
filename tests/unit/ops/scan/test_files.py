"""The files below the paths, and their content in pieces."""

from __future__ import annotations

import gzip
import os
import random
import socket
from collections.abc import Callable
from pathlib import Path, PurePath

import pytest

from ops.errors import CommandError
from ops.scan import files
from ops.scan.files import File, Tree, UnreadError, pieces
from ops.scan.patterns import MARGIN

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file below the temporary folder, with its folders."""

    def to(name: str, content: bytes = b"x") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return to


def names(tree: Tree, root: Path) -> list[str]:
    return [os.path.relpath(file.path, root) for file in tree.files()]


class TestTree:
    def test_it_walks_folders_in_order(self, write: Write, tmp_path: Path) -> None:
        for name in ("b/2", "b/1", "a/x/3", "c", ".env"):
            write(name)
        tree = Tree([str(tmp_path)], dependencies=False)
        assert names(tree, tmp_path) == [".env", "c", "a/x/3", "b/1", "b/2"]

    def test_a_path_may_be_a_file(self, write: Write) -> None:
        path = str(write("dist/node_modules/a.js"))
        assert list(Tree([path], dependencies=False).files()) == [File(path, PurePath("a.js"))]

    def test_the_given_folder_is_part_of_the_place(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write("dist/assets/a.js")
        monkeypatch.chdir(tmp_path / "dist")
        (file,) = Tree(["."], dependencies=False).files()
        assert file == File("./assets/a.js", PurePath("dist/assets/a.js"))

    @pytest.mark.parametrize(
        ("folder", "what"),
        [
            (".git", "history"),
            (".hg", "history"),
            ("node_modules", "dependencies"),
            (".venv", "dependencies"),
            ("site-packages", "dependencies"),
            ("__pycache__", "dependencies"),
        ],
    )
    def test_it_does_not_scan(self, folder: str, what: str, write: Write, tmp_path: Path) -> None:
        write(f"web/{folder}/a/b.js")
        tree = Tree([str(tmp_path)], dependencies=False)
        assert names(tree, tmp_path) == []
        assert tree.skipped == {what: 1}

    def test_a_virtual_environment_is_recognised_by_any_name(
        self, write: Write, tmp_path: Path
    ) -> None:
        write("env-3.13/pyvenv.cfg")
        tree = Tree([str(tmp_path)], dependencies=False)
        assert names(tree, tmp_path) == []
        assert tree.skipped == {"dependencies": 1}

    def test_dependencies_are_scanned_with_the_option(self, write: Write, tmp_path: Path) -> None:
        for name in ("node_modules/a.js", ".git/config"):
            write(name)
        tree = Tree([str(tmp_path)], dependencies=True)
        assert names(tree, tmp_path) == ["node_modules/a.js"]
        assert tree.skipped == {"history": 1}

    def test_a_given_path_is_always_scanned(self, write: Write) -> None:
        folder = write("node_modules/a.js").parent
        tree = Tree([str(folder)], dependencies=False)
        assert names(tree, folder) == ["a.js"]

    def test_links_are_not_followed(self, write: Write, tmp_path: Path) -> None:
        write("outside/secret.js")
        write("tree/a.js")
        tree_path = tmp_path / "tree"
        (tree_path / "loop").symlink_to(tree_path)
        (tree_path / "out").symlink_to(tmp_path / "outside")
        (tree_path / "out.js").symlink_to(tmp_path / "outside" / "secret.js")
        (tree_path / "nowhere").symlink_to(tmp_path / "missing")
        tree = Tree([str(tree_path)], dependencies=False)
        assert names(tree, tree_path) == ["a.js"]
        assert tree.skipped == {"links": 4}

    def test_a_given_link_is_followed(self, write: Write, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(write("dist/a.js").parent)
        (file,) = Tree([str(tmp_path / "link")], dependencies=False).files()
        assert file.place == PurePath("dist/a.js")

    def test_nothing_waits_for_a_pipe_or_a_socket(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(str(tmp_path / "s"))
            tree = Tree([str(tmp_path)], dependencies=False)
            assert names(tree, tmp_path) == []
        assert tree.skipped == {"special": 2}

    def test_packed_files_are_counted(self, write: Write, tmp_path: Path) -> None:
        for name in ("a.js", "a.js.br", "app.APK", "a.js.gz"):
            write(name)
        tree = Tree([str(tmp_path)], dependencies=False)
        assert len(names(tree, tmp_path)) == 4
        assert tree.skipped == {"packed": 2}

    def test_the_same_path_twice_is_scanned_once(self, write: Write, tmp_path: Path) -> None:
        write("a/1")
        write("b/2")
        again = str(tmp_path / "b" / ".." / "a")
        tree = Tree([str(tmp_path / "a"), str(tmp_path / "b"), again], dependencies=False)
        assert names(tree, tmp_path) == ["a/1", "b/2"]

    def test_a_folder_that_cannot_be_listed_is_kept(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write("closed/a")
        write("open/b")

        def scandir(path: str) -> object:
            if path.endswith("closed"):
                raise PermissionError(13, "Permission denied")
            return real(path)

        real = os.scandir
        monkeypatch.setattr(os, "scandir", scandir)
        tree = Tree([str(tmp_path)], dependencies=False)
        assert names(tree, tmp_path) == ["open/b"]
        assert [(Path(one.path).name, one.why) for one in tree.unread] == [
            ("closed", "Permission denied")
        ]


class TestPaths:
    @pytest.mark.parametrize(
        ("path", "words"),
        [
            ("missing", "missing: No such file or directory."),
            ("", "PATH is empty."),
            ("a\0b", "a?b: ValueError."),
            ("mis\x1b[31msing", r"mis\?\[31msing: No such file"),
            ("/dev/null", "/dev/null is neither a file nor a folder."),
        ],
        ids=["missing", "empty", "zero", "control", "device"],
    )
    def test_an_invalid_path_is_refused(self, path: str, words: str) -> None:
        with pytest.raises(CommandError, match=words):
            Tree([path], dependencies=False)

    def test_a_dash_is_standard_input(self, type_in: Callable[[bytes], None]) -> None:
        type_in(b"piped")
        (file,) = Tree(["-"], dependencies=False).files()
        assert [piece.data for piece in pieces(file)] == [b"piped"]

    def test_a_terminal_is_not_scanned(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", None)
        with pytest.raises(CommandError, match="Standard input is closed or a terminal"):
            Tree(["-"], dependencies=False)


class TestPieces:
    @pytest.mark.parametrize("size", [0, 1, MARGIN, MARGIN + 1, 5 * MARGIN, 5 * MARGIN + 7])
    def test_the_pieces_are_the_whole_file(self, size: int, write: Write) -> None:
        content = random.Random(size).randbytes(size)
        parts = list(pieces(of(write("a", content)), size=MARGIN))
        assert b"".join(piece.data[piece.start : piece.end] for piece in parts) == content

    def test_each_piece_has_a_margin(self, write: Write) -> None:
        content = random.Random(0).randbytes(6 * MARGIN)
        at = 0
        for piece in pieces(of(write("a", content)), size=2 * MARGIN):
            first, last = max(0, at - MARGIN), at + 3 * MARGIN
            assert piece.data == content[first:last]
            assert piece.start == at - first
            at += piece.end - piece.start

    def test_pieces_are_small_even_if_the_file_is_big(
        self, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write("a")
        with path.open("wb") as opened:
            opened.truncate(20 * files.PIECE)  # a sparse file
        assert {len(piece.data) for piece in pieces(of(path))} == {
            files.PIECE + MARGIN,
            files.PIECE + 2 * MARGIN,
        }

    def test_gzip_is_unpacked(self, write: Write) -> None:
        packed = gzip.compress(b"one, ") + gzip.compress(b"two")
        for name in ("a.js.gz", "without-its-suffix"):
            (piece,) = pieces(of(write(name, packed)))
            assert piece.data == b"one, two"

    @pytest.mark.parametrize("damage", ["cut", "changed"])
    def test_a_damaged_gzip_file_is_an_error(self, damage: str, write: Write) -> None:
        packed = bytearray(gzip.compress(random.Random(0).randbytes(5000)))
        if damage == "cut":
            del packed[-100:]
        else:
            packed[-6] ^= 1
        with pytest.raises(UnreadError, match="it is a damaged gzip file"):
            list(pieces(of(write("a.gz", bytes(packed)))))

    def test_a_file_that_unpacks_to_too_much_is_an_error(
        self, write: Write, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(files, "UNPACKED", 2**20)
        found = pieces(of(write("a.gz", gzip.compress(bytes(2**24)))), size=2**18)
        sizes: list[int] = []
        with pytest.raises(UnreadError, match="it unpacks to more than 1 MiB"):
            sizes.extend(piece.end - piece.start for piece in found)
        assert sum(sizes) == 2**20 + 2**18

    def test_an_unreadable_file_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadError, match="No such file or directory"):
            list(pieces(of(tmp_path / "gone-meanwhile")))


def of(path: Path) -> File:
    return File(str(path), PurePath(path.name))
