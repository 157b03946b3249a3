"""A page that says what runs here and how to obtain a token."""

from __future__ import annotations

import html
from pathlib import Path
from string import Template

from local import curl
from local.loopback import HttpRequest, HttpResponse, LoopbackServer
from local.stack_file import StackDescription

HERE = Path(__file__).parent
SECURITY_HEADERS = (
    ("content-security-policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
)


class Page(LoopbackServer):
    """Serves page.html and page.css; `describe` fills in the parts once they are known."""

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(port=port)
        self._files: dict[str, tuple[str, bytes]] = {}

    def describe(self, stack: StackDescription) -> None:
        """Makes the page say where the parts of `stack` are."""
        parts = {
            "API": stack.api,
            "Identity provider": stack.identity_provider,
            "Secrets Manager": stack.secrets_manager,
            "Lambda's Invoke API": stack.lambda_,
        }
        rows = "\n".join(
            f"<tr><th scope=row>{name}</th><td><code>{html.escape(url)}</code></td></tr>"
            for name, url in parts.items()
        )
        text = Template((HERE / "page.html").read_text()).substitute(
            parts=rows,
            curl=html.escape(curl.bearer(stack)),
            discovery=html.escape(f"{stack.identity_provider}/.well-known/openid-configuration"),
            health=html.escape(f"{stack.api}/v1/health"),
        )
        self._files = {
            "/": ("text/html; charset=utf-8", text.encode()),
            "/page.css": ("text/css; charset=utf-8", (HERE / "page.css").read_bytes()),
        }

    def respond(self, request: HttpRequest) -> HttpResponse:
        """The page, its style sheet, or 404."""
        if request.method not in ("GET", "HEAD") or request.path not in self._files:
            return HttpResponse(404, (("content-type", "text/plain"),), b"There is no such page.\n")
        content_type, body = self._files[request.path]
        return HttpResponse(200, (("content-type", content_type), *SECURITY_HEADERS), body)
