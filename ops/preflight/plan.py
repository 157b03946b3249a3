"""A deployment that is planned: an environment of samconfig.toml, and what AWS already has of it.

Everything is read at most once.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import boto3
from botocore.exceptions import ClientError, NoRegionError

from ops.checklist.check import CannotCheckError
from ops.errors import InputError, explain, is_denied, reason
from ops.target import AwsService, TargetOptions, client_of, open_session

CONFIG: Final = "samconfig.toml"
_NOT_HERE: Final = (
    "Use it in the root of a checkout of zego-token-service: make preflight STAGE=prod."
)


_LONG_FORM: Final = re.compile(r"ParameterKey=([^,]+),ParameterValue=(.*)")


class Arn(NamedTuple):
    """The parts of an ARN."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def of(cls, text: str) -> Self | None:
        """The parts; ``None`` if the text is not an ARN."""
        prefix, *parts = text.split(":", 5)
        return cls(*parts) if prefix == "arn" and len(parts) == 5 else None


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment of samconfig.toml, as ``sam deploy --config-env`` reads it.

    :ivar root: the folder with samconfig.toml.
    :ivar stack: the stack's name.
    :ivar region: ``None``: the shell's.
    :ivar profile: the AWS profile; ``None``: the shell's.
    :ivar parameters: the parameters of the template that are set.
    """

    root: Path
    name: str
    stack: str
    region: str | None
    profile: str | None
    parameters: Mapping[str, str]

    @classmethod
    def read(cls, root: Path, name: str) -> Self:
        """:raises InputError: there is no samconfig.toml, or it has no such environment."""
        if not (root / CONFIG).exists():
            raise InputError(f"There is no {CONFIG} here.", _NOT_HERE)
        config = _toml(root / CONFIG)
        section = _table(config, name)
        settings = _table(section, "global", "parameters") | _table(section, "deploy", "parameters")
        stack = settings.get("stack_name")
        if not isinstance(stack, str):
            raise InputError(
                f"{CONFIG} has no environment {name} with a stack_name.",
                f"Use one of these environments: {', '.join(environments(root))}.",
            )
        region, profile = (settings.get(key) for key in ("region", "profile"))
        return cls(
            root,
            name,
            stack,
            region if isinstance(region, str) else None,
            profile if isinstance(profile, str) else None,
            dict(_overrides(root, settings.get("parameter_overrides", []))),
        )

    @property
    def stage(self) -> str | None:
        """The template's stage, which selects the access policy."""
        return self.parameters.get("Stage")

    @property
    def policy(self) -> Path:
        """The access policy that is deployed.

        :raises CannotCheckError: no stage is set.
        """
        if self.stage is None:
            raise CannotCheckError(
                f"{CONFIG} sets no Stage.", f'Add "Stage={self.name}" to parameter_overrides.'
            )
        return self.root / "functions" / "issuer" / "policies" / f"{self.stage}.toml"

    @property
    def makes_secret(self) -> bool:
        """Whether the stack creates the secret."""
        return not self.parameters.get("ServerSecretArn")

    @property
    def owns_rotation(self) -> bool:
        """Whether the stack rotates the secret."""
        return self.makes_secret or self.parameters.get("RotateGivenSecret") == "Yes"


def environments(root: Path) -> list[str]:
    """The environments of samconfig.toml.

    :raises InputError: it cannot be read.
    """
    config = _toml(root / CONFIG)
    return [name for name in config if _table(config, name, "deploy")]


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path.name} is not TOML: {error}.") from None
    except RecursionError:
        raise InputError(f"{path.name} is not TOML: it is nested too deeply.") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name} cannot be read: {reason(error)}.") from None


def _table(config: Any, *keys: str) -> dict[str, Any]:
    """A table within a table; empty if it is missing."""
    for key in keys:
        config = config.get(key) if isinstance(config, dict) else None
    return config if isinstance(config, dict) else {}


def _overrides(root: Path, given: Any) -> Iterator[tuple[str, str]]:
    """The names and values of ``parameter_overrides``: a table, a text, or a list of texts."""
    if isinstance(given, Mapping):
        for name, value in given.items():
            values = value if isinstance(value, list) else [value]
            yield name, ",".join(map(str, values))
        return
    texts = given if isinstance(given, list) else [given]
    for word in (word for text in texts for word in _words(str(text))):
        if (long := _LONG_FORM.fullmatch(word)) is not None:
            yield long[1], long[2]
        elif word.startswith("file://"):
            path = root / word.removeprefix("file://")
            if path.exists():  # the build, which comes later, writes one
                yield from _overrides(root, _toml(path))
        else:
            name, is_pair, value = word.partition("=")
            if not is_pair:
                raise InputError(
                    f"{word!r} in parameter_overrides of {CONFIG} is not NAME=VALUE.",
                    "In a list there is no blank after a comma.",
                )
            yield name, value


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise InputError(f"parameter_overrides in {CONFIG} has an unbalanced quote.") from None


