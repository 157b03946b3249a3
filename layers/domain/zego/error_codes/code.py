"""One error code, as data: a code that an SDK shows, or a return code of the server API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

Platform = Literal["web", "native", "zim", "server-api"]
Source = Literal["documented", "observed"]
#: ZEGO's verdict on a ServerSecret, if it gave one.
Outcome = Literal["accepted", "rejected", "unknown"]

#: ``native`` is the Express SDK of phones and desktops, ``zim`` the chat SDK; UIKit shows the
#: codes of ``web``.
PLATFORMS: Final[tuple[Platform, ...]] = get_args(Platform)
#: Raw codes of ZEGO's servers are below this, codes that the SDKs make are above.
_RAW_END: Final = 200_000


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """A code that ZEGO's SDKs or its server API show.

    :ivar platforms: who shows it.
    :ivar name: the vendor's name; ``None`` if no source of the vendor gives one.
    :ivar meaning: what happened.
    :ivar causes: why, the most likely first.
    :ivar remedy: what to do.
    :ivar source: ``documented`` in the vendor's tables or declarations; ``observed`` in what its
        SDKs log.
    :ivar shown_as: the code that the app gets instead of this one, which is only logged.
    :ivar is_about_token: whether another token can help.
    """

    code: int
    platforms: tuple[Platform, ...]
    name: str | None
    meaning: str
    causes: tuple[str, ...]
    remedy: str
    source: Source = "documented"
    shown_as: int | None = None
    is_about_token: bool = True

    @property
    def is_raw(self) -> bool:
        """Whether it is a server's code, which the web SDK only logs and telemetry shows."""
        return self.platforms == ("web",) and self.code < _RAW_END


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerApiCode(ErrorCode):
    """A return code of the server API, with what it shows about the secret that signed the request.

    :ivar outcome: the verdict on the secret.
    :ivar reason: what happened and what to do, as text for users.
    :ivar temporary: whether another attempt may get another response. A rejection that is temporary
        may be a fault of ZEGO's gateway; it counts only if ZEGO repeats it.
    """

    outcome: Outcome
    reason: str
    temporary: bool
