"""What the operators' buttons do, through the interfaces that operators use.

These are Secrets Manager (`SecretVersions`, as `zego-token` uses it), the console of the stand-in
for ZEGO, and an invocation of the watcher. This module imports boto3, which is slow.
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
from zego.secret_store import CANDIDATE, CURRENT, PREVIOUS
from zego.secret_store.notes import VERDICT_TAG, VerdictNote
from zego.secret_store.versions import (
    CLIENT_CONFIG,
    AlreadyCurrentError,
    RotationInFlightError,
    SecretState,
    SecretStoreError,
    SecretVersions,
)
from zego.server_secret import ServerSecret

LONGEST_TOKEN = 16 * 1024
NOT_STORED = "not stored here"
"""Shown instead of a label for a secret that was made at the console and has no label now."""
ROTATION_IN_FLIGHT = "rotation_in_flight"

Arguments = Mapping[str, Any]


def secret_versions(stack: StackDescription) -> SecretVersions:
    """Returns a stack's secret, read and changed as `zego-token` does."""
    secrets_manager = session(stack).client(
        "secretsmanager", endpoint_url=stack.secrets_manager, config=CLIENT_CONFIG
    )
    return SecretVersions(secrets_manager, stack.secret_id)


def session(stack: StackDescription) -> boto3.Session:
    """Returns a session with a stack's region and access key."""
    return boto3.Session(stack.access_key_id, stack.secret_access_key, region_name=stack.region)


class RefusedError(Exception):
    """The action is refused. The message tells why and what to do; `code` is for the page."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


OWN_PROJECT = "own_project"
NEED_STAND_IN = frozenset({"stage", "rotate", "restore", "reset", "break"})
"""The actions with the values of the stand-in's console, or with tokens for its login."""


class UnknownActionError(Exception):
    """No action has this name."""


