"""A checkout that is ready to be deployed into moto's AWS, in which tests cause problems."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import boto3
import pytest
from moto import mock_aws
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from ops.checklist.check import CheckResult, examine
from ops.preflight.command import checks
from ops.preflight.plan import Environment, Plan
from tools.sam_template import ROOT

REGION: Final = "eu-west-1"
STACK: Final = "zego-token-service-prod"
ACCOUNT: Final = DEFAULT_ACCOUNT_ID
CHECKS: Final = {check.name: check for check in checks()}


@dataclass
class Site:
    """The checkout and the account; a test changes them before it requests a result.

    :ivar parameters: of the template, in the environment prod.
    :ivar settings: more of the environment's settings.
    :ivar profile: the command line's.
    :ivar quota: the account's concurrency, and how much of it is unreserved.
    :ivar own_secret: the ARN of the secret in the stack: moto's stacks cannot have one.
    :ivar denied: the operations that AWS denies.
    :ivar called: the operations that were called.
    """

    root: Path
    parameters: dict[str, str] = field(
        default_factory=lambda: {
            "Stage": "prod",
            "AllowedOrigins": "https://calls.acme.test",
            "AlarmEmail": "operators@acme.test",
        }
    )
    settings: dict[str, str] = field(default_factory=lambda: {"region": REGION})
    profile: str | None = None
    quota: tuple[int, int] = (1000, 1000)
    own_secret: str | None = None
    denied: set[str] = field(default_factory=set)
    called: set[str] = field(default_factory=set)

    def result(self, name: str) -> CheckResult:
        """The result of a check that has only one, with the checks that it needs."""
        (found,) = self.results(name)
        return found

    def results(self, name: str) -> list[CheckResult]:
        """The results of a check, with the checks that it needs."""
        wanted = [CHECKS[name]]
        for check in wanted:
            wanted += [CHECKS[need] for need in check.needs]
        found = examine(self.plan(), reversed(wanted))
        return [result for check, result in found if check.name == name]

    def write(self) -> None:
        """Write samconfig.toml."""
        overrides = [f"{name}={value}" for name, value in self.parameters.items()]
        settings = {"stack_name": STACK, "parameter_overrides": overrides} | self.settings
        lines = (f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
        text = "[prod.deploy.parameters]\n" + "".join(lines)
        (self.root / "samconfig.toml").write_text(text, encoding="utf-8")

    def plan(self) -> Plan:
        self.write()
        plan = Plan(Environment.read(self.root, "prod"), self.profile)
        plan.session.events.register("before-call", self.respond)  # type: ignore[arg-type]  # any response counts
        return plan

    def respond(self, model: Any, **_call: object) -> tuple[SimpleNamespace, Any] | None:
        """Respond instead of moto, which lacks GetAccountSettings and secrets in stacks."""
        self.called.add(f"{model.service_model.service_name}:{model.name}")
        if model.name in self.denied:
            code = "AuthorizationError" if model.name == "GetTopicAttributes" else "AccessDenied"
            return SimpleNamespace(status_code=403, headers={}), {"Error": {"Code": code}}
        if model.name == "DescribeStackResource" and self.own_secret is not None:
            found = {"PhysicalResourceId": self.own_secret}
            return SimpleNamespace(status_code=200, headers={}), {"StackResourceDetail": found}
        if model.name == "GetAccountSettings":
            quota, unreserved = self.quota
            limit = {"ConcurrentExecutions": quota, "UnreservedConcurrentExecutions": unreserved}
            return SimpleNamespace(status_code=200, headers={}), {"AccountLimit": limit}
        return None

    @property
    def policy(self) -> Path:
        return self.root / "functions" / "issuer" / "policies" / "prod.toml"

    def client(self, service: str) -> Any:
        return boto3.client(service, region_name=REGION)  # type: ignore[call-overload]  # any service

    def create_stack(
        self,
        status: str = "CREATE_COMPLETE",
        *,
        outputs: Mapping[str, str] = {},
        **parameters: str,
    ) -> None:
        """Create the stack of prod, with some of the template's parameters and outputs."""
        template = {
            "Parameters": {name: {"Type": "String"} for name in parameters},
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
        self.client("cloudformation").create_stack(
            StackName=STACK,
            TemplateBody=json.dumps(template),
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in parameters.items()
            ],
        )
        (stack,) = get_backend("cloudformation")[ACCOUNT][REGION].stacks.values()
        stack.status = status

    def create_secret(self, name: str = f"{STACK}/server-secret", **options: str) -> str:
        """Create a secret, and return its ARN."""
        created = self.client("secretsmanager").create_secret(
            Name=name, SecretString="{}", **options
        )
        return str(created["ARN"])

    def rotate_secret(self, function: str, *, is_on: bool = True) -> None:
        """Let a function rotate the only secret."""
        secret: Any
        (secret,) = get_backend("secretsmanager")[ACCOUNT][REGION].secrets.values()
        secret.rotation_requested = True
        secret.rotation_enabled, secret.rotation_lambda_arn = is_on, function


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A checkout and an account without a problem."""
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    root = tmp_path / "checkout"
    issuer = root / "functions" / "issuer"
    issuer.mkdir(parents=True)
    for source in (*ROOT.glob("functions/issuer/*"), ROOT / "functions" / "runtime"):
        if source.name != "policies":
            (root / source.relative_to(ROOT)).symlink_to(source)
    for name in ("layers", "ops", "tools"):
        (root / name).symlink_to(ROOT / name)
    site = Site(root)
    site.policy.parent.mkdir()
    text = (ROOT / "functions" / "issuer" / "policies" / "prod.toml").read_text(encoding="utf-8")
    text = text.replace("example.com", "acme.test").replace("111122223333", ACCOUNT)
    site.policy.write_text(text, encoding="utf-8")
    program = tmp_path / "bin" / "sam"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho SAM CLI, version 1.170.0\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    with mock_aws():
        yield site