class Stack(NamedTuple):
    """The stack in AWS."""

    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def is_changing(self) -> bool:
        """Whether CloudFormation works on it. A change set that was not executed does not count."""
        return self.status.endswith("IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


@dataclass(eq=False)
class Plan:
    """An environment, and the account and region to which it is deployed.

    Reading an attribute raises the error that makes it unavailable: :class:`CannotCheckError` if
    a permission is missing.

    :ivar profile: the AWS profile of the command line.
    """

    environment: Environment
    profile: str | None = None

    @property
    def parameters(self) -> Mapping[str, str]:
        return self.environment.parameters

    @cached_property
    def policy(self) -> Mapping[str, Any]:
        """The access policy, unchecked; empty if it cannot be read: the check `policy` says so."""
        try:
            return tomllib.loads(self.environment.policy.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError, CannotCheckError):
            return {}

    @property
    def identities(self) -> Mapping[str, Mapping[str, Any]]:
        """The identities of the access policy, unchecked."""
        found = self.policy.get("identities")
        named = found.items() if isinstance(found, dict) else ()
        return {name: one for name, one in named if isinstance(one, dict)}

    @cached_property
    def session(self) -> boto3.Session:
        profile = self.profile or self.environment.profile
        return open_session(TargetOptions(profile=profile, region=self.environment.region))

    @property
    def shell_region(self) -> str | None:
        """The region that commands use without ``--region``."""
        return open_session(TargetOptions(profile=self.profile)).region_name

    @property
    def region(self) -> str:
        """:raises NoRegionError: no region is set."""
        region = self.session.region_name
        if region is None:
            raise NoRegionError
        return region

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        """Whose the credentials are."""
        return self.call("sts", "get_caller_identity")

    @property
    def account(self) -> str:
        return str(self.identity["Account"])

    @cached_property
    def stack(self) -> Stack | None:
        """The stack; ``None`` if it does not exist yet."""
        try:
            stacks = self.call(
                "cloudformation", "describe_stacks", StackName=self.environment.stack
            )
        except ClientError as error:
            if error_code(error) == "ValidationError":
                return None
            raise
        found = stacks["Stacks"][0]
        return Stack(
            found["StackStatus"],
            {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", ())},
            {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", ())},
        )

    @property
    def secret_id(self) -> str:
        """The ARN of the given secret, or the name of the one that the stack creates."""
        return self.parameters.get("ServerSecretArn") or f"{self.environment.stack}/server-secret"

    @property
    def secret_region(self) -> str:
        arn = Arn.of(self.secret_id)
        return arn.region if arn else self.region

    @cached_property
    def secret(self) -> Mapping[str, Any] | None:
        """The secret without its value; ``None`` if it does not exist."""
        return self.described(self.secret_id)

    def described(self, secret: str) -> Mapping[str, Any] | None:
        """A secret without its value; ``None`` if it does not exist.

        :param secret: its ARN, or its name in the stack's account and region.
        """
        arn = Arn.of(secret)
        region = arn.region if arn else self.region
        try:
            return self.call("secretsmanager", "describe_secret", region, SecretId=secret)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return None
            raise

    def call(
        self, service: AwsService, action: str, region: str | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """Call AWS.

        :param action: the name of the client's method.
        :param region: ``None``: the one to which the environment is deployed.
        :raises CannotCheckError: these credentials lack the permission.
        """
        client = client_of(self.session, service, region or self.region)
        try:
            response: dict[str, Any] = getattr(client, action)(**arguments)
        except ClientError as error:
            if is_denied(error):
                raise CannotCheckError(
                    explain(error).message,
                    "To check this before the deployment, use credentials that have it.",
                ) from None
            raise
        return response

    def tool(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one of the checkout's own tools.

        :raises CannotCheckError: this Python lacks packages that the tool imports.
        """
        root = self.environment.root
        path = os.pathsep.join(str(root / part) for part in ("functions", "layers/domain", "."))
        done = subprocess.run(  # noqa: S603  this Python, and a module of the checkout
            [sys.executable, "-m", module, *arguments],
            cwd=root,
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        if "ModuleNotFoundError" in done.stderr:
            raise CannotCheckError(
                "This Python lacks the packages that the check needs.",
                f"Use those of the checkout: make preflight STAGE={self.environment.name}.",
            )
        return done


def error_code(error: ClientError) -> str:
    """The code with which AWS refused a call."""
    return str(error.response.get("Error", {}).get("Code"))
