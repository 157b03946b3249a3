"""Runs the snippets of docs/frontends.md and docs/backends.md against the local stack.

In JavaScript, ZEGO's SDKs and AWS' credential chain are fakes; all other packages come from npm.
Another test checks the snippets against the types of the real SDKs. These tests need Node, and npm
to fetch the packages; without Node they are skipped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from local.loopback import post
from local.stack import LocalStack
from tests.support.node import find_node
from tools import npm_packages

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "clients" / "javascript"
DRIVERS = Path(__file__).with_name("quick_starts")
TEXT = "".join(
    (ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("frontends.md", "backends.md")
)
API = "https://tokens.example.com"
REGION = "eu-central-1"
#: The code under each heading: (language, text), in order.
SNIPPETS = {
    section.partition("\n")[0]: re.findall(r"^```(\w+)\n((?s:.*?))^```$", section, re.MULTILINE)
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
}
IN_JAVASCRIPT = ("Local stack", "Web", "UIKit", "React", "Own backend", "Tests", "Node")
#: The packages that are replaced, each with its fake.
FAKES = {
    "zego-express-engine-webrtc": "express_engine.js",
    "@zegocloud/zego-uikit-prebuilt": "uikit_prebuilt.js",
    "@aws-sdk/credential-providers": "credential_providers.js",
}
SIGNER = ("@smithy/core", "@smithy/signature-v4", "@smithy/types", "tslib")
REACT = ("react", "react-is", "react-test-renderer", "scheduler")


def module(section: str) -> str:
    """The name of the module with a snippet, without its ending."""
    return section.lower().replace(" ", "-")


def snippet(section: str, language: str) -> str:
    (text,) = [text for of, text in SNIPPETS[section] if of == language]
    return str(text)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    directory = tmp_path_factory.mktemp("stack")
    with LocalStack(directory=directory, workers=1, region=REGION, watch_seconds=None) as running:
        yield running


@pytest.fixture(scope="module")
def environment(stack: LocalStack) -> dict[str, str]:
    """The environment of a snippet: a backend's credentials, a frontend's bearer token."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    for name in ("NODE_OPTIONS", "FORCE_COLOR"):
        kept.pop(name, None)
    return kept | {
        "API": stack.api.url,
        "APP_ID": str(stack.secrets_manager.app_id),
        "AWS_ACCESS_KEY_ID": stack.access_key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stack.access_key.secret_access_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "BEARER": stack.identity_provider.bearer("alice"),
        "IDENTITY_PROVIDER": stack.identity_provider.url,
        "NO_COLOR": "1",
    }


def run(directory: Path, environment: Mapping[str, str], *command: str | Path) -> str:
    """Run a command and return its output; fail with its output if it fails."""
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"{Path(command[0]).name} failed:\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout


# --- JavaScript -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def node() -> str:
    return find_node()


def workspace(directory: Path, api: str, fetched: tuple[str, ...], *, typed: bool) -> Path:
    """A folder with the snippets as modules and the npm packages that they import.

    :param typed: whether frontends are TypeScript, as in a strict project.
    """
    (directory / "package.json").write_text('{"type": "module"}')
    for section in IN_JAVASCRIPT:
        language = "tsx" if section == "React" else "js"
        ending = "ts" if typed and language == "js" and section != "Node" else language
        text = snippet(section, language).replace(API, api)
        (directory / f"{module(section)}.{ending}").write_text(text, encoding="utf-8")
    packages = {name: npm_packages.fetch(name) for name in fetched}
    for name, files in {**packages, "zego-token-service-client": CLIENT}.items():
        link = directory / "node_modules" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(files)
    return directory


@pytest.fixture(scope="module")
def app(
    node: str,
    tmp_path_factory: pytest.TempPathFactory,
    stack: LocalStack,
    environment: Mapping[str, str],
) -> Path:
    """A folder with the snippets and with fakes of the packages that need a network."""
    directory = tmp_path_factory.mktemp("app")
    workspace(directory, stack.api.url, SIGNER + REACT, typed=False)
    tsc = (node, npm_packages.fetch("typescript") / "bin" / "tsc")
    options = ("--jsx", "react-jsx", "--module", "esnext", "--target", "es2022", "--noCheck")
    run(directory, environment, *tsc, *options, "--noResolve", "react.tsx")
    for name, fake in FAKES.items():
        package = directory / "node_modules" / name
        package.mkdir(parents=True)
        (package / "package.json").write_text('{"type": "module", "exports": "./index.js"}')
        shutil.copy(DRIVERS / fake, package / "index.js")
    for file in DRIVERS.glob("*.js"):
        shutil.copy(file, directory)
    return directory


@pytest.mark.parametrize("section", IN_JAVASCRIPT)
def test_a_javascript_snippet_works_as_described(
    node: str, app: Path, environment: Mapping[str, str], section: str
) -> None:
    links = (
        "--preserve-symlinks",
        "--preserve-symlinks-main",
    )  # all packages are in one folder
    runner = ("--test-reporter=spec", "--test-timeout=60000", "--test-force-exit")
    file = f"{module(section)}.test.js"
    report = run(app, environment, node, *links, *runner, "--test", file)
    counted = dict(re.findall(r"^\S (\w+) (\d+)$", report, re.MULTILINE))
    assert int(counted["pass"]) == int(counted["tests"]) > 1


