"""The commands of `zego-token` with their main outcomes, run as users run them."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import math
import os
import shlex
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, NoReturn
from unittest.mock import patch

from tests.recorded.real_code import (
    APP_ID,
    ORIGIN,
    Command,
    Parts,
    Trouble,
    commands,
    follow,
    run,
    watch,
)
from tests.support.faults import refusing
from tests.support.policy_mistakes import GOOD
from tests.unit.ops import tokens
from tests.unit.ops.fakes import Broken

WRONG: Final = "0123456789abcdef" * 2
NOW: Final = str(tokens.NOW)


class Session:
    """Runs commands one after the other, and keeps how each ended.

    :param as_json: run with ``--json``; otherwise keep the screens that users see.
    """

    def __init__(self, parts: Parts, *, as_json: bool) -> None:
        self.parts = parts
        self.ended: dict[str, Command] = {}
        self._as_json = as_json
        self._local = ("--local", str(parts.stack_file))

    def run(
        self,
        what: str,
        *words: str,
        local: bool = False,
        stdin: str = "",
        typed: str = "",
        out: io.StringIO | None = None,
    ) -> None:
        """Run a command; with ``local``, on the secret of the parts."""
        assert what not in self.ended, what
        given = [*words, *(self._local if local else ()), *(["--json"] if self._as_json else [])]
        self.ended[what] = run(*given, stdin=stdin.encode(), typed=typed, out=out)

    def secret(self, what: str, *words: str, stdin: str = "", typed: str = "") -> None:
        """Run a command of `zego-token secret`."""
        self.run(what, "secret", *words, local=True, stdin=stdin, typed=typed)


def secret(session: Session) -> None:
    """`zego-token secret`."""
    parts, run = session.parts, session.secret
    project, manager = parts.zego.project, parts.secrets_manager
    first = manager.server_secret
    run("status", "status")
    run("watch", "watch", "--count", "2")
    with _interrupted(watch):
        run("watch, ended by Ctrl-C", "watch")
    run("restore, without a previous value", "restore", "--yes")
    run("rotate, with nothing staged", "rotate", "--staged")
    run("unstick, with no rotation in flight", "unstick", "--yes")
    run("stage, a value that ZEGO rejects", "stage", "--file", "-", stdin=WRONG)
    run("status, with a staged value", "status")
    run("stage, the current value", "stage", "--file", "-", stdin=first)
    run("stage, an invalid value", "stage", "--file", "-", stdin="too short")
    run("stage, with no file", "stage", "--file", str(parts.folder / "absent"))
    run("stage, for another AppID", "stage", "--app-id", "987654321", "--file", "-", stdin=WRONG)
    run(
        "stage, with acceptance required", "stage", "--require-accepted", "--file", "-", stdin=WRONG
    )
    run("rotate, to a value that ZEGO rejects", "rotate", "--file", "-", stdin=WRONG)
    run("rotate, to a staged value that ZEGO rejects", "rotate", "--staged")
    new = project.reset(keep_old=True).value
    run("stage, a value that ZEGO accepts", "stage", "--file", "-", stdin=new)
    run("stage, a value worse than the staged one", "stage", "--file", "-", stdin=WRONG)
    run("rotate, to the staged value", "rotate", "--staged")
    run("restore, without confirmation", "restore")
    run("restore", "restore", "--yes")
    run("rotate, and mark the current value", "rotate", "--compromised", "--file", "-", stdin=new)
    run("restore, of a compromised value", "restore", "--yes")
    with _interrupted(follow):
        value = project.reset(keep_old=True).value
        run("rotate, left with Ctrl-C", "rotate", "--file", "-", stdin=value)
    run("status, with a rotation in flight", "status")
    run("rotate, during another rotation", "rotate", "--staged")
    parts.zego.trouble = Trouble(kind="rate-limit")
    run("status, without a verdict", "status")
    run("unstick, without confirmation", "unstick")
    run("unstick", "unstick", "--yes")
    run("rotate, without waiting", "rotate", "--wait", "0", "--staged")
    parts.zego.trouble = Trouble()
    parts.steps()
    run("status, after a promotion meanwhile", "status")
    both = ("--secret-id", manager.secret_id, "--secret-id", "zego/absent")
    run("status, of two secrets", "status", *both)
    run("status, of a missing secret", "status", "--secret-id", "zego/absent")
    project.reset(keep_old=False)
    run("status, of a secret that ZEGO rejects", "status")
    with patch.dict(parts.deny, {"DescribeSecret": refusing("AccessDeniedException")}):
        run("status, denied by AWS", "status")
    with patch.dict(parts.deny, {"DescribeSecret": refusing("ExpiredTokenException")}):
        run("stage, with expired credentials", "stage", "--file", "-", stdin=WRONG)


def usage(session: Session) -> None:
    """Usage errors, and what can go wrong around a command."""
    run, folder = session.run, session.parts.folder
    run("no such command", "secret", "statsu")
    run("no such option", "secret", "status", "--colour")
    run("no secret is named", "secret", "status")
    run("two stages", "secret", "stage", "--stage", "dev", "--stage", "prod")
    run("an invalid stage", "secret", "status", "--stage", "production")
    run("an environment that samconfig.toml lacks", "preflight", "--stage", "production")
    run("an invalid number", "secret", "rotate", "--stage", "dev", "--wait", "soon")
    run("no local stack", "secret", "status", "--local", str(folder / "absent.json"))
    run("no stack in the file", "secret", "status", "--local", _file(folder, "other.json", "{}"))
    session.secret("a value and --staged", "rotate", "--staged", "--app-id", "5")
    run("an invalid ARN", "secret", "status", "--secret-id", "arn:aws:s3:::bucket")
    run("a secret in the arguments", "secret", "stage", WRONG)

    def failing(error: type[BaseException]) -> AbstractContextManager[Any]:
        def broken(**_options: object) -> NoReturn:
            raise error

        return patch.object(dict(commands())["zego-token explain"], "callback", broken)

    with failing(RuntimeError):
        run("a bug in zego-token", "explain", "20014")
    with failing(KeyboardInterrupt):
        run("Ctrl-C", "explain", "20014")
    run("a full disk", "explain", "20014", out=Broken(errno.ENOSPC))
    run("a closed pipe", "explain", "20014", out=Broken(errno.EPIPE))


def explain(session: Session) -> None:
    """`zego-token explain`."""
    run = session.run
    run("a code of all clients", "explain", "20014")
    run("codes of one client each", "explain", "1102018", "1002078", "6000103", "50119")
    run("a code of the server API", "explain", "100000005")
    run("a line of a log", "explain", "login room failed, code: 52050119 after 3 s")
    run("an unknown code", "explain", "20999")
    run("no code", "explain")
    run("a word", "explain", "v2.3.4")
    run("all of one platform", "explain", "--all", "--platform", "zim")
    run("a platform without --all", "explain", "20014", "--platform", "zim")


def inspect(session: Session) -> None:
    """`zego-token inspect`."""

    def run(what: str, *words: str, stdin: str = "") -> None:
        session.run(what, "inspect", *words, "--now", NOW, stdin=stdin)

    folder = session.parts.folder
    pair = {"app_id": tokens.APP_ID, "server_secret": tokens.SECRET}
    of_secret = ("--secret-file", _file(folder, "secret", json.dumps(pair)))
    room, alone = tokens.room_token(), tokens.token()
    run("a good token for a room", room, *of_secret)
    run("a good token for no room", alone, *of_secret)
    run("a token and no secret", room)
    run("a token that has expired", tokens.token(issued_at=tokens.NOW - 7200), *of_secret)
    run("a token of another secret", tokens.token(tokens.OTHER_SECRET), *of_secret)
    run("a token of CBC", tokens.token(cipher="cbc"), *of_secret)
    run("a token that is broken over lines", "-", *of_secret, stdin=tokens.broken(room))
    run("a token of UIKit", tokens.kit_token(), *of_secret)
    run("a JWT", tokens.jwt(), *of_secret)
    run("invalid claims", tokens.sealed({"user_id": 5}), *of_secret)
    expected = ("--expect-user", "bob", "--expect-room", "lobby", "--expect-app", "5")
    run("a token for others", room, *of_secret, *expected, "--expect-publish", "--sdk", "web")
    many = _file(folder, "tokens", f"{room}\n{alone}\n{tokens.jwt()}")
    run("a file of many tokens", many, *of_secret)
    seen = ("--code", "20014", "--code", "52050119", "--code", "1002078", "--code", "1002052")
    run("codes that a JWT explains, and others", tokens.jwt(), *seen, "--sdk", "web")
    run("a code that a good token does not explain", room, *of_secret, "--code", "20014")
    run("codes and many tokens", many, *of_secret, *seen)
    run("an unknown code", room, "--code", "1102061")
    run("no token", stdin="")
    run("a missing file", str(folder / "absent"))
    run("an invalid secret", room, "--secret-file", _file(folder, "none", "too short"))
    run("two secrets", room, *of_secret, "--ask-secret")
    session.run("a token of another deployment", "inspect", room, "--now", NOW, local=True)


def scan(session: Session) -> None:
    """`zego-token scan`."""
    run, folder = session.run, session.parts.folder
    certain, likely, possible = (
        hashlib.sha256(kind.encode()).hexdigest()[:32] for kind in ("certain", "likely", "possible")
    )
    clean, leaking = folder / "clean", folder / "leaking"
    for one in (clean, leaking):
        one.mkdir()
    _file(clean, "index.js", "export const size = 42;\n")
    _file(leaking, "certain.js", f"const a = '{certain}';\n")
    _file(leaking, "likely.js", f"const serverSecret = '{likely}';\n")
    _file(leaking, "possible.js", f"const b = '{possible}';\n")
    of_secret = ("--secret-file", _file(folder, "value", certain))
    run("nothing", "scan", str(clean))
    run("all kinds", "scan", str(leaking), *of_secret)
    run("with the AppID", "scan", str(leaking), *of_secret, "--app-id", str(APP_ID), "--all")
    run("without the secret", "scan", str(leaking), "--all")
    run("standard input", "scan", "-", stdin=f"serverSecret = '{likely}'\n")
    inline = f"<script>generatePrebuilt{'Token'}(1234567890, '{likely}', room)</script>\n"
    run("a call of a generator", "scan", "-", stdin=inline)
    run("a missing path", "scan", str(folder / "absent"))
    run("no path", "scan")
    run("the deployed secret", "scan", str(clean), local=True)
    (clean / "damaged.gz").write_bytes(b"\x1f\x8b damaged")
    run("a file that cannot be read", "scan", str(clean))


def doctor(session: Session) -> None:
    """`zego-token doctor`."""
    parts = session.parts

    def run(what: str, *words: str) -> None:
        session.run(what, "doctor", *words, local=True)

    run("all checks pass", "--origin", ORIGIN, "--policy", str(parts.policy))
    policy = _file(parts.folder, "other.toml", "[identities]\n")
    env = _file(
        parts.folder, "dot_env", f"ZEGO_APP_ID={APP_ID}\nZEGO_SERVER_SECRET={tokens.SECRET}\n"
    )
    run("differences", "--app-id", "5", "--policy", policy, "--env-file", env)
    run("without the secret", "--without-secret")
    run("an .env file without the secret", "--without-secret", "--env-file", env)
    run("another API", "--api", "http://127.0.0.1:9")
    run("an invalid API", "--api", "calls.example.com")
    parts.zego.trouble = Trouble(kind="rate-limit")
    run("ZEGO does not respond")
    parts.zego.trouble = Trouble()
    parts.zego.project.reset(keep_old=False)
    run("ZEGO rejects the secret")
    run("no such secret", "--secret-id", "zego/absent")
    session.run("no stage", "doctor")


def denials(session: Session) -> None:
    """`zego-token deny`, `allow` and `denials`."""
    parts = session.parts
    rooms, table = parts.zego.project.rooms, parts.dynamodb

    def run(what: str, line: str) -> None:
        session.run(what, *shlex.split(line), local=True)

    spam = "--until 2h --reason 'ticket 7: spam'"
    run("no denials", "denials")
    run("no changes", "denials --history")
    rooms.enter("call_1", "alice", math.inf)
    run("deny a user, and kick", f"deny user alice {spam} --kick call_1 --kick call_2")
    run("history", "denials --history")
    run("deny a user again", "deny user alice --until forever --reason fraud")
    run("sign a user out", f"deny user alice {spam} --signed-out")
    run("deny an identity without confirmation", f"deny identity backend {spam}")
    run("deny an identity", f"deny identity backend {spam} --yes")
    run("sign an identity out", f"deny identity development {spam} --signed-out --yes")
    rooms.enter("call_1", "bob", math.inf)
    run("deny rooms, and close one", f"deny room 'call_*' {spam} --kick call_1")
    run("denials", "denials")
    run("allow a user who is signed out too", "allow user alice --reason appeal")
    run("allow a room that a pattern denies", "allow room call_1 --reason appeal")
    run("allow a user who is not denied", "allow user alcie --reason appeal")
    run("allow without a reason", "allow room 'call_*' --reason ''")
    run("an invalid value", f"deny user 'a b' {spam}")
    run("an invalid end", "deny user alice --until soon --reason x")
    run("an end in the past", "deny user alice --until 2020-01-01T00:00:00Z --reason x")
    run("an identity and a room", f"deny identity backend {spam} --kick call_1")
    session.run("no stack", "deny", "user", "alice", *shlex.split(spam))
    parts.zego.trouble = Trouble(kind="hang-up")
    run("denied, but ZEGO gives no response", f"deny user bob {spam} --kick call_1")
    parts.zego.trouble = Trouble()
    parts.zego.project.reset()
    run("denied, but ZEGO refuses", f"deny user bob {spam} --kick call_1")
    item = {"pk": {"S": "denials"}, "sk": {"S": "deny#device#1"}}
    table.call("PutItem", Item=item)
    run("an unreadable denial", "denials")
    table.intercept = refusing("AccessDeniedException")
    run("denied by AWS", "denials")
    table.intercept = refusing("ResourceNotFoundException")
    run("no table", f"deny user carol {spam}")
    table.intercept = refusing("TransactionCanceledException")
    run("another operator", f"deny user carol {spam}")


def policy(session: Session) -> None:
    """`zego-token policy` and `zego-token token`, without a service."""
    run, folder = session.run, session.parts.folder
    good = _file(folder, "good.toml", GOOD)
    run("check, a good policy", "policy", "check", good)
    careless = _file(
        folder, "careless.toml", GOOD.replace('users = ["*"]', 'users = ["{user_id}"]')
    )
    run("check, a warning", "policy", "check", careless)
    run("check, a warning that fails", "policy", "check", "--strict", careless)
    invalid = _file(folder, "invalid.toml", GOOD.replace("rooms", "room"))
    run("check, an invalid policy", "policy", "check", invalid, good)
    run("check, no policy", "policy", "check")
    claims = {"iss": "https://login.example.com/", "aud": "https://calls.example.com"}
    alice = _file(
        folder, "alice.json", json.dumps(claims | {"sub": "alice", "email_verified": True})
    )
    words = ("policy", "explain", good)
    room, streams = ("--room", "call_1"), ("--stream", "alice_cam")
    run("explain, granted", *words, "--claims", alice, *room, *streams)
    run("explain, refused", *words, "--claims", alice, "--room", "lobby")
    other = _file(folder, "other.json", json.dumps(claims | {"aud": "other", "sub": "alice"}))
    run("explain, another audience", *words, "--claims", other, *room)
    role = ("--role", "arn:aws:iam::111122223333:role/CallBackend")
    run("explain, a role", *words, *role, "--user", "bob", *room)
    run("explain, a role that names no user", *words, *role, *room)
    run("explain, no caller", *words)
    run("token, no service", "token", "--user", "alice")
    absent = ("--local", str(folder / "absent.json"))
    run("token, a stack that does not run", "token", "--user", "alice", *absent)
    run("token", "token", "--user", "alice", "--room", "call_1", local=True)
    run("token, refused", "token", "--user", "bob", "--room", "alice_desk", local=True)


def stages(session: Session) -> None:
    """Commands on the stack of a stage, whose outputs are faked."""
    parts = session.parts
    described = parts.secrets_manager.call(
        "DescribeSecret", SecretId=parts.secrets_manager.secret_id
    )
    outputs = {"SecretArn": described["ARN"]}
    prod = ("--stage", "prod", "--zego-api", parts.zego.url)
    with patch("ops.target.stack_outputs", lambda _session, _stack: outputs):
        session.run("status", "secret", "status", *prod)
        session.run("stage", "secret", "stage", *prod, "--file", "-", stdin=WRONG)
        session.run("a stack without the API", "token", "--stage", "dev", "--user", "alice")
    with patch.dict(os.environ):
        del os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        os.environ |= {
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        session.run("no credentials", "secret", "status", *prod)
        del os.environ["AWS_REGION"]
        session.run("no credentials and no region", "secret", "status", *prod)


def prompts(session: Session) -> None:
    """Questions on a terminal."""
    run, project = session.secret, session.parts.zego.project
    run("stage, nothing typed", "stage", typed="\n")
    run("stage", "stage", typed=f"{project.reset(keep_old=True).value}\n")
    run("rotate", "rotate", typed=f"{project.reset(keep_old=True).value}\n")
    run("restore, no", "restore", typed="n\n")
    run("restore, yes", "restore", typed="y\n")
    spam = ("--until", "2h", "--reason", "spam")
    session.run("deny an identity, no", "deny", "identity", "shop", *spam, local=True, typed="n\n")
    session.run("inspect", "inspect", "--now", NOW, typed=f"{tokens.room_token()}\n")
    session.run(
        "inspect, and the secrets",
        *("inspect", tokens.room_token(), "--ask-secret", "--now", NOW),
        typed=f"{tokens.SECRET}\n\n\n",
    )
    session.run("policy identity", "policy", "identity", typed=f"{tokens.jwt()}\n")


SESSIONS: Final[dict[str, Callable[[Session], None]]] = {
    one.__name__: one
    for one in (secret, usage, explain, inspect, scan, doctor, denials, policy, stages, prompts)
}


def _interrupted(waiting: Any) -> AbstractContextManager[Any]:
    """Ctrl-C while a command waits for its next check."""

    def interrupt(_seconds: float) -> NoReturn:
        raise KeyboardInterrupt

    return patch.dict(waiting.__kwdefaults__, sleep=interrupt)


def _file(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)
