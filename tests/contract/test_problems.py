"""The document's table of problems is the service's table of problems."""

from __future__ import annotations

from issuer.problems import PROBLEMS, Problem
from tests.contract.openapi import ProblemRow, load
from tests.support.table import table

DOCUMENT = load()


def test_the_document_has_the_codes_of_the_service_in_its_order() -> None:
    assert list(DOCUMENT.problems) == list(PROBLEMS)


@table("code", PROBLEMS)
def test_a_code_has_the_status_title_and_retryable_of_the_document(code: str) -> None:
    kind = PROBLEMS[code]
    assert DOCUMENT.problems[code] == ProblemRow(kind.status, kind.title, kind.retryable)


@table("code", PROBLEMS)
def test_a_problem_of_each_code_satisfies_the_schema(code: str) -> None:
    body = Problem(code, "Made up.", field="room_id").document("https://tokens.example.com")
    body |= {"request_id": "made-up"}
    assert DOCUMENT.schema_violations({"$ref": "#/components/schemas/Problem"}, body) == []