def test_the_snippets_match_the_types_of_the_real_sdks(
    node: str, tmp_path: Path, environment: Mapping[str, str]
) -> None:
    real = ("zego-express-engine-webrtc", "@zegocloud/zego-uikit-prebuilt")
    workspace(tmp_path, API, real + SIGNER, typed=True)
    for name in ("globals.d.ts", "tsconfig.json", "tsconfig.node.json"):
        shutil.copy(DRIVERS / name, tmp_path)
    for project in ("tsconfig.json", "tsconfig.node.json"):
        tsc = npm_packages.fetch("typescript") / "bin" / "tsc"
        run(tmp_path, environment, node, tsc, "--project", project)


@pytest.mark.parametrize("section", ["Web", "UIKit", "Node"])
def test_the_install_command_lists_every_import(section: str) -> None:
    named = {
        "zego-token-service-client" if word == "./zego-token-service-client-*.tgz" else word
        for word in snippet(section, "sh").split()[2:]
    }
    imported = set(re.findall(r' from "(.+)";$', snippet(section, "js"), re.MULTILINE))
    if "zego-token-service-client/node" in imported:  # it loads its optional packages itself
        peers = json.loads((CLIENT / "package.json").read_text(encoding="utf-8"))
        imported -= {"zego-token-service-client/node"}
        imported |= {"zego-token-service-client", *peers["peerDependencies"]} - {"react"}
    assert imported == named


# --- Python and curl ------------------------------------------------------------------------------


def test_the_python_snippet_gets_a_token(
    stack: LocalStack, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    names: dict[str, Any] = {}
    exec(snippet("Python", "python").replace(API, stack.api.url), names)
    issued = names["issued"]
    names["client"].close()
    assert (issued.user_id, issued.room_id) == ("alice", "call_0123")
    told = re.search(r"Send (.+)\s+of `issued`", TEXT)
    assert told
    assert all(getattr(issued, name) for name in re.findall(r"`(\w+)`", told[1]))


def asked_with_curl(section: str, stack: LocalStack, environment: Mapping[str, str]) -> Any:
    if shutil.which("curl") is None or shutil.which("bash") is None:
        pytest.skip("curl or bash is missing")
    command = snippet(section, "sh").replace(API, stack.api.url)
    return json.loads(run(ROOT, environment, "bash", "-euc", command.replace("curl", "curl -sS")))


@pytest.mark.parametrize(
    "temporary",
    [{}, {"AWS_SESSION_TOKEN": "made-up/session+token=="}],
    ids=["key", "temporary-key"],
)
def test_curl_signs_for_a_backend(
    stack: LocalStack, environment: Mapping[str, str], temporary: Mapping[str, str]
) -> None:
    issued = asked_with_curl("curl", stack, {**environment, **temporary})
    assert (issued["user_id"], issued["room_id"]) == ("alice", "call_0123")


def test_the_mobile_response_has_the_shown_fields(
    stack: LocalStack, environment: Mapping[str, str]
) -> None:
    shown = json.loads(snippet("Mobile", "json"))
    issued = asked_with_curl("Mobile", stack, environment)
    assert [*issued] == [*shown]
    for name in ("user_id", "room_id", "privileges", "stream_ids"):
        assert issued[name] == shown[name]
    for name in ("expires_at", "renew_at"):
        assert issued[name] - issued["issued_at"] == shown[name] - shown["issued_at"]


def test_a_mobile_call_has_the_fields_that_the_text_names(stack: LocalStack) -> None:
    body = re.search(r"start a call\*\*, send `(.+?)`\s+to `POST (.+?)`", TEXT)
    assert body
    headers = {
        "authorization": f"Bearer {stack.identity_provider.bearer('alice')}",
        "content-type": "application/json",
        "idempotency-key": "random",
    }
    url = f"{stack.api.url}{body[2]}"
    first, again = (post(url, body[1].encode(), headers).json() for _ in range(2))
    shown = json.loads(snippet("Mobile", "json"))
    assert {*shown, "call_id"} <= {*first}
    assert first["room_id"] == again["room_id"] == f"call_{first['call_id']}"


@pytest.mark.parametrize(
    ("bearer", "body", "status", "code"),
    [
        ("{alice}", b'{"room_id": "call_0123", "refused_with": 1002033}', 201, None),
        ("{alice}", b'{"room_id": "call_0123", "refused_with": 1002070}', 201, None),
        ("{alice}", b'{"room_id": "call_0123", "refused_with": 1002079}', 201, None),
        ("{alice}", b'{"room_id": "call_0123", "refused_with": 6000103}', 201, None),
        ("{alice}", b'{"room_id": "of_another"}', 403, "not_granted"),
        ("{alice}", b'{"room": "call_0123"}', 400, "unknown_field"),
        ("another", b'{"room_id": "call_0123"}', 401, "bearer_malformed"),
    ],
    ids=["refused", "refused-first", "refused-last", "zim", "not-granted", "unknown", "bearer"],
)
def test_the_mobile_errors_match_the_table(
    stack: LocalStack, bearer: str, body: bytes, status: int, code: str | None
) -> None:
    given = bearer.replace("{alice}", stack.identity_provider.bearer("alice"))
    headers = {"authorization": f"Bearer {given}", "content-type": "application/json"}
    answer = post(f"{stack.api.url}/v1/tokens", body, headers)
    assert (answer.status, answer.json().get("code")) == (status, code)
    assert answer.json()["request_id"]
