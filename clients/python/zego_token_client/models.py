"""What a backend requests, and what the service responds.

The fields are those of ``docs/openapi.yaml``; times are Unix seconds by the service's clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Final, Literal

Privilege = Literal["login", "publish"]

_LISTS: Final = ("privileges", "stream_ids")


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request for one token. The access policy decides anything that is ``None``.

    The service checks the bounds; its response names the invalid field.

    :ivar user_id: who the token is for; must equal the user id at ZEGO's login.
    :ivar room_id: the room that it opens; ``None`` requests an identity token.
    :ivar privileges: what it grants. Only with a room, like ``stream_ids``.
    :ivar stream_ids: the streams that may be published with it; at most 50.
    :ivar lifetime_seconds: 60 to 2 073 600 (24 days), or less if the access policy says so.
    :ivar refused_with: the code with which ZEGO refused the last token, if it did: 20014, 50119,
        1102016, 1002033, 1002070 to 1002079, or 6000103. The service then looks for a new
        ServerSecret at once.
    """

    user_id: str
    room_id: str | None = None
    privileges: Collection[Privilege] | None = None
    stream_ids: Collection[str] | None = None
    lifetime_seconds: int | None = None
    refused_with: int | None = None

    def __post_init__(self) -> None:
        for name in _LISTS:
            value = getattr(self, name)
            if isinstance(value, Iterator):  # gone after one call, and the next would send none
                object.__setattr__(self, name, tuple(value))

    def document(self) -> dict[str, object]:
        """Return the request as the API takes it.

        :raises TypeError: a list is given as a text, whose letters would be sent.
        """
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        for name in _LISTS:
            if isinstance(values[name], str):
                raise TypeError(f"{name} is a list, not a text")
            if values[name] is not None:
                values[name] = list(values[name])
        return without_none(values)


@dataclass(frozen=True, slots=True)
class Privileges:
    """What a token grants in its room: to enter it, and to send streams there."""

    login: bool
    publish: bool


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token, and what it grants.

    :ivar token: for ZEGO's SDK as it is. Not shown by ``repr``; never log or store it.
    :ivar room_id: the room that it opens; ``None`` for an identity token.
    :ivar stream_ids: the streams that may be published with it; ``None`` for any.
    :ivar renew_at: when to request the next one; before :attr:`expires_at`.
    :ivar request_id: names the request in the service's logs.
    """

    token: str = field(repr=False)
    app_id: int
    user_id: str
    room_id: str | None
    privileges: Privileges
    stream_ids: tuple[str, ...] | None
    issued_at: int
    expires_at: int
    renew_at: int
    request_id: str


@dataclass(frozen=True, slots=True)
class Call(IssuedToken):
    """A new room for a call, and a token for it.

    :ivar call_id: names the call; its room is ``call_`` and this.
    """

    room_id: str
    call_id: str


@dataclass(frozen=True, slots=True)
class LastVerdict:
    """ZEGO's verdict on a secret: ``accepted``, ``rejected`` or ``unknown``.

    :ivar fingerprint: the value that was checked; ``None`` if it had none.
    :ivar since: when the verdict became this one.
    :ivar code: of ZEGO's server API; ``None`` if it gave none.
    """

    verdict: str
    fingerprint: str | None
    since: int
    code: int | None


@dataclass(frozen=True, slots=True)
class SecretStatus:
    """The ServerSecret that tokens are made with; never its value.

    :ivar last_verdict: ``None`` if the watcher has noted none.
    """

    version_id: str
    fingerprint: str
    created_at: int
    age_days: float
    app_id: int
    last_verdict: LastVerdict | None


@dataclass(frozen=True, slots=True)
class PolicyStatus:
    """The access policy that decides, and the environment that it is for."""

    sha256: str
    stage: str


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The keys of an identity provider that the service has.

    :ivar keys: how many can verify its tokens; ``None`` if it has none.
    :ivar problem: why there are none; ``None`` if nothing is wrong.
    """

    identity: str
    issuer: str
    jwks_uri: str
    keys: int | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """What the service works with.

    :ivar token_cipher: ``gcm`` or ``cbc``.
    :ivar version: the build that responded.
    """

    secret: SecretStatus
    policy: PolicyStatus
    signing_keys: tuple[SigningKeys, ...]
    token_cipher: str
    version: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a token, or worth knowing.

    :ivar kind: names what was found. Stable; more may be added.
    :ivar severity: ``refused``, ``warning`` or ``note``.
    :ivar codes: what a client shows, by SDK.
    :ivar cause: what was found, for people.
    :ivar remedy: what to do about it, for people.
    """

    kind: str
    severity: str
    codes: Mapping[str, tuple[int, ...]]
    cause: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why ZEGO refuses a token, or would refuse it.

    :ivar verdict: ``good``, ``refused`` or ``unknown``.
    :ivar claims: what is in the token; ``None`` unless the service opened it.
    :ivar findings: the most decisive first.
    """

    verdict: str
    form: str
    cipher: str | None
    header_expires_at: int | None
    secrets_tried: tuple[str, ...]
    opened_by: str | None
    secret_fingerprint: str | None
    claims: Mapping[str, object] | None
    findings: tuple[Finding, ...]
    request_id: str


def without_none(values: Mapping[str, object]) -> dict[str, object]:
    """Return a JSON object without the values that are ``None``: the API takes no null."""
    return {name: value for name, value in values.items() if value is not None}
