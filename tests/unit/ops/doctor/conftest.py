"""A healthy deployment, in which tests cause problems, and the doctor's results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from local.aws.secrets_manager import SecretsManager
from local.aws.secrets_manager.rotation import RotationDriver
from ops.checklist.check import CheckResult, examine
from ops.doctor.command import checks
from ops.doctor.deployment import Deployment, DoctorOptions
from ops.target import Target, TargetOptions
from tests.unit.ops.doctor.fakes import API, ORIGIN, POLICY, Issuer, Session
from zego.secret_store.versions import SecretState

CHECKS = checks()


@dataclass
class Patient:
    """The deployment to examine; a test changes it before it requests a result.

    :ivar connect: an error to raise instead of finding the secret.
    :ivar state: overrides what Secrets Manager returns for the secret.
    :ivar seconds_later: how much later it is examined.
    """

    target: Target
    issuer: Issuer
    session: Session
    target_options: TargetOptions
    options: DoctorOptions
    connect: Exception | None = None
    state: dict[str, Any] = field(default_factory=dict)
    #: The time of every check, however slow the machine is.
    now: float = field(default_factory=time.time)
    seconds_later: float = 0.0

    def examined(self) -> dict[str, list[CheckResult]]:
        """The results by check, in the order of the checks."""
        deployment = self.deployment()
        found: dict[str, list[CheckResult]] = {check.name: [] for check in CHECKS}
        chosen = checks(without_secret=self.options.without_secret)
        for check, result in examine(deployment, chosen):
            found[check.name].append(result)
        return found

    def results(self, name: str) -> list[CheckResult]:
        """The results of one check."""
        return self.examined()[name]

    def result(self, name: str) -> CheckResult:
        """The result of a check that has only one."""
        (result,) = self.results(name)
        return result

    def deployment(self) -> Deployment:
        def connect(_wanted: TargetOptions, _session: object) -> Target:
            if self.connect is not None:
                raise self.connect
            return self.target

        deployment = Deployment(
            self.target_options,
            self.options,
            open_session=lambda _wanted: self.session,  # type: ignore[arg-type, return-value]  # a double
            connect=connect,
            send=self.issuer,
            clock=lambda: self.now + self.seconds_later,
        )
        if self.state:
            state: SecretState = replace(self.target.versions.describe(), **self.state)
            vars(deployment)["state"] = state
        return deployment


@pytest.fixture
def issuer(aws: SecretsManager) -> Issuer:
    return Issuer(aws.server_secret)


@pytest.fixture
def patient(
    aws: SecretsManager, target: Target, issuer: Issuer, tmp_path: Path
) -> Iterator[Patient]:
    """A deployment without a problem."""
    policy = tmp_path / "prod.toml"
    policy.write_bytes(POLICY)
    here = replace(target, name="--stage prod", region="eu-west-1", api=API)
    options = DoctorOptions(policy=policy, origins=(ORIGIN,))
    with RotationDriver(aws, lambda _event: pytest.fail("not run"), background=False):
        yield Patient(here, issuer, Session(), TargetOptions(stage="prod"), options)


@pytest.fixture
def env_file(patient: Patient, tmp_path: Path) -> Callable[[str], Path]:
    """Writes a .env file and adds it to the doctor's options."""

    def write(text: str) -> Path:
        path = tmp_path / ".env"
        path.write_text(text, encoding="utf-8")
        patient.options = replace(patient.options, env_files=(path,))
        return path

    return write
