"""`python -m local.invoke events/<name>.json`: runs one event and prints the result.

It uses the stack that runs on this machine, or starts one for this event. The event's form decides
which function runs: a rotation step runs the rotator, an EventBridge event the watcher, anything
else the issuer. In the event, `authorization: Bearer {alice}` is replaced by a new bearer token for
alice, `{secret_arn}` and `{current_version}` by those of the stack's secret. Tokens are printed
shortened, followed by their claims. The exit code is 0 unless the function failed.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.page.operations import secret_versions, session
from local.samples import log_in, shortened, token_table
from local.stack import DIRECTORY, LocalStack
from local.stack_file import StackDescription, read_running
from zego import server_secret
from zego.secret_store import CURRENT
from zego.server_secret import ServerSecretError
from zego.token04 import Token04Error

_ONCE = Config(read_timeout=600, retries={"total_max_attempts": 1})
"""The rotator and the watcher may take minutes, and an event runs once."""
_PLACEHOLDER = re.compile(r"Bearer \{([^{}]+)\}")


@click.command()
@click.argument("event", type=click.Path(path_type=Path))
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    default=DIRECTORY,
    help="Folder with the stack.json of the running stack (default: .local).",
)
def main(event: Path, directory: Path) -> None:
    """Run the event in a JSON file, such as those in events/.

    The exit code is 1 if the function failed, 2 if the file has no valid event.
    """
    try:
        content = json.loads(event.read_text())
        if not isinstance(content, dict):
            raise ValueError("an event must be a JSON object")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        print(f"error: {event}: {reason}", file=sys.stderr)
        sys.exit(2)
    with running_stack(directory) as stack:
        sys.exit(_run(content, stack))


@contextlib.contextmanager
def running_stack(directory: Path) -> Iterator[StackDescription]:
    """Yields the stack that runs in `directory`, or a new one for the time of the context."""
    if running := read_running(directory):
        yield running
        return
    with (
        tempfile.TemporaryDirectory(prefix="zego-local-") as own,
        LocalStack(directory=Path(own), workers=1) as stack,
    ):
        yield stack.description()


def fill_in(event: dict[str, Any], identity_provider: str) -> dict[str, Any]:
    """Returns the event; `Bearer {name}` in its authorization header becomes a real token."""
    headers = dict(event.get("headers") or {})
    if placeholder := _PLACEHOLDER.fullmatch(headers.get("authorization", "")):
        headers["authorization"] = f"Bearer {log_in(identity_provider, placeholder[1])}"
        return event | {"headers": headers}
    return event


def function_of(event: dict[str, Any]) -> str:
    """Returns the name of the function that handles an event."""
    if "Step" in event:
        return "rotator"
    return "watcher" if "detail-type" in event else "issuer"


def _run(event: dict[str, Any], stack: StackDescription) -> int:
    name = function_of(event)
    versions = secret_versions(stack)
    current = versions.read(label=CURRENT)
    text = json.dumps(fill_in(event, stack.identity_provider))
    text = text.replace("{secret_arn}", versions.describe().arn)
    text = text.replace("{current_version}", current.version_id)
    functions = session(stack).client("lambda", endpoint_url=stack.lambda_, config=_ONCE)
    try:
        answer = functions.invoke(FunctionName=name, Payload=text.encode())
    except (BotoCoreError, ClientError) as error:
        print(f"error: the {name} did not run: {error}", file=sys.stderr)
        return 1
    said = answer["Payload"].read()
    if "FunctionError" in answer:
        print(f"error: the {name} failed: {said.decode()}", file=sys.stderr)
        return 1
    if name == "issuer":
        print(described(json.loads(said), current.text))
    else:
        print(json.dumps(json.loads(said), indent=2))
    return 0


def described(answer: dict[str, Any], secret: str) -> str:
    """Returns the result as text: status, headers, body, and the claims of its tokens."""
    status = HTTPStatus(answer["statusCode"])
    headers = [f"{name}: {value}" for name, value in answer.get("headers", {}).items()]
    text = answer.get("body") or ""
    if answer.get("isBase64Encoded"):
        text = base64.b64decode(text).decode()
    tokens: list[str] = []
    with contextlib.suppress(ValueError):
        text = json.dumps(_shorten(json.loads(text), tokens), indent=2)
    parts = ["\n".join([f"{status.value} {status.phrase}", *headers]), text]
    return "\n\n".join([*parts, *(_claims(token, secret) for token in tokens)])


def _shorten(value: Any, tokens: list[str]) -> Any:
    """Returns `value` with each `token` member shortened; appends the full ones to `tokens`."""
    if isinstance(value, list):
        return [_shorten(item, tokens) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(token := value.get("token"), str):
        tokens.append(token)
        value = value | {"token": shortened(token)}
    return {name: _shorten(item, tokens) for name, item in value.items()}


def _claims(token: str, secret: str) -> str:
    try:
        return token_table(token, server_secret.parse(secret).value)
    except (Token04Error, ServerSecretError) as error:
        return f"{shortened(token)}: {error}"


if __name__ == "__main__":
    main(prog_name="python -m local.invoke")
