"""The error of a refused call, and switches for what AWS does only sometimes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class SecretsManagerError(Exception):
    """Secrets Manager refused a call, with AWS' error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Conditions:
    """Switches for what AWS does only sometimes or does not document.

    By default, everything works as AWS documents it.
    """

    throttle: Callable[[str], bool] | None = None
    """Called with the action of each call. If it returns true, the call has no effect and fails
    with ThrottlingException."""

    lag: Callable[[str], int] | None = None
    """Called once with the action of each DescribeSecret, GetSecretValue and ListSecretVersionIds.
    The response shows the whole secret as it was that many writes ago: 0 is now, and too large a
    number gives the oldest state that is kept (see `actions.KEPT_WRITES`). Only writes that changed
    something count, including those of Secrets Manager itself. Writes always act on the present
    state. How far a read can lag on AWS is undocumented."""

    empty_first_page: bool = False
    """The first page of ListSecretVersionIds has no entries, and a NextToken. AWS: this "can occur
    even when the response includes no values at all"."""

    abandon_on_any_version: bool = False
    """Every PutSecretValue that creates a version abandons the rotation in progress, whatever the
    labels of the new version. AWS: "When you manually create a new version of a secret". Without
    it, only a new AWSCURRENT does."""

    keep_pending: bool = False
    """AWSPENDING stays on the version that a rotation has promoted. AWS: after a success it "might
    be attached to the same version as the AWSCURRENT version, or it might not be attached to any
    version"."""

    delete_unlabelled: bool = False
    """A version is deleted as soon as it has no label. AWS: such versions "are considered
    deprecated and Secrets Manager can delete them". Without it, they are deleted once there are
    more than 100 versions, and then only if they are older than 24 hours."""
