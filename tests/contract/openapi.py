"""The contract in docs/openapi.yaml, as the tests read it.

For a route and a response, it lists where the response differs from the document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.yaml"
METHODS = ("get", "put", "post", "delete", "patch")

_URI = "urn:zego-token-service:openapi"


@dataclass(frozen=True)
class Answer:
    """An HTTP response. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @property
    def json(self) -> Any:
        """The body, read as JSON; of a page, its text."""
        return self.body.decode() if self.media_type == "text/html" else json.loads(self.body)


@dataclass(frozen=True)
class ProblemRow:
    """The row of `x-problems` for a code."""

    status: int
    title: str
    retryable: bool


@dataclass(frozen=True)
class Example:
    """An example, and the schema it has to satisfy."""

    name: str
    schema: Any
    value: Any


class Document:
    """An OpenAPI document. Places in it are JSON pointers."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        resource = DRAFT202012.create_resource(content)
        self._registry: Registry[Any] = Registry().with_resource(_URI, resource)

    @property
    def routes(self) -> dict[str, str]:
        """Each route key (`POST /v1/tokens`), with the place of its operation."""
        return {
            f"{method.upper()} {path}": f"/paths/{_escape(path)}/{method}"
            for path, item in self.content["paths"].items()
            for method in METHODS
            if method in item
        }

    @property
    def security(self) -> dict[str, str | None]:
        """Each route key, with the name of its security scheme; None for a route open to all."""
        schemes: dict[str, str | None] = {}
        for route, operation in self.routes.items():
            required = self.at(operation)["security"]
            schemes[route] = next(iter(required[0])) if required else None
        return schemes

    @property
    def problems(self) -> dict[str, ProblemRow]:
        """Each problem code, with its row of `x-problems`."""
        return {
            code: ProblemRow(row["status"], row["title"], row["retryable"])
            for code, row in self.content["x-problems"].items()
        }

    @property
    def examples(self) -> list[Example]:
        """Every example of a request or a response, with its schema."""
        return [
            Example(
                name=f"{place}: {name}",
                schema=self.at(f"{place}/schema"),
                value=self.at(f"{place}/examples/{name}")["value"],
            )
            for place in self._media_types()
            for name in self.at(place).get("examples", {})
        ]

    def at(self, place: str) -> Any:
        """The value at a place. References are followed."""
        node: Any = self.content
        for step in place.split("/")[1:]:
            node = self._resolved(node)[_unescape(step)]
        return self._resolved(node)

    def codes(self, route: str, status: int) -> set[str]:
        """The problem codes that a route may respond with, for a status."""
        response = self.at(self.routes[route])["responses"].get(str(status))
        content = self._resolved(response or {}).get("content", {})
        if "application/problem+json" not in content:
            return set()
        schema = _own(content["application/problem+json"]["schema"])
        return set(schema["allOf"][1]["properties"]["code"]["enum"])

    def violations(self, route: str, answer: Answer) -> list[str]:
        """Where a response differs from what the document promises for the route."""
        place = f"{self.routes[route]}/responses"
        if str(answer.status) not in self.at(place):
            return [f"{route} has no status {answer.status} in the document"]
        response = self.at(f"{place}/{answer.status}")
        found = list(self._header_violations(response, answer))
        if answer.media_type not in response["content"]:
            return [*found, f"{answer.status} has no media type {answer.media_type!r}"]
        schema = _own(response["content"][answer.media_type]["schema"])
        try:
            return [*found, *self.schema_violations(schema, answer.json)]
        except ValueError as error:
            return [*found, f"the body is not JSON: {error}"]

    def request_violations(self, route: str, body: Any) -> list[str]:
        """Where a request's body differs from what the document requires for the route."""
        content = self.at(f"{self.routes[route]}/requestBody/content")
        return self.schema_violations(content["application/json"]["schema"], body)

    def schema_violations(self, schema: Any, value: Any) -> list[str]:
        """Where a value does not satisfy a schema of the document."""
        validator = Draft202012Validator(_absolute(schema), registry=self._registry)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def _header_violations(self, response: Any, answer: Answer) -> Iterator[str]:
        for name, reference in response.get("headers", {}).items():
            header = self._resolved(reference)
            value = answer.headers.get(name.lower())
            if value is not None:
                for violation in self.schema_violations(header["schema"], value):
                    yield f"header {name}: {violation}"
            elif header["required"]:
                yield f"header {name} is missing"

    def _media_types(self) -> Iterator[str]:
        for operation in self.routes.values():
            holders = [f"{operation}/responses/{s}" for s in self.at(f"{operation}/responses")]
            if "requestBody" in self.at(operation):
                holders.append(f"{operation}/requestBody")
            for holder in holders:
                for media_type in self.at(holder)["content"]:
                    yield f"{holder}/content/{_escape(media_type)}"

    def _resolved(self, node: Any) -> Any:
        if isinstance(node, dict) and str(node.get("$ref", "")).startswith("#/"):
            return self.at(node["$ref"][1:])
        return node


@cache
def load() -> Document:
    """The document of this project."""
    return Document(yaml.safe_load(DOCUMENT.read_text(encoding="utf-8")))


def _own(schema: Any) -> Any:
    """The part of a response's schema that its media type really has.

    For generators that read one media type per status, a problem's schema has API Gateway's body
    as its second alternative, which the service never sends as a problem.
    """
    alternatives = schema.get("oneOf", ())
    gateway = {"$ref": "#/components/schemas/GatewayAnswer"}
    return alternatives[0] if gateway in alternatives else schema


def _absolute(node: Any) -> Any:
    """A schema whose references name the document, so that it can be used outside of it."""
    if isinstance(node, dict):
        return {
            key: f"{_URI}{value}"
            if key == "$ref" and str(value).startswith("#/")
            else _absolute(value)
            for key, value in node.items()
        }
    if isinstance(node, list):
        return [_absolute(item) for item in node]
    return node


def _escape(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _unescape(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")
