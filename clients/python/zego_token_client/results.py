"""What the service answers. The fields are those of ``docs/openapi.yaml``; times are Unix seconds
by the service's clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
    :ivar renew_at: when to ask for the next one; before :attr:`expires_at`.
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
    """What ZEGO said of a secret: ``accepted``, ``rejected`` or ``unknown``.

    :ivar fingerprint: the value that was asked about; ``None`` where that had none.
    :ivar since: when the verdict became this one.
    :ivar code: of ZEGO's server API; ``None`` where it gave none.
    """

    verdict: str
    fingerprint: str | None
    since: int
    code: int | None


@dataclass(frozen=True, slots=True)
class SecretStatus:
    """The ServerSecret that tokens are made with; never its value.

    :ivar last_verdict: ``None`` where the watcher has noted none.
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
    """What the service has of an identity provider's keys.

    :ivar keys: how many can verify its tokens; ``None`` where none can be had.
    :ivar problem: why there are none; ``None`` where nothing is wrong.
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
    :ivar version: the build that answered.
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

    :ivar kind: names what was found. Stable; there may come to be more.
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
    """What is to be said of a token.

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
