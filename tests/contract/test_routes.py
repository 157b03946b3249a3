"""The document, the function, the template and the local stack have the same routes.

Each says differently who authenticates the caller: the document has a security scheme, API
Gateway verifies a signature (`AWS_IAM`) or nothing (`NONE`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from local.aws.http_api import ROUTES
from tests.contract.openapi import load

ROOT = Path(__file__).parents[2]
DOCUMENT = load()
GATEWAY_AUTH = {"bearer": "NONE", "sigv4": "AWS_IAM", None: "NONE"}


class TemplateLoader(yaml.SafeLoader):
    """Reads CloudFormation; its short functions (`!Ref`, `!Sub`) are of no interest here."""


def _short_function(loader: TemplateLoader, suffix: str, node: yaml.Node) -> str:
    return f"!{suffix}"


TemplateLoader.add_multi_constructor("!", _short_function)


def template_resources() -> dict[str, Any]:
    """The resources of template.yaml, as they are written."""
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    resources: dict[str, Any] = yaml.load(template, TemplateLoader)["Resources"]
    return resources


def template_routes() -> dict[str, str]:
    """Each route of the template, with its authorizer."""
    return {
        f"{event['Properties']['Method']} {event['Properties']['Path']}": event["Properties"]
        .get("Auth", {})
        .get("Authorizer", "NONE")
        for resource in template_resources().values()
        if resource["Type"] == "AWS::Serverless::Function"
        for event in resource["Properties"].get("Events", {}).values()
        if event["Type"] == "HttpApi"
    }


def function_routes() -> list[str]:
    """The keys of `issuer.app.ROUTES`, from another process, because its import reads variables."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "functions", ROOT / "layers" / "domain"))),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_REGION": "us-east-1",
        "SERVER_SECRET_ARN": "zego/server-secret",
        "STAGE": "dev",
    }
    program = "import json, issuer.app; print(json.dumps(list(issuer.app.ROUTES)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    routes: list[str] = json.loads(done.stdout)
    return routes


def test_the_function_has_the_routes_of_the_document() -> None:
    assert sorted(function_routes()) == sorted(DOCUMENT.routes)


def test_the_template_deploys_the_routes_of_the_document() -> None:
    assert sorted(template_routes()) == sorted(DOCUMENT.routes)


def test_the_local_stack_has_the_routes_of_the_document() -> None:
    assert sorted(route.key for route in ROUTES) == sorted(DOCUMENT.routes)


def test_the_template_protects_the_routes_that_the_document_says_are_signed() -> None:
    documented = {route: GATEWAY_AUTH[scheme] for route, scheme in DOCUMENT.security.items()}
    assert template_routes() == documented


def test_the_local_stack_protects_the_routes_that_the_document_says_are_signed() -> None:
    documented = {route: GATEWAY_AUTH[scheme] for route, scheme in DOCUMENT.security.items()}
    assert {route.key: route.auth for route in ROUTES} == documented


def test_the_template_has_no_authorizer_that_a_route_would_inherit() -> None:
    apis = [r for r in template_resources().values() if r["Type"] == "AWS::Serverless::HttpApi"]
    assert len(apis) == 1
    assert "DefaultAuthorizer" not in apis[0]["Properties"].get("Auth", {})
