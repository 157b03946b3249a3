"""Secrets Manager, ZEGO, ops, the rotator and the watcher in one process, and what must hold.

The project's code is unchanged: the handlers run, and boto3 and :mod:`zego.server_api` build their
requests and read the responses as ever; only the network between is the :class:`Wire`. Secrets
Manager is the local stack's, written from AWS' documentation, with its rotation driver; ZEGO is the
local stack's stand-in.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import botocore.endpoint
from botocore.exceptions import ReadTimeoutError

from local.aws.events import Event
from local.aws.secrets_manager import APP_ID, SECRET_ID, SecretsManager
from local.aws.secrets_manager.conditions import Conditions, SecretsManagerError
from local.aws.secrets_manager.rotation import RotationDriver
from local.fake_zego import ZegoCloud, cloud
from local.fake_zego.server_api import signature
from local.loopback import HttpRequest, HttpResponse
from rotator.steps import RotationSteps
from tests.rotation.wire import AWS_REFUSALS, Fault, Killed, Wire, refusal_body
from tests.support.clock import Clock
from tests.support.in_process import client_of
from watcher.watch import Tick, Watch
from zego import server_api, server_secret, token04
from zego.aws import AwsError
from zego.bounded_http import HttpError, Response
from zego.cache import Cached, UnavailableError
from zego.rotation import CopyToken, is_heal
from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS
from zego.secret_store.notes import (
    COMPROMISED_TAG,
    GIVEN_UP_TAG,
    ROTATION_TAG,
    RotationNote,
    compromised,
    given_up,
    with_newest,
)
from zego.secret_store.versions import SecretStoreError, SecretVersions
from zego.secrets_manager import SecretValue, SecretVersion
from zego.server_api import ServerApi
from zego.server_secret import ServerSecret, ServerSecretError
from zego.token04 import SealError

with patch.dict(
    os.environ,
    {"STAGE": "dev", "SERVER_SECRET_ARN": SECRET_ID, "AWS_REGION": "us-east-1"},
):
    import rotator.app
    import watcher.app

ATTEMPTS: Final = 4
COOLDOWN_SECONDS: Final = 1800.0
TTL_SECONDS: Final = 60.0


_ISSUERS_FAULTS: Final = (Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.THROTTLED, Fault.DENIED)


@dataclass(frozen=True)
class Invocation:
    """What the driver sees of a step."""

    function_error: str | None


class World:
    """One secret and all its actors. Only the latest world is on the network.

    :ivar problems: the broken promises. A handler may have caught the error of one.
    :ivar promoted: the texts that were AWSCURRENT, in their order.
    :ivar heals: the values that heals have promoted, each with the time.
    :ivar staged: the value that ops has staged, until it is promoted.
    :ivar deny: actions that are denied to all callers; these calls are not counted.
    :ivar published: the watcher's events.
    :ivar announced: Secrets Manager's events.
    :ivar judged: the latest check with its verdict, before it acted.
    """

    def __init__(
        self,
        schedule: Mapping[int, Fault] | None = None,
        *,
        seconds_a_call: float = 0.0,
        conditions: Conditions | None = None,
        attempts: int = ATTEMPTS,
    ) -> None:
        """A world that nothing has happened to.

        :param schedule: the faults of what is run by :meth:`rotate` and :meth:`step`.
        :param seconds_a_call: how long each call takes, by this world's clock.
        :param conditions: of Secrets Manager. Its reads lag if the schedule says so.
        :param attempts: how often a run of the driver attempts a rotation.
        """
        self.deny: tuple[str, ...] = ()
        self.seconds_a_call = seconds_a_call
        self.seconds_a_probe = seconds_a_call
        self.clock = Clock()
        self._writes_behind = 0
        lagging = replace(conditions or Conditions(), lag=lambda _action: self._writes_behind)
        self.aws = SecretsManager(clock=self.clock, conditions=lagging)
        self.first = self.aws.server_secret
        self.zego = ZegoCloud(APP_ID, self.first, clock=self.clock)
        self.wire = Wire(schedule or {}, self.look)
        self.announced: list[Event] = []
        self.published: list[dict[str, object]] = []
        self.judged: Tick | None = None
        self.driver = RotationDriver(
            self.aws,
            self._invoke,
            attempts=attempts,
            background=False,
            sleep=lambda _seconds: None,
            on_event=self.announced.append,
            clock=self.clock,
        )
        self.driver.start()
        self.promoted = [self.text(CURRENT)]
        self.heals: list[tuple[str, float]] = []
        self.staged: str | None = None
        self._rejections: Counter[str] = Counter()
        self._step = threading.local()  # a test may run several at once
        self._answers: dict[tuple[object, str], bool] = {}
        self._last_current: dict[str, float] = {}
        self.problems: list[str] = []
        self._accepted_before = self.zego.project.accepted
        self.issuer = Cached(
            self._fetch,
            AwsError,
            ServerSecretError,
            ttl_seconds=TTL_SECONDS,
            clock=self.clock,
            monotonic=self.clock,
        )

        api = ServerApi("http://127.0.0.1/", attempts=1, clock=self.clock)
        self.versions = SecretVersions(_client, SECRET_ID)
        self.watch = Watch(
            self.versions,
            api,
            lambda tick: self.published.append(tick.document()),
            cooldown_seconds=COOLDOWN_SECONDS,
            clock=self.clock,
        )
        rotator.app._versions = self.versions
        rotator.app._rotation = RotationSteps(self.versions, api)
        watcher.app._watch = self.watch
        _network.world = self

    # What people and ZEGO do.

    def reset(self, *, keep_old: bool = False) -> str:
        """Make a new secret in ZEGO's console. Returns it."""
        self._accepted_before = self.zego.project.accepted
        return self.zego.project.reset(keep_old=keep_old).value

    def stage(self, value: str, app_id: int = APP_ID) -> None:
        """Ops stages a value."""
        self.staged, before = None, self.staged
        try:
            with self.calm():
                self.versions.stage(ServerSecret(app_id, value))
        except SecretStoreError:
            self.staged = before
            raise
        self.staged = self.text(CANDIDATE)

    def store(self, text: str, label: str = CANDIDATE) -> None:
        """Store any text under a label, without the command line."""
        self.aws.call(
            "PutSecretValue", SecretId=SECRET_ID, SecretString=text, VersionStages=[label]
        )
        if label == CURRENT:
            self.promoted.append(text)
        if label == CANDIDATE:
            self.staged = text

    def begin(self) -> str:
        """Start a rotation. Returns its token."""
        with self.calm():
            return self.versions.start_rotation()

    def begin_restore(self) -> str | None:
        """Start a rotation to AWSPREVIOUS. Returns its token, if there is one."""
        with self.calm():
            labels = self.versions.describe().labels
            if PREVIOUS not in labels:
                return None
            token = CopyToken.make("restore", copy=labels[PREVIOUS], replace=labels[CURRENT])
            return self.versions.start_rotation(token)

    def mark_compromised(self) -> None:
        """Ops marks the present value as compromised."""
        with self.calm():
            state = self.versions.describe()
            current = self.versions.version(state, CURRENT)
            if current is not None and current.fingerprint is not None:
                known = compromised(state.tags)
                self.versions.note(COMPROMISED_TAG, with_newest(current.fingerprint, known))

    def rotate(self) -> bool:
        """Ask for a rotation and run it to its end, retries and all; whether it promoted."""
        return self.driver.run(self.begin())

    def tick(self) -> Tick:
        """The watcher checks, heals and publishes."""
        tick = self.watch.tick(self._judged)
        self.watch.tell(tick)
        return tick

    def _judged(self, tick: Tick) -> None:
        """Count the checks that rejected a version since the last one that accepted it."""
        self.judged = tick
        if tick.version_id is not None and tick.verdict.outcome != "unknown":
            rejections = self._rejections[tick.version_id] + 1 if tick.verdict.rejected else 0
            self._rejections[tick.version_id] = rejections

    def step(self, step: str, token: str) -> Invocation:
        """Run one step of a rotation, as Secrets Manager would."""
        with self.calm():
            arn = self.versions.describe().arn
        return self._invoke({"Step": step, "SecretId": arn, "ClientRequestToken": token})

    def unstick(self) -> None:
        """Ops gives up a rotation that does not end."""
        with self.calm():
            state = self.versions.describe()
            if state.in_flight is not None:
                tokens = with_newest(state.in_flight, given_up(state.tags))
                self.versions.note(GIVEN_UP_TAG, tokens)
                self.versions.drop_label(PENDING, version_id=state.in_flight)

    def lag(self, writes: int) -> None:
        """Make the next read this many writes old."""
        self.wire.behind[len(self.wire.calls)] = writes

    @contextmanager
    def calm(self) -> Iterator[None]:
        """No faults, and nothing is counted."""
        wire, self.wire = self.wire, Wire({}, self.look)
        try:
            yield
        finally:
            self.wire = wire

    # What there is.

    def text(self, label: str) -> str | None:
        """The text of the version with a label, as Secrets Manager stores it."""
        try:
            answer = self.aws.call(
                "GetSecretValue", SecretId=self.aws.secret_id, VersionStage=label
            )
        except SecretsManagerError:
            return None
        text: str | None = answer.get("SecretString")
        return text

    def value(self, label: str) -> str | None:
        """The ServerSecret of the version with a label."""
        text = self.text(label)
        if text is None:
            return None
        try:
            return server_secret.parse(text).value
        except ServerSecretError:
            return None

    @property
    def in_flight(self) -> str | None:
        """The token of the rotation in flight."""
        with self.calm():
            return self.versions.describe().in_flight

    @property
    def outcome(self) -> str | None:
        """How the last step ended, as it was noted on the secret."""
        with self.calm():
            note = RotationNote.from_tag(self.versions.describe().tags.get(ROTATION_TAG))
        return None if note is None else note.outcome

    # The promises, checked after every call.

    def look(self) -> None:
        """Hold the world to what was promised, whatever has happened so far."""
        try:
            self._look()
        except Exception as error:
            self.problems.append(f"{error!r} after {self.wire.calls[-60:]}")
            raise

    def _look(self) -> None:
        current = self.text(CURRENT)
        assert current is not None, "AWSCURRENT is on no version with a value"
        self._last_current[current] = self.clock.now
        if current != self.promoted[-1]:
            value = server_secret.parse(current).value
            assert self._answers.get((self._invocation, value)), (
                "promoted, and ZEGO has not accepted it within the step, or not last"
            )
            assert self.text(PREVIOUS) == self.promoted[-1], "the value before is lost"
            self._look_at_the_promotion(current)
            self.promoted.append(current)
        if self.staged is not None and _is_same_secret(current, self.staged):
            self.staged = None
        assert self.staged in (None, self.text(CANDIDATE)), "what ops staged has lost its label"
        self._look_at_the_issuer()

    def _look_at_the_promotion(self, text: str) -> None:
        """Check that only an allowed value was promoted."""
        secret = server_secret.parse(text)
        described = self.aws.call("DescribeSecret", SecretId=SECRET_ID)
        on = {
            label: version
            for version, labels in described["VersionIdsToStages"].items()
            for label in labels
        }
        tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", ())}
        assert secret.fingerprint not in compromised(tags), "a compromised value is back"
        if not is_heal(on[CURRENT]):
            return
        self.heals.append((secret.value, self.clock.now))
        if text in self.promoted:
            looks = self._rejections[on[PREVIOUS]]
            assert looks >= 2, f"an old value is back after {looks} checks with a rejection"

    def _look_at_the_issuer(self) -> None:
        """It seals with AWSCURRENT, or what was so within its TTL; or it responds with 503."""
        try:
            reading = self.issuer.get()
        except UnavailableError:
            return
        sealing = reading.value.secret
        token = token04.mint(
            sealing.app_id, "alice", sealing.value, issued_at=1, lifetime_seconds=60
        )
        oldest = self.clock.now - (900.0 if reading.stale else TTL_SECONDS)
        may_open = [text for text, last in self._last_current.items() if last >= oldest]
        assert any(_opens(token, text) for text in may_open), "sealed with what is not AWSCURRENT"

    def _fetch(self) -> SecretVersion[ServerSecret]:
        """The issuer's own read of the secret; it fails if the call of this number does."""
        if self.wire.schedule.get(len(self.wire.calls)) in _ISSUERS_FAULTS:
            raise AwsError("Unreachable", "as a test wants it")
        answer = self.aws.call("GetSecretValue", SecretId=SECRET_ID, VersionStage=CURRENT)
        value = SecretValue(answer["SecretString"], answer["VersionId"], answer["CreatedDate"])
        return SecretVersion.parse(value, server_secret.parse)

    # Lambda and the network.

    def _invoke(self, event: dict[str, Any]) -> Invocation:
        self._step.invocation = object()
        try:
            rotator.app.handler(event, None)
        except Killed:
            return Invocation("Runtime exited")
        except (rotator.app.RotationError, rotator.app.RotationEventError):
            return Invocation("Unhandled")
        return Invocation(None)

    @property
    def _invocation(self) -> object:
        """Stands for the step that runs in this thread."""
        return getattr(self._step, "invocation", None)

    def call_aws(self, request: HttpRequest) -> HttpResponse:
        """Respond to a call of boto3's."""
        action = (request.header("x-amz-target") or "").rpartition(".")[2]

        def do() -> HttpResponse:
            self.clock.turn(self.seconds_a_call)
            return self.aws.respond(request)

        def stale(writes: int) -> HttpResponse:
            self._writes_behind = writes
            try:
                return do()
            finally:
                self._writes_behind = 0

        if action in self.deny:
            return HttpResponse(400, body=refusal_body("AccessDeniedException"))

        def fail(fault: Fault) -> HttpResponse:
            if fault in AWS_REFUSALS:
                return HttpResponse(400, body=refusal_body(AWS_REFUSALS[fault]))
            raise ReadTimeoutError(endpoint_url="https://secretsmanager.example.com")

        return self.wire.send(action, do, fail=fail, stale=stale)

    def call_zego(self, url: str) -> Response:
        """Respond to a call of the server API's."""
        query = urlsplit(url).query

        def do() -> Response:
            self.clock.turn(self.seconds_a_probe)
            asked = HttpRequest("GET", f"/?{query}", (("host", "127.0.0.1"),))
            try:
                answer = self.zego.answer(asked)
            except ConnectionAbortedError:
                raise HttpError("rtc-api.example.com cannot be reached") from None
            accepted = answer.body.startswith(b'{"Code": 0,')
            self._answers[self._invocation, self._signer(query)] = accepted
            return Response(answer.status, dict(answer.headers), answer.body)

        def stale(_resets: int) -> Response:
            project = self.zego.project
            now, project.accepted = project.accepted, self._accepted_before
            try:
                return do()
            finally:
                project.accepted = now

        def fail(fault: Fault) -> Response:
            if fault is Fault.FALSE:
                self._answers[self._invocation, self._signer(query)] = False
                return Response(200, {}, b'{"Code": 100000005}')
            if fault is Fault.THROTTLED:
                return Response(200, {}, b'{"Code": 100000015}')
            if fault is Fault.DENIED:
                return Response(403, {}, b"<html>Forbidden</html>")
            raise HttpError("rtc-api.example.com did not respond in 3 s")

        return self.wire.send("ZEGO", do, fail=fail, stale=stale)

    def _signer(self, query: str) -> str:
        """Which secret has signed a call."""
        named = {name: values[0] for name, values in parse_qs(query).items()}
        parts = named["AppId"], named["SignatureNonce"], named["Timestamp"]
        for secret in reversed(self.zego.project.made):
            if signature(parts[0], parts[1], secret.value, parts[2]) == named["Signature"]:
                return secret.value
        return "one that ZEGO never made"


