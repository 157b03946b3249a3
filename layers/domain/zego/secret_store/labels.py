"""The staging labels of the secret's versions. Each is on one version at most."""

from __future__ import annotations

from typing import Final

#: What the issuer seals tokens with. ZEGO had accepted it when it was promoted.
CURRENT: Final = "AWSCURRENT"
#: What was current before. Secrets Manager moves this label when it moves AWSCURRENT.
PREVIOUS: Final = "AWSPREVIOUS"
#: What a rotation is about to promote; at first a version without a value.
PENDING: Final = "AWSPENDING"
#: What ops, or the watcher, wants promoted. A label of its own: one put under AWSPENDING by
#: hand would make the next rotation fail.
CANDIDATE: Final = "CANDIDATE"
