"""The access policy of a local stack: for development, also with one's own provider, or a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from zego.policy.model import ALGORITHMS

DEVELOPMENT = Path(__file__).with_name("access_policy.toml")
SELF_TEST_ROLE = "LocalSelfTest"
"""May read the status and nothing else; no one has its credentials."""
OWN = "own"
"""The name of the identity for `LocalPolicy.issuer`."""

_SELF_TEST = f"""
[identities.local_self_test]
role = "arn:aws:iam::000000000000:role/{SELF_TEST_ROLE}"
read_status = true
"""


@dataclass(frozen=True)
class LocalPolicy:
    """What the stack's access policy is made from.

    In the file, `{identity_provider}` stands for the URL of the development identity provider. A
    policy other than the development policy also has the role of `local.self_test`.
    With `issuer`, the users of that provider get the same tokens as those of the development
    provider. Their user ids are their subjects, as in AWS, so the others' become hashes: two
    providers may have a user with the same subject.
    """

    file: Path = DEVELOPMENT
    issuer: str | None = None
    audience: tuple[str, ...] = ()

    def text(self, identity_provider: str) -> str:
        """Returns the policy, for a development identity provider at that URL."""
        text = self.file.read_text(encoding="utf-8")
        text = text.replace("{identity_provider}", identity_provider)
        if self.issuer is not None:
            development, _, rest = text.partition("[identities.backend]")
            own = f"[identities.{OWN}]\nissuer = {json.dumps(self.issuer)}\n"
            own += f"audience = {json.dumps(self.audience)}\n"
            own += f"algorithms = {json.dumps([*ALGORITHMS])}\n\n"
            development = development.replace('user_ids = "subject"', 'user_ids = "hashed"')
            rest = rest.partition("[[examples]]")[0]  # which are about subjects
            rest = rest.replace('callers = ["development"]', f'callers = ["development", "{OWN}"]')
            text = f"{development}{own}[identities.backend]{rest}"
        return text if self == LocalPolicy() else text + _SELF_TEST
