"""The local stack with one's own identity provider, access policy and shared keys.

The identities are those of docs/identity-providers.md. The tokens are signed by jose and
jsonwebtoken, and their keys are served on loopback, because the providers' hosts are not here.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from local.__main__ import main
from local.access_policy import LocalPolicy
from local.loopback import HttpRequest, HttpResponse, LoopbackServer
from local.self_test import identity_report
from local.stack import LocalStack
from tests.docs.test_identity_providers import SAMPLES, Sample, shifted
from tests.local.exchange import Answer, exchange
from tests.local.test_make_run import command, finish, run
from tests.support.oidc_provider import AUDIENCE, Key, OidcProvider
from tests.support.service import until
from zego.policy.file import PolicyError

SHARED_KEY: Final = "0123456789abcdef" * 4
BY_NAME: Final = {sample.name: sample for sample in SAMPLES}
RULES: Final = """
[[rules]]
name = "users join calls"
callers = ["express", "cognito_access", "clerk", "firebase"]
rooms = ["call_*"]
max_lifetime_seconds = 3600

[[rules]]
name = "backends name users"
callers = ["calls_backend", "backend"]
users = ["user_*"]
rooms = ["call_*"]
max_lifetime_seconds = 3600

[identities.backend]
role = "arn:aws:iam::000000000000:role/LocalBackend"
"""


class Jwks(LoopbackServer):
    """Serves the public keys of all samples."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[Mapping[str, Any]] = []

    def respond(self, request: HttpRequest) -> HttpResponse:
        body = json.dumps({"keys": self.keys}).encode()
        return HttpResponse(200, (("content-type", "application/json"),), body)


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with OidcProvider("RS256") as running:
        yield running


@pytest.fixture
def jwks() -> Iterator[Jwks]:
    with Jwks() as running:
        yield running


def request_token(api: str, bearer: str, **body: str) -> Answer:
    return post(f"{api}/v1/tokens", bearer, {"room_id": "call_1", **body})


def post(url: str, bearer: str, body: object) -> Answer:
    headers = [("authorization", f"Bearer {bearer}"), ("content-type", "application/json")]
    return until(  # on a busy machine, a secret may not be read in time at first
        lambda: exchange(url, "POST", headers, json.dumps(body).encode()),
        lambda answer: answer.status != 503,
    )


def signed(provider: OidcProvider, key: Key, sample: Sample) -> str:
    """The sample's token, signed by jose or, for sessions, by jsonwebtoken."""
    claims = shifted(sample.claims)
    if "shared_key" in sample.identity:
        return provider.session(SHARED_KEY, claims)
    return provider.sign(key, claims, **{**sample.header, "kid": key.kid})


def policy_of_the_page(folder: Path, jwks: Jwks, provider: OidcProvider) -> Path:
    """Write a policy with the page's identities; only where their keys are differs."""
    toml = "".join(
        BY_NAME[name].toml for name in ("express", "cognito_access", "clerk", "firebase")
    )
    toml = re.sub(r'jwks_uri = "[^"]+"', f'jwks_uri = "{jwks.url}"', toml)
    toml = re.sub(r"^(issuer = .*)$", r'\1\nuser_ids = "hashed"', toml, flags=re.MULTILINE)
    backend = BY_NAME["calls_backend"].toml
    backend = re.sub(r'issuer = "[^"]+"', f'issuer = "{provider.issuer}"', backend)
    backend = re.sub(r'jwks_uri = "[^"]+"\n', "", backend)
    backend = re.sub(r"required_claims = .*\n", "", backend)
    backend = backend.replace('audience_claim = "azp"', 'audience_claim = "client_id"')
    backend = backend.replace("calls-backend", "service-RS256")
    path = folder / "policy.toml"
    path.write_text(toml + backend + RULES)
    return path


def test_each_documented_proof_gets_a_token_from_make_run(
    tmp_path: Path, jwks: Jwks, provider: OidcProvider
) -> None:
    key = provider.new_key("RS256")
    jwks.keys.append(key.jwk)
    secret = tmp_path / "session-secret"
    secret.write_text(f"{SHARED_KEY}\n")
    policy = policy_of_the_page(tmp_path, jwks, provider)
    arguments = ("--policy", str(policy), "--shared-key", f"app/session-secret={secret}")
    with run(tmp_path / "local", *arguments) as running:
        api = running.description.api
        for name in ("express", "cognito_access", "clerk", "firebase"):
            answer = request_token(api, signed(provider, key, BY_NAME[name]))
            assert answer.status == 201, (name, answer.body)
        named = request_token(api, provider.service_token("RS256"), user_id="user_7")
        assert named.json()["user_id"] == "user_7"
        users = [{"user_id": "user_8", "room_id": "call_1"}, {"user_id": "user_9"}]
        batch = post(f"{api}/v1/tokens/batch", provider.service_token("RS256"), {"requests": users})
        assert [one["status"] for one in batch.json()["results"]] == [201, 403]
        by_role = running.command("A backend").replace('"bob"', '"user_8"')
        done = finish("bash", "-c", by_role)
        assert json.loads(done.stdout)["user_id"] == "user_8"
    assert f"The access policy is {policy}." in running.printed
    assert re.search(r"express +1 key in the secret app/session-secret", running.printed)
    assert re.search(rf"calls_backend +1 key of {provider.issuer}", running.printed)
    assert "PROBLEM" not in running.printed


