"""Files that still hold the AppID or the ServerSecret: are they safe, and do they still hold true?

Values are compared, and never shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ops.doctor.check import Result, Status
from ops.doctor.deployment import Deployment
from ops.doctor.dotenv_file import EnvFileError, Variable, read
from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS
from zego.server_secret import PlaceholderError, ServerSecret, ServerSecretError

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


def env_files(deployment: Deployment) -> Iterator[Result]:
    """What of ZEGO's is in the files, and how it is written there."""
    if not deployment.asked.env_files:
        yield Result("note", "no file is named", "Give --env-file .env, if you keep one.")
    for path in deployment.asked.env_files:
        try:
            found = read(path)
        except EnvFileError as error:
            yield Result("failed", f"{error}.", of=str(path))
            continue
        if not found:
            yield Result("ok", "holds nothing of ZEGO's", of=str(path))
        for variable in found:
            yield from (
                Result(status, f"{variable.name} {seen}", remedy, str(path))
                for status, seen, remedy in _writing(variable)
            )


def _writing(variable: Variable) -> Iterator[tuple[Status, str, str]]:
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


def drift(deployment: Deployment) -> Iterator[Result]:
    """Whether the files hold what Secrets Manager does."""
    for path in deployment.asked.env_files:
        try:
            found = read(path)
        except EnvFileError:
            continue  # which has been said
        for variable in found:
            if (compared := _compared(variable, deployment.secrets)) is not None:
                status, seen, remedy = compared
                yield Result(status, f"{variable.name} {seen}", remedy, str(path))


def _compared(
    variable: Variable, secrets: dict[str, ServerSecret]
) -> tuple[Status, str, str] | None:
    """``None``: there is nothing to compare."""
    current = secrets[CURRENT]
    if not variable.value or variable.kind == "AppSign":
        return None
    if variable.kind == "AppID":
        return _app_id(variable.bare, current.app_id)
    try:
        given = ServerSecret(current.app_id, variable.bare)
    except PlaceholderError:
        return None
    except ServerSecretError:
        return "failed", "is a drift: it is no value of the secret's.", _DELETE
    label = next((label for label, one in secrets.items() if one.value == given.value), None)
    if label is not None:
        status, seen, remedy = _SAME[label]
        return status, f"{seen} ({given.fingerprint})", remedy
    seen = f"is a drift: it has {given.fingerprint}, and AWSCURRENT {current.fingerprint}."
    return "failed", seen, _DELETE


def _app_id(given: str, current: int) -> tuple[Status, str, str]:
    if not (given.isascii() and given.isdigit() and len(given) <= 10):
        return "failed", "is no AppID, which is a number up to ten digits long.", _DELETE
    if int(given) != current:
        seen = f"is a drift: it is {int(given)}, and the secret is for {current}."
        return "failed", seen, "Take the secret's; tokens made by the issuer come with it."
    return "ok", "is the secret's", ""


_SAME: Final[dict[str, tuple[Status, str, str]]] = {
    CURRENT: ("ok", "is AWSCURRENT", f"{_DELETE} The next rotation makes it stale."),
    PREVIOUS: ("failed", "is a drift: it is AWSPREVIOUS, stale since the last rotation", _DELETE),
    PENDING: ("warning", "is AWSPENDING, which is not current yet", _DELETE),
    CANDIDATE: ("warning", "is CANDIDATE, which is staged and not current", _DELETE),
}
