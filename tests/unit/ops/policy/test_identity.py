"""`zego-token policy identity`: which identity it writes for a token, and which tokens it refuses.

tests/docs/test_identity_providers.py compares what it writes with the documentation.
"""

from __future__ import annotations

import io
import json
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from ops import cli
from ops.errors import CommandError, ExitCode
from ops.policy.identity import write_identity
from tests.support.bearer import jws
from tests.support.table import table

NOW: Final = 1_767_225_600
RS256: Final[dict[str, object]] = {"alg": "RS256", "typ": "JWT", "kid": "key-1"}
CLAIMS: Final[dict[str, object]] = {
    "iss": "https://login.example.com/",
    "aud": "https://calls.example.com",
    "sub": "alice",
    "iat": NOW,
    "exp": NOW + 600,
}
Capture = pytest.CaptureFixture[str]


def token(header: Mapping[str, Any] | None = None, **changes: object) -> str:
    """Return a token with changed claims. ``...`` omits a claim."""
    changed: Mapping[str, Any] = CLAIMS | changes
    kept = {name: value for name, value in changed.items() if value is not ...}
    return jws(RS256 | dict(header or {}), kept, lambda _message: b"s" * 64)


def written(header: Mapping[str, Any] | None = None, **changes: object) -> dict[str, Any]:
    """Return the identity for a token, with its name."""
    toml = write_identity(token(header, **changes), NOW).toml
    ((name, identity),) = tomllib.loads(toml)["identities"].items()
    named: dict[str, Any] = {"name": name} | identity
    return named


def test_an_unknown_provider_is_found_by_discovery() -> None:
    toml = write_identity(token(), NOW).toml
    assert "# - https://login.example.com/.well-known/openid-configuration: does it exist?" in toml
    assert written() == {
        "name": "users",
        "issuer": "https://login.example.com/",
        "audience": ["https://calls.example.com"],
    }


@table(
    ("header", "changes", "key", "value"),
    [
        ({"alg": "ES512"}, {}, "algorithms", ["ES512"]),
        ({}, {"aud": ..., "client_id": "app"}, "audience_claim", "client_id"),
        ({}, {"aud": ["api", "https://login.example.com/userinfo"]}, "audience", ["api"]),
        ({}, {"sub": ..., "uid": 7}, "user_id_claim", "uid"),
        ({}, {"azp": "svc", "sub": "svc"}, "names_users", True),
        ({}, {"gty": "client-credentials", "sub": "svc@clients"}, "names_users", True),
        ({"alg": "HS384"}, {}, "algorithms", ["HS384"]),
        ({"alg": "HS256"}, {}, "issuer", "https://login.example.com/"),
        ({"alg": "HS256"}, {"iss": "my-app"}, "issuer", "my-app"),
    ],
)
def test_the_token_decides_the_keys(
    header: Mapping[str, Any], changes: Mapping[str, Any], key: str, value: object
) -> None:
    assert written(header, **changes)[key] == value


def test_sessions_without_a_purpose_are_to_get_one() -> None:
    claims = {"iss": ..., "aud": ..., "sub": "7"}
    identity = written({"alg": "HS256"}, **claims)
    assert identity["required_claims"] == {"type": "session"}
    toml = write_identity(token({"alg": "HS256"}, **claims), NOW).toml
    assert "Add this claim to the sessions when you sign them" in toml


def test_an_expired_token_still_gives_an_identity() -> None:
    made = write_identity(token(), NOW + 4200)
    assert made.expired
    assert "# The token expired 1 h ago.\n" in made.toml


def test_a_token_without_exp_is_pointed_out() -> None:
    assert "exp: this token has none" in write_identity(token(exp=...), NOW).toml


def test_an_issuer_without_https_is_pointed_out() -> None:
    toml = write_identity(token(iss="http://login.example.com"), NOW).toml
    assert "issuer: outside make run it must be an https URL" in toml


def test_any_text_of_a_token_is_one_toml_string() -> None:
    hostile = 'a"\n[identities.evil]\nrole = "x\x1b[2J\u202e\\'
    toml = write_identity(token(aud=hostile, sub=hostile, iss=f"https://{hostile}"), NOW).toml
    ((_, identity),) = tomllib.loads(toml)["identities"].items()
    assert identity["audience"] == [hostile]
    assert all(character.isprintable() or character == "\n" for character in toml)


@table(
    ("given", "message"),
    [
        ("ya29.a0AfB_byExample", "not a JWT but an opaque token"),
        ("s%3Aexample.abc", "not a JWT but an opaque token"),
        ("a.b.c", "not a JWT but an opaque token"),
        ("eyJhbGciOiJkaXIifQ..iv.text.tag", "encrypted (JWE)"),
        ("04AAAAAGexample", "a token of ZEGO"),
        (token({"alg": "none"}), "not signed"),
        (token({"typ": "logout+jwt"}), "a logout token"),
        (token(events={}), "a logout token"),
        (token(typ="Refresh"), "a refresh token"),
        (token(token_type="refresh"), "a refresh token"),
        (token(cnf={"jkt": "x"}), "bound to a key of the client"),
        (token(iss=...), "has no iss"),
        (token(sub=...), "No claim of this token names its user"),
        (token(iss="https://example.okta.com"), "cannot accept this token"),
        (token(iss="https://session.firebase.google.com/p"), "cannot accept this token"),
        (token(iss="supabase"), "cannot accept this token"),
        (token(iss="accounts.google.com"), "cannot accept this token"),
    ],
)
def test_what_no_identity_could_accept_is_explained(given: str, message: str) -> None:
    with pytest.raises(CommandError) as refused:
        write_identity(given, NOW)
    assert message in refused.value.failure.message


class TestTheCommand:
    @pytest.mark.parametrize("columns", ["", "40"])
    def test_it_reads_a_file(
        self, columns: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
    ) -> None:
        monkeypatch.setenv("COLUMNS", columns)
        path = tmp_path / "bearer"
        path.write_text(f"Bearer {token(exp=int(time.time()) + 60)}\n")
        assert cli.main(["policy", "identity", str(path)]) == ExitCode.DONE
        assert tomllib.loads(capsys.readouterr().out)["identities"]["users"]["issuer"]

    def test_it_reads_standard_input(
        self, monkeypatch: pytest.MonkeyPatch, capsys: Capture
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(token().encode())))
        assert cli.main(["policy", "identity", "--json"]) == ExitCode.DONE
        said = json.loads(capsys.readouterr().out)
        assert (said["event"], said["provider"], said["user_id"]) == (
            "identity",
            "Another provider",
            "alice",
        )

    def test_a_token_in_an_argument_is_refused_and_not_repeated(self, capsys: Capture) -> None:
        given = token()
        assert cli.main(["policy", "identity", given]) == ExitCode.USAGE
        said = capsys.readouterr().err
        assert "your shell keeps them in its history" in said.replace("\n", " ")
        assert given[20:60] not in said

    def test_a_token_that_no_identity_accepts_is_refused(
        self, tmp_path: Path, capsys: Capture
    ) -> None:
        path = tmp_path / "bearer"
        path.write_text("ya29.example")
        assert cli.main(["policy", "identity", str(path)]) == ExitCode.REFUSED
        assert "opaque token" in capsys.readouterr().err
