"""The secrets to try: those of Secrets Manager, and one from a file or a prompt."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import click

from ops import target
from ops.errors import ExitCode, InputError
from ops.prompt import STANDARD_INPUT, can_ask
from ops.secret import value
from ops.target import Command, Target, TargetOptions
from zego import server_secret, strict_json
from zego.diagnosis.model import TriedSecret
from zego.secret_store import LABELS
from zego.server_secret import PlaceholderError, ServerSecret, ServerSecretError

#: The label of a secret that is not in Secrets Manager.
GIVEN: Final = "given"


#: The names of the options of :func:`secret_source`.
SOURCE_OPTIONS: Final = ("secret_file", "ask_secret")


@dataclass(frozen=True, slots=True)
class SecretSource:
    """The options for a secret that is not in Secrets Manager; both may be missing.

    :ivar file: a path, or ``-`` for standard input.
    :ivar has_prompt: the user types it.
    """

    file: str | None = None
    has_prompt: bool = False

    @property
    def is_on_standard_input(self) -> bool:
        return self.has_prompt or self.file == STANDARD_INPUT

    def read(self) -> str | None:
        """The secret's text, see :func:`ops.secret.value.read`; ``None``: none is given.

        :raises CommandError: it cannot be read.
        """
        if self.file is None and not self.has_prompt:
            return None
        try:
            return value.read(self.file)
        except ServerSecretError as error:
            raise InputError(f"The secret cannot be read: {error}.") from None


def secret_source(command: Command) -> Command:
    """The command gets a :class:`SecretSource` as ``source``."""

    @click.option(
        "--secret-file",
        metavar="PATH|-",
        help="Also try the secret in this file (or standard input): the 32 characters, or JSON.",
    )
    @click.option(
        "--ask-secret", is_flag=True, help="Also try a secret that you type at a hidden prompt."
    )
    @functools.wraps(command)
    def with_source(*, secret_file: str | None, ask_secret: bool, **options: Any) -> ExitCode:
        if secret_file is not None and ask_secret:
            raise click.UsageError("--secret-file and --ask-secret cannot be combined.")
        if ask_secret and not can_ask():
            raise click.UsageError(
                "Cannot prompt for the secret: standard input is not a terminal. Use --secret-file."
            )
        if secret_file == STANDARD_INPUT and can_ask():
            raise click.UsageError(
                "Standard input is a terminal, which would show the secret. Use --ask-secret."
            )
        return command(source=SecretSource(secret_file, ask_secret), **options)

    return with_source


@dataclass(frozen=True, slots=True)
class TriedSecrets:
    """The secrets to try.

    :ivar by_label: in the order to try.
    :ivar problems: by label, why the value is not a valid ServerSecret. It is tried anyway, as a
        server may seal with it, unless there is no value or a placeholder.
    :ivar target: the options that name the secret in Secrets Manager; empty if it is not read.
    """

    by_label: Mapping[str, TriedSecret]
    problems: Mapping[str, str]
    target: str = ""

    def fingerprint(self, label: str, app_id: object = None) -> str | None:
        """The fingerprint of the value under a label; ``None``: it is not a valid ServerSecret.

        :param app_id: the AppID to use if the value has none.
        """
        secret = self.by_label[label]
        return fingerprint(app_id if secret.app_id is None else secret.app_id, secret.value)


def fingerprint(app_id: object, value: str) -> str | None:
    """The fingerprint of a ServerSecret; ``None``: the arguments do not make a valid one."""
    try:
        return ServerSecret(app_id, value).fingerprint if isinstance(app_id, int) else None
    except ServerSecretError:
        return None


def gather(target_options: TargetOptions | None, source: SecretSource) -> TriedSecrets:
    """Read all secrets, before the first token.

    :param target_options: name the secret in Secrets Manager; ``None``: do not read it.
    :raises SecretStoreError: Secrets Manager refused, or did not respond.
    :raises CommandError: the secret of ``source`` cannot be read, or ``target_options`` name
        nothing that exists.
    """
    given = source.read()
    found = [] if target_options is None else [*_stored(target.connect(target_options))]
    if given is not None:
        found.append((GIVEN, given, ""))
    secrets: dict[str, TriedSecret] = {}
    problems: dict[str, str] = {}
    for label, text, lack in found:
        secret, problem = None, lack
        if text is not None:
            secret, problem = _secret_of(text, is_stored=label != GIVEN)
        if problem:
            problems[label] = problem
        if secret is not None:
            secrets[label] = secret
    return TriedSecrets(secrets, problems, "" if target_options is None else str(target_options))


def _secret_of(text: str, *, is_stored: bool) -> tuple[TriedSecret | None, str]:
    """The secret in a text, even if it is invalid, and why it is not a valid ServerSecret.

    The text is the value alone, or the JSON of Secrets Manager with its AppID. The reason is empty
    for a valid ServerSecret, and for a value alone that is not stored so. A placeholder gives no
    secret.
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
        pass  # reported when it is tried
    return TriedSecret(text), problem


def _stored(connection: Target) -> Iterator[tuple[str, str | None, str]]:
    """Each version once, by its first label, with its text or why it has no text."""
    from zego.secret_store.versions import (  # noqa: PLC0415  imports botocore
        NotTextError,
        VersionNotFoundError,
    )

    labels = connection.versions.describe().labels
    first_labels: dict[str, str] = {}
    for label in (*LABELS, *sorted(labels.keys() - LABELS)):
        if label in labels:
            first_labels.setdefault(labels[label], label)
    for version_id, label in first_labels.items():
        try:
            text = connection.versions.read(version_id=version_id).text
        except VersionNotFoundError:
            yield label, None, "it has no value yet"
        except NotTextError:
            yield label, None, "its value is binary"
        else:
            yield label, text, ""
