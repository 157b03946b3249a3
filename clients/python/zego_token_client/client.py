"""The API's routes for backends."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeVar

from zego_token_client import answers
from zego_token_client.answers import read
from zego_token_client.errors import TokenProblem
from zego_token_client.models import (
    Call,
    Diagnosis,
    IssuedToken,
    Privilege,
    Status,
    TokenRequest,
    without_none,
)
from zego_token_client.retries import Retries
from zego_token_client.signed_http import BearerHttp, Http, Request, SignedHttp, post

if TYPE_CHECKING:
    from typing_extensions import Self

    from zego_token_client.signed_http import Bearer, Session

T = TypeVar("T")


class _Routes(NamedTuple):
    token: str
    batch: str
    call: str


_FOR_ROLES: Final = _Routes("/v1/service/tokens", "/v1/service/tokens/batch", "/v1/service/calls")
_FOR_BEARERS: Final = _Routes("/v1/tokens", "/v1/tokens/batch", "/v1/calls")
_IDEMPOTENCY_KEY: Final = re.compile(r"[!-~]{1,255}")
_random: Final = SystemRandom().random


class TokenClient:
    """Requests tokens from a zego-token-service for the users that this backend names.

    The backend proves who it is with an AWS IAM role, or outside AWS with a bearer token of an
    identity that the service's access policy lets name users (``names_users``).

    Create one and keep it. Several threads can share it: it keeps up to 50 connections open, and
    more than 50 requests at once open new ones. ``with`` closes it. It caches no token: each is for
    one user, whose app requests the next one at :attr:`IssuedToken.renew_at`.

    Each attempt of a signed call has a new signature. A call is retried if its error is
    ``retryable``: after a 429, a 5xx or a 401 of the service that it marks so, and if no response
    arrived. It is never retried after another 4xx.

    :param url: the API's address (the deployment's output ``ApiUrl``): https, or plain http to this
        machine.
    :param bearer: a bearer token, or a function that returns one. The function is called for the
        first request, and again when the service responds 401: it must then return a new token.
        Threads do not call it at the same time. ``None`` uses the IAM role.
    :param session: a botocore or boto3 session, whose credentials sign the requests; botocore
        renews them. ``None`` finds credentials as boto3 does.
    :param region: the API's region. ``None`` takes it from the URL, if its host is API Gateway's
        own, otherwise from the session, otherwise from ``AWS_REGION``.
    :param timeout_seconds: for opening a connection, and for each pause in the response; at most
        3600.
    :param attempts: of a call, including the first one; at most 100.
    :param patience_seconds: the last attempt starts at most this long after the first; at most
        86 400.
    :param clock: a monotonic clock in seconds.
    :param random: returns numbers from 0 to 1; spreads the retries of many clients.
    :raises ValueError: a setting is invalid.
    """

    def __init__(
        self,
        url: str,
        *,
        bearer: Bearer | None = None,
        session: Session | None = None,
        region: str | None = None,
        timeout_seconds: float = 5.0,
        attempts: int = 3,
        patience_seconds: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = _random,
    ) -> None:
        self._retries = Retries(attempts, patience_seconds, clock, sleep, random)
        self._http: Http
        if bearer is None:
            self._paths = _FOR_ROLES
            self._http = SignedHttp(url, session, region, timeout_seconds)
        elif session is None and region is None:
            self._paths = _FOR_BEARERS
            self._http = BearerHttp(url, bearer, timeout_seconds)
        else:
            raise ValueError("bearer cannot be combined with session or region")

    def token(
        self,
        user_id: str,
        *,
        room_id: str | None = None,
        privileges: Collection[Privilege] | None = None,
        stream_ids: Collection[str] | None = None,
        lifetime_seconds: int | None = None,
        refused_with: int | None = None,
    ) -> IssuedToken:
        """Return a new token for a user. The arguments are those of :class:`TokenRequest`.

        Without ``room_id`` it is an identity token, which opens every room: ZEGO checks the user
        only. ZIM needs one; for a call, pass the room.

        :raises TokenServiceError: the service issued none.
        """
        request = TokenRequest(
            user_id, room_id, privileges, stream_ids, lifetime_seconds, refused_with
        )
        reader = partial(answers.issued, request=request)
        return self._ask(post(self._paths.token, request.document()), reader)

    def tokens(self, requests: Iterable[TokenRequest]) -> list[IssuedToken | TokenProblem]:
        """Return up to 100 tokens: for each request, in order, its token or its problem.

        The service refuses a longer list as a whole. Split it: each part then succeeds or fails
        separately.

        :raises TokenServiceError: the batch as a whole failed.
        :raises TypeError: a request is not a :class:`TokenRequest`.
        """
        asked = tuple(requests)  # may be an iterator, or change before the response
        for request in asked:
            if not isinstance(request, TokenRequest):
                raise TypeError(f"a request must be a TokenRequest, not {type(request).__name__}")
        document = {"requests": [request.document() for request in asked]}
        reader = partial(answers.batch, requests=asked)
        return self._ask(post(self._paths.batch, document), reader)

    def start_call(
        self,
        user_id: str,
        *,
        callees: Iterable[str] = (),
        idempotency_key: str | None = None,
        privileges: Collection[Privilege] | None = None,
        stream_ids: Collection[str] | None = None,
        lifetime_seconds: int | None = None,
        refused_with: int | None = None,
    ) -> Call:
        """Create a room for a call, and return a user's token for it. Others use :meth:`token`.

        :param callees: up to 50 users that the call invites. The service publishes an event for
            them; see :attr:`Call.event_accepted`.
        :param idempotency_key: calls of one user with the same key are one call in one room; 1 to
            255 visible ASCII characters that others cannot guess. ``None`` makes a random key, so
            that the retries of this client are one call.
        :raises TokenServiceError: the service issued none.
        :raises TypeError: a list is given as a string, so its letters would be sent.
        :raises ValueError: the key is invalid.
        """
        request = TokenRequest(
            user_id, None, privileges, stream_ids, lifetime_seconds, refused_with
        )
        if isinstance(callees, str):
            raise TypeError("callees must be a list, not a string")
        key = str(uuid.uuid4()) if idempotency_key is None else idempotency_key
        if not _IDEMPOTENCY_KEY.fullmatch(key):
            raise ValueError("idempotency_key must be 1 to 255 visible ASCII characters")
        invited = {"callees": called} if (called := list(callees)) else {}
        asked = post(self._paths.call, {**request.document(), **invited}, {"Idempotency-Key": key})
        return self._ask(asked, partial(answers.call, request=request))

    def status(self) -> Status:
        """Return the secret, policy and version that the service uses, for a role that may read it.

        :raises TokenServiceError: the request failed.
        :raises ValueError: the client has a bearer token instead of a role.
        """
        return self._ask_as_role(Request("GET", "/v1/status"), partial(read, Status))

    def diagnose(
        self,
        token: str,
        *,
        user_id: str | None = None,
        room_id: str | None = None,
        app_id: int | None = None,
        sdk: Literal["web", "native", "zim", "uikit"] | None = None,
    ) -> Diagnosis:
        """Return why ZEGO refuses or would refuse a token. The role needs ``diagnose_tokens``.

        :param token: the text that the SDK got, whatever it is. The other arguments are what you
            expected in it; ``None`` is not compared.
        :raises TokenServiceError: the request failed.
        :raises TypeError: an argument cannot be sent as JSON.
        :raises ValueError: the client has a bearer token instead of a role.
        """
        expected = {"user_id": user_id, "room_id": room_id, "app_id": app_id, "sdk": sdk}
        try:
            request = post("/v1/diagnose", without_none({"token": token, **expected}))
        except (TypeError, ValueError):
            request = None
        del token  # would stay in the error's traceback
        if request is None:
            raise TypeError("an argument cannot be sent as JSON")
        return self._ask_as_role(request, partial(read, Diagnosis))

    def close(self) -> None:
        """Close the open connections. A later call opens new ones."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _ask_as_role(self, request: Request, reader: Callable[[Mapping[str, object]], T]) -> T:
        if self._paths is not _FOR_ROLES:
            raise ValueError("the API has this route for IAM roles only: leave out bearer")
        return self._ask(request, reader)

    def _ask(self, request: Request, reader: Callable[[Mapping[str, object]], T]) -> T:
        return self._retries.run(lambda: answers.result(self._http.send(request), reader))
