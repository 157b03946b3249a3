"""The issuer's handler with a route that fails in a way that it does not foresee."""

from __future__ import annotations

from typing import NoReturn

from issuer import app
from issuer.http_event import ApiRequest
from issuer.routes import Service


def _fail(_service: Service, _request: ApiRequest) -> NoReturn:
    raise RuntimeError("this fault is made up")


vars(app)["ROUTES"] = dict.fromkeys(app.ROUTES, _fail)

handler = app.handler
