"""The API reference as a page: it is complete and cannot reach the network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext
from tools import api_reference

DOCUMENT = yaml.safe_load(api_reference.DOCUMENT.read_text(encoding="utf-8"))
OPERATIONS = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]


@pytest.fixture
def page(
    tmp_path: Path, new_context: NewContext, npm_package: Callable[[str], Path]
) -> tuple[Page, list[str]]:
    """The page, opened as a file, and its errors."""
    redoc = (npm_package("redoc") / api_reference.REDOC).read_text(encoding="utf-8")
    file = tmp_path / "api.html"
    file.write_text(api_reference.page(DOCUMENT, redoc), encoding="utf-8")
    opened = new_context(offline=True).new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.goto(file.as_uri())
    return opened, wrong


def test_it_shows_every_operation_and_every_problem(page: tuple[Page, list[str]]) -> None:
    shown, wrong = page
    file = shown.url
    expect(shown).to_have_title(DOCUMENT["info"]["title"])
    for operation in OPERATIONS:
        (tag,) = operation["tags"]
        shown.goto(f"{file}#/{tag}/{operation['operationId'].lower()}")
        expect(shown.get_by_role("heading", name=operation["summary"])).to_be_visible()
    shown.goto(f"{file}#/section/problems")
    expect(shown.get_by_role("heading", name="Problems")).to_be_visible()
    listed = shown.locator("li code:first-child").all_inner_texts()
    assert DOCUMENT["x-problems"].keys() <= set(listed)
    assert wrong == []


def test_it_cannot_reach_the_network(page: tuple[Page, list[str]]) -> None:
    shown, _ = page
    blocked = shown.evaluate(
        """async () => {
          const address = "http://127.0.0.1:9/"; // requests of Redoc are blocked too
          const said = new Promise((resolve) =>
            addEventListener("securitypolicyviolation", ({ blockedURI, effectiveDirective }) => {
              if (blockedURI === address) resolve(effectiveDirective);
            }),
          );
          await fetch(address).catch(() => {});
          return said;
        }"""
    )
    assert blocked == "connect-src"