class Operations:
    """The actions of the page, by name.

    `project` is what ZEGO's console shows; `look` runs the watcher once.
    """

    def __init__(
        self,
        stack: StackDescription,
        project: Project,
        look: Callable[[], InvocationResult],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._is_own = stack.own_project
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
        """Performs an action. Raises `RefusedError` or `UnknownActionError`."""
        do = self._actions.get(action)
        if do is None:
            raise UnknownActionError(action)
        if self._is_own and action in NEED_STAND_IN:
            raise RefusedError(
                "The stack runs with your own ZEGO project, in which this page changes nothing. Use"
                " make run without ZEGO=mine to try this with an invented project.",
                OWN_PROJECT,
            )
        try:
            return do(said)
        except RotationInFlightError:
            message = "A rotation is running. Wait until it ends."
            raise RefusedError(message, ROTATION_IN_FLIGHT) from None
        except AlreadyCurrentError:
            raise RefusedError(
                "The console's value is already AWSCURRENT. Reset it at the console first."
            ) from None
        except SecretStoreError as error:
            raise RefusedError(f"Secrets Manager refused this: {error}.") from None
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
            "accepted": self._accepted(noted),
        }

    def _accepted(self, noted: VerdictNote | None) -> list[str] | None:
        """The fingerprints of the accepted secrets: the watcher knows only that of AWSCURRENT.

        None until the watcher has a verdict.
        """
        if not self._is_own:
            return [secret.fingerprint for secret in self._project.accepted]
        if noted is None or noted.fingerprint is None:
            return None
        return [noted.fingerprint] if noted.outcome == "accepted" else []

    def _stage(self, said: Arguments) -> dict[str, Any]:
        """Stages the console's value, or that value with one character mistyped."""
        if not self._project.accepted:
            raise RefusedError("ZEGO's console shows no ServerSecret. Reset it first.")
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
        if CANDIDATE not in self._at_rest().labels:
            raise RefusedError("No new secret is stored (CANDIDATE). Store one before you rotate.")
        return {"rotation": self._versions.start_rotation()}

    def _restore(self, _said: Arguments) -> dict[str, Any]:
        """Rotates back to AWSPREVIOUS, unless ZEGO would reject it, as `zego-token` does."""
        state = self._at_rest()
        labels = state.labels
        if PREVIOUS not in labels:
            raise RefusedError("There is no AWSPREVIOUS yet. Rotate once before you go back.")
        previous = next(one for one in self._versions.versions(state) if PREVIOUS in one.labels)
        if previous.secret not in self._project.accepted:
            raise RefusedError("ZEGO no longer accepts AWSPREVIOUS. Rotate to the console's value.")
        token = CopyToken.make("restore", copy=labels[PREVIOUS], replace=labels[CURRENT])
        return {"rotation": self._versions.start_rotation(token)}

    def _at_rest(self) -> SecretState:
        """Returns the secret. Refuses during a rotation, which RotateSecret would only retry."""
        state = self._versions.describe()
        if state.in_flight is not None:
            raise RotationInFlightError(f"a rotation is in flight (version {state.in_flight})")
        return state

    def _reset(self, said: Arguments) -> dict[str, Any]:
        asked = {"keep_old": said.get("keep_old") is True}
        try:
            answer = post(f"{self._console_url}/reset", asked)
        except OSError:
            raise RefusedError("ZEGO's console does not respond.") from None
        if answer.status != 200:
            raise RefusedError("ZEGO's console refused the reset.")
        accepted = answer.json()["accepted"]
        return {"fingerprint": accepted[-1], "accepted": accepted}

    def _look_now(self, _said: Arguments) -> dict[str, Any]:
        result = self._look()
        if result.function_error:
            raise RefusedError(f"The watcher failed: {result.error_message}")
        return dict(result.payload)

    def _inspect(self, said: Arguments) -> dict[str, Any]:
        """Returns the diagnosis of a token, with every detail: this stack is for development.

        A label does not tell whether ZEGO accepts the secret. `accepted` does, for the token's
        secret (null if none decrypts it), and `current_accepted` for AWSCURRENT. Secrets that have
        lost their labels after two rotations are tried too, as `NOT_STORED`.
        """
        token = said.get("token")
        if not isinstance(token, str) or len(token) > LONGEST_TOKEN:
            raise RefusedError("token must be text of at most 16 KiB.")
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
        made = () if self._is_own or diagnosis.opened_by else self._project.made
        for secret in made:
            other = diagnose(token, {NOT_STORED: TriedSecret.of(secret)}, expected)
            if other.opened_by:
                diagnosis, sealed_with = other, secret
                break
        accepted = self.standing()["accepted"] or ()
        current = known.get(CURRENT)
        return diagnosis.document() | {
            "fingerprint": sealed_with and sealed_with.fingerprint,
            "accepted": sealed_with and sealed_with.fingerprint in accepted,
            "current_accepted": current is not None and current.fingerprint in accepted,
        }

    def _break(self, said: Arguments) -> dict[str, Any]:
        """Makes a token with one of `MISTAKES`; returns it and the user it was meant for."""
        mistake = str(said.get("mistake"))
        if mistake not in MISTAKES:
            raise RefusedError(f"mistake must be one of {', '.join(MISTAKES)}.")
        current = self._secrets().get(CURRENT)
        if current is None:
            raise RefusedError("AWSCURRENT contains no valid ServerSecret to make a token with.")
        user_id = _text(said.get("user_id")) or "alice"
        try:
            token = broken_token(mistake, current, user_id, int(self._clock()))
        except token04.ClaimsError:
            raise RefusedError("ZEGO allows no token for this user_id.") from None
        return {"token": token, "user_id": user_id}

    def _secrets(self) -> dict[str, ServerSecret]:
        """Returns the secrets in Secrets Manager, each by one label, AWSCURRENT first."""
        found = {
            CURRENT if CURRENT in version.labels else version.labels[0]: version.secret
            for version in self._versions.versions(self._versions.describe())
            if version.secret is not None
        }
        return dict(sorted(found.items(), key=lambda item: item[0] != CURRENT))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
