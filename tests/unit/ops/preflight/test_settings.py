"""Checks of samconfig.toml and of the access policy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ops.preflight.settings import examples
from tests.support.edge import EMPTY_SHA256
from tests.unit.ops.preflight.conftest import ACCOUNT, Site
from tools.sam_template import ROOT

POLICIES = ROOT / "functions" / "issuer" / "policies"


def test_a_ready_checkout_passes(site: Site) -> None:
    for name in ("examples", "parameters", "origins", "policy"):
        assert {result.status for result in site.results(name)} == {"ok"}, name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AllowedOrigins", "https://calls.acme.test,https://calls.example.com"),
        ("AlarmEmail", "EXAMPLE"),
        ("AlarmEmail", "operators@example.org"),
        ("ServerSecretArn", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego-AbCdEf"),
        ("ServerSecretKmsKeyArn", "arn:aws:kms:eu-west-1:123456789012:key/EXAMPLE"),
    ],
)
def test_an_example_in_a_parameter_is_a_failure(site: Site, name: str, value: str) -> None:
    site.parameters[name] = value
    config, policy = site.results("examples")
    assert (config.status, config.of, policy.status) == ("failed", "samconfig.toml", "ok")
    assert f"{name} ({value})" in config.seen


@pytest.mark.parametrize("stage", ["dev", "staging", "prod"])
def test_the_policies_of_this_repository_are_examples(site: Site, stage: str) -> None:
    site.parameters["Stage"] = stage
    shutil.copy(POLICIES / f"{stage}.toml", site.policy.with_name(f"{stage}.toml"))
    config, policy = site.results("examples")
    assert (config.status, policy.status, policy.of) == ("ok", "failed", f"{stage}.toml")
    for key in ("identities.web.issuer", "identities.web.jwks_uri", "identities.backend.role"):
        assert key in policy.seen


def test_the_environments_of_this_repository_contain_examples(site: Site) -> None:
    site.write()
    text = (ROOT / "samconfig.toml").read_text(encoding="utf-8")
    plan = site.plan()
    (site.root / "samconfig.toml").write_text(text, encoding="utf-8")
    for name in ("dev", "staging", "prod"):
        environment = type(plan.environment).read(site.root, name)
        shutil.copy(POLICIES / f"{name}.toml", site.policy.with_name(f"{name}.toml"))
        statuses = [result.status for result in examples.run(type(plan)(environment))]
        assert statuses == ["failed", "failed"], name


def test_the_examples_of_a_policy_may_contain_anything(site: Site) -> None:
    with site.policy.open("a", encoding="utf-8") as file:
        file.write('[[examples]]\ncaller = "x"\nclaims = { email = "alice@example.com" }\n')
    assert {result.status for result in site.results("examples")} == {"ok"}


def test_parameters_that_the_template_refuses_are_failures(site: Site) -> None:
    site.parameters |= {"AllowedOrigins": "https://calls.acme.test/", "Stagee": "prod"}
    unknown, form = site.results("parameters")
    assert (unknown.status, form.status) == ("failed", "failed")
    assert unknown.seen == "Stagee: there is no such parameter"
    assert "with no path and no wildcard" in form.seen
    assert "parameter_overrides" in form.remedy


def test_a_python_without_the_packages_skips_the_check(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho ModuleNotFoundError: no x >&2; exit 1\n", encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    result = site.result("parameters")
    assert result.status == "skipped"
    assert "make preflight STAGE=prod" in result.remedy


def test_localhost_is_a_warning_in_prod_alone(site: Site) -> None:
    site.parameters["AllowedOrigins"] += ",http://localhost:3000"
    assert site.result("origins").status == "warning"
    site.parameters["Stage"] = "dev"
    assert site.result("origins").status == "ok"


def test_an_invalid_policy_is_a_failure(site: Site) -> None:
    site.policy.write_text("[identities.web]\nissuer = 5\n", encoding="utf-8")
    assert {result.status for result in site.results("policy")} == {"failed"}
    assert "prod.toml" in site.results("policy")[0].seen


def test_a_policy_without_rules_is_a_warning(site: Site) -> None:
    role = f'role = "arn:aws:iam::{ACCOUNT}:role/operators"'
    site.policy.write_text(f"[identities.operators]\n{role}\n", encoding="utf-8")
    result = site.result("policy")
    assert (result.status, "no one gets a token" in result.seen) == ("warning", True)


def test_an_empty_account_or_digest_in_a_parameter_is_a_failure(site: Site) -> None:
    for name, value in (
        ("SecretReaderAccounts", "444455556666,"),
        ("OriginHeaderSha256", EMPTY_SHA256),
    ):
        site.parameters[name] = value
        result = site.result("parameters")
        assert (result.status, "empty" in result.seen) == ("failed", True), name
        del site.parameters[name]


def test_a_missing_policy_is_a_failure(site: Site) -> None:
    site.policy.unlink()
    result = site.result("policy")
    assert result.seen == "functions/issuer/policies/prod.toml does not exist."


def test_without_a_stage_the_policy_is_not_known(site: Site) -> None:
    del site.parameters["Stage"]
    for name in ("policy", "examples"):
        result = site.result(name)
        assert (result.status, "Stage=prod" in result.remedy) == ("skipped", True)