def test_an_issuer_is_added_to_the_development_policy(
    tmp_path: Path, provider: OidcProvider
) -> None:
    with run(tmp_path, "--issuer", provider.issuer, "--audience", AUDIENCE) as running:
        stack = running.description
        own = request_token(stack.api, provider.sign_in("RS256", "alice")["access_token"])
        assert own.json()["user_id"] == "alice"
        development = json.loads(finish("bash", "-c", running.command("A frontend")).stdout)
        assert development["user_id"].startswith("u_")
    assert re.search(rf"own +1 key of {provider.issuer}", running.printed)
    assert re.search(rf"development +3 keys of {stack.identity_provider}", running.printed)


class TestTheSelfTest:
    """The stack runs, and says why an identity cannot work."""

    def report(self, folder: Path, policy: LocalPolicy) -> dict[str, str]:
        with LocalStack(directory=folder, policy=policy, watch_seconds=None) as stack:
            return identity_report(stack)

    def of_issuer(self, folder: Path, issuer: str) -> str:
        return self.report(folder, LocalPolicy(issuer=issuer, audience=("a",)))["own"]

    def test_a_provider_that_cannot_be_reached(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        said = self.of_issuer(tmp_path, f"http://127.0.0.1:{port}")
        assert said.startswith("PROBLEM: no keys of http://127.0.0.1:")
        assert "cannot be reached" in said

    def test_a_provider_that_has_another_issuer(
        self, tmp_path: Path, provider: OidcProvider
    ) -> None:
        said = self.of_issuer(tmp_path, provider.issuer.replace("127.0.0.1", "localhost"))
        assert f'of another issuer: "{provider.issuer}"' in said

    def test_a_provider_without_tls(self, tmp_path: Path, provider: OidcProvider) -> None:
        said = self.of_issuer(tmp_path, provider.issuer.replace("http:", "https:"))
        assert said.startswith("PROBLEM: no keys of https://127.0.0.1:")
        assert "SSL" in said or "TLS" in said

    def test_a_provider_without_keys(self, tmp_path: Path, jwks: Jwks) -> None:
        policy = tmp_path / "policy.toml"
        policy.write_text(
            f'[identities.a]\nissuer = "{jwks.url}"\naudience = ["a"]\njwks_uri = "{jwks.url}"\n'
        )
        assert self.report(tmp_path, LocalPolicy(policy))["a"].startswith("PROBLEM: ")

    def test_a_shared_key_that_is_not_given(self, tmp_path: Path) -> None:
        policy = tmp_path / "policy.toml"
        policy.write_text(BY_NAME["express"].toml)
        said = self.report(tmp_path, LocalPolicy(policy))["express"]
        assert said.startswith("PROBLEM: there is no secret app/session-secret. ")
        assert said.endswith(" Start with --shared-key app/session-secret=FILE")

    def test_a_shared_key_that_is_too_short(self, tmp_path: Path) -> None:
        policy = tmp_path / "policy.toml"
        policy.write_text(BY_NAME["express"].toml)
        keys = {"app/session-secret": "too short"}
        with LocalStack(
            directory=tmp_path, policy=LocalPolicy(policy), shared_keys=keys, watch_seconds=None
        ) as stack:
            assert "the key has 9 bytes" in identity_report(stack)["express"]

    def test_an_invalid_policy_ends_the_start(self, tmp_path: Path) -> None:
        policy = tmp_path / "mine.toml"
        policy.write_text('[identities.a]\nissuer = "https://login.example.com"\nroom = 1\n')
        with pytest.raises(PolicyError, match=r"identities.a: unknown key 'room'"):
            self.report(tmp_path / "local", LocalPolicy(policy))
        arguments = ("--policy", str(policy), "--directory", str(tmp_path / "local"))
        done = finish(*command("local", *arguments))
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: {policy}: identities.a: unknown key 'room'")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--issuer", "https://a.example.com"], "--issuer and --audience go together"),
        (["--audience", "a"], "--issuer and --audience go together"),
        (
            ["--issuer", "https://a.example.com", "--audience", "a", "--policy", "local/stack.py"],
            "cannot be combined with --policy",
        ),
        (["--shared-key", "app"], "write it as NAME=FILE"),
        (["--shared-key", "app=absent"], "absent: No such file or directory"),
    ],
)
def test_options_that_contradict_are_refused(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
