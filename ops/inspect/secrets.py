"""The secrets to try: those of Secrets Manager, and one that a person gives in a file or types."""

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

#: Of a secret that is not in Secrets Manager.
GIVEN: Final = "given"


#: The names of the options of :func:`secret_source`.
SOURCE_OPTIONS: Final = ("secret_file", "ask_secret")


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a secret that is not in Secrets Manager comes from, as the options say; none is fine.

    :ivar file: a path, or ``-`` for standard input.
    :ivar is_asked_for: a person types it.
    """

    file: str | None = None
    is_asked_for: bool = False

    @property
    def is_on_standard_input(self) -> bool:
        return self.is_asked_for or self.file == STANDARD_INPUT

    def read(self) -> str | None:
        """The secret's text, see :func:`ops.secret.value.read`; ``None``: none is given.

        :raises CommandError: it cannot be read.
        """
        if self.file is None and not self.is_asked_for:
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
        help="Try the secret in this file too (or on standard input): the 32 characters, or JSON.",
    )
    @click.option("--ask-secret", is_flag=True, help="Ask for a secret to try, unseen.")
    @functools.wraps(command)
    def with_source(*, secret_file: str | None, ask_secret: bool, **options: Any) -> ExitCode:
        if secret_file is not None and ask_secret:
            raise click.UsageError("Give --secret-file or --ask-secret, not both.")
        if ask_secret and not can_ask():
            raise click.UsageError(
                "The secret cannot be asked for, as standard input is not a terminal. Give it by"
                " --secret-file."
            )
        if secret_file == STANDARD_INPUT and can_ask():
            raise click.UsageError(
                "Standard input is a terminal, which would show the secret. Give --ask-secret."
            )
        return command(source=SecretSource(secret_file, ask_secret), **options)

    return with_source


@dataclass(frozen=True, slots=True)
class TriedSecrets:
    """What is to be tried.

    :ivar by_label: in the order to try.
    :ivar problems: why the value under a label is no ServerSecret. It is tried all the same, as a
        server may seal with it, unless there is no value or a placeholder.
    :ivar target: the options that name the secret in Secrets Manager; empty where none is.
    """

    by_label: Mapping[str, TriedSecret]
    problems: Mapping[str, str]
    target: str = ""

    def fingerprint(self, label: str, app_id: object = None) -> str | None:
        """That of the value under a label; ``None``: it has not the shape of a ServerSecret.

        :param app_id: for which it is, where it does not say so itself.
        """
        secret = self.by_label[label]
        return fingerprint(app_id if secret.app_id is None else secret.app_id, secret.value)


def fingerprint(app_id: object, value: str) -> str | None:
    """Of a ServerSecret; ``None``: they do not make one."""
    try:
        return ServerSecret(app_id, value).fingerprint if isinstance(app_id, int) else None
    except ServerSecretError:
        return None


def gather(target_options: TargetOptions | None, source: SecretSource) -> TriedSecrets:
    """Read the secrets, all before the first token.

    :param target_options: where Secrets Manager has some; ``None``: it is not asked.
    :raises SecretStoreError: Secrets Manager refused, or did not answer.
    :raises CommandError: the secret of ``source`` cannot be read, or there is nothing where
        ``target_options`` says.
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


def _stored(connection: Target) -> Iterator[tuple[str, str | None, str]]:
    """Each version once, by its first label, with its text or why it has none to try."""
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
