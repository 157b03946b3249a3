"""The four steps of a rotation, and what each of them refuses.

Secrets Manager calls them in order and starts again with the first one after any failure; it can
also stop at any point. So each step checks the state and does only what is missing. Wherever a
rotation stops, these rules hold:

* A value becomes AWSCURRENT only by one compare-and-swap, right after ZEGO has accepted it.
* Only a ``refused`` outcome removes AWSPENDING. Any read can lag behind a change, so a step that
  does not find its version under AWSPENDING fails, and Secrets Manager retries it.
* CANDIDATE is removed last, and only if it is on the value that was promoted.

A rotation promotes the staged secret (CANDIDATE), or the stored version that its token names
(:class:`zego.rotation.CopyToken`): a heal or a restore moves no label before the promotion.

The steps do not check whether ZEGO still accepts the current secret: after a reset in the console
it accepts only the new one, and promoting that is the fix.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from zego import server_secret, token04
from zego.rotation import OUTCOMES, CopyToken, Ending, Step, is_heal
from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS
from zego.secret_store.notes import (
    FAILURE_TAG,
    ROTATION_TAG,
    RotationNote,
    compromised,
    given_up,
)
from zego.secret_store.versions import (
    ConflictError,
    NotTextError,
    SecretState,
    SecretStoreError,
    SecretVersions,
    VersionNotFoundError,
)
from zego.server_api import ServerApi, Verdict
from zego.server_secret import PlaceholderError, ServerSecret, ServerSecretError
from zego.token04 import Cipher

_CIPHERS: Final[tuple[Cipher, ...]] = ("gcm", "cbc")
_TEST_USER: Final = "rotation_test"


@dataclass(frozen=True, slots=True)
class StepResult:
    """How a step ended. Safe to log.

    :ivar outcome: a key of :data:`zego.rotation.OUTCOMES`.
    :ivar detail: what the outcome's meaning does not say.
    :ivar code: ZEGO's code, if it gave one.
    :ivar fingerprint: of the value that was tried, if it is known.
    """

    outcome: str
    detail: str = ""
    code: int | None = None
    fingerprint: str | None = None

    @property
    def ending(self) -> Ending:
        return OUTCOMES[self.outcome]

    def __str__(self) -> str:
        of = self.fingerprint and f"Its fingerprint is {self.fingerprint}."
        parts = (self.ending.meaning, self.detail and f"{self.detail}.", of, self.ending.remedy)
        return " ".join(part for part in parts if part)


class _Stop(Exception):  # noqa: N818  not an error: ends a step early with its result
    def __init__(
        self, outcome: str, detail: str = "", *, code: int | None = None, tried: str | None = None
    ) -> None:
        super().__init__(outcome)
        self.result = StepResult(outcome, detail, code, tried)


class RotationSteps:
    """Runs the rotation steps of one secret."""

    def __init__(self, versions: SecretVersions, zego: ServerApi) -> None:
        self._versions = versions
        self._zego = zego

    def run(self, step: Step, token: str, *, rotation_token: str | None = None) -> StepResult:
        """Run one step. A failure of Secrets Manager or ZEGO is returned as a result.

        :param token: the client request token, which is the id of the new version.
        :param rotation_token: see :meth:`SecretVersions.fill_pending`.
        """
        steps: Mapping[Step, Callable[[], StepResult]] = {
            "createSecret": lambda: self._create(token, rotation_token),
            "setSecret": lambda: self._set(token),
            "testSecret": lambda: self._test(token),
            "finishSecret": lambda: self._finish(token),
        }
        try:
            return steps[step]()
        except _Stop as stop:
            if stop.result.ending.kind == "refused":
                return self._give_up(step, token, stop.result)
            return stop.result
        except SecretStoreError as error:
            return StepResult("store-failed", str(error))

    def _create(self, token: str, rotation_token: str | None) -> StepResult:
        """Copy the value into the version under AWSPENDING."""
        state = self._begun(token)
        if state.labels[CURRENT] == token or self._has_value(token):
            return _DONE
        text = self._text(self._source(token, state))
        self._check_fit(_parsed(text), token, state)
        self._versions.fill_pending(token, text, rotation_token=rotation_token)
        return _DONE

    def _source(self, token: str, state: SecretState) -> str:
        """The id of the version to promote: the one that the token names, or CANDIDATE."""
        copy = CopyToken.read(token)
        if copy is None:
            if CANDIDATE not in state.labels:
                raise _Stop("no-candidate")
            return state.labels[CANDIDATE]
        for label in (CANDIDATE, PREVIOUS):
            version_id = state.labels.get(label)
            if version_id is not None and copy.copies(version_id):
                return version_id
        raise _Stop("outdated")

    def _set(self, token: str) -> StepResult:
        """Check that the value may replace the current one. ZEGO's console has already set it."""
        state = self._begun(token)
        if state.labels[CURRENT] != token:
            self._check_fit(self._secret(token), token, state)
        return _DONE

    def _test(self, token: str) -> StepResult:
        """Prove the value. To test the set-up, Secrets Manager calls this step with AWSCURRENT."""
        state = self._begun(token)
        if state.labels[CURRENT] != token:
            self._prove(self._secret(token))
        return StepResult("set-up") if self._only_tested(token, state) else _DONE

    def _finish(self, token: str) -> StepResult:
        """Promote the value, ask ZEGO about it again, and drop the candidate."""
        state = self._begun(token)
        secret = self._secret(token)
        if state.labels[CURRENT] != token:
            current = self._check_fit(secret, token, state)
            if is_heal(token) and current is not None and self._zego.probe(current).accepted:
                raise _Stop("recovered")  # ZEGO accepts the current value again
            self._prove(secret)  # last: ZEGO must accept it right before the promotion
            self._promote(token, replacing=state.labels[CURRENT])
        after = self._zego.probe(secret)
        if after.rejected:
            raise _Stop(
                "rejected-after", _in_words(after), code=after.code, tried=secret.fingerprint
            )
        self._drop_candidate(secret)
        detail = "" if after.accepted else _in_words(after)
        return StepResult("promoted", detail, after.code, secret.fingerprint)

    def _promote(self, token: str, *, replacing: str) -> None:
        """Move AWSCURRENT, unless the rotation was given up while ZEGO was asked."""
        if self._begun(token).labels[CURRENT] == token:
            return
        try:
            self._versions.promote(token, replacing=replacing)
        except ConflictError:
            raise _Stop("overtaken") from None

    def _begun(self, token: str) -> SecretState:
        """The secret's state, if the token's version is being rotated or was just promoted."""
        state = self._versions.describe()
        if CURRENT not in state.labels:
            raise SecretStoreError("the secret has no AWSCURRENT version")
        if token == state.labels[CURRENT]:
            return state
        is_pending = token == state.labels.get(PENDING)
        if token in given_up(state.tags) or (not is_pending and _was_refused(token, state)):
            raise _Stop("given-up")
        if not is_pending:
            raise _Stop("not-pending")
        return state

    def _has_value(self, token: str) -> bool:
        try:
            self._versions.read(version_id=token)
        except VersionNotFoundError:
            return False
        except NotTextError:
            pass  # the next step refuses it
        return True

    def _secret(self, token: str) -> ServerSecret:
        return _parsed(self._text(token))

    def _text(self, version_id: str) -> str:
        try:
            return self._versions.read(version_id=version_id).text
        except NotTextError as error:
            raise _Stop("malformed", _sentence(str(error))) from None

    def _check_fit(
        self, secret: ServerSecret, token: str, state: SecretState
    ) -> ServerSecret | None:
        """Refuse a value that must not replace the current one, whatever ZEGO's verdict.

        :returns: the current secret; ``None`` if AWSCURRENT is not a valid ServerSecret.
        """
        copy = CopyToken.read(token)
        if copy is not None and not copy.replaces(state.labels[CURRENT]):
            raise _Stop("outdated", tried=secret.fingerprint)
        if secret.fingerprint in compromised(state.tags):
            raise _Stop("compromised", tried=secret.fingerprint)
        current = self._readable(state, CURRENT)
        if secret == current:
            raise _Stop("already-current", tried=secret.fingerprint)
        known = current or self._readable(state, PREVIOUS)
        if known is None and not is_heal(token):
            return None  # the first set-up: the operator chose this AppID
        app_id = "unknown" if known is None else known.app_id
        if secret.app_id != app_id:
            both = f"It belongs to {secret.app_id}; the current AppID is {app_id}"
            raise _Stop("other-app-id", both, tried=secret.fingerprint)
        return current

    def _readable(self, state: SecretState, label: str) -> ServerSecret | None:
        """The secret under a label; ``None`` if it is invalid, as a new stack's placeholder is."""
        if label not in state.labels:
            return None
        try:
            return server_secret.parse(self._versions.read(version_id=state.labels[label]).text)
        except (ServerSecretError, NotTextError):
            return None

    def _prove(self, secret: ServerSecret) -> None:
        _check_round_trip(secret)
        verdict = self._zego.probe(secret)
        if verdict.accepted:
            return
        outcome = "rejected" if verdict.rejected else "unproven"
        raise _Stop(outcome, _in_words(verdict), code=verdict.code, tried=secret.fingerprint)

    def _drop_candidate(self, promoted: ServerSecret) -> None:
        """Drop CANDIDATE if it has the promoted value. Another value, staged meanwhile, stays."""
        state = self._versions.describe()
        if self._readable(state, CANDIDATE) == promoted:
            with suppress(ConflictError):
                self._versions.drop_label(CANDIDATE, version_id=state.labels[CANDIDATE])

    def _give_up(self, step: Step, token: str, refusal: StepResult) -> StepResult:
        """Remove AWSPENDING from the version, because its rotation is over."""
        try:
            state = self._versions.describe()
            if state.labels.get(CURRENT) == token:
                return StepResult("store-failed", "An earlier read lagged behind the promotion")
            is_over = step != "testSecret" or refusal.outcome == "given-up"
            if is_over or not self._only_tested(token, state):
                self._versions.drop_label(PENDING, version_id=token)  # even if no read shows it
        except ConflictError:
            return refusal  # it is already removed
        except SecretStoreError as error:
            left = f"{refusal.ending.meaning} AWSPENDING could not be removed: {error}"
            return replace(refusal, outcome="store-failed", detail=left)
        return refusal

    def _only_tested(self, token: str, state: SecretState) -> bool:
        """Whether Secrets Manager only tests the set-up with AWSCURRENT, and cleans up itself."""
        if state.labels[CURRENT] == token:
            return False
        try:
            present = self._versions.read(version_id=state.labels[CURRENT])
            return self._versions.read(version_id=token).text == present.text
        except NotTextError:
            return False


