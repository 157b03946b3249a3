"""What the buttons for operators do, by the same ways that operators use.

Those are Secrets Manager (`SecretVersions`, as `zego-token` uses it), the console of the stand-in
for ZEGO, and an invocation of the watcher. Importing this imports boto3, which takes a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import boto3

from local.aws.lambda_host import InvocationResult, NotRunningError, ThrottledError
from local.fake_zego import Project
from local.loopback import post
from local.page.broken_tokens import MISTAKES, broken_token, mistyped
from local.stack_file import StackDescription
from zego import token04
from zego.diagnosis.model import Expected, TriedSecret
from zego.diagnosis.secrets import diagnose
from zego.rotation import CopyToken
from zego.secret_store import CURRENT, PREVIOUS
from zego.secret_store.notes import VERDICT_TAG, VerdictNote
from zego.secret_store.versions import (
    CLIENT_CONFIG,
    AlreadyCurrentError,
    RotationInFlightError,
    SecretStoreError,
    SecretVersions,
)
from zego.server_secret import ServerSecret

LONGEST_TOKEN = 16 * 1024
NOT_STORED = "not stored here"
"""In place of a label: of a secret that was made at the console, and has none now."""
ROTATION_IN_FLIGHT = "rotation_in_flight"

Arguments = Mapping[str, Any]


def secret_versions(stack: StackDescription) -> SecretVersions:
    """Returns the secret of a stack, as `zego-token` reads and changes it."""
    secrets_manager = boto3.client(
        "secretsmanager",
        endpoint_url=stack.secrets_manager,
        region_name=stack.region,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106  not verified
        config=CLIENT_CONFIG,
    )
    return SecretVersions(secrets_manager, stack.secret_id)


class RefusedError(Exception):
    """The action cannot be done. The message says why, and what to do; `code` is for the page."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class UnknownActionError(Exception):
    """There is no action of this name."""


