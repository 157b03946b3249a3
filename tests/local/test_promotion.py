"""How soon after a promotion tokens use the new ServerSecret, and how often it is read."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.stack import LocalStack
from tests.support.clock import ClockFile
from tests.support.faults import Faults, refusing
from tests.support.routes import STATUS
from tests.support.service import Service, service
from zego import token04
from zego.token04 import SealError

AGING = "aging_issuer.handler"
# Times of the issuer: how long it caches a secret, and how long after a read it ignores reports of
# refused tokens.
TTL_SECONDS, REFETCH_SECONDS = 60, 10


@dataclass
class Promotions:
    """The service with a separate secret.

    :ivar values: every stored ServerSecret, by its version's id.
    :ivar clock: the clock of an `AGING` issuer.
    """

    service: Service
    secret_id: str
    values: dict[str, str]
    clock: ClockFile
    _asked: Faults

    def store(self, *labels: str) -> str:
        """Store a new value under these labels. Return its version's id."""
        server_secret = secrets.token_hex(16)
        self.service.keep_secret(server_secret)
        version_id: str = self.service.stack.secrets_manager.call(
            "PutSecretValue",
            SecretId=self.secret_id,
            SecretString=json.dumps({"app_id": 1234567890, "server_secret": server_secret}),
            VersionStages=list(labels),
        )["VersionId"]
        self.values[version_id] = server_secret
        return version_id

    def promote(self, version_id: str) -> None:
        """Move AWSCURRENT, as the last step of a rotation does."""
        self.service.stack.secrets_manager.call(
            "UpdateSecretVersionStage",
            SecretId=self.secret_id,
            VersionStage="AWSCURRENT",
            MoveToVersionId=version_id,
            RemoveFromVersionId=self.current(),
        )

    def current(self) -> str:
        """Return the id of the version with AWSCURRENT."""
        versions: dict[str, list[str]] = self.service.stack.secrets_manager.call(
            "DescribeSecret", SecretId=self.secret_id
        )["VersionIdsToStages"]
        (version_id,) = (each for each, labels in versions.items() if "AWSCURRENT" in labels)
        return version_id

    def token_of(self, *, refused_with: int | None = None) -> str:
        """Return the id of the version with which a new token is made."""
        body: dict[str, object] = {"room_id": "call_1"}
        if refused_with is not None:
            body["refused_with"] = refused_with
        answer = self.service.send("POST /v1/tokens", body, bearer=self.service.bearer())
        assert answer.status == 201, answer.body
        token = answer.json()["token"]
        (version_id,) = (each for each, secret in self.values.items() if _opens(token, secret))
        return version_id

    def asked(self) -> int:
        """Return how often this secret's value was read from Secrets Manager."""
        return sum(
            request.header("x-amz-target") == "secretsmanager.GetSecretValue"
            and json.loads(request.body)["SecretId"] == self.secret_id
            for request in self._asked.requests
        )


def _opens(token: str, server_secret: str) -> bool:
    try:
        token04.decode(token, server_secret)
    except SealError:
        return False
    return True


