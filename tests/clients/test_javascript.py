"""The client for JavaScript: its tests, its package, its types, and a frontend that uses it.

The tests need Node and npm. Without them they are skipped, and the report shows it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from local.stack import LocalStack
from tests.contract import openapi
from tests.support.node import find_node
from tools import npm_packages
from zego import token04
from zego.diagnosis.model import Expected, TriedSecret
from zego.diagnosis.secrets import diagnose

CLIENTS = Path(__file__).parents[2] / "clients"
CLIENT = CLIENTS / "javascript"
FRONTEND = Path(__file__).with_name("use_local_stack.js")
#: The modules that users import.
ENTRIES = ("node", "react", "testing", "token-source")
MODULE = (CLIENT / "token-source.js").read_text(encoding="utf-8")


def run(
    *command: str | Path, given: str = "", home: Path | None = None, folder: Path = CLIENT
) -> str:
    """Run a Node command and return its output; fail with its output if it fails."""
    environment = {**os.environ, "NO_COLOR": "1"}
    environment.pop("NODE_OPTIONS", None)
    if home is not None:
        environment |= {"npm_config_cache": str(home), "npm_config_update_notifier": "false"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        pytest.fail(f"{Path(command[0]).name} failed:\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout


@pytest.fixture(scope="module")
def node() -> str:
    return find_node()


@pytest.mark.parametrize(
    "file", sorted((CLIENT / "test").glob("*.test.js")), ids=lambda it: it.stem
)
def test_its_own_tests_pass(node: str, file: Path) -> None:
    report = run(node, "--test", "--test-reporter=spec", file)
    counted = dict(re.findall(r"^\S (\w+) (\d+)$", report, re.MULTILINE))
    assert int(counted["pass"]) == int(counted["tests"]) > 0


@pytest.fixture(scope="module")
def package(node: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packed client, unpacked as npm would install it."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not on PATH; it packs the client")
    folder = tmp_path_factory.mktemp("package")
    run(npm, "pack", "--silent", "--pack-destination", folder, home=folder / "cache")
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    installed = folder / "node_modules" / "zego-token-service-client"
    installed.parent.mkdir()
    (folder / "node_modules" / "react").symlink_to(npm_packages.fetch("react"))
    return (folder / "package").rename(installed)


def test_its_package_contains_the_right_files(package: Path) -> None:
    modules = {f"{entry}{end}" for entry in ENTRIES for end in (".js", ".d.ts")}
    expected = modules | {f"cjs/{name}" for name in modules | {"package.json"}}
    files = {str(path.relative_to(package)) for path in package.rglob("*") if path.is_file()}
    assert files == expected | {"LICENSE", "README.md", "package.json"}
    assert (package / "LICENSE").read_text() == (CLIENTS.parent / "LICENSE").read_text()


@pytest.mark.parametrize("entry", ENTRIES)
def test_it_can_be_imported_and_required(node: str, package: Path, entry: str) -> None:
    """The use of `require` needs no Node that can require ES modules: Jest cannot either."""
    name = f"zego-token-service-client/{entry}".removesuffix("/token-source")
    print_exports = "console.log(Object.keys(it).sort().join())"
    imported = f'import * as it from "{name}"; {print_exports}'
    required = f'const it = require("{name}"); {print_exports}'
    files = {package.parents[1] / "use.mjs": imported, package.parents[1] / "use.cjs": required}
    for file, text in files.items():
        file.write_text(text, encoding="utf-8")
    of_import, of_require = (run(node, file) for file in files)
    assert of_import == of_require != "\n"
    loaded = run(node, "-p", f'require.resolve("{name}")', folder=package)
    assert loaded.strip() == str(package / "cjs" / f"{entry}.js")


def test_its_types_match_its_code(node: str) -> None:
    tsc = npm_packages.fetch("typescript") / "bin" / "tsc"
    run(node, tsc, "--project", "test/types")


def test_the_service_accepts_every_code_that_it_reports() -> None:
    codes = re.search(r"REFUSED = new Set\(\[(.+)\]\)", MODULE)
    taken = openapi.load().content["components"]["schemas"]["RefusedWith"]["enum"]
    assert codes
    assert {int(code) for code in codes[1].split(",")} <= set(taken)


def test_a_frontend_gets_tokens_from_the_local_stack(node: str, tmp_path: Path) -> None:
    with LocalStack(directory=tmp_path, workers=1, watch_seconds=None) as stack:
        given = {"api": stack.api.url, "bearer": stack.identity_provider.bearer("alice")}
        got = json.loads(run(node, FRONTEND, given=json.dumps(given)))
        secret = stack.secrets_manager.server_secret
    first, identity = got["first"], got["identity"]

    claims = token04.decode(first["token"], secret).claims
    assert (claims.app_id, claims.user_id) == (first["appId"], first["userId"])
    assert (claims.issued_at, claims.expires_at) == (first["issuedAt"], first["expiresAt"])
    assert claims.expires_at - claims.issued_at == 600
    assert first["renewAt"] == claims.expires_at - 60
    assert (first["userId"], first["roomId"], first["streamIds"]) == ("alice", "call_1", None)
    assert first["privileges"] == {"login": True, "publish": True}
    assert (identity["roomId"], identity["userId"]) == (None, "alice")

    call, renewed = got["call"], got["renewed"]
    assert re.fullmatch("[0-9a-f]{32}", call["callId"])
    for each in (call, renewed):
        claims = token04.decode(each["token"], secret).claims
        assert (each["roomId"], each["userId"]) == (f"call_{call['callId']}", "alice")
        assert json.loads(claims.payload)["room_id"] == each["roomId"]

    assert got["asked"] == [False, True, False, False, False, False, False]
    assert got["isCached"]
    tokens = {each["token"] for each in (first, got["fresh"], identity, call, renewed)}
    assert len(tokens) == 5

    problem = got["problem"]
    assert (problem["code"], problem["status"]) == ("not_granted", 403)
    assert problem["requestId"] in problem["message"]

    expected = Expected(time.time(), user_id="alice", room_id="call_1", sdk="uikit")
    diagnosis = diagnose(got["kit"], {"given": TriedSecret(secret, first["appId"])}, expected)
    assert (diagnosis.form, diagnosis.verdict) == ("kit-token", "good")
