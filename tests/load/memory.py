"""The memory of environments over many requests, while everything that they cache changes.

Besides tokens for many users and rooms, each environment gets refused requests, batches and
diagnoses. Simulated time passes, so the caches expire all the time, and in between the ServerSecret
and the identity provider's keys change.
"""

from __future__ import annotations

import functools
import itertools
import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.load.services import Ask, Environment, Services, event, processes, services
from zego import token04
from zego.secret_store import CURRENT

#: The caches live for at least 24 s, so the denials are read again for each block.
_BLOCK: Final = 500
_BLOCK_SECONDS: Final = 31.0
_ROTATE_SECRET_EVERY: Final = 20
_ROTATE_KEYS_EVERY: Final = 40
_USERS: Final = 200
_SAMPLES: Final = 100
#: Memory counts from here, as a part of all requests; before, what is used once is loaded.
WARM: Final = 0.2
MAX_GROWTH_MB: Final = 1.0
_EVENTS: Final = Path(__file__).parents[2] / "events"


@dataclass(frozen=True, slots=True)
class MemoryRun:
    """The memory of one environment.

    :ivar samples_mb: its resident memory at equal distances, the last one at the end.
    :ivar outcomes: how many responses of each status there were.
    """

    requests: int
    samples_mb: tuple[float, ...]
    outcomes: Counter[str]
    reads: dict[str, int]
    seconds: float

    @property
    def warm_mb(self) -> float:
        """The most until it was warm."""
        return max(self.samples_mb[: max(1, round(WARM * len(self.samples_mb)))])

    @property
    def end_mb(self) -> float:
        """The memory at the end."""
        return self.samples_mb[-1]

    @property
    def problems(self) -> list[str]:
        """What went wrong, in sentences."""
        found = [
            f"{count} responses: {name}" for name, count in self.outcomes.items() if "!" in name
        ]
        if self.end_mb - self.warm_mb > MAX_GROWTH_MB:
            found.append(f"memory grew from {self.warm_mb:.1f} to {self.end_mb:.1f} MB")
        return found


def measure(requests: int, environments: int) -> list[MemoryRun]:
    """Send the requests to environments, each with separate services and in a separate process."""
    with processes(environments) as pool:
        return list(pool.map(_run, [requests // environments] * environments))


def _run(requests: int) -> MemoryRun:
    began = time.perf_counter()
    with services() as running:
        running.start_environments(1)
        (environment,) = running.environments
        blocks, outcomes, samples = requests // _BLOCK, Counter[str](), list[float]()
        labels, kinds = _labels(running), _kinds(running)
        for block in range(blocks):
            if block % _ROTATE_SECRET_EVERY == 0:
                next(labels)
            if block % _ROTATE_KEYS_EVERY == _ROTATE_KEYS_EVERY // 2:
                running.identity_provider.rotate_keys()
                kinds = _kinds(running)
            running.turn(_BLOCK_SECONDS)
            for number in range(block * _BLOCK, (block + 1) * _BLOCK):
                expected, made = next(kinds)
                status = environment.host.invoke(made(number)).payload.get("statusCode")
                outcomes[f"{status}" if status == expected else f"{status}, not {expected}!"] += 1
            if block * _SAMPLES // blocks != (block + 1) * _SAMPLES // blocks:
                samples.append(_resident_mb(environment))
                if len(samples) % 10 == 0:
                    at = f"{(block + 1) * _BLOCK:,} of {requests:,} requests"
                    print(f"  {at}: {samples[-1]:.2f} MB", flush=True)
        return MemoryRun(
            requests, tuple(samples), outcomes, running.counts(), time.perf_counter() - began
        )


def _labels(running: Services) -> Iterator[None]:
    """Move AWSCURRENT between two versions of the secret, for each step of the iterator."""
    manager = running.secrets_manager
    first = str(manager.call("GetSecretValue", SecretId=manager.secret_id)["VersionId"])
    running.replace_secret()
    second = str(manager.call("GetSecretValue", SecretId=manager.secret_id)["VersionId"])
    for old, new in itertools.cycle([(second, first), (first, second)]):
        manager.call(
            "UpdateSecretVersionStage",
            SecretId=manager.secret_id,
            VersionStage=CURRENT,
            RemoveFromVersionId=old,
            MoveToVersionId=new,
        )
        yield


def _kinds(running: Services) -> Iterator[tuple[int, Callable[[int], bytes]]]:
    """Without an end, the status that is expected and a function that makes the event."""
    provider, now = running.identity_provider, running.now
    bearers = [running.bearer(f"user{number}") for number in range(_USERS)]
    backend = provider.bearer("local-backend")
    expired = provider.sign(provider.claims("alice", exp=int(now()) - 3600))
    invented = provider.sign(provider.claims("alice"), kid="invented")
    forged = bearers[0][:-8] + "AAAAAAAA"
    tokens = [
        token04.mint(
            running.zego.project.app_id,
            f"user{number}",
            running.zego.project.accepted[-1].value,
            issued_at=int(now()),
            lifetime_seconds=3600,
        )
        for number in range(20)
    ]

    def token(number: int) -> bytes:
        room = Ask(f"user{number % _USERS}", f"call_{number}")
        return event(room, bearers[number % _USERS], now())

    def refused(bearer: str, room: str = "call_1") -> Callable[[int], bytes]:
        return lambda _number: event(Ask("alice", room), bearer, now())

    def batch(number: int) -> bytes:
        entries = [{"user_id": f"u{number}_{each}", "room_id": "standup"} for each in range(5)]
        return _changed("tokens_batch", now(), {"requests": entries}, backend)

    def diagnosis(number: int) -> bytes:
        return _changed("diagnose", now(), {"token": tokens[number % len(tokens)]})

    rare = [
        (403, refused(bearers[0], "board")),
        (401, refused(expired)),
        (401, refused(invented)),
        (401, refused(forged)),
        (401, refused("not.a.bearer")),
        (400, lambda _number: _changed("tokens_room", now(), ["no object"], bearers[0])),
        (200, batch),
        (200, diagnosis),
    ]
    return itertools.cycle([each for one in rare for each in (*[(201, token)] * 5, one)])


def _changed(name: str, now: float, body: Any, bearer: str | None = None) -> bytes:
    """One of the example events, at a time and with another body."""
    made = json.loads(_event_text(name))
    made["requestContext"]["timeEpoch"] = int(now * 1000)
    made["body"] = json.dumps(body)
    if bearer is not None:
        made["headers"]["authorization"] = f"Bearer {bearer}"
    return json.dumps(made).encode()


@functools.cache
def _event_text(name: str) -> str:
    return (_EVENTS / f"{name}.json").read_text(encoding="utf-8")


def _resident_mb(environment: Environment) -> float:
    (process_id,) = environment.host.process_ids()
    status = Path(f"/proc/{process_id}/status")
    if status.exists():
        (kilobytes,) = (
            line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmRSS")
        )
    else:
        kilobytes = subprocess.check_output(["ps", "-o", "rss=", "-p", str(process_id)], text=True)
    return int(kilobytes) / 1024
