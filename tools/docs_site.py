"""Builds the documentation as a site in build/site/: ``make docs-site``.

Sphinx reads the Markdown files of the repository with their links. A broken link or an unknown
anchor fails the build. Two pages are generated: the commands of ``zego-token`` from click, and the
HTTP API, which Redoc renders from docs/openapi.yaml.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from sphinx.application import Sphinx
from sphinx.errors import SphinxError

from ops import cli
from tools import api_reference, npm_packages
from tools.build import ROOT, release

SITE: Final = ROOT / "build" / "site"
SOURCE: Final = ROOT / "build" / "site-source"
#: The sections of the table of contents and their pages, in reading order.
CONTENTS: Final = {
    "Get tokens": (
        "docs/first-call",
        "docs/frontends",
        "clients/javascript/README",
        "docs/backends",
        "clients/python/README",
        "examples/fastapi/README",
        "examples/express/README",
        "docs/calls",
        "docs/api",
        "http-api",
        "docs/troubleshooting",
    ),
    "Run the service": (
        "docs/deploy",
        "docs/pipeline",
        "docs/edge",
        "docs/cost",
        "docs/configuration",
        "docs/access-policy",
        "docs/identity-providers",
        "docs/operations",
        "docs/security",
        "docs/rotation",
        "docs/reliability",
        "commands",
        "docs/upgrading",
        "CHANGELOG",
    ),
    "Understand it": ("docs/why", "docs/glossary", "docs/faq"),
    "Change it": (
        "CONTRIBUTING",
        "docs/architecture",
        "docs/design-notes",
        "docs/performance",
        "events/README",
        "SECURITY",
    ),
}
#: Other files that pages show or link to.
FILES: Final = (
    "docs/openapi.yaml",
    "docs/images",
    "functions/issuer/policies/reference.toml",
    "examples/call/call.js",
    "examples/page/index.html",
)
_HTTP_API: Final = """# HTTP API reference

<p><a href="redoc.html">Open it as a separate page</a></p>
<iframe src="redoc.html" title="HTTP API" style="width: 100%; height: 80vh; border: 0"></iframe>
"""
_SETTINGS: Final = {
    "project": "zego-token-service",
    "root_doc": "index",
    "extensions": ["myst_parser"],
    "myst_heading_anchors": 4,
    "html_theme": "furo",
    "html_title": "zego-token-service",
    "html_show_copyright": False,
    "html_copy_source": False,
    "html_extra_path": ["extra"],
}


def main() -> int:
    """Build the site. Return 1 if Redoc is missing or a document has a mistake."""
    for folder in (SITE, SOURCE):
        shutil.rmtree(folder, ignore_errors=True)
    try:
        redoc = api_reference.read_page()
    except npm_packages.NotFetchedError as error:
        print(error, file=sys.stderr)
        return 1
    _write("extra/redoc.html", redoc)
    _write("commands.md", "# Commands\n" + "".join(_commands(cli.app, "zego-token")))
    _write("http-api.md", _HTTP_API)
    _write("index.md", (ROOT / "README.md").read_text(encoding="utf-8") + _contents())
    for name in FILES:
        _copy(ROOT / name)
    for pages in CONTENTS.values():
        for page in pages:
            if (file := ROOT / f"{page}.md").exists():
                text = file.read_text(encoding="utf-8")
                _write(f"{page}.md", text.replace("(../README.md", "(../index.md"))
    settings = {**_SETTINGS, "release": release(), "version": release()}
    try:
        site = Sphinx(
            *(str(SOURCE), None, str(SITE), str(SITE.with_name("site-doctrees")), "html"),
            confoverrides=settings,
            status=None,
            warningiserror=True,
            freshenv=True,
        )
        site.build()
    except SphinxError as error:
        print(error, file=sys.stderr)
        return 1
    print((SITE / "index.html").relative_to(ROOT))
    return int(site.statuscode)


def _commands(
    command: click.Command, name: str, group: click.Context | None = None
) -> Iterator[str]:
    """Yield a section with a command's help as in a terminal, and one per subcommand."""
    settings = {**command.context_settings, "terminal_width": 84}
    context = click.Context(command, parent=group, info_name=name, **settings)
    yield f"\n## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            if (found := command.get_command(context, below)) is not None:
                yield from _commands(found, below, context)


def _contents() -> str:
    trees = []
    for caption, pages in CONTENTS.items():
        listed = "\n".join(pages)
        trees.append(f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{listed}\n```\n")
    return "".join(trees)


def _write(name: str, text: str) -> None:
    file = SOURCE / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def _copy(path: Path) -> None:
    target = SOURCE / path.relative_to(ROOT)
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        shutil.copytree(path, target)
    else:
        shutil.copy(path, target)


if __name__ == "__main__":
    sys.exit(main())
