"""`python -m tests.browser.screenshot`: takes README's picture, docs/images/page.png, again."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect

from local import PROJECT
from local.stack import LocalStack
from tests.browser import chromium
from tests.browser.steps import phone, press, reset_the_secret, talk

PICTURE = PROJECT / "docs" / "images" / "page.png"
HEIGHT = 880
LARGEST_BYTES = 200_000


def in_a_call(page: Page) -> None:
    """Lets two people talk while the secret is reset and the watcher notices."""
    talk(page)
    reset_the_secret(page)
    press(phone(page, "alice"), "Renew the token")
    expect(phone(page, "alice")).to_contain_text("ZEGO refuses the token")
    press(page, "Check now")
    expect(page.locator("#looked")).to_contain_text("ZEGO rejected")
    page.mouse.move(0, 0)
    page.evaluate("() => document.activeElement.blur()")
    page.evaluate("() => scrollTo(0, 0)")


def main() -> int:
    """Takes the picture. Returns 1 if it is too large to commit."""
    with (
        tempfile.TemporaryDirectory() as directory,
        LocalStack(directory=Path(directory), watch_seconds=None) as stack,
        chromium.running() as browser,
    ):
        page = browser.new_page(viewport={"width": 1280, "height": HEIGHT}, reduced_motion="reduce")
        page.goto(stack.page.url)
        in_a_call(page)
        PICTURE.parent.mkdir(exist_ok=True)
        page.screenshot(path=PICTURE)
    size = PICTURE.stat().st_size
    print(f"{PICTURE.relative_to(PROJECT)}: {size // 1000} KB")
    return int(size > LARGEST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
