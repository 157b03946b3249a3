"""Sends generated requests to the whole local stack: schemathesis, by docs/openapi.yaml.

The stack is a new one, on free ports of this machine. Its gateway does not throttle, and its policy
grants every lifetime, so that each request that the document allows can be granted.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from local.access_policy import DEVELOPMENT, LocalPolicy
from local.aws.http_api import ApiGateway
from local.identity_provider import IdentityProvider
from local.stack import LocalStack
from tests.contract.openapi import DOCUMENT, load
from tests.support.routes import UNTHROTTLED
from zego.token04 import MAX_LIFETIME_SECONDS

INVARIANT: Final = (
    "Each response is as the OpenAPI document says: valid requests are granted, invalid ones are"
    " refused, none fails; no refusal and no log line has a secret, a token or a stack trace."
)
CONFIGURATION: Final = Path(__file__).with_name("schemathesis.toml")
BACKEND: Final = "local-backend"
USERS: Final = ("alice", "bob", "auth0|carol")
DAY: Final = 86400
#: A run without a time sends at most so many requests of each kind to each route.
EXAMPLES: Final = 100
#: After so many requests to a route, one must have been granted.
ENOUGH: Final = 20
#: What no line of the log may contain: a token, a JWT or a stack trace.
REVEALING: Final = re.compile(r"04AAAA[\w+/]{40}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}|Traceback")


@dataclass
class ApiReport:
    """What a run found.

    :ivar routes: for each route of the document, how often each status came.
    :ivar others: the requests with other methods.
    :ivar findings: a sentence each.
    :ivar output: what schemathesis printed, with a curl command for each of its failures.
    """

    routes: dict[str, dict[str, int]] = field(default_factory=dict)
    others: int = 0
    findings: list[str] = field(default_factory=list)
    output: str = ""
    seconds: float = 0.0

    @property
    def cases(self) -> int:
        """All requests."""
        return self.others + sum(sum(statuses.values()) for statuses in self.routes.values())


def fuzz(*, seed: int, seconds: int | None = None, runs: int | None = None) -> ApiReport:
    """Send generated requests.

    :param seconds: for how long. Begins with the examples and the bounds of the document.
    :param runs: instead, how many requests to each route, without the bounds of the document.
    """
    if runs is None:
        options = ["--max-time", str(seconds), "--max-examples", str(EXAMPLES)]
    else:
        options = ["--phases", "examples,fuzzing", "--max-examples", str(runs)]
    report = ApiReport()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-api-") as name, _service(Path(name)) as service:
        folder, url, stack = Path(name), service.url, service.stack
        counts, access_file = folder / "counts.json", folder / "access.json"
        access = service.access(counts)
        access_file.write_text(json.dumps(access), encoding="utf-8")
        command = [str(Path(sys.prefix, "bin", "schemathesis")), "--no-color"]
        command += ["--config-file", str(CONFIGURATION), "run", str(DOCUMENT), "--url", url]
        done = subprocess.run(
            [*command, "--seed", str(seed), *options],
            env=os.environ
            | {"ZEGO_FUZZ_ACCESS": str(access_file), "HYPOTHESIS_STORAGE_DIRECTORY": name},
            capture_output=True,
            text=True,
            check=False,
        )
        report.output = done.stdout + done.stderr
        if done.returncode != 0:
            report.findings.append(
                "Schemathesis found failures, or did not finish: see its output."
            )
        if counts.exists():
            _count(report, json.loads(counts.read_text(encoding="utf-8")))
        log = stack.function_log.read_text(encoding="utf-8")
        report.findings += _in_the_log(log, access["secrets"])
    report.findings += _not_covered(report)
    report.seconds = time.monotonic() - started
    return report


@dataclass(frozen=True)
class _Service:
    stack: LocalStack
    url: str

    def access(self, counts: Path) -> dict[str, Any]:
        """The fields of :class:`tests.fuzz.api_hooks.Access`."""
        provider, key = self.stack.identity_provider, self.stack.access_key
        users = [_bearer(provider, user) for user in USERS]
        backends = [_bearer(provider, BACKEND)]
        bad = _bad(provider)
        parts = {part for one in (*users, *backends, *bad) if one for part in one.split(".")[1:]}
        secrets = [
            self.stack.secrets_manager.server_secret,
            key.secret_access_key,
            *(one.secret_access_key for one in self.stack.function_keys.values()),
            *(part for part in parts if len(part) > 24),
        ]
        return {
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret_access_key,
            "region": self.stack.region,
            "users": users,
            "backends": backends,
            "bad": bad,
            "secrets": secrets,
            "counts": str(counts),
        }


@contextlib.contextmanager
def _service(folder: Path) -> Iterator[_Service]:
    policy = re.sub(
        r"(max_lifetime_seconds = )\d+",
        rf"\g<1>{MAX_LIFETIME_SECONDS}",
        DEVELOPMENT.read_text(encoding="utf-8"),
    )
    (folder / "policy.toml").write_text(policy, encoding="utf-8")
    with LocalStack(
        directory=folder / "stack",
        workers=2,
        watch_seconds=None,
        policy=LocalPolicy(folder / "policy.toml"),
    ) as stack:
        gateway = ApiGateway(
            stack.function,
            routes=UNTHROTTLED,
            region=stack.region,
            access_keys=[stack.access_key],
        )
        with gateway:
            yield _Service(stack, gateway.url)


def _bearer(provider: IdentityProvider, user: str, **changes: object) -> str:
    """A bearer that outlives the run."""
    claims = provider.claims(user)
    return f"Bearer {provider.sign(claims | {'exp': claims['iat'] + DAY} | changes)}"


def _bad(provider: IdentityProvider) -> list[str | None]:
    """Bearers that are refused: expired, of others, altered, unsigned, and other texts."""
    claims = provider.claims("alice")
    foreign = IdentityProvider()
    body, _, signature = _bearer(provider, "alice").rpartition(".")
    return [
        None,
        "Bearer",
        "Bearer opaque",
        "Basic YWxpY2U6",
        _bearer(provider, "alice", exp=claims["iat"] - DAY),
        _bearer(provider, "alice", nbf=claims["iat"] + DAY),
        _bearer(provider, "alice", aud="another-service"),
        _bearer(provider, "alice", iss="https://login.example.com/"),
        f"Bearer {foreign.sign(claims)}",
        f"Bearer {provider.sign(claims, algorithm='HS256', kid='shared', key=b'k' * 32)}",
        f"Bearer {provider.sign(claims, algorithm='none', key='')}",
        f"{body}.{signature[::-1]}",
    ]


def _count(report: ApiReport, counts: dict[str, dict[str, int]]) -> None:
    routes = load().routes
    report.routes = {route: counts.get(route, {}) for route in routes}
    report.others = sum(sum(counts[route].values()) for route in counts.keys() - routes.keys())


def _not_covered(report: ApiReport) -> Iterator[str]:
    for route in load().routes:
        statuses = report.routes.get(route, {})
        if not statuses:
            yield f"{route} got no request."
        elif (
            not any(status.startswith("2") for status in statuses)
            and sum(statuses.values()) > ENOUGH
        ):
            yield f"{route} granted no request."


def _in_the_log(log: str, secrets: list[str]) -> Iterator[str]:
    for number, line in enumerate(log.splitlines(), start=1):
        if found := REVEALING.search(line):
            yield f"Line {number} of the issuer's log contains {found.group()[:12]!r}."
        for secret in secrets:
            if secret in line:
                yield f"Line {number} of the issuer's log contains a secret or a bearer."
        try:
            json.loads(line)
        except ValueError:
            yield f"Line {number} of the issuer's log is not JSON."
