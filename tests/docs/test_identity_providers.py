"""Each identity in docs/identity-providers.md works, and each row of its tables is true.

The samples are signed here, with the algorithm of their header. The issuer's code then gets the key
from the URL, or the secret, that the identity names. tests/local/test_own_provider.py does the same
with the whole local stack for some of them.
"""

from __future__ import annotations

import hmac
import json
import re
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from issuer.authentication import from_bearer
from issuer.jwks import SigningKeys
from issuer.problems import Problem
from issuer.shared_keys import SharedKeys
from ops.policy.identity import write_identity
from tests.support.bearer import JwksEndpoint, jws, signer
from tests.support.table import table
from zego.bounded_http import Response
from zego.policy.file import load
from zego.policy.model import Caller

PAGE: Final = Path(__file__).parents[2] / "docs" / "identity-providers.md"
SHARED_KEY: Final = "0123456789abcdef" * 4
RULE: Final = """
[[rules]]
name = "users join calls"
callers = ["{name}"]
users = ["*"]
rooms = ["call_*"]
max_lifetime_seconds = 3600
"""
_TIMES: Final = ("iat", "exp", "nbf", "auth_time")


@dataclass(frozen=True)
class NearMiss:
    """A row of a table: how its token differs from the sample, and how it is refused."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    absent: tuple[str, ...]
    code: str
    detail: str


@dataclass(frozen=True)
class Sample:
    """An identity of the page, with a token that it accepts and those that it refuses."""

    toml: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    user_id: str | None
    near_misses: tuple[NearMiss, ...]

    @property
    def identity(self) -> Mapping[str, Any]:
        identity: Mapping[str, Any] = tomllib.loads(self.toml)["identities"][self.name]
        return identity

    @property
    def name(self) -> str:
        (name,) = tomllib.loads(self.toml)["identities"]
        return str(name)


def samples() -> list[Sample]:
    text = PAGE.read_text(encoding="utf-8")
    return [
        sample(part) for part in re.split(r"^##+ ", text, flags=re.MULTILINE) if "```toml" in part
    ]


def sample(section: str) -> Sample:
    """Read a section: TOML, header and user id, claims, and a table."""
    toml, claims = (
        re.search(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        for language in ("toml", "json")
    )
    header = re.search(r"^Header: `(.+?)`\. User\s+id:\s+(.+?)\.$", section, re.MULTILINE)
    assert toml, section
    assert claims, section
    assert header, section
    quoted = re.fullmatch(r"`(.+)`", header[2])
    rows = re.findall(r"^\| (.*?) \| `(bearer_\w+)`(?:: (.*?))? \| .* \|$", section, re.MULTILINE)
    assert len(rows) == section.count("| `bearer_"), section
    assert rows, section
    return Sample(
        toml[1],
        json.loads(header[1]),
        json.loads(claims[1]),
        quoted and quoted[1],
        tuple(near_miss(*row) for row in rows),
    )


def near_miss(change: str, code: str, detail: str) -> NearMiss:
    """Read a row: `claim = value`, header `name = value`, no `claim`."""
    header: dict[str, Any] = {}
    claims: dict[str, Any] = {}
    absent = []
    for kind, text in re.findall(r"(?:(no|header) )?`(.+?)`", change):
        if kind == "no":
            absent.append(text)
        else:
            (header if kind == "header" else claims).update(tomllib.loads(text))
    assert header or claims or absent, change
    return NearMiss(header, claims, tuple(absent), code, detail)


SAMPLES: Final = samples()


def shifted(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims as if they were issued now."""
    delta = int(time.time()) - claims["iat"]
    return {**claims, **{name: claims[name] + delta for name in _TIMES if name in claims}}


def token(one: Sample, changes: NearMiss | None = None) -> str:
    """Return the sample's token as if it were issued now, or one that differs from it."""
    header, claims = dict(one.header), shifted(one.claims)
    if changes is not None:
        header |= changes.header
        claims |= changes.claims
        claims = {name: value for name, value in claims.items() if name not in changes.absent}
    algorithm = header["alg"]
    if algorithm in _HMAC:
        return jws(header, claims, _HMAC[algorithm])
    return signer(algorithm, header["kid"]).sign(claims, **header)


_HMAC: Final = {
    f"HS{bits}": lambda message, bits=bits: hmac.digest(SHARED_KEY.encode(), message, f"sha{bits}")
    for bits in (256, 384, 512)
}


def authenticate(folder: Path, one: Sample, bearer: str, toml: str | None = None) -> Caller:
    """Let the issuer authenticate a token by the sample's identity."""
    policy = folder / "policy.toml"
    policy.write_text((toml or one.toml) + RULE.format(name=one.name), encoding="utf-8")
    endpoint = JwksEndpoint()
    if "shared_key" not in one.identity:
        endpoint.keys.append(signer(one.header["alg"], one.header["kid"]).jwk)

    def read(secret: str, _label: str) -> str:
        assert secret == one.identity["shared_key"]
        return SHARED_KEY

    def fetch(url: str) -> Response:
        assert url == one.identity["jwks_uri"]
        return endpoint(url)

    return from_bearer(f"Bearer {bearer}", load(policy), SigningKeys(fetch), SharedKeys(read))


@table("one", SAMPLES, ids=[one.name for one in SAMPLES])
def test_each_sample_is_accepted(one: Sample, tmp_path: Path) -> None:
    caller = authenticate(tmp_path, one, token(one))
    assert (caller.identity, caller.user_id) == (one.name, one.user_id)


@table(
    ("one", "row"),
    [(one, row) for one in SAMPLES for row in one.near_misses],
    ids=lambda value: value.name if isinstance(value, Sample) else f"{value.claims} {value.absent}",
)
def test_each_row_is_refused_as_it_says(one: Sample, row: NearMiss, tmp_path: Path) -> None:
    with pytest.raises(Problem) as refused:
        authenticate(tmp_path, one, token(one, row))
    assert refused.value.code == row.code, refused.value.reason
    assert row.detail in refused.value.detail


def test_only_an_id_token_in_place_of_an_access_token_is_called_one(tmp_path: Path) -> None:
    called = set()
    for one in SAMPLES:
        for row in one.near_misses:
            with pytest.raises(Problem) as refused:
                authenticate(tmp_path, one, token(one, row))
            if "seems to be an ID token" in refused.value.detail:
                called.add((one.name, *row.claims))
    assert called == {("auth0", "aud")}


def test_a_missing_scope_is_compared_with_the_claim_that_came(tmp_path: Path) -> None:
    (okta,) = (one for one in SAMPLES if one.name == "okta")
    (row,) = (row for row in okta.near_misses if "scp" in row.claims)
    with pytest.raises(Problem) as refused:
        authenticate(tmp_path, okta, token(okta, row))
    assert str(refused.value.reason).endswith('scp is ["openid"]; expected "calls".')


def test_both_tokens_of_cognito_can_be_accepted_together(tmp_path: Path) -> None:
    both = [one for one in SAMPLES if one.name.startswith("cognito_")]
    toml = "".join(one.toml for one in both)
    for one in both:
        assert authenticate(tmp_path, one, token(one), toml).identity == one.name


@table("one", SAMPLES, ids=[one.name for one in SAMPLES])
def test_the_command_writes_the_identity_of_the_page(one: Sample) -> None:
    """`zego-token policy identity` and the page were written apart, so each checks the other."""
    written = write_identity(token(one), time.time())
    (made,) = tomllib.loads(written.toml)["identities"].values()
    shared_key = {"shared_key": one.identity["shared_key"]} if "shared_key" in made else {}
    assert made | shared_key == one.identity
    assert written.user_id == one.user_id
