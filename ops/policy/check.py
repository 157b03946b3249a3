"""Checks access policies: `zego-token policy check` and `make policies`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from ops.errors import ExitCode
from ops.output import BAD, UNSURE, Output
from ops.policy.warnings import warnings
from zego.policy import examples, file
from zego.policy.examples import ExampleError
from zego.policy.file import PolicyError
from zego.policy.model import AccessPolicy

#: In the local stack's policy, what is replaced by the URL of its identity provider.
_PLACEHOLDER: Final = "{identity_provider}"
_ANY_PROVIDER: Final = "http://127.0.0.1:8081"


@dataclass(frozen=True, slots=True)
class CheckedPolicy:
    """What was found in a policy file.

    :ivar mistakes: why the service would not start with it, and examples that fail.
    :ivar warnings: what is valid and probably not meant; see :mod:`ops.policy.warnings`.
    """

    file: str
    rules: int = 0
    examples: int = 0
    mistakes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def check(path: Path) -> CheckedPolicy:
    """Check a policy file and run its examples."""
    try:
        policy, requests = load(path), file.load_examples(path)
    except PolicyError as error:
        return CheckedPolicy(path.name, mistakes=(str(error),))
    mistakes, identity_tokens = [], set()
    for example in requests:
        try:
            rule = examples.run(policy, example)
        except ExampleError as error:
            mistakes.append(f"{path.name}: {example.description!r} {error}")
        else:
            if example.granted and example.request.room_id is None:
                identity_tokens.add(rule)
    found = [f"{path.name}: {warning}" for warning in warnings(policy, identity_tokens)]
    return CheckedPolicy(path.name, len(policy.rules), len(requests), tuple(mistakes), tuple(found))


def load(path: Path, *, allow_loopback: bool = False) -> AccessPolicy:
    """Return the policy as the service would load it.

    :param allow_loopback: as the local stack's service would.
    :raises PolicyError: the policy is invalid.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return file.load(path)  # which says why it cannot be read
    if _PLACEHOLDER.encode() not in content:
        return file.load(path, allow_loopback=allow_loopback)
    with tempfile.TemporaryDirectory() as directory:
        filled_in = Path(directory, path.name)
        filled_in.write_bytes(content.replace(_PLACEHOLDER.encode(), _ANY_PROVIDER.encode()))
        return file.load(filled_in, allow_loopback=True)


def check_all(out: Output, files: Sequence[Path], *, strict: bool) -> ExitCode:
    """Check the files, and show what was found."""
    is_good = True
    for path in files:
        found = check(path)
        if found.mistakes:
            lines = "\n".join(found.mistakes)
        else:
            lines = f"{path.name}: {found.rules} rules, {found.examples} examples pass"
        out.tell("policy", lines, style=BAD if found.mistakes else "", **asdict(found))
        if found.warnings and not out.as_json:
            warned = "\n".join(f"warning: {warning}" for warning in found.warnings)
            out.tell("warnings", warned, style=UNSURE)
        is_good &= not (found.mistakes or (strict and found.warnings))
    return ExitCode.DONE if is_good else ExitCode.REFUSED
