"""The .env files that still hold the AppID or the ServerSecret: are they safe, and still true?

Values are compared, and never shown. A file is read as leniently as its many readers do: a reader's
own parser would take off what is looked for here, quotes that others leave on. None is as lenient
as all of them together: names may follow ``export``, ``=`` or ``:`` and spaces may stand around it,
values may be quoted, comments may follow, lines may end as on Windows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from ops.doctor.check import CheckResult, CheckStatus, check
from ops.doctor.deployment import Deployment
from ops.errors import reason
from ops.scan.patterns import PUBLIC_PREFIX
from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS
from zego.server_secret import PlaceholderError, ServerSecret, ServerSecretError

#: More than any needs.
MAX_BYTES: Final = 262144

_LINE: Final = re.compile(
    r"[^\S\n]*(?:export[^\S\n]+)?([A-Za-z_][\w.-]*)[^\S\n]*[=:][^\S\n]*(.*)", re.ASCII
)
_QUOTED: Final = re.compile(r"""(["'`])((?:\\.|(?!\1).)*)\1[^\S\n]*(?:#.*)?""")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
_QUOTES: Final = "\"'`\u2018\u2019\u201c\u201d"

VariableKind = Literal["ServerSecret", "AppSign", "AppID"]

#: What a variable holds, by its name without underscores, in upper case; the first that is found.
_KINDS: Final[tuple[tuple[VariableKind, re.Pattern[str]], ...]] = (
    ("AppSign", re.compile("APPSIGN(?!IN|UP|OUT|OFF|AL|ATURE|ED)")),
    ("ServerSecret", re.compile("SERVERSECRET|ZEGO(?!.*CALLBACK).*SECRET")),
    ("AppID", re.compile("ZEGO.*APPID|^APPIDZEGO")),
)

_TAKE_OUT: Final = (
    "Take it out: a frontend asks the issuer for tokens. Then make a new ServerSecret at ZEGO's"
    " console, as this one is known, and rotate: zego-token secret rotate."
)
_NO_APP_SIGN: Final = (
    "Delete it there: who logs in with tokens needs none. ZEGO's support can switch logins with it"
    " off for the AppID."
)
_DELETE: Final = (
    "Delete it there. What made tokens with it asks the issuer for them"
    " (POST /v1/service/tokens) instead."
)


@check(
    "Is anything of ZEGO's in a .env, and where everybody reads it?",
    remedy="Save it as text in UTF-8.",
)
def env_file(deployment: Deployment) -> Iterator[CheckResult]:
    if not deployment.options.env_files:
        yield CheckResult("note", "no file is named", "Give --env-file .env, if you keep one.")
    for path in deployment.options.env_files:
        try:
            found = read(path)
        except EnvFileError as error:
            yield CheckResult("failed", f"{error}.", of=str(path))
            continue
        if not found:
            yield CheckResult("ok", "holds nothing of ZEGO's", of=str(path))
        for variable in found:
            yield from (
                CheckResult(status, f"{variable.name} {seen}", remedy, str(path))
                for status, seen, remedy in _writing(variable)
            )


def _writing(variable: EnvVariable) -> Iterator[tuple[CheckStatus, str, str]]:
    """How a variable is written; at least one thing."""
    if variable.kind == "AppID":
        yield "ok", "is there", ""
        return
    if variable.kind == "AppSign":
        yield "warning", "is an AppSign, with which clients log in without a token.", _NO_APP_SIGN
        return
    if variable.is_published and variable.value:
        yield "failed", "is put into the page by the bundler, where everybody reads it.", _TAKE_OUT
    if not variable.value:
        yield "ok", "has no value", ""
        return
    problem = _problem(variable.bare)
    if problem is not None:
        yield "warning", f"cannot be a ServerSecret: {problem}.", _DELETE
    elif variable.value != variable.bare:
        yield "warning", "has quotes or white space around it, which count as part of it.", _UNQUOTE
    elif variable.is_quoted:
        seen = "is in quotes, which some readers, docker's --env-file for one, take for part of it."
        yield "warning", seen, _UNQUOTE
    elif not variable.is_published:
        yield "ok", "is there", ""


_UNQUOTE: Final = "Write the value alone; better, delete it there."


def _problem(value: str) -> str | None:
    """Why it cannot be a ServerSecret, whatever the AppID."""
    try:
        ServerSecret(1, value)
    except ServerSecretError as error:
        return str(error).removeprefix("server_secret ")
    return None


@check("Is it what Secrets Manager holds?", needs=("value",))
def drift(deployment: Deployment) -> Iterator[CheckResult]:
    for path in deployment.options.env_files:
        try:
            found = read(path)
        except EnvFileError:
            continue  # which has been said
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
        return "failed", "is a drift: it is no value of the secret's.", _DELETE
    label = next((label for label, one in secrets.items() if one.value == found.value), None)
    if label is not None:
        status, seen, remedy = _SAME[label]
        return status, f"{seen} ({found.fingerprint})", remedy
    seen = f"is a drift: it has {found.fingerprint}, and AWSCURRENT {current.fingerprint}."
    return "failed", seen, _DELETE


def _app_id(text: str, current: int) -> tuple[CheckStatus, str, str]:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return "failed", "is no AppID, which is a number up to ten digits long.", _DELETE
    if int(text) != current:
        seen = f"is a drift: it is {int(text)}, and the secret is for {current}."
        return "failed", seen, "Take the secret's; tokens made by the issuer come with it."
    return "ok", "is the secret's", ""


_SAME: Final[dict[str, tuple[CheckStatus, str, str]]] = {
    CURRENT: ("ok", "is AWSCURRENT", f"{_DELETE} The next rotation makes it stale."),
    PREVIOUS: ("failed", "is a drift: it is AWSPREVIOUS, stale since the last rotation", _DELETE),
    PENDING: ("warning", "is AWSPENDING, which is not current yet", _DELETE),
    CANDIDATE: ("warning", "is CANDIDATE, which is staged and not current", _DELETE),
}


# --- Reading a file ---------------------------------------------------------------------------


class EnvFileError(Exception):
    """It cannot be read. The message says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class EnvVariable:
    """A variable that may be of ZEGO.

    :ivar value: as a careful reader has it, without quotes around it.
    :ivar is_quoted: whether others have it with them.
    """

    name: str
    kind: VariableKind
    value: str = field(repr=False)
    is_quoted: bool

    @property
    def bare(self) -> str:
        """The value, without what does not belong to one and is around it all the same."""
        return self.value.strip().strip(_QUOTES).strip()

    @property
    def is_published(self) -> bool:
        """Whether a bundler puts it into the page, for everybody to read."""
        return PUBLIC_PREFIX.match(self.name.encode()) is not None


def read(path: Path) -> tuple[EnvVariable, ...]:
    """The variables of ZEGO in a file.

    :raises EnvFileError: it cannot be read, or is no text.
    """
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise EnvFileError(f"it cannot be read: {reason(error)}") from None
    if len(content) > MAX_BYTES:
        raise EnvFileError(f"it has more than {MAX_BYTES} bytes: that is another file")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise EnvFileError("it is in UTF-16, as PowerShell writes it, and few can read it so")
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
