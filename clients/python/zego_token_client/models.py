"""The requests and results of the API.

The fields are those of ``docs/openapi.yaml``. Times are Unix seconds of the service's clock.
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

    The service checks the limits, and its error names the invalid field.

    :ivar user_id: the user, who must log in to ZEGO with this id.
    :ivar room_id: the room that it opens; ``None`` requests an identity token, for every room.
    :ivar privileges: what it grants; only with a room.
    :ivar stream_ids: the streams that the user may publish, at most 50; only with a room.
    :ivar lifetime_seconds: 60 to 2 073 600 (24 days), or less if the access policy says so.
    :ivar refused_with: the code with which ZEGO refused the last token, if it did: 20014, 50119,
        1102016, 1002033, 1002070 to 1002079, or 6000103. The service then checks for a new
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
            if isinstance(value, Iterator):  # would be empty in the next attempt
                object.__setattr__(self, name, tuple(value))

    def document(self) -> dict[str, object]:
        """Return the request as a JSON object.

        :raises TypeError: a list is given as a string, so its letters would be sent.
        """
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        for name in _LISTS:
            if isinstance(values[name], str):
                raise TypeError(f"{name} must be a list, not a string")
            if values[name] is not None:
                values[name] = list(values[name])
        return without_none(values)


@dataclass(frozen=True, slots=True)
class Privileges:
    """What a token allows in its room: ``login`` to enter it, ``publish`` to send streams."""

    login: bool
    publish: bool


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token and what it grants.

    :ivar token: pass it to ZEGO's SDK unchanged. ``repr`` omits it; never log or store it.
    :ivar room_id: the room that it opens; ``None`` for an identity token.
    :ivar stream_ids: the streams that the user may publish; ``None`` for any.
    :ivar renew_at: when to request the next one; before :attr:`expires_at`.
    :ivar request_id: identifies the request in the service's logs.
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
    """A room for a call, and a token for it.

    :ivar call_id: the room is ``call_`` followed by it.
    :ivar callees: the users that the call invites.
    :ivar event_accepted: ``True``: EventBridge accepted the event about the callees; ``False``: it
        did not confirm that, so assume that no one was notified, and the token is valid all the
        same; ``None``: the call has no callees.
    """

    room_id: str
    call_id: str
    callees: tuple[str, ...]
    event_accepted: bool | None


@dataclass(frozen=True, slots=True)
class LastVerdict:
    """ZEGO's verdict on a secret: ``accepted``, ``rejected`` or ``unknown``.

    :ivar fingerprint: the fingerprint of the checked value; ``None`` if it has none.
    :ivar since: the time of the first check with this verdict.
    :ivar code: the code of ZEGO's server API; ``None`` if there is no code.
    """

    verdict: str
    fingerprint: str | None
    since: int
    code: int | None


@dataclass(frozen=True, slots=True)
class SecretStatus:
    """The ServerSecret that seals tokens, without its value.

    :ivar last_verdict: ``None`` if the watcher has no verdict yet.
    """

    version_id: str
    fingerprint: str
    created_at: int
    age_days: float
    app_id: int
    last_verdict: LastVerdict | None


@dataclass(frozen=True, slots=True)
class PolicyStatus:
    """The access policy in use, and the stage that it is for."""

    sha256: str
    stage: str


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The signing keys of one identity provider.

    :ivar keys: the number of usable keys; ``None`` if they could not be fetched.
    :ivar problem: why they could not be fetched; ``None`` if nothing is wrong.
    """

    identity: str
    issuer: str
    jwks_uri: str
    keys: int | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class SharedKeys:
    """The shared key of one identity.

    :ivar secret: the name or ARN of the secret with the key.
    :ivar keys: 2 during a rotation; ``None`` if the service has no key and cannot read any.
    :ivar problem: why there is no key; ``None`` if nothing is wrong.
    """

    identity: str
    secret: str
    keys: int | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Limits:
    """The denials of the service.

    :ivar denials: how many are in force; ``None`` if the service cannot read them.
    :ivar problem: why it cannot; ``None`` if nothing is wrong.
    """

    denials: int | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """The secret, access policy, keys, denials and version that the service uses.

    :ivar limits: ``None`` if the service was deployed with ``Limits=Off``, or is older.
    :ivar token_cipher: ``gcm`` or ``cbc``.
    :ivar version: the build that responded.
    """

    secret: SecretStatus
    policy: PolicyStatus
    signing_keys: tuple[SigningKeys, ...]
    token_cipher: str
    version: str
    request_id: str
    shared_keys: tuple[SharedKeys, ...] = ()
    limits: Limits | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a token, or worth knowing.

    :ivar kind: the kind of finding. Stable; new kinds may be added.
    :ivar severity: ``refused``, ``warning`` or ``note``.
    :ivar codes: the codes that a client shows, by SDK.
    :ivar cause: human-readable: what was found.
    :ivar remedy: human-readable: what to do.
    """

    kind: str
    severity: str
    codes: Mapping[str, tuple[int, ...]]
    cause: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why ZEGO refuses or would refuse a token.

    :ivar verdict: ``good``, ``refused`` or ``unknown``.
    :ivar claims: the content of the token; ``None`` unless the service opened it.
    :ivar findings: the most important first.
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
    """Return a JSON object without the values that are ``None``: the API accepts no null."""
    return {name: value for name, value in values.items() if value is not None}
