"""Behind an edge, the issuer accepts only requests with the header that the edge adds.

``tests/local/test_edge.py`` sends such requests over HTTP.
"""

from __future__ import annotations

import pytest

from tests.support.application import Answer, Application, bearer, event
from tests.support.edge import HEADER, NEW, NEW_SHA256, OLD, OLD_SHA256
from tests.support.routes import TOKENS
from tests.support.table import table
from tests.unit.issuer.conftest import StartApplication


@pytest.fixture
def issuer(start: StartApplication) -> Application:
    """The issuer while the header is being replaced."""
    return start(ORIGIN_HEADER_SHA256=f"{OLD_SHA256},{NEW_SHA256}")


def ask(issuer: Application, value: str | None) -> Answer:
    """The response to alice, with the header's value as API Gateway passes it on."""
    asked = event(TOKENS, bearer=bearer())
    if value is not None:
        asked["headers"][HEADER] = value
    return issuer.handle(asked)


@pytest.mark.parametrize("value", [OLD, NEW])
def test_both_values_are_accepted_while_one_replaces_the_other(
    issuer: Application, value: str
) -> None:
    assert ask(issuer, value).status == 201


@table(
    "value",
    [
        None,
        "",
        "new-0123456789-0123456789-0123456789-012346",
        NEW_SHA256,
        f"{NEW},{NEW}",
        f"{OLD},{NEW}",
        f"x,{NEW}",
        f" {NEW}",
        NEW.upper(),
        f"{NEW}\ud800",
    ],
)
def test_every_other_value_is_refused(issuer: Application, value: str | None) -> None:
    answer = ask(issuer, value)
    assert answer.status == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.document["code"] == "edge_required"


@table("value", [None, 5, [NEW], {"value": NEW}])
def test_a_value_that_is_not_text_is_refused(issuer: Application, value: object) -> None:
    asked = event(TOKENS, bearer=bearer())
    asked["headers"][HEADER] = value
    answer = issuer.handle(asked)
    assert (answer.status, answer.document["code"]) == (403, "edge_required")


def test_the_old_value_is_refused_once_its_digest_is_removed(start: StartApplication) -> None:
    issuer = start(ORIGIN_HEADER_SHA256=NEW_SHA256)
    assert ask(issuer, NEW).status == 201
    assert ask(issuer, OLD).document["code"] == "edge_required"


def test_without_a_digest_the_header_means_nothing(start: StartApplication) -> None:
    issuer = start()
    assert ask(issuer, None).status == 201
    assert ask(issuer, "anything").status == 201


def test_a_refused_request_is_counted_and_nothing_else_is_done(issuer: Application) -> None:
    ask(issuer, "stranger")
    assert issuer.audit_events() == []
    assert (issuer.jwks.requests, issuer.secrets_manager.requests) == ([], [])
    (line,) = issuer.lines()
    assert (line["code"], line["ExchangesRefused"]) == ("edge_required", [1.0])
    assert "stranger" not in issuer.output()


def test_the_header_is_in_no_log_line_and_no_response(issuer: Application) -> None:
    answers = [ask(issuer, OLD), ask(issuer, f"{OLD},{NEW}")]
    for text in (issuer.output(), *(answer.text for answer in answers)):
        assert OLD not in text
        assert NEW not in text
        assert HEADER not in text
