"""The secrets to try: those of Secrets Manager, and those from a file or from prompts.

A file and the prompts may also give the AppSign and the CallbackSecret of the project, which some
generators use as the ServerSecret.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import click

from ops import target
from ops.errors import ExitCode, InputError
from ops.prompt import STANDARD_INPUT, ask_unseen, can_ask
from ops.secret import value
from ops.target import Command, Target, TargetOptions
from zego import server_secret, strict_json
from zego.diagnosis.model import APP_SIGN, CALLBACK_SECRET, TriedSecret
from zego.secret_store import LABELS
from zego.server_secret import PlaceholderError, ServerSecret, ServerSecretError

#: The label of a ServerSecret that is not in Secrets Manager.
GIVEN: Final = "given"
#: The labels of the other secrets, with their keys in JSON.
_OTHERS: Final[Mapping[str, str]] = {APP_SIGN: "app_sign", CALLBACK_SECRET: "callback_secret"}
_APP_SIGN_SHAPE: Final = re.compile(r"[0-9A-Fa-f]{64}")

#: The names of the options of :func:`secret_source`.
SOURCE_OPTIONS: Final = ("secret_file", "ask_secret")


@dataclass(frozen=True, slots=True)
class SecretSource:
    """The options for secrets that are not in Secrets Manager; both may be missing.

    :ivar file: a path, or ``-`` for standard input.
    :ivar has_prompt: the user types them.
    """

    file: str | None = None
    has_prompt: bool = False

    @property
    def is_on_standard_input(self) -> bool:
        return self.has_prompt or self.file == STANDARD_INPUT

    def read(self) -> dict[str, Any]:
        """The secrets as they are given, by label; see :func:`ops.secret.value.read`.

        :raises CommandError: one cannot be read.
        """
        if self.file is None and not self.has_prompt:
            return {}
        try:
            text = value.read(self.file)
        except ServerSecretError as error:
            raise InputError(f"The secret cannot be read: {error}.") from None
        values = _object(text) or {}
        others = {label: values[key] for label, key in _OTHERS.items() if values.get(key)}
        given = {GIVEN: text, **others} if not others or "server_secret" in values else others
        for label in _OTHERS if self.has_prompt else ():
            if typed := ask_unseen(f"{label} (Enter to skip): ", optional=True):
                given[label] = typed
        return given


def secret_source(command: Command) -> Command:
    """The command gets a :class:`SecretSource` as ``source``."""

    @click.option(
        "--secret-file",
        metavar="PATH|-",
        help="Also try the secret in this file (or standard input): the 32 characters, or JSON, in"
        " which app_sign and callback_secret may be next to server_secret.",
    )
    @click.option(
        "--ask-secret",
        is_flag=True,
        help="Also try the secrets that you type at hidden prompts: the ServerSecret and, if you"
        " have them, AppSign and CallbackSecret.",
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
    :ivar problems: by label, why the value does not have the right shape. It is tried anyway, as a
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
        if label in _OTHERS:
            return None
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
    found: list[tuple[str, Any, str]] = []
    if target_options is not None:
        found += _stored(target.connect(target_options))
    found += ((label, text, "") for label, text in given.items())
    secrets: dict[str, TriedSecret] = {}
    problems: dict[str, str] = {}
    for label, text, lack in found:
        secret, problem = None, lack
        if label in _OTHERS:
            secret, problem = _other_secret(label, text)
        elif text is not None:
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
    if (values := _object(text)) is None:
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


def _other_secret(label: str, text: Any) -> tuple[TriedSecret | None, str]:
    """An AppSign or a CallbackSecret, even if it is invalid, and what is wrong with its shape."""
    key, problem = _OTHERS[label], ""
    try:
        ServerSecret(1, text)  # it also checks the type
    except PlaceholderError as error:
        return None, str(error).replace("server_secret", key)
    except ServerSecretError as error:
        problem = str(error).replace("server_secret", key)
    if not isinstance(text, str):
        return None, problem
    if label == APP_SIGN and text == text.strip().strip("\"'"):
        is_usual = _APP_SIGN_SHAPE.fullmatch(text)
        problem = "" if is_usual else f"{key} is not 64 hex digits, which every AppSign has"
    return TriedSecret(text), problem


def _object(text: str) -> dict[str, Any] | None:
    """The JSON object in a text, if it is one."""
    try:
        return strict_json.loads_object(text)
    except ValueError:
        return None


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
