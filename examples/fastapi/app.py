"""Connects the sessions of an app to tokens for ZEGO's SDKs, and calls to their callees' pages.

The service trusts this backend for every user that the access policy lets it name, so this app
takes the user from its own session, never from a request. Its memory is lost when it ends, and is
that of one process: a real app has a session store and a database.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import Cookie, Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field
from pydantic.alias_generators import to_camel

from zego_token_client import TokenClient, TokenProblem, TokenServiceError

FILES = Path(__file__).parents[2]
log = logging.getLogger("uvicorn.error")

app = FastAPI()
#: Finds AWS credentials as boto3 does.
client = TokenClient(os.environ["ZEGO_TOKENS_URL"])
#: Two during a rotation of the key, separated by a space.
incoming_call_keys = os.environ["INCOMING_CALL_KEYS"].split()

# --- Sessions: replace this with those of your app ------------------------------------------------

sessions: dict[str, str] = {}


class Login(BaseModel):
    user: str = Field(pattern=r"^[a-z]{1,32}$")


@app.post("/login", status_code=204)
def log_in(login: Login, response: Response) -> None:
    """Start a session. There is no password: this is a demonstration."""
    session = secrets.token_urlsafe()
    sessions[session] = login.user
    response.set_cookie("session", session, httponly=True, samesite="strict")


def session_user(session: Annotated[str, Cookie()] = "") -> str:
    if session not in sessions:
        raise HTTPException(401, "Sign in first.")
    return sessions[session]


User = Annotated[str, Depends(session_user)]

# --- Tokens and calls -----------------------------------------------------------------------------


#: Until when (Unix seconds) a user may get tokens for a room.
may_enter: dict[tuple[str, str], float] = {}


def remember(ends: dict[tuple[str, str], float], keys: Iterable[tuple[str, str]], end: int) -> None:
    for key, old in [*ends.items()]:
        if old < time.time():
            ends.pop(key, None)  # another thread may have removed it
    ends.update(dict.fromkeys(keys, end))


class CamelCase(BaseModel, alias_generator=to_camel, extra="forbid"):
    """What the JavaScript client passes to `fetchToken` and `fetchCall`. It names no user."""

    privileges: list[str] | None = None
    stream_ids: list[str] | None = None
    lifetime_seconds: int | None = None


class TokenRequest(CamelCase):
    room_id: str
    refused_with: int | None = None


class CallRequest(CamelCase):
    callees: list[str]
    idempotency_key: str | None = None


@app.post("/zego-token", status_code=201)
def issue_token(user: User, asked: TokenRequest) -> dict[str, Any]:
    """Return a token for the user of the session, for a room of a call with that user."""
    if may_enter.get((asked.room_id, user), 0) <= time.time():
        raise HTTPException(403, "You are not in this call.")
    issued = client.token(user, **asked.model_dump())
    remember(may_enter, [(asked.room_id, user)], issued.expires_at)
    return asdict(issued)


@app.post("/calls", status_code=201)
def start_call(user: User, asked: CallRequest) -> dict[str, Any]:
    """Call other users. This app lets every user call every other; decide that for yours."""
    call = client.start_call(user, **asked.model_dump(exclude_none=True))
    remember(may_enter, [(call.room_id, each) for each in (user, *call.callees)], call.expires_at)
    return asdict(call)


@app.exception_handler(TokenServiceError)
def refuse(_request: Request, error: TokenServiceError) -> Response:
    """Tell the page whether to retry. The reason is for this backend's log."""
    log.warning("no token: %s", error)
    code = error.code if isinstance(error, TokenProblem) else "token_unavailable"
    document: dict[str, object] = {
        "code": code,
        "detail": "The backend got no token. Its log has the reason.",
    }
    document |= {"retryable": error.retryable, "request_id": error.request_id}
    status = 503 if error.retryable else 403
    return JSONResponse(document, status, media_type="application/problem+json")


# --- Incoming calls -------------------------------------------------------------------------------

pages: defaultdict[str, set[asyncio.Queue[dict[str, Any]]]] = defaultdict(set)  # by user


#: Until when a callee's pages do not show a call again.
shown: dict[tuple[str, str], float] = {}


class Invitation(BaseModel):
    """The part of the event that this app uses. It contains no token."""

    call_id: str
    room_id: str
    caller: str
    callees: set[str]
    expires_at: int


class IncomingCall(BaseModel):
    detail: Invitation


@app.post("/incoming-call", status_code=204)
async def notify(event: IncomingCall, x_incoming_call_key: Annotated[str, Header()] = "") -> None:
    """Receive the event of a call: at least once, in any order. It opens no room to anyone."""
    given = x_incoming_call_key.encode()
    matches = [key for key in incoming_call_keys if hmac.compare_digest(given, key.encode())]
    if not matches:
        raise HTTPException(401, "The key is wrong.")
    call = event.detail
    message = call.model_dump(exclude={"callees"})
    for callee in call.callees:
        if (call.call_id, callee) in shown:
            continue  # the event is a repeat
        remember(shown, [(call.call_id, callee)], call.expires_at)
        for page in pages[callee]:
            page.put_nowait(message)


@app.get("/events", response_class=EventSourceResponse)
async def send_events(user: User) -> AsyncIterator[ServerSentEvent]:
    """Send the calls of the session's user to a page, while it is open."""
    page: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    pages[user].add(page)
    try:
        yield ServerSentEvent(comment="connected")
        while True:
            yield ServerSentEvent(data=await page.get(), event="incoming-call")
    finally:
        pages[user].discard(page)


# --- The page -------------------------------------------------------------------------------------


@app.get("/")
def show_page() -> FileResponse:
    return FileResponse(FILES / "examples" / "page" / "index.html")


@app.get("/token-source.js")
def show_client() -> FileResponse:
    return FileResponse(FILES / "clients" / "javascript" / "token-source.js")