Start = Callable[..., Promotions]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The parts that these services share."""
    with LocalStack(directory=tmp_path_factory.mktemp("stack"), workers=1) as running:
        yield running


@pytest.fixture(scope="module")
def faults(stack: LocalStack) -> Faults:
    """The requests to Secrets Manager, and its faults."""
    return Faults(stack.secrets_manager)


@pytest.fixture
def start(stack: LocalStack, faults: Faults, tmp_path: Path) -> Iterator[Start]:
    """Starts a service that has issued a token with the first version of its secret."""
    with ExitStack() as running:

        def start(handler: str = "issuer.app.handler", **changes: str) -> Promotions:
            secret_id = f"zego/{secrets.token_hex(4)}"
            stack.secrets_manager.call("CreateSecret", Name=secret_id)
            clock = ClockFile(tmp_path / "ahead")
            changes |= {"SERVER_SECRET_ARN": secret_id, "CLOCK_FILE": str(clock.path)}
            issuer = running.enter_context(service(stack, handler, **changes))
            promotions = Promotions(issuer, secret_id, {}, clock, faults)
            first = promotions.store("AWSCURRENT")
            assert promotions.token_of() == first
            return promotions

        yield start


def put(issuer: Promotions) -> str:
    """Promote with one call."""
    return issuer.store("AWSCURRENT")


def rotate(issuer: Promotions) -> str:
    """Promote a version that was stored under another label before."""
    version_id = issuer.store("AWSPENDING")
    issuer.promote(version_id)
    return version_id


@pytest.mark.parametrize("promote", [put, rotate])
class TestWithoutAReport:
    def test_tokens_use_the_new_secret_within_the_time_to_live(
        self, start: Start, promote: Callable[[Promotions], str]
    ) -> None:
        issuer = start(AGING)
        promoted = promote(issuer)
        issuer.clock.turn(TTL_SECONDS)
        assert {issuer.token_of() for _ in range(10)} == {promoted}
        assert issuer.asked() == 2

    def test_before_that_the_secret_is_not_read(
        self, start: Start, promote: Callable[[Promotions], str]
    ) -> None:
        issuer = start()
        before = issuer.current()
        promote(issuer)
        assert {issuer.token_of() for _ in range(10)} == {before}
        assert issuer.asked() == 1


@pytest.mark.parametrize("promote", [put, rotate])
class TestWithAReport:
    def test_the_next_token_uses_the_new_secret_at_once(
        self, start: Start, promote: Callable[[Promotions], str]
    ) -> None:
        issuer = start(AGING)
        promoted = promote(issuer)
        issuer.clock.turn(REFETCH_SECONDS)
        assert issuer.token_of() != promoted
        assert issuer.token_of(refused_with=20014) == promoted
        assert issuer.token_of() == promoted
        assert issuer.asked() == 2

    def test_a_flood_of_reports_causes_at_most_one_read_per_ten_seconds(
        self, start: Start, promote: Callable[[Promotions], str]
    ) -> None:
        issuer = start()
        before = issuer.current()
        promote(issuer)
        tokens = {issuer.token_of(refused_with=50119) for _ in range(20)}
        assert (tokens, issuer.asked()) == ({before}, 1)


class TestReports:
    def test_a_flood_of_reports_is_bounded_over_time(self, start: Start) -> None:
        issuer = start(AGING)
        for asked in range(1, 4):
            for _ in range(20):
                issuer.token_of(refused_with=1102016)
            assert issuer.asked() == asked
            issuer.clock.turn(REFETCH_SECONDS)

    def test_if_the_read_fails_the_last_valid_secret_stays_in_use(
        self, start: Start, faults: Faults
    ) -> None:
        issuer = start(AGING)
        before = issuer.current()
        promoted = issuer.store("AWSCURRENT")
        issuer.clock.turn(REFETCH_SECONDS)
        with faults.of(refusing("AccessDeniedException")):
            assert issuer.token_of(refused_with=20014) == before
        assert "AccessDeniedException" in issuer.service.log()
        assert "SecretStale" not in issuer.service.log()
        issuer.clock.turn(REFETCH_SECONDS)
        assert issuer.token_of(refused_with=20014) == promoted


@pytest.mark.parametrize("label", ["AWSPENDING", "CANDIDATE", "AWSPREVIOUS"])
def test_a_version_under_another_label_is_never_used(start: Start, label: str) -> None:
    issuer = start(AGING)
    before = issuer.current()
    issuer.store(label)
    for seconds in (TTL_SECONDS, REFETCH_SECONDS, TTL_SECONDS):
        issuer.clock.turn(seconds)
        assert issuer.token_of(refused_with=20014) == before
        assert issuer.token_of() == before
    assert issuer.asked() == 4, "it has looked since"
    status = issuer.service.send_signed(STATUS).json()
    assert status["secret"]["version_id"] == before


def test_a_replaced_version_is_never_used_again(start: Start) -> None:
    issuer = start(AGING)
    promoted = rotate(issuer)
    for seconds in (TTL_SECONDS, REFETCH_SECONDS, TTL_SECONDS):
        issuer.clock.turn(seconds)
        assert issuer.token_of(refused_with=20014) == promoted
        assert issuer.token_of() == promoted
    assert issuer.asked() == 4
