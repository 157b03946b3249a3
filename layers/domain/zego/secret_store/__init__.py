"""The ServerSecret in Secrets Manager: the labels of its versions.

:mod:`.cache`, a cached read of one version, is all that the issuer needs. :mod:`.versions` changes
the secret; it needs boto3 and is imported by those who rotate.
"""

from __future__ import annotations

from typing import Final

# The staging labels. Each is on one version at most.

#: What the issuer seals tokens with. ZEGO had accepted it when it was promoted.
CURRENT: Final = "AWSCURRENT"
#: What was current before. Secrets Manager moves this label when it moves AWSCURRENT.
PREVIOUS: Final = "AWSPREVIOUS"
#: What a rotation is about to promote; at first a version without a value.
PENDING: Final = "AWSPENDING"
#: What ops wants promoted. It is not AWSPENDING: a version under AWSPENDING that no rotation began
#: makes the next rotation fail.
CANDIDATE: Final = "CANDIDATE"
#: In the order in which they matter.
LABELS: Final = (CURRENT, PREVIOUS, PENDING, CANDIDATE)
#: Where a rotation stores its value, beside AWSPENDING. It says nothing about the version.
#: PutSecretValue needs a label, and with AWSPENDING it could take that from another rotation.
FILLED: Final = "FILLED"
