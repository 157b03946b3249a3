"""Who may change something by way of the page, or listen: the page itself, no other web site.

A browser says where a request comes from in headers that no page can set: `Sec-Fetch-Site` (Fetch
Metadata), or `Origin` where it is too old for that.
"""

from __future__ import annotations

from collections.abc import Sequence

from local.loopback import HttpRequest


def is_own(request: HttpRequest, origins: Sequence[str]) -> bool:
    """Whether the page itself, under one of its `origins`, has sent the request."""
    site, origin = request.header("sec-fetch-site"), request.header("origin")
    if origin is not None and origin not in origins:
        return False
    return site == "same-origin" if site is not None else origin is not None


def is_of_another(request: HttpRequest) -> bool:
    """Whether a browser says that another site has sent the request, which no `GET` has to."""
    return request.header("sec-fetch-site") in ("cross-site", "same-site")


def is_json(request: HttpRequest) -> bool:
    """Whether it says that it is JSON, which a form of another site cannot."""
    media_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
    return media_type == "application/json"
