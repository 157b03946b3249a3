"""Checks of .env files that still contain the AppID or the ServerSecret: safe and up to date?

Values are compared and never shown. The parser accepts what any of the usual parsers accepts: names
after ``export``, ``=`` or ``:`` with spaces around it, quoted values, comments, Windows line ends.
A usual parser would remove the quotes that others keep, and that these checks search for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from ops.checklist.check import CheckResult, CheckStatus, check
from ops.doctor.deployment import Deployment
from ops.errors import reason
from ops.scan.patterns import PUBLIC_PREFIX
from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS
from zego.server_secret import PlaceholderError, ServerSecret, ServerSecretError

#: More than any .env file needs.
MAX_BYTES: Final = 262144

_LINE: Final = re.compile(
    r"[^\S\n]*(?:export[^\S\n]+)?([A-Za-z_][\w.-]*)[^\S\n]*[=:][^\S\n]*(.*)", re.ASCII
)
_QUOTED: Final = re.compile(r"""(["'`])((?:\\.|(?!\1).)*)\1[^\S\n]*(?:#.*)?""")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
_QUOTES: Final = "\"'`\u2018\u2019\u201c\u201d"

VariableKind = Literal["ServerSecret", "AppSign", "AppID"]

#: A variable's kind by its name in upper case without underscores; the first match counts.
_KINDS: Final[tuple[tuple[VariableKind, re.Pattern[str]], ...]] = (
    ("AppSign", re.compile("APPSIGN(?!IN|UP|OUT|OFF|AL|ATURE|ED)")),
    ("ServerSecret", re.compile("SERVERSECRET|ZEGO(?!.*CALLBACK).*SECRET")),
    ("AppID", re.compile("ZEGO.*APPID|^APPIDZEGO")),
)

_TAKE_OUT: Final = (
    "Delete the variable: a frontend requests tokens from the issuer. This ServerSecret is exposed:"
    " create a new one in ZEGO's console, and rotate: zego-token secret rotate."
)
_NO_APP_SIGN: Final = (
    "Delete the variable: clients that log in with tokens need no AppSign. ZEGO's support can turn"
    " off logins with it for the AppID."
)
_DELETE: Final = (
    "Delete the variable. Code that made tokens with it requests them from the issuer instead"
    " (POST /v1/service/tokens)."
)


@check(
    "Does a .env file contain ZEGO's values, and can everyone read them?",
    remedy="Save the file as UTF-8 text.",
)
def env_file(deployment: Deployment) -> Iterator[CheckResult]:
    if not deployment.options.env_files:
        yield CheckResult("note", "no file is named", "To check one, use --env-file .env.")
    for path in deployment.options.env_files:
        try:
            found = read(path)
        except EnvFileError as error:
            yield CheckResult("failed", f"{error}.", of=str(path))
            continue
        if not found:
            yield CheckResult("ok", "contains no variable of ZEGO", of=str(path))
        for variable in found:
            yield from (
                CheckResult(status, f"{variable.name} {seen}", remedy, str(path))
                for status, seen, remedy in _writing(variable)
            )


def _writing(variable: EnvVariable) -> Iterator[tuple[CheckStatus, str, str]]:
    """The findings about how a variable is written; at least one."""
    if variable.kind == "AppID":
        yield "ok", "is set", ""
        return
    if variable.kind == "AppSign":
        yield "warning", "is an AppSign, with which clients log in without a token.", _NO_APP_SIGN
        return
    if variable.is_published and variable.value:
        yield "failed", "is put into the page by the bundler: everyone can read it.", _TAKE_OUT
    if not variable.value:
        yield "ok", "has no value", ""
        return
    problem = _problem(variable.bare)
    if problem is not None:
        yield "warning", f"cannot be a ServerSecret: {problem}.", _DELETE
    elif variable.value != variable.bare:
        yield "warning", "has quotes or white space around it, which become part of it.", _UNQUOTE
    elif variable.is_quoted:
        seen = "is in quotes, which some readers (docker's --env-file) take as part of the value."
        yield "warning", seen, _UNQUOTE
    elif not variable.is_published:
        yield "ok", "is set", ""


_UNQUOTE: Final = "Write only the value; better, delete the variable."


def _problem(value: str) -> str | None:
    """Why a value cannot be a ServerSecret, whatever the AppID."""
    try:
        ServerSecret(1, value)
    except ServerSecretError as error:
        return str(error).removeprefix("server_secret ")
    return None


@check("Is it the value in Secrets Manager?", needs=("value",))
def drift(deployment: Deployment) -> Iterator[CheckResult]:
    for path in deployment.options.env_files:
        try:
            found = read(path)
        except EnvFileError:
            continue  # env_file reports it
        for variable in found:
            if (compared := _compared(variable, deployment.secrets)) is not None:
                status, seen, remedy = compared
                yield CheckResult(status, f"{variable.name} {seen}", remedy, str(path))


def _compared(
    variable: EnvVariable, secrets: dict[str, ServerSecret]
) -> tuple[CheckStatus, str, str] | None:
    """``None``: there is nothing to compare."""
    current = secrets[CURRENT]
    if not variable.value or variable.kind == "AppSign":
        return None
    if variable.kind == "AppID":
        return _app_id(variable.bare, current.app_id)
    try:
        found = ServerSecret(current.app_id, variable.bare)
    except PlaceholderError:
        return None
    except ServerSecretError:
        return "failed", "has drifted: it is not a value of the secret.", _DELETE
    label = next((label for label, one in secrets.items() if one.value == found.value), None)
    if label is not None:
        status, seen, remedy = _SAME[label]
        return status, f"{seen} ({found.fingerprint})", remedy
    seen = f"has drifted: it is {found.fingerprint}, but AWSCURRENT {current.fingerprint}."
    return "failed", seen, _DELETE


def _app_id(text: str, current: int) -> tuple[CheckStatus, str, str]:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return "failed", "is not an AppID, which is a number of up to ten digits.", _DELETE
    if int(text) != current:
        seen = f"has drifted: it is {int(text)}, but the secret is for {current}."
        return "failed", seen, "Use the secret's AppID; the issuer returns it with each token."
    return "ok", "is the secret's AppID", ""


_SAME: Final[dict[str, tuple[CheckStatus, str, str]]] = {
    CURRENT: ("ok", "is AWSCURRENT", f"{_DELETE} The next rotation makes it outdated."),
    PREVIOUS: ("failed", "has drifted: it is AWSPREVIOUS, replaced by the last rotation", _DELETE),
    PENDING: ("warning", "is AWSPENDING, which is not current yet", _DELETE),
    CANDIDATE: ("warning", "is CANDIDATE, which is staged but not current", _DELETE),
}


# --- Reading a file ---------------------------------------------------------------------------


class EnvFileError(Exception):
    """The file cannot be read. The message says why, and contains no part of it."""


@dataclass(frozen=True, slots=True)
class EnvVariable:
    """A variable that may contain a value of ZEGO.

    :ivar value: the value without the quotes around it.
    :ivar is_quoted: whether the file has quotes around it, which some readers keep.
    """

    name: str
    kind: VariableKind
    value: str = field(repr=False)
    is_quoted: bool

    @property
    def bare(self) -> str:
        """The value without stray quotes and white space around it."""
        return self.value.strip().strip(_QUOTES).strip()

    @property
    def is_published(self) -> bool:
        """Whether a bundler puts it into the page, where everyone can read it."""
        return PUBLIC_PREFIX.match(self.name.encode()) is not None


def read(path: Path) -> tuple[EnvVariable, ...]:
    """The variables of ZEGO in a file.

    :raises EnvFileError: it cannot be read, or is not text.
    """
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise EnvFileError(f"it cannot be read: {reason(error)}") from None
    if len(content) > MAX_BYTES:
        raise EnvFileError(f"it has more than {MAX_BYTES} bytes: it is not a .env file")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise EnvFileError("it is in UTF-16, as PowerShell writes it, which few programs can read")
    try:
        return tuple(variables(content.decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise EnvFileError("it is not text in UTF-8") from None


def variables(text: str) -> Iterator[EnvVariable]:
    """The variables of ZEGO in a text."""
    for line in text.splitlines():
        if (found := _LINE.fullmatch(line)) is None:
            continue
        name, text = found.groups()
        if (kind := _kind(name)) is None:
            continue
        if (quoted := _QUOTED.fullmatch(text)) is not None:
            yield EnvVariable(name, kind, quoted[2], is_quoted=True)
        else:
            yield EnvVariable(name, kind, _COMMENT.sub("", text).strip(), is_quoted=False)


def _kind(name: str) -> VariableKind | None:
    letters = re.sub("[^A-Z0-9]", "", name.upper())
    return next((kind for kind, pattern in _KINDS if pattern.search(letters)), None)
