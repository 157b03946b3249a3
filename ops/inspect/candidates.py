"""The secrets a token may have been made with: those of Secrets Manager, and the one given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ops import target
from ops.errors import CommandError, ExitCode
from ops.secret import value
from ops.target import TargetOptions
from zego import server_secret, strict_json
from zego.diagnosis import TriedSecret
from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS
from zego.server_secret import PlaceholderError, ServerSecret, ServerSecretError

if TYPE_CHECKING:
    from ops.target import Target

#: Of a secret that is not in Secrets Manager.
GIVEN: Final = "given"

_ORDER: Final = (CURRENT, PREVIOUS, PENDING, CANDIDATE)


@dataclass(frozen=True, slots=True)
class Candidates:
    """What is to be tried.

    :ivar secrets: by label, in the order to try.
    :ivar problems: why the value under a label is no ServerSecret. It is tried all the same, as a
        server may seal with it, unless there is no value or a placeholder.
    :ivar target: the options that name the secret in Secrets Manager; empty where none is.
    """

    secrets: Mapping[str, TriedSecret]
    problems: Mapping[str, str]
    target: str = ""

    def fingerprint(self, label: str, app_id: object = None) -> str | None:
        """That of the value under a label; ``None``: it has not the shape of a ServerSecret.

        :param app_id: for which it is, where it does not say so itself.
        """
        candidate = self.secrets[label]
        known = app_id if candidate.app_id is None else candidate.app_id
        if not isinstance(known, int):
            return None
        try:
            return ServerSecret(known, candidate.value).fingerprint
        except ServerSecretError:
            return None


def gather(
    target_options: TargetOptions | None, file: str | None, *, is_asked_for: bool
) -> Candidates:
    """Read them, all before the first token.

    :param target_options: where Secrets Manager has some; ``None``: it is not asked.
    :param file: has another, see :func:`ops.secret.value.read`; not beside ``is_asked_for``.
    :raises SecretStoreError: Secrets Manager refused, or did not answer.
    :raises CommandError: the given one cannot be read, or nothing is where ``target_options`` says.
    """
    texts: dict[str, str] = {}
    problems: dict[str, str] = {}
    given = _given(file) if file is not None or is_asked_for else None
    if target_options is not None:
        for label, text, problem in _stored(target.connect(target_options)):
            if text is None:
                problems[label] = problem
            else:
                texts[label] = text
    if given is not None:
        texts[GIVEN] = given
    secrets: dict[str, TriedSecret] = {}
    for label, text in texts.items():
        candidate, problem = _candidate(text, is_stored=label != GIVEN)
        if problem:
            problems[label] = problem
        if candidate is not None:
            secrets[label] = candidate
    return Candidates(secrets, problems, "" if target_options is None else str(target_options))


def _given(file: str | None) -> str:
    try:
        return value.read(file)
    except ServerSecretError as error:
        raise CommandError(f"The secret cannot be read: {error}.", "", ExitCode.USAGE) from None


def _candidate(text: str, *, is_stored: bool) -> tuple[TriedSecret | None, str]:
    """The value alone, or with its AppID in the JSON of Secrets Manager; however misshapen.

    With it, why it is no ServerSecret; empty where it is one, or where it is the value alone and
    not stored so. A placeholder is not to be tried.
    """
    try:
        return TriedSecret.of(server_secret.parse(text)), ""
    except PlaceholderError as error:
        return None, str(error)
    except ServerSecretError as error:
        problem = str(error)
    try:
        values = strict_json.loads_object(text)
    except ValueError:
        return _alone(text, problem if is_stored else "")
    held, app_id = values.get("server_secret"), values.get("app_id")
    is_number = isinstance(app_id, int) and not isinstance(app_id, bool)
    return TriedSecret(
        held if isinstance(held, str) else text, app_id if is_number else None
    ), problem


def _alone(text: str, problem: str) -> tuple[TriedSecret | None, str]:
    try:
        ServerSecret(1, text)  # whatever the AppID
    except PlaceholderError as error:
        return None, str(error)
    except ServerSecretError:
        pass  # which is said of it when it is tried
    return TriedSecret(text), problem


def _stored(found: Target) -> Iterator[tuple[str, str | None, str]]:
    """Each version once, by its first label, with its text or why it has none to try."""
    from zego.secret_store.versions import NotTextError, VersionNotFoundError  # noqa: PLC0415  slow

    labels = found.versions.describe().labels
    seen = set[str]()
    for label in sorted(labels, key=_rank):
        if labels[label] in seen:
            continue
        seen.add(labels[label])
        try:
            text = found.versions.read(version_id=labels[label]).text
        except VersionNotFoundError:
            yield label, None, "it has no value yet"
        except NotTextError:
            yield label, None, "its value is binary"
        else:
            yield label, text, ""


def _rank(label: str) -> tuple[int, str]:
    return (_ORDER.index(label) if label in _ORDER else len(_ORDER), label)
