"""`zego-token doctor` against the running local stack."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import issuer
from local.access_policy import LocalPolicy
from local.aws.http_api import ROUTES, ApiGateway
from local.stack import LocalStack
from tests.support.edge import NEW, NEW_SHA256, Edge

COMMAND = Path(sys.executable).with_name("zego-token")
#: The beginning of every token: until 2242, its expiry begins with zeros.
BEGINNING = "04AAAA"
PIPELINE_ROLE = "arn:aws:iam::111122223333:role/zego-token-pipeline-prod"


@dataclass(frozen=True)
class Found:
    """The doctor's results.

    :ivar results: by check, each as ``--json`` has it.
    """

    exit_code: int
    results: dict[str, list[dict[str, Any]]]

    def statuses(self, *names: str) -> list[str]:
        """The status of each of these checks' first results."""
        return [self.results[name][0]["status"] for name in names]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    directory = tmp_path_factory.mktemp("local")
    with LocalStack(directory=directory, watch_seconds=None) as stack:
        yield stack


def doctor(stack: LocalStack, *words: str | Path, stdin: str = "") -> Found:
    done = subprocess.run(
        [COMMAND, "doctor", "--local", stack.file, "--json", *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert BEGINNING not in done.stdout
    *said, summary = (json.loads(line) for line in done.stdout.splitlines())
    assert summary["exit_code"] == done.returncode
    results: dict[str, list[dict[str, Any]]] = {}
    for one in said:
        results.setdefault(one["check"], []).append(one)
    return Found(done.returncode, results)


def test_a_new_stack_passes_all_checks(stack: LocalStack, tmp_path: Path) -> None:
    aws, kept = stack.secrets_manager, tmp_path / ".env"
    kept.write_text(f"ZEGO_APP_ID={aws.app_id}\nZEGO_SERVER_SECRET={aws.server_secret}\n")
    found = doctor(
        stack,
        *("--origin", stack.page.url),
        *("--policy", stack.policy_file),
        *("--app-id", str(aws.app_id)),
        *("--env-file", kept),
    )
    assert found.exit_code == 0
    statuses = {one["status"] for results in found.results.values() for one in results}
    assert statuses == {"ok", "note"}
    assert len(found.results) > 20


def test_a_frontends_bearer_token_obtains_a_token_too(stack: LocalStack) -> None:
    bearer = stack.identity_provider.bearer("alice")
    found = doctor(stack, "--bearer-file", "-", stdin=bearer)
    assert found.exit_code == 0
    assert found.results["token"][0]["seen"].startswith("user alice may enter room call_doctor_")
    refused = doctor(stack, "--bearer-file", "-", "--room", "bob_desk", stdin=bearer)
    assert (refused.exit_code, refused.statuses("token")) == (0, ["skipped"])


def test_behind_an_edge_the_doctor_uses_the_public_address(tmp_path: Path) -> None:
    with (
        LocalStack(directory=tmp_path, environment={"ORIGIN_HEADER_SHA256": NEW_SHA256}) as stack,
        Edge(stack.api.url, NEW) as edge,
    ):
        stack.tick()
        found = doctor(stack, "--api", edge.url)
        past = doctor(stack)
    statuses = {one["status"] for results in found.results.values() for one in results}
    assert (found.exit_code, statuses) == (0, {"ok", "note"})
    (health,) = past.results["health"]
    assert health["seen"] == "GET /v1/health returned HTTP 403, edge_required."
    assert "Compare --api with the stack's output ApiUrl" in health["remedy"]


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[LocalStack]:
    """A stack with the sample policy of prod, whose caller is the pipeline's role."""
    samples = Path(issuer.__file__).parent / "policies"
    policy = (samples / "prod.toml").read_text(encoding="utf-8")
    policy = policy.replace(PIPELINE_ROLE, "arn:aws:iam::000000000000:role/LocalBackend")
    policy = re.sub(r"https://login\.example\.com/?", "{identity_provider}", policy, count=1)
    policy = policy.replace("https://login.example.com", "{identity_provider}")
    file = tmp_path / "policy.toml"
    file.write_text(policy, encoding="utf-8")
    directory = tmp_path / "local"
    directory.mkdir()
    with LocalStack(directory=directory, policy=LocalPolicy(file)) as stack:
        yield stack


def test_a_pipeline_proves_a_deployment_without_the_secret(pipeline: LocalStack) -> None:
    pipeline.tick()
    found = doctor(pipeline, "--without-secret")
    statuses = {one["status"] for results in found.results.values() for one in results}
    assert (found.exit_code, statuses) == (0, {"ok", "note"})
    assert ", for 1 min: the issuer opens it with AWSCURRENT" in found.results["token"][0]["seen"]
    assert "secret" not in found.results
    assert found.statuses("anonymous", "forged-bearer", "not-granted", "made-up") == ["ok"] * 4


def test_checks_that_a_stranger_may_not_make_are_skipped(stack: LocalStack) -> None:
    arn = stack.access_key.user_arn.replace("LocalBackend", "Stranger")
    key = replace(stack.access_key, user_arn=arn)
    with ApiGateway(stack.function, region=stack.region, access_keys=[key]) as gateway:
        policy = doctor(stack, "--api", gateway.url)
    with ApiGateway(stack.function, region=stack.region, access_keys=[]) as gateway:
        url = gateway.url
        iam = doctor(stack, "--api", url)
    for found in (policy, iam):
        assert found.exit_code == 0
        assert found.statuses("health", "status", "token") == ["ok", *["skipped"] * 2]
    assert "read_status" in policy.results["status"][0]["remedy"]
    assert "execute-api:Invoke" in iam.results["status"][0]["remedy"]
    gone = doctor(stack, "--api", url)
    assert (gone.exit_code, gone.statuses("health", "verdict")) == (1, ["failed", "ok"])


def test_a_route_without_iam_is_a_failure(stack: LocalStack) -> None:
    """The issuer still refuses such a request, but API Gateway lets everyone in."""
    open_routes = [replace(route, auth="NONE") for route in ROUTES]
    keys = [stack.access_key]
    with ApiGateway(
        stack.function, region=stack.region, access_keys=keys, routes=open_routes
    ) as gateway:
        found = doctor(stack, "--api", gateway.url)
    results = found.results["anonymous"]
    assert found.exit_code == 1
    assert {one["of"]: one["seen"] for one in results} == {
        route.key: "Not refused for this: HTTP 401, iam_identity_missing."
        for route in ROUTES
        if route.auth == "AWS_IAM"
    }


def test_a_reset_secret_fails_the_verdict_and_the_token(stack: LocalStack) -> None:
    stack.zego.project.reset(keep_old=False)
    found = doctor(stack)
    assert found.exit_code == 1
    assert found.statuses("value", "fingerprint", "verdict", "token") == [
        *["ok"] * 2,
        *["failed"] * 2,
    ]
    remedy = found.results["verdict"][0]["remedy"]
    assert f"\n  zego-token secret rotate --local {stack.file}" in remedy
