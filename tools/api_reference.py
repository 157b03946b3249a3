"""Renders ``docs/openapi.yaml`` as HTML: the whole API with Redoc, and its problems alone.

The page is one file that needs no server and no network. Its Content-Security-Policy blocks all
requests, because Redoc would otherwise report its use and load a logo.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tools import npm_packages

ROOT: Final = Path(__file__).resolve().parent.parent
DOCUMENT: Final = ROOT / "docs" / "openapi.yaml"
#: The page of the problems, which the issuer serves.
PROBLEMS: Final = ROOT / "functions" / "issuer" / "problems.html"
#: The file of Redoc's npm package that contains all of it, as one ES module.
REDOC: Final = "bundles/redoc.standalone.js"


def read_page() -> str:
    """Return the page of docs/openapi.yaml.

    :raises NotFetchedError: Redoc cannot be installed.
    """
    document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    redoc = npm_packages.fetch("redoc") / REDOC
    return page(document, redoc.read_text(encoding="utf-8"))


def page(document: Mapping[str, Any], redoc: str) -> str:
    """Return the page of an OpenAPI document.

    :param redoc: the text of :data:`REDOC`.
    :raises ValueError: the module contains an end tag, so it cannot be inlined.
    """
    if "</script" in redoc:
        raise ValueError("Redoc's module would end its script element")
    info = document["info"]
    shown = {**document, "info": {**info, "description": info["description"] + _problems(document)}}
    in_a_page = json.dumps(shown).replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';
  font-src data:; img-src data:; script-src 'unsafe-inline' blob:; style-src 'unsafe-inline';
  worker-src blob:">
<title>{info["title"]}</title>
<main></main>
<script type="application/json" id="document">{in_a_page}</script>
<script type="module">
{redoc}
const {{ textContent }} = document.querySelector("#document");
const options = {{ disableTelemetry: true, router: "hash" }};
init(JSON.parse(textContent), options, document.querySelector("main"));
</script>
</html>
"""


def problems_page() -> str:
    """Return the page that ``help`` of a problem document links to."""
    document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    sections = "".join(
        f'<section id="{code}">\n<h2>{code}</h2>\n<p>{_html(each["meaning"])}</p>\n'
        f"<p>{_html(each['remedy'])}</p>\n<p><small>HTTP {each['status']}."
        f"{' The same request can succeed later.' if each['retryable'] else ''}</small></p>\n"
        "</section>\n"
        for code, each in document["x-problems"].items()
    )
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Problems of zego-token-service</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto }}
body {{ padding: 0 1rem }}
h2 {{ font: 600 1.1rem/1.5 ui-monospace, monospace; margin: 2rem 0 0.25rem }}
p {{ margin: 0.25rem 0 }}
:target {{ outline: 2px solid; outline-offset: 0.5rem }}
</style>
<h1>Problems of zego-token-service</h1>
<p>The service refused a request. Find the problem below by its <code>code</code>. If that does not
help, give the <code>request_id</code> of the response to whoever operates the service.</p>
{sections}</html>
"""


def _problems(document: Mapping[str, Any]) -> str:
    """Return a section that lists every problem code, which Redoc would omit."""
    listed = "".join(
        f"- `{code}` ({each['status']}): {_line(each['meaning'])} {_line(each['remedy'])}\n"
        for code, each in document["x-problems"].items()
    )
    return f"\n## Problems\n\n{listed}"


def _html(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(_line(text)))


def _line(text: str) -> str:
    return " ".join(text.split())