class _Network:
    """Leads every call to the latest world."""

    world: World

    def answer(self, request: HttpRequest) -> HttpResponse:
        return self.world.call_aws(request)

    def zego(self, _method: str, url: str, **_bounds: object) -> Response:
        return self.world.call_zego(url)


_network = _Network()
_client = client_of("secretsmanager", _network, attempts=3)  # as many as in production


def _opens(token: str, text: str) -> bool:
    try:
        token04.decode(token, server_secret.parse(text).value)
    except (ServerSecretError, SealError):
        return False
    return True


@contextmanager
def network() -> Iterator[None]:
    """Every call of :mod:`zego.server_api` goes to the latest world while the block runs.

    Neither boto3 nor ZEGO's stand-in waits: even a pause of no length costs time on a busy machine.
    """
    unhurried = SimpleNamespace(sleep=lambda _seconds: None)
    with (
        patch.object(server_api, "request", _network.zego),
        patch.object(botocore.endpoint, "time", unhurried),
        patch.object(cloud, "time", unhurried),
    ):
        yield


def _is_same_secret(one: str, other: str) -> bool:
    """Whether two stored texts are equal or contain the same ServerSecret: spaces do not count."""
    try:
        return one == other or server_secret.parse(one) == server_secret.parse(other)
    except server_secret.ServerSecretError:
        return False
