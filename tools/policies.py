"""Checks access policies and runs the examples in them: ``make policies``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from zego.policy import examples, file
from zego.policy.examples import ExampleError
from zego.policy.file import PolicyError
from zego.policy.model import AccessPolicy

ROOT: Final = Path(__file__).resolve().parent.parent
_FOLDER: Final = ROOT / "functions" / "issuer" / "policies"
#: A policy with every key. It is not packaged.
REFERENCE: Final = _FOLDER / "reference.toml"
#: The policies of the stages in AWS.
POLICIES: Final = sorted({*_FOLDER.glob("*.toml")} - {REFERENCE})
#: The local stack fills in the address of its identity provider.
LOCAL: Final = ROOT / "local" / "access_policy.toml"


def main() -> int:
    """Check the given files, or all policies of the project. Print what is wrong, and where."""
    parser = argparse.ArgumentParser(prog="make policies", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=[*POLICIES, REFERENCE, LOCAL])
    mistakes = [mistake for path in parser.parse_args().files for mistake in check(path)]
    for mistake in mistakes:
        print(mistake, file=sys.stderr)
    return 1 if mistakes else 0


def check(path: Path) -> list[str]:
    """Return what is wrong with a policy file and its examples. If nothing is, print that."""
    try:
        policy, requests = load(path), file.load_examples(path)
    except PolicyError as error:
        return [str(error)]
    mistakes = []
    for example in requests:
        try:
            examples.run(policy, example)
        except ExampleError as error:
            mistakes.append(f"{path.name}: {example.description!r} {error}")
    if not mistakes:
        print(f"{path.name}: {len(policy.rules)} rules, {len(requests)} examples pass")
    return mistakes


def load(path: Path) -> AccessPolicy:
    """Return the policy as its stage would load it.

    :raises PolicyError: the policy is invalid.
    """
    if path.resolve() != LOCAL:
        return file.load(path)
    with tempfile.TemporaryDirectory() as directory:
        filled_in = Path(directory, path.name)
        text = path.read_text(encoding="utf-8")
        filled_in.write_text(text.replace("{identity_provider}", "http://127.0.0.1:8081"))
        return file.load(filled_in, allow_loopback=True)


if __name__ == "__main__":
    sys.exit(main())