_DONE: Final = StepResult("done")


def _check_round_trip(secret: ServerSecret) -> None:
    """Check that the codec can open a token that it sealed with the secret, for each cipher.

    :raises RuntimeError: the opened token differs, which no ServerSecret can cause.
    """
    for cipher in _CIPHERS:
        token = token04.mint(
            secret.app_id,
            _TEST_USER,
            secret.value,
            issued_at=1,
            lifetime_seconds=60,
            cipher=cipher,
        )
        claims = token04.decode(token, secret.value).claims
        opened = (claims.app_id, claims.user_id, claims.expires_at)
        if opened != (secret.app_id, _TEST_USER, 61):
            raise RuntimeError(f"the codec does not read back its own {cipher} token")


def _was_refused(token: str, state: SecretState) -> bool:
    """Whether a note says that this rotation was refused before."""
    notes = (RotationNote.from_tag(state.tags.get(tag)) for tag in (ROTATION_TAG, FAILURE_TAG))
    return any(
        note is not None and note.token == token and OUTCOMES[note.outcome].kind == "refused"
        for note in notes
    )


def _parsed(text: str) -> ServerSecret:
    try:
        return server_secret.parse(text)
    except PlaceholderError as error:
        raise _Stop("placeholder", _sentence(str(error))) from None
    except ServerSecretError as error:
        raise _Stop("malformed", _sentence(str(error))) from None


def _in_words(verdict: Verdict) -> str:
    code = "" if verdict.code is None else f" (code {verdict.code})"
    return _sentence(f"{verdict.reason}{code}")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
