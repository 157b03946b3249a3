"""The set-up of the browser tests: a browser or a clear message, and pinned npm packages."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

import pytest

from tests.browser.conftest import NewContext
from tools import chromium, npm_packages
from tools.npm_packages import FILES, NotFetchedError


def test_the_browser_shows_a_page(new_context: NewContext) -> None:
    page = new_context().new_page()
    page.set_content("<h1>Good morning</h1>")
    assert page.inner_text("h1") == "Good morning"


def test_the_browser_reaches_loopback_only(new_context: NewContext) -> None:
    page = new_context().new_page()
    failed = page.evaluate("() => fetch('http://example.com/').catch((error) => error.name)")
    assert failed == "TypeError"


def test_without_a_browser_the_message_tells_how_to_install_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(chromium.NoBrowserError, match="apt-get install chromium"):
        chromium.find()


class TestInstalling:
    """On a machine without a browser; PATH is a folder that the test fills."""

    @pytest.fixture(autouse=True)
    def on_path(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        monkeypatch.setenv("PATH", str(tmp_path))
        return tmp_path

    def put(self, directory: Path, name: str, script: str) -> None:
        program = directory / name
        program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        program.chmod(0o755)

    @pytest.mark.parametrize("had", chromium.PACKAGES)
    def test_as_root_it_installs_the_package_that_the_system_offers(
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

    def test_a_failed_installation_is_reported_as_no_browser(
        self, monkeypatch: pytest.MonkeyPatch, on_path: Path
    ) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        self.put(on_path, "apt-get", "exit 100")
        with pytest.raises(chromium.NoBrowserError, match="apt-get install chromium"):
            chromium.set_up()

    def test_only_root_installs_packages(
        self, monkeypatch: pytest.MonkeyPatch, on_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        self.put(on_path, "apt-get", f': > "{on_path}/was-called"')
        chromium.main()
        assert capsys.readouterr().err == chromium.MISSING + "\n"
        assert not (on_path / "was-called").exists()

    def test_an_installed_browser_is_used(self, on_path: Path) -> None:
        self.put(on_path, "google-chrome", "exit 0")
        chromium.set_up()
        assert chromium.find() == str(on_path / "google-chrome")


@pytest.fixture
def pins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Pins of a single package, which a test may change; it is not installed yet."""
    content = {name: json.loads((npm_packages.PINS / name).read_text()) for name in FILES}
    package, lock = (content[name] for name in FILES)
    only = {"tslib": package["devDependencies"]["tslib"]}
    package["devDependencies"] = lock["packages"][""]["devDependencies"] = only
    lock["packages"] = {key: lock["packages"][key] for key in ("", "node_modules/tslib")}
    pins = tmp_path / "pins"
    pins.mkdir()
    for name, each in content.items():
        (pins / name).write_text(json.dumps(each))
    monkeypatch.setattr(npm_packages, "PINS", pins)
    monkeypatch.setattr(npm_packages, "CACHE", tmp_path / "cache")
    return pins


def test_a_package_is_installed_once(pins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched = npm_packages.fetch("tslib")
    assert (fetched / "package.json").is_file()
    monkeypatch.setenv("PATH", "")
    assert npm_packages.fetch("tslib") == fetched


def test_an_archive_with_another_hash_is_not_unpacked(pins: Path) -> None:
    another = base64.b64encode(hashlib.sha512(b"another one").digest()).decode()
    lock = json.loads((pins / "package-lock.json").read_text())
    lock["packages"]["node_modules/tslib"]["integrity"] = f"sha512-{another}"
    (pins / "package-lock.json").write_text(json.dumps(lock))
    with pytest.raises(NotFetchedError, match="EINTEGRITY"):
        npm_packages.fetch("tslib")
    assert not list((pins.parent / "cache").glob("*/node_modules"))


def test_a_version_that_is_not_locked_is_not_installed(pins: Path) -> None:
    (pins / "package.json").write_text('{"devDependencies": {"tslib": "2.8.1"}}')
    with pytest.raises(NotFetchedError, match="in sync"):
        npm_packages.fetch("tslib")


def test_without_npm_the_message_says_so(pins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotFetchedError, match="npm is not on PATH"):
        npm_packages.fetch("tslib")


@pytest.mark.parametrize("file", [*npm_packages.PINS.rglob("package.json")], ids=str)
def test_every_package_is_pinned_by_a_sha512_and_to_no_registry(file: Path) -> None:
    text = file.with_name("package-lock.json").read_text()
    assert "resolved" not in text
    assert "://" not in text
    package, lock = (json.loads((file.parent / name).read_text()) for name in FILES)
    wanted = package["devDependencies"]
    root, *locked = lock["packages"].items()
    assert root == ("", {"devDependencies": wanted})
    versions = {name.removeprefix("node_modules/"): each["version"] for name, each in locked}
    assert wanted.items() <= versions.items()
    assert file.parent != npm_packages.PINS or wanted == versions
    for _, each in locked:
        algorithm, _, digest = each["integrity"].partition("-")
        assert algorithm == "sha512"
        assert len(base64.b64decode(digest)) == 64
