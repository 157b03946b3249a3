"""What the tests with a browser stand on: a browser or a clear message, and pinned packages."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path

import pytest

from tests.browser.conftest import NewContext
from tools import chromium, npm_packages
from tools.npm_packages import NotFetchedError, NpmPackage


def test_the_browser_shows_a_page(new_context: NewContext) -> None:
    page = new_context().new_page()
    page.set_content("<h1>Good morning</h1>")
    assert page.inner_text("h1") == "Good morning"


def test_the_browser_reaches_loopback_alone(new_context: NewContext) -> None:
    page = new_context().new_page()
    failed = page.evaluate("() => fetch('http://example.com/').catch((error) => error.name)")
    assert failed == "TypeError"


def test_a_machine_without_a_browser_is_told_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(chromium.NoBrowserError, match="apt-get install chromium"):
        chromium.find()


class TestInstalling:
    """Where a machine has no browser, and what it has is on a PATH of the test's own."""

    @pytest.fixture(autouse=True)
    def on_path(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        monkeypatch.setenv("PATH", str(tmp_path))
        return tmp_path

    def put(self, directory: Path, name: str, script: str) -> None:
        program = directory / name
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)

    @pytest.mark.parametrize("had", chromium.PACKAGES)
    def test_root_has_the_package_installed_that_the_system_has(
        self, monkeypatch: pytest.MonkeyPatch, on_path: Path, had: str
    ) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        program = f'"{on_path}/{had}"'
        self.put(
            on_path,
            "apt-get",
            '[ $1 = update ] && exit; for package; do :; done; [ "$package" = '
            + had
            + " ] || exit 9"
            f"; : > {program}; /bin/chmod +x {program}",
        )
        chromium.set_up()
        assert chromium.find() == str(on_path / had)

    def test_an_installation_that_fails_is_told_as_no_browser(
        self, monkeypatch: pytest.MonkeyPatch, on_path: Path
    ) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        self.put(on_path, "apt-get", "exit 100")
        with pytest.raises(chromium.NoBrowserError, match="apt-get install chromium"):
            chromium.set_up()

    def test_nobody_but_root_has_anything_installed(
        self, monkeypatch: pytest.MonkeyPatch, on_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        self.put(on_path, "apt-get", f': > "{on_path}/was-called"')
        chromium.main()
        assert capsys.readouterr().err == chromium.MISSING + "\n"
        assert not (on_path / "was-called").exists()

    def test_a_browser_that_is_there_is_taken(self, on_path: Path) -> None:
        self.put(on_path, "google-chrome", "exit 0")
        chromium.set_up()
        assert chromium.find() == str(on_path / "google-chrome")


def archive(directory: Path, content: bytes) -> tuple[Path, str]:
    path = directory / "made-up-1.0.0.tgz"
    path.write_bytes(content)
    return path, base64.b64encode(hashlib.sha512(content).digest()).decode()


def test_an_archive_is_taken_by_its_sha512_alone(tmp_path: Path) -> None:
    path, digest = archive(tmp_path, b"as published")
    assert npm_packages.matches(path, f"sha512-{digest}")
    path.write_bytes(b"as changed")
    assert not npm_packages.matches(path, f"sha512-{digest}")


def test_a_weaker_digest_is_no_pin(tmp_path: Path) -> None:
    path, _ = archive(tmp_path, b"as published")
    weak = base64.b64encode(hashlib.sha1(b"as published", usedforsecurity=False).digest()).decode()
    assert not npm_packages.matches(path, f"sha1-{weak}")


def test_another_archive_than_the_pinned_one_is_not_unpacked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, _ = archive(tmp_path, b"another one")
    monkeypatch.setattr(npm_packages, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(npm_packages, "_download", lambda _package, _directory: path)
    pinned = NpmPackage("made-up", "1.0.0", "sha512-AAAA")
    monkeypatch.setitem(npm_packages.PACKAGES, "made-up", pinned)
    with pytest.raises(NotFetchedError, match="sha512 is another"):
        npm_packages.fetch("made-up")
    assert not pinned.directory.exists()


@pytest.mark.parametrize("name", npm_packages.PACKAGES)
def test_every_package_is_pinned_by_a_sha512(name: str) -> None:
    assert (
        len(base64.b64decode(npm_packages.PACKAGES[name].integrity.removeprefix("sha512-"))) == 64
    )