class Operations:
    """Everything that is done for the page, by name.

    `project` is what a person reads off ZEGO's console, `look` runs the watcher once.
    """

    def __init__(
        self,
        stack: StackDescription,
        project: Project,
        look: Callable[[], InvocationResult],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._console_url = f"{stack.zego}/console"
        self._project = project
        self._look = look
        self._clock = clock
        self._versions = secret_versions(stack)
        self._actions: Mapping[str, Callable[[Arguments], dict[str, Any]]] = {
            "stage": self._stage,
            "rotate": self._rotate,
            "restore": self._restore,
            "reset": self._reset,
            "look": self._look_now,
            "inspect": self._inspect,
            "break": self._break,
        }

    def perform(self, action: str, said: Arguments) -> dict[str, Any]:
        """Does one of the actions. Raises `RefusedError` or `UnknownActionError`."""
        do = self._actions.get(action)
        if do is None:
            raise UnknownActionError(action)
        try:
            return do(said)
        except RotationInFlightError:
            message = "A rotation is under way. Wait for its end."
            raise RefusedError(message, ROTATION_IN_FLIGHT) from None
        except AlreadyCurrentError:
            raise RefusedError(
                "The console's value is current already. Reset it at the console first."
            ) from None
        except SecretStoreError as error:
            raise RefusedError(f"Secrets Manager refused: {error}.") from None
        except (ThrottledError, NotRunningError):
            raise RefusedError("The watcher is busy. Try again.") from None

    def standing(self) -> dict[str, Any]:
        """Returns the secret's versions, and which of them ZEGO's project accepts.

        Raises `SecretStoreError`.
        """
        state = self._versions.describe()
        noted = VerdictNote.from_tag(state.tags.get(VERDICT_TAG))
        return {
            "versions": [
                {
                    "version_id": version.version_id,
                    "labels": sorted(version.labels),
                    "created_at": version.created_at,
                    "fingerprint": version.fingerprint,
                    "problem": version.problem,
                }
                for version in self._versions.versions(state)
            ],
            "in_flight": state.in_flight,
            "watched": noted
            and {
                "verdict": noted.outcome,
                "fingerprint": noted.fingerprint,
                "since": noted.since,
                "code": noted.code,
            },
            "accepted": [secret.fingerprint for secret in self._project.accepted],
        }

    def _stage(self, said: Arguments) -> dict[str, Any]:
        """The console's value, or that with one character mistyped."""
        if not self._project.accepted:
            raise RefusedError("The console shows no ServerSecret. Reset it first.")
        secret = self._project.accepted[-1]
        match said.get("value"):
            case "console":
                pass
            case "mistyped":
                secret = mistyped(secret)
            case _:
                raise RefusedError("value must be console or mistyped.")
        self._versions.stage(secret)
        return {"fingerprint": secret.fingerprint}

    def _rotate(self, _said: Arguments) -> dict[str, Any]:
        self._labels_at_rest()
        return {"rotation": self._versions.start_rotation()}

    def _restore(self, _said: Arguments) -> dict[str, Any]:
        """Rotates to what was current before."""
        labels = self._labels_at_rest()
        if PREVIOUS not in labels:
            raise RefusedError("There is no AWSPREVIOUS to go back to: nothing was rotated yet.")
        token = CopyToken.make("restore", copy=labels[PREVIOUS], replace=labels[CURRENT])
        return {"rotation": self._versions.start_rotation(token)}

    def _labels_at_rest(self) -> Mapping[str, str]:
        """The labels, if no rotation is in flight: RotateSecret would have that one tried again."""
        state = self._versions.describe()
        if state.in_flight is not None:
            raise RotationInFlightError(f"a rotation is in flight (version {state.in_flight})")
        return state.labels

    def _reset(self, said: Arguments) -> dict[str, Any]:
        asked = {"keep_old": said.get("keep_old") is True}
        try:
            answer = post(f"{self._console_url}/reset", asked)
        except OSError:
            raise RefusedError("ZEGO's console does not answer.") from None
        if answer.status != 200:
            raise RefusedError("ZEGO's console refused it.")
        accepted = answer.json()["accepted"]
        return {"fingerprint": accepted[-1], "accepted": accepted}

    def _look_now(self, _said: Arguments) -> dict[str, Any]:
        result = self._look()
        if result.function_error:
            raise RefusedError(f"The watcher failed: {result.error_message}")
        return dict(result.payload)

    def _inspect(self, said: Arguments) -> dict[str, Any]:
        """Why a token would be refused. On this development stack, the page gets every detail.

        A secret's label does not say whether ZEGO accepts it: `accepted` does, null if the token
        was not opened, and `current_accepted` for AWSCURRENT. Secrets that have lost every label by
        two rotations are tried too, as `NOT_STORED`.
        """
        token = said.get("token")
        if not isinstance(token, str) or len(token) > LONGEST_TOKEN:
            raise RefusedError("token must be a text of up to 16 KiB.")
        known = self._secrets()
        user_id, room_id = (_text(said.get(name)) for name in ("user_id", "room_id"))
        expected = Expected(
            self._clock(),
            app_id=self._project.app_id,
            user_id=user_id,
            room_id=room_id,
            sdk="web",
        )
        stored = {label: TriedSecret.of(secret) for label, secret in known.items()}
        diagnosis = diagnose(token, stored, expected)
        sealed_with = known.get(diagnosis.opened_by or "")
        for secret in self._project.made if diagnosis.opened_by is None else ():
            other = diagnose(token, {NOT_STORED: TriedSecret.of(secret)}, expected)
            if other.opened_by:
                diagnosis, sealed_with = other, secret
                break
        return diagnosis.document() | {
            "fingerprint": sealed_with and sealed_with.fingerprint,
            "accepted": sealed_with and sealed_with in self._project.accepted,
            "current_accepted": known.get(CURRENT) in self._project.accepted,
        }

    def _break(self, said: Arguments) -> dict[str, Any]:
        """A token with one of the known mistakes, and the user whose it was to be."""
        mistake = str(said.get("mistake"))
        if mistake not in MISTAKES:
            raise RefusedError(f"mistake must be one of {', '.join(MISTAKES)}.")
        current = self._secrets().get(CURRENT)
        if current is None:
            raise RefusedError("AWSCURRENT holds no ServerSecret to break anything with.")
        user_id = _text(said.get("user_id")) or "alice"
        try:
            token = broken_token(mistake, current, user_id, int(self._clock()))
        except token04.ClaimsError:
            raise RefusedError("No token can be for this user_id.") from None
        return {"token": token, "user_id": user_id}

    def _secrets(self) -> dict[str, ServerSecret]:
        """Those of Secrets Manager, each by one of its labels, AWSCURRENT first."""
        found = {
            CURRENT if CURRENT in version.labels else version.labels[0]: version.secret
            for version in self._versions.versions(self._versions.describe())
            if version.secret is not None
        }
        return dict(sorted(found.items(), key=lambda item: item[0] != CURRENT))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
