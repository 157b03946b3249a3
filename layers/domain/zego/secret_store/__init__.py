"""The ServerSecret in Secrets Manager: the labels of its versions.

The issuer reads one version, through :mod:`zego.secrets_manager`. :mod:`.versions` changes the
secret. It needs boto3; the rotator, the watcher and the command line import it.
"""

from __future__ import annotations

from typing import Final

# The staging labels. Each is on one version at most.

#: The version with which the issuer seals tokens. ZEGO accepted it when it was promoted.
CURRENT: Final = "AWSCURRENT"
#: The version that was current before. Secrets Manager moves this label when it moves AWSCURRENT.
PREVIOUS: Final = "AWSPREVIOUS"
#: The version that a rotation is about to promote. At first it has no value.
PENDING: Final = "AWSPENDING"
#: The version that ops staged for promotion. Ops cannot use AWSPENDING: if it is on a version that
#: no rotation began, the next rotation fails.
CANDIDATE: Final = "CANDIDATE"
#: All of them, the most important first.
LABELS: Final = (CURRENT, PREVIOUS, PENDING, CANDIDATE)
#: The label under which a rotation stores its value. It has no meaning: PutSecretValue needs a
#: label, and with AWSPENDING it could take that one from another rotation.
FILLED: Final = "FILLED"
