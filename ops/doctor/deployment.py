"""One deployment of the service, as the doctor reaches it. Everything is read at most once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ops.doctor.issuer_api import IssuerApi, IssuerResponse
from ops.secret.status import JudgedVersion, TargetStatus, read_status
from ops.target import Target, TargetOptions, connect, open_session
from zego.bounded_http import Response, request
from zego.secret_store import CURRENT, LABELS, PENDING
from zego.secret_store.versions import SecretState
from zego.server_secret import ServerSecret

if TYPE_CHECKING:
    import boto3


@dataclass(frozen=True, slots=True)
class DoctorOptions:
    """The options of the doctor, except those that name the secret.

    :ivar app_id: the AppID that the clients use.
    :ivar api: the issuer's URL; ``None``: the target's.
    :ivar policy: the file that the issuer should run with.
    :ivar user: the test token's user; ``None``: an invented one.
    :ivar bearer: a frontend's bearer token; ``None``: sign with the AWS credentials.
    :ivar without_secret: do not read the secret; the issuer opens the test token.
    """

    app_id: int | None = None
    api: str | None = None
    policy: Path | None = None
    origins: tuple[str, ...] = ()
    env_files: tuple[Path, ...] = ()
    user: str | None = None
    room: str | None = None
    bearer: str | None = field(default=None, repr=False)
    without_secret: bool = False


@dataclass(eq=False)
class Deployment:
    """The secret, ZEGO and the issuer.

    Reading an attribute raises the error that makes it unavailable.

    :param open_session: see :func:`ops.target.open_session`.
    :param connect: see :func:`ops.target.connect`.
    :param send: see :func:`zego.bounded_http.request`.
    :ivar clock_skews: by the other clock, how many seconds this machine's clock is ahead of it.
    """

    target_options: TargetOptions
    options: DoctorOptions
    _: KW_ONLY
    open_session: Callable[[TargetOptions], boto3.Session] = open_session
    connect: Callable[[TargetOptions, boto3.Session], Target] = connect
    send: Callable[..., Response] = request
    clock: Callable[[], float] = time.time
    clock_skews: dict[str, float] = field(default_factory=dict, init=False)

    @cached_property
    def session(self) -> boto3.Session:
        return self.open_session(self.target_options)

    @cached_property
    def target(self) -> Target:
        return self.connect(self.target_options, self.session)

    @cached_property
    def state(self) -> SecretState:
        return self.target.versions.describe()

    @cached_property
    def secret_status(self) -> TargetStatus:
        """The secret with its values and verdicts."""
        found = read_status(self.target, clock=self.clock)
        for judged in found.versions:
            if judged.verdict and judged.verdict.clock_skew_seconds is not None:
                self.clock_skews["ZEGO"] = judged.verdict.clock_skew_seconds
        return found

    @property
    def by_label(self) -> dict[str, JudgedVersion]:
        """The versions by their labels, in the order of :data:`zego.secret_store.LABELS`.

        AWSPENDING only during a rotation: it stays on the version that was promoted.
        """
        found = self.secret_status.by_label
        if self.secret_status.state.in_flight is None:
            found.pop(PENDING, None)
        return {label: found[label] for label in LABELS if label in found}

    @property
    def secrets(self) -> dict[str, ServerSecret]:
        """The valid ServerSecrets by their labels."""
        return {
            label: judged.version.secret
            for label, judged in self.by_label.items()
            if judged.version.secret is not None
        }

    @property
    def app_id(self) -> int | None:
        """The secret's AppID, without the secret as the issuer reports it; ``None``: unknown."""
        if not self.options.without_secret:
            return self.secrets[CURRENT].app_id
        reported = self.status.part("secret").get("app_id")
        return reported if isinstance(reported, int) else None

    @property
    def not_allowed(self) -> Literal["failed", "skipped"]:
        """The status of a check that the credentials may not make.

        With ``without_secret`` it fails: the caller relies on these checks to fail if something is
        wrong, so a check that cannot run must not pass unnoticed.
        """
        return "failed" if self.options.without_secret else "skipped"

    @property
    def address(self) -> str | None:
        """The issuer's URL, if it is known."""
        url = self.options.api or self.target.api
        return url and url.rstrip("/")

    @cached_property
    def issuer(self) -> IssuerApi:
        """The issuer's API; use it only if there is an :attr:`address`."""
        return IssuerApi(
            self.address or "",
            session=self.session,
            region=self.session.region_name or self.target.region or "",
            send=self.send,
            clock=self.clock,
        )

    @cached_property
    def health(self) -> IssuerResponse:
        response = self.issuer.get("/v1/health")
        if response.clock_skew_seconds is not None:
            self.clock_skews["the issuer"] = response.clock_skew_seconds
        return response

    @cached_property
    def status(self) -> IssuerResponse:
        return self.issuer.signed("GET", "/v1/status")
