"""The page's server: its files, its stream of events, and who may use its buttons."""

from __future__ import annotations

import http.client
import itertools
import json
import re
import shlex
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.aws.lambda_host import InvocationResult
from local.aws.secrets_manager.rotation import Attempt
from local.loopback import HttpRequest, HttpResponse
from local.page import Page
from local.page.broken_tokens import MISTAKES, broken_token
from local.page.feed import Reporter
from local.page.operations import Operations, UnknownActionError
from local.page.server import CLIENT, FILES, WEB
from local.page.sse import KEPT, Live
from local.stack import LocalStack
from tests.local.exchange import Answer, exchange
from tests.unit.zego.diagnosis.generators import CBC, CLAIMS, GCM, Generator, with_mistakes
from tests.unit.zego.diagnosis.generators import MISTAKES as ALL_MISTAKES
from zego.diagnosis.kinds import KINDS
from zego.diagnosis.model import Expected, TriedSecret
from zego.diagnosis.secrets import diagnose
from zego.rotation import CopyToken
from zego.secret_store.versions import RotationInFlightError, SecretState
from zego.server_secret import ServerSecret

SECRET = ServerSecret(1234567890, "0123456789abcdef0123456789abcdef")
JSON = ("content-type", "application/json")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    directory = tmp_path_factory.mktemp("stack")
    with LocalStack(directory=directory, workers=1, watch_seconds=None) as running:
        yield running


def own(stack: LocalStack) -> list[tuple[str, str]]:
    """The headers of a request that the page itself sends."""
    return [JSON, ("origin", stack.page.url), ("sec-fetch-site", "same-origin")]


def operate(stack: LocalStack, action: str, **said: object) -> Answer:
    body = json.dumps(said).encode()
    return exchange(f"{stack.page.url}/operate/{action}", "POST", own(stack), body)


def read(live: Live, pieces: int, last_id: str | None = None) -> str:
    """Returns pieces of a stream after its first, `retry`; they begin with the kept messages."""
    with closing(live.stream(last_id)) as stream:
        next(stream)
        return b"".join(next(stream) for _ in range(pieces)).decode()


def ids(text: str) -> list[str]:
    return re.findall(r"^id: (.+)$", text, re.MULTILINE)


class TestTheStream:
    def test_a_message_has_an_id_a_name_and_its_data_on_one_line(self) -> None:
        live = Live()
        live.tell("step", {"message": "one\ntwo"})
        assert read(live, 1).startswith(
            f'id: {live.run}-1\nevent: step\ndata: {{"message":"one\\ntwo"}}\n\n'
        )

    def test_up_to_date_follows_the_kept_messages_once(self) -> None:
        live = Live()
        live.tell("a", {})
        with closing(live.stream()) as stream:
            kept = [next(stream), next(stream)][-1].decode()
            assert kept.endswith("event: up-to-date\ndata: {}\n\n")
            assert ids(kept) == [f"{live.run}-1"]
            live.tell("a", {})
            assert "up-to-date" not in next(stream).decode()
        assert "up-to-date" in read(live, 1, f"{live.run}-2"), "there were no messages to send"

    def test_it_begins_with_the_time_to_wait_before_reconnecting(self) -> None:
        with closing(Live().stream()) as stream:
            assert next(stream) == b"retry: 1000\n\n"

    def test_a_new_page_gets_the_kept_messages_in_order(self) -> None:
        live = Live()
        for name in ("a", "b"):
            live.tell(name, {})
        live.show("c", {})
        assert re.findall(r"^event: (.)$", read(live, 1), re.MULTILINE) == ["a", "b", "c"]

    def test_a_page_that_reconnects_gets_the_messages_it_missed(self) -> None:
        live = Live()
        for number in range(5):
            live.tell("a", {"number": number})
        assert ids(read(live, 1, f"{live.run}-3")) == [f"{live.run}-4", f"{live.run}-5"]

    @pytest.mark.parametrize(
        "last_id", ["0badcafe-2", "", "-", "2", "{run}-", "{run}-two", "{run}-²", "{run}--1"]
    )
    def test_an_id_of_another_run_is_ignored(self, last_id: str) -> None:
        live = Live()
        for _ in range(3):
            live.tell("a", {})
        assert len(ids(read(live, 1, last_id.format(run=live.run)))) == 3

    def test_an_id_from_the_future_hides_no_new_message(self) -> None:
        live = Live()
        live.tell("a", {})
        with closing(live.stream(f"{live.run}-99")) as stream:
            assert ids(b"".join([next(stream), next(stream)]).decode()) == []
            live.tell("a", {})
            assert ids(next(stream).decode()) == [f"{live.run}-2"]

    def test_the_history_is_bounded(self) -> None:
        live = Live()
        for _ in range(KEPT + 10):
            live.tell("a", {})
        assert ids(read(live, 1))[0] == f"{live.run}-11"

    def test_only_the_last_message_of_a_state_is_kept(self) -> None:
        live = Live()
        for number in range(3):
            live.show("secret", {"number": number})
        assert 'data: {"number":2}' in read(live, 1)
        assert len(ids(read(live, 1))) == 1

    def test_an_unchanged_state_is_not_sent_again(self) -> None:
        live = Live(heartbeat_seconds=0)
        live.show("secret", {"number": 1})
        live.show("secret", {"number": 1})
        assert ids(read(live, 2)) == [f"{live.run}-1"]

    def test_comments_keep_a_silent_stream_alive(self) -> None:
        assert read(Live(heartbeat_seconds=0), 3).endswith("{}\n\n:\n\n:\n\n")

    def test_closing_ends_all_open_streams(self) -> None:
        live = Live()
        with closing(live.stream()) as stream:
            next(stream)
            next(stream)
            live.close()
            assert list(stream) == []
        live.tell("a", {})
        assert len(ids(read(live, 1))) == 1

    def test_it_is_served_as_events_and_resumes_after_the_last_id(self, stack: LocalStack) -> None:
        stack.page.reporter.console("first")
        stack.page.reporter.console("second")
        last = f"{stack.page.live.run}-{stack.page.live._number - 1}"
        connection = http.client.HTTPConnection("127.0.0.1", stack.page.port, timeout=60)
        with closing(connection):
            connection.request("GET", "/events", headers={"Last-Event-ID": last})
            answer = connection.getresponse()
            assert answer.getheader("content-type") == "text/event-stream"
            while not (line := answer.readline().decode()).startswith("data: "):
                pass
        assert json.loads(line.removeprefix("data: "))["change"] == "second"


class TestWhoMayUseTheButtons:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ([("sec-fetch-site", "same-origin")], 200),
            ([("origin", "{own}")], 200),
            ([("origin", "{localhost}"), ("sec-fetch-site", "same-origin")], 200),
            ([], 403),
            ([("origin", "https://evil.example")], 403),
            ([("origin", "null")], 403),
            ([("origin", "{own}"), ("sec-fetch-site", "cross-site")], 403),
            ([("origin", "{api}"), ("sec-fetch-site", "same-site")], 403),
            ([("sec-fetch-site", "none")], 403),
            ([("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")], 403),
        ],
        ids=[
            "the page",
            "the page in an old browser",
            "the page by its other name",
            "neither header",
            "another site",
            "a sandboxed frame",
            "another site with our origin",
            "another port of this machine",
            "the address bar",
            "another site that claims to be the page",
        ],
    )
    def test_only_the_page_itself(
        self, stack: LocalStack, headers: list[tuple[str, str]], status: int
    ) -> None:
        page = stack.page
        names = {"own": page.url, "localhost": page.origins[1], "api": stack.api.url}
        sent = [JSON, *((name, value.format(**names)) for name, value in headers)]
        url = f"{page.url}/operate/break"
        answer = exchange(url, "POST", sent, b'{"mistake": "jwt"}')
        assert answer.status == status

    @pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
    def test_a_form_of_another_site_cannot_imitate_it(
        self, stack: LocalStack, content_type: str
    ) -> None:
        headers = [("content-type", content_type), ("sec-fetch-site", "same-origin")]
        answer = exchange(f"{stack.page.url}/operate/look", "POST", headers, b"{}")
        assert answer.status == 415

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"{", 400),
            (b"[]", 400),
            (b"null", 400),
            (b"[" * 30_000, 400),
            (b'"' + b"x" * 110_000 + b'"', 413),
        ],
        ids=["cut", "a list", "null", "too deep", "too long"],
    )
    def test_a_body_that_is_not_an_object_is_refused(
        self, stack: LocalStack, body: bytes, status: int
    ) -> None:
        answer = exchange(f"{stack.page.url}/operate/break", "POST", own(stack), body)
        assert answer.status == status
        assert answer.json()["error"].endswith(".")

    @pytest.mark.parametrize(("action", "what"), [("inspect", "token"), ("break", "request")])
    def test_the_error_names_what_is_too_long(
        self, stack: LocalStack, action: str, what: str
    ) -> None:
        answer = operate(stack, action, token="\N{PARTY POPPER}" * 9_000)
        assert answer.status == 413
        assert answer.json()["error"] == f"The {what} is longer than 100 KiB."

    def test_a_request_with_the_longest_token_is_not_too_long(self, stack: LocalStack) -> None:
        assert operate(stack, "inspect", token="\N{PARTY POPPER}" * 8192).status == 200

    def test_an_unknown_action_is_not_found(self, stack: LocalStack) -> None:
        assert operate(stack, "reveal").status == 404

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_another_site_cannot_open_streams(self, stack: LocalStack, site: str) -> None:
        answer = exchange(f"{stack.page.url}/events", headers=[("sec-fetch-site", site)])
        assert answer.status == 403

    def test_another_host_name_is_refused(self, stack: LocalStack) -> None:
        assert exchange(f"{stack.page.url}/", host="evil.example").status == 403

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS"])
    def test_other_methods_are_refused(self, stack: LocalStack, method: str) -> None:
        assert exchange(f"{stack.page.url}/", method).status == 405


class TestTheSignalsOfACall:
    SIGNAL: Mapping[str, str] = {"call_id": "0123", "user_id": "bob", "said": "declined"}

    def signal(self, stack: LocalStack, **said: object) -> Answer:
        body = json.dumps({**self.SIGNAL, **said}).encode()
        return exchange(f"{stack.page.url}/signal", "POST", own(stack), body)

    def test_every_page_gets_them(self, stack: LocalStack) -> None:
        assert self.signal(stack).status == 200
        (sent,) = re.findall(r"^event: signal\ndata: (.+)$", read(stack.page.live, 1), re.MULTILINE)
        assert json.loads(sent).items() >= self.SIGNAL.items()

    @pytest.mark.parametrize(
        ("said", "error"),
        [
            ({"said": "busy"}, "said must be one of joined, declined, ended."),
            ({"user_id": ""}, "call_id and user_id must be text of 1 to 128 characters."),
            ({"call_id": "0" * 129}, "call_id and user_id must be text of 1 to 128 characters."),
            ({"call_id": ["0"]}, "call_id and user_id must be text of 1 to 128 characters."),
        ],
        ids=["another signal", "no user", "too long", "a list"],
    )
    def test_an_invalid_one_is_refused(
        self, stack: LocalStack, said: dict[str, object], error: str
    ) -> None:
        answer = self.signal(stack, **said)
        assert (answer.status, answer.json()["error"]) == (409, error)

    def test_only_the_page_itself_may_send_them(self, stack: LocalStack) -> None:
        body = json.dumps(self.SIGNAL).encode()
        assert exchange(f"{stack.page.url}/signal", "POST", [JSON], body).status == 403


class TestTheFiles:
    def test_the_example_may_load_zegos_sdk_and_connect_to_zego(self, stack: LocalStack) -> None:
        policy = exchange(f"{stack.page.url}/call/").headers["content-security-policy"]
        assert "script-src 'self' https://cdn.jsdelivr.net blob:" in policy
        parts = f"{stack.api.url} {stack.identity_provider.url}"
        assert f"connect-src 'self' {parts} https: wss:;" in policy
        assert "form-action 'none'; base-uri 'none'; frame-ancestors 'none'" in policy

    @pytest.mark.parametrize("path", [path for path in FILES if not path.startswith("/call/")])
    def test_each_is_served_with_its_type_and_the_security_policy(
        self, stack: LocalStack, path: str
    ) -> None:
        answer = exchange(f"{stack.page.url}{path}")
        assert answer.status == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        parts = (stack.api.url, stack.identity_provider.url, stack.zego.url)
        assert f"connect-src 'self' {' '.join(parts)};" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"

    def test_the_client_is_the_one_that_applications_use(self, stack: LocalStack) -> None:
        assert exchange(f"{stack.page.url}/token-source.js").body == CLIENT.read_bytes()

    @pytest.mark.parametrize(
        "path",
        ["/server.py", "/../server.py", "/%2e%2e/server.py", "//etc/passwd", "/index.html/", "/x"],
    )
    def test_other_paths_are_not_found(self, stack: LocalStack, path: str) -> None:
        assert exchange(f"{stack.page.url}{path}").status == 404

    def test_the_page_has_no_inline_code_and_no_external_resources(self) -> None:
        page = (WEB / "index.html").read_text(encoding="utf-8")
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page)
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page)

    @pytest.mark.parametrize("module", sorted(WEB.glob("*.js")), ids=lambda path: path.name)
    def test_no_module_makes_markup_or_stores_anything(self, module: Path) -> None:
        text = module.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
        assert not re.search(r"localStorage|sessionStorage|indexedDB|document\.cookie", text)

    def test_every_module_that_is_imported_is_served(self) -> None:
        for module in WEB.glob("*.js"):
            text = module.read_text(encoding="utf-8")
            for path in re.findall(r'(?:from|import) "\.(/[\w.-]+)"', text):
                assert path in FILES, f"{module.name} imports {path}"


class TestTheOperations:
    def test_a_wrong_value_is_staged_and_refused_and_the_right_one_promoted(
        self, stack: LocalStack
    ) -> None:
        old = stack.zego.project.accepted[-1].fingerprint
        new = operate(stack, "reset", keep_old=True).json()["fingerprint"]
        assert [one.fingerprint for one in stack.zego.project.accepted] == [old, new]
        assert operate(stack, "stage", value="mistyped").json()["fingerprint"] not in (old, new)
        operate(stack, "rotate")
        assert stack.rotation.wait()
        assert current(stack) == old
        assert operate(stack, "stage", value="console").json()["fingerprint"] == new
        operate(stack, "rotate")
        assert stack.rotation.wait()
        assert current(stack) == new

    @pytest.mark.parametrize(
        ("action", "said", "error"),
        [
            ("stage", {"value": "mine"}, "value must be console or mistyped."),
            ("inspect", {"token": 4}, "token must be text of at most 16 KiB."),
            ("inspect", {"token": "x" * 16385}, "token must be text of at most 16 KiB."),
            ("break", {"mistake": "none"}, "mistake must be one of jwt"),
            (
                "break",
                {"mistake": "expired", "user_id": "\ud800"},
                "ZEGO allows no token for this user_id.",
            ),
        ],
        ids=["another value", "a number", "too long", "an unknown mistake", "half a character"],
    )
    def test_an_invalid_request_is_refused_with_the_reason(
        self, stack: LocalStack, action: str, said: dict[str, Any], error: str
    ) -> None:
        answer = operate(stack, action, **said)
        assert (answer.status, answer.json()["error"][: len(error)]) == (409, error)

    def test_a_key_error_within_an_action_is_not_an_unknown_action(self) -> None:
        operations = object.__new__(Operations)

        def failing(_said: object) -> dict[str, Any]:
            raise KeyError("AWSCURRENT")

        operations._is_own = False
        operations._actions = {"rotate": failing}
        with pytest.raises(KeyError):
            operations.perform("rotate", {})
        with pytest.raises(UnknownActionError):
            operations.perform("reveal", {})

    def test_a_console_that_does_not_respond_is_reported(
        self, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def hang_up(_request: HttpRequest) -> None:
            raise ConnectionAbortedError

        monkeypatch.setattr(stack.zego, "intercept", hang_up)
        answer = operate(stack, "reset")
        assert (answer.status, answer.json()["error"]) == (409, "ZEGO's console does not respond.")

    def test_an_inspection_tells_whether_zego_accepts_the_secret(self, stack: LocalStack) -> None:
        def inspected(token: str) -> list[object]:
            found = operate(stack, "inspect", token=token).json()
            return [found[name] for name in ("opened_by", "accepted", "current_accepted")]

        stack.zego.project.accept_all()
        token = operate(stack, "break", mistake="other-user").json()["token"]
        assert inspected(token) == ["AWSCURRENT", True, True]
        assert inspected("04AAAA") == [None, None, True]
        operate(stack, "reset", keep_old=True)
        operate(stack, "stage", value="console")
        operate(stack, "rotate")
        assert stack.rotation.wait()
        assert inspected(token) == ["AWSPREVIOUS", True, True]
        operate(stack, "reset")
        assert inspected(token) == ["AWSPREVIOUS", False, False]

    def test_an_inspection_tries_secrets_that_are_no_longer_stored(self, stack: LocalStack) -> None:
        stack.zego.project.accept_all()
        token = operate(stack, "break", mistake="other-user").json()["token"]
        sealed_with = current(stack)
        for _ in range(2):
            operate(stack, "reset", keep_old=True)
            operate(stack, "stage", value="console")
            operate(stack, "rotate")
            assert stack.rotation.wait()
        found = operate(stack, "inspect", token=token).json()
        assert (found["opened_by"], found["fingerprint"]) == ("not stored here", sealed_with)
        assert (found["accepted"], found["current_accepted"]) == (True, True)
        operate(stack, "reset")
        found = operate(stack, "inspect", token=token).json()
        assert (found["accepted"], found["current_accepted"]) == (False, False)

    def test_an_inspection_names_every_mistake_of_a_generator_and_blames_no_secret(
        self, stack: LocalStack
    ) -> None:
        kept, now = stack.secrets_manager, int(time.time())
        secret = json.loads(kept.call("GetSecretValue", SecretId=kept.secret_id)["SecretString"])
        times = {"ctime": now, "expire": now + 3600}
        given: dict[str, Any] = {
            "claims": {**CLAIMS, "app_id": secret["app_id"], **times},
            "secret": secret["server_secret"],
        }

        def inspected(base: Generator, *names: str) -> tuple[list[str], set[str]]:
            mistakes = [one for one in ALL_MISTAKES if str(one) in names]
            made = with_mistakes(replace(base, **given), *mistakes)
            assert made is not None
            found = operate(stack, "inspect", token=made.token(), user_id="alice").json()
            assert found["opened_by"] == "AWSCURRENT", names
            kinds = {kind for one in mistakes for kind in one.kinds}
            return [one["kind"] for one in found["findings"]], kinds

        for mistake in ALL_MISTAKES:
            if not mistake.given:
                found, kinds = inspected(GCM if "gcm" in mistake.modes else CBC, str(mistake))
                assert set(found) == kinds, mistake
        names = ("key: hex-decoded", "padding: PKCS#7 twice", "values: no payload")
        in_order = ["hex-decoded-secret", "wrong-padding", "payload-missing"]
        assert inspected(CBC, *names)[0] == in_order

    def test_staging_needs_a_secret_in_the_console(
        self, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stack.zego.project, "accepted", ())
        answer = operate(stack, "stage", value="console")
        said = "ZEGO's console shows no ServerSecret. Reset it first."
        assert (answer.status, answer.json()["error"]) == (409, said)

    def test_a_refusal_while_a_rotation_is_in_flight_has_a_code(
        self, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def in_flight(*_: object) -> None:
            raise RotationInFlightError("in flight")

        operate(stack, "reset", keep_old=True)
        operate(stack, "stage", value="console")
        assert stack.page._operations
        monkeypatch.setattr(stack.page._operations._versions, "start_rotation", in_flight)
        answer = operate(stack, "rotate")
        assert (answer.status, answer.json()["code"]) == (409, "rotation_in_flight")
        assert operate(stack, "stage", value="mine").json()["code"] is None

    def test_going_back_keeps_what_is_staged(self, stack: LocalStack) -> None:
        stack.zego.project.accept_all()
        operate(stack, "reset", keep_old=True)
        before = current(stack)
        operate(stack, "stage", value="console")
        operate(stack, "rotate")
        assert stack.rotation.wait()
        staged = operate(stack, "stage", value="mistyped").json()["fingerprint"]
        token = CopyToken.read(operate(stack, "restore").json()["rotation"])
        assert token is not None
        assert token.purpose == "restore"
        assert stack.rotation.wait()
        assert current(stack) == before
        assert labelled(stack, "CANDIDATE") == staged

    def test_going_back_needs_awsprevious(
        self, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        operate(stack, "break", mistake="jwt")  # creates the operations
        assert stack.page._operations
        state = SecretState("arn", {"AWSCURRENT": "c" * 36}, {}, None)
        monkeypatch.setattr(stack.page._operations._versions, "describe", lambda: state)
        answer = operate(stack, "restore")
        said = "There is no AWSPREVIOUS yet. Rotate once before you go back."
        assert (answer.status, answer.json()["error"]) == (409, said)

    def test_going_back_to_a_secret_that_zego_rejects_is_refused(self, stack: LocalStack) -> None:
        operate(stack, "reset")
        operate(stack, "stage", value="console")
        operate(stack, "rotate")
        assert stack.rotation.wait()
        answer = operate(stack, "restore")
        said = "ZEGO no longer accepts AWSPREVIOUS. Rotate to the console's value."
        assert (answer.status, answer.json()["error"]) == (409, said)

    def test_a_rotation_needs_a_stored_secret(self, stack: LocalStack) -> None:
        operate(stack, "reset")
        operate(stack, "stage", value="console")
        operate(stack, "rotate")
        assert stack.rotation.wait()
        answer = operate(stack, "rotate")
        said = "No new secret is stored (CANDIDATE). Store one before you rotate."
        assert (answer.status, answer.json()["error"]) == (409, said)

    def test_the_command_that_gives_a_rotation_up_names_this_stack(self, stack: LocalStack) -> None:
        command = exchange(f"{stack.page.url}/stack").json()["unstick"]
        program, *arguments = shlex.split(command)
        assert Path(program).resolve().parent == Path(sys.executable).parent.resolve()
        assert arguments == ["secret", "unstick", "--local", str(stack.file)]

    def test_a_broken_token_is_inspected_for_the_user_it_was_meant_for(
        self, stack: LocalStack
    ) -> None:
        made = operate(stack, "break", mistake="other-user").json()
        found = operate(stack, "inspect", **made).json()["findings"]
        assert (made["user_id"], found[0]["kind"]) == ("alice", "user-id-mismatch")

    def test_an_empty_user_id_is_a_mismatch(self, stack: LocalStack) -> None:
        token = operate(stack, "break", mistake="expired").json()["token"]
        found = operate(stack, "inspect", token=token, user_id="").json()["findings"]
        assert "user-id-mismatch" in {one["kind"] for one in found}

    def test_a_check_returns_what_the_watcher_found(self, stack: LocalStack) -> None:
        assert operate(stack, "look").json()["verdict"] in ("accepted", "rejected")

    def test_changes_made_elsewhere_are_shown_too(self, stack: LocalStack) -> None:
        operate(stack, "break", mistake="jwt")  # the secret is shown from the first use of the page
        stack.page.live.show("secret", {})
        answer = exchange(f"{stack.zego.url}/console/reset", "POST", [JSON], b"{}")
        new = stack.zego.project.accepted[-1]
        assert answer.json()["accepted"] == [new.fingerprint]
        assert shown(stack, new.fingerprint)

    def test_a_failed_request_to_secrets_manager_is_retried(
        self, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        operate(stack, "break", mistake="jwt")  # the secret is shown from the first use of the page
        refusal = HttpResponse(400, body=b'{"__type": "AccessDeniedException", "message": "no"}')
        refused = threading.Event()

        def refuse_once(_request: HttpRequest) -> HttpResponse | None:
            if refused.is_set():
                return None
            refused.set()
            return refusal

        monkeypatch.setattr(stack.secrets_manager, "intercept", refuse_once)
        new = stack.zego.project.reset()
        stack.page.reporter.changed()
        assert refused.wait(60)
        assert shown(stack, new.fingerprint)

    def test_no_response_and_no_event_contains_a_secret(self, stack: LocalStack) -> None:
        responses = [
            operate(stack, "reset").body,
            operate(stack, "stage", value="console").body,
            operate(stack, "look").body,
            operate(stack, "inspect", token="04AAAA").body,
            read(stack.page.live, 1).encode(),
        ]
        assert stack.rotation.wait()
        everything = b"".join(responses).decode()
        assert all(secret.value not in everything for secret in stack.zego.project.made)


def shown(stack: LocalStack, text: str) -> bool:
    """Whether the secret is soon shown with this text."""
    with closing(stack.page.live.stream()) as stream:
        pieces = itertools.islice(stream, 20)
        return any(f'"{text}"'.encode() in piece for piece in pieces if b"event: secret" in piece)


def current(stack: LocalStack) -> str:
    return labelled(stack, "AWSCURRENT")


def labelled(stack: LocalStack, label: str) -> str:
    """The fingerprint of the version with this label."""
    operations = stack.page._operations
    assert isinstance(operations, Operations)
    versions = operations.standing()["versions"]
    return next(str(one["fingerprint"]) for one in versions if label in one["labels"])


class TestTheReporter:
    def lines(self, line: str) -> list[str]:
        live = Live(heartbeat_seconds=0)
        Reporter(live, lambda: None, clock=lambda: 1.0).log_line(line)
        return re.findall(r"^event: audit\ndata: (.+)$", read(live, 1), re.MULTILINE)

    def test_an_audit_event_is_sent_with_the_fields_of_the_page_only(self) -> None:
        audit = {"decision": "refused", "reason": "no rule", "token_sha256": "1" * 64, "rule": None}
        (sent,) = self.lines(json.dumps({"level": "WARNING", "audit": audit}))
        assert json.loads(sent) == {"at": 1.0, "decision": "refused", "reason": "no rule"}

    @pytest.mark.parametrize(
        "line",
        ["START", '{"message": "other"}', '"audit"', '{"audit": 3}', '{"audit"', '[{"audit": {}}]'],
    )
    def test_other_lines_are_not_sent(self, line: str) -> None:
        assert self.lines(line) == []

    def test_an_incoming_call_is_sent_with_what_phones_need_only(self) -> None:
        live = Live(heartbeat_seconds=0)
        call = {
            "call_id": "0123",
            "room_id": "call_0123",
            "caller": "alice",
            "callees": ["bob"],
            "called_at": 1,
        }
        detail = {**call, "app_id": SECRET.app_id, "expires_at": 2, "request_id": "x"}
        event = {"detail-type": "Incoming Call", "detail": detail}
        Reporter(live, lambda: None, clock=lambda: 1.0).event(event)
        (sent,) = re.findall(r"^event: incoming-call\ndata: (.+)$", read(live, 1), re.MULTILINE)
        assert json.loads(sent) == {"at": 1.0, **call}


def ended(payload: object, *, failed: bool = False) -> InvocationResult:
    error = "Unhandled" if failed else None
    return InvocationResult(json.dumps(payload).encode(), error, False, "1", 0.5, None)


class TestTheLastRotationAndTheLastCheck:
    TOKEN = "0" * 32

    @pytest.fixture
    def live(self) -> Live:
        return Live(heartbeat_seconds=0)

    @pytest.fixture
    def reporter(self, live: Live) -> Reporter:
        return Reporter(live, lambda: None, clock=lambda: 1.0)

    def step(self, reporter: Reporter, name: str, token: str = TOKEN, error: str = "") -> None:
        result = ended({"errorMessage": f"{name}: {error}"} if error else None, failed=bool(error))
        reporter.stepping(lambda _event: result)({"Step": name, "ClientRequestToken": token})

    def shown(self, live: Live, name: str) -> Any:
        (data,) = re.findall(rf"^event: {name}\ndata: (.+)$", read(live, 1), re.MULTILINE)
        return json.loads(data)

    def states(self, live: Live) -> dict[str, str]:
        steps = self.shown(live, "rotation")["steps"]
        return {name: step["state"] for name, step in steps.items()}

    def test_all_four_steps_are_shown_even_after_many_messages(
        self, live: Live, reporter: Reporter
    ) -> None:
        self.step(reporter, "createSecret")
        self.step(reporter, "setSecret", error="It does not fit.")
        reporter.looking(lambda _event: ended({"verdict": "accepted"}))({})
        for _ in range(KEPT):
            live.tell("access", {})
        assert self.states(live) == {
            "createSecret": "done",
            "setSecret": "failed",
            "testSecret": "waiting",
            "finishSecret": "waiting",
        }
        assert self.shown(live, "rotation")["steps"]["setSecret"]["message"] == "It does not fit."
        assert self.shown(live, "watcher") == {"at": 1.0, "verdict": "accepted"}

    def test_a_new_attempt_resets_the_steps(self, live: Live, reporter: Reporter) -> None:
        self.step(reporter, "createSecret")
        self.step(reporter, "setSecret", error="It does not fit.")
        reporter.attempted(Attempt(self.TOKEN, 1, 5, failed=True, again=True, is_current=False))
        self.step(reporter, "createSecret")
        assert set(self.states(live).values()) == {"done", "waiting"}
        assert self.shown(live, "rotation")["attempt"]["number"] == 1

    def test_a_new_rotation_resets_the_attempts(self, live: Live, reporter: Reporter) -> None:
        self.step(reporter, "createSecret")
        reporter.attempted(Attempt(self.TOKEN, 5, 5, failed=True, again=False, is_current=False))
        self.step(reporter, "createSecret", token="1" * 32)
        reporter.attempted(Attempt(self.TOKEN, 5, 5, failed=True, again=False, is_current=False))
        assert self.shown(live, "rotation")["attempt"] is None

    def test_a_set_up_test_is_not_shown_as_a_rotation(self, live: Live, reporter: Reporter) -> None:
        self.step(reporter, "createSecret")
        self.step(reporter, "testSecret", token="1" * 32)
        assert self.shown(live, "rotation")["rotation"] == self.TOKEN


class TestWhileTheStackStarts:
    @pytest.fixture
    def starting(self) -> Iterator[Page]:
        with Page() as page:
            yield page

    def test_a_browser_gets_a_page_that_reloads_itself(self, starting: Page) -> None:
        answer = exchange(f"{starting.url}/")
        assert answer.status == 503
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert b'<meta http-equiv="refresh" content="1">' in answer.body

    def test_other_requests_get_a_readable_error(self, starting: Page) -> None:
        answer = exchange(f"{starting.url}/stack")
        assert (answer.status, answer.json()["error"][:22]) == (503, "The stack is starting.")


class TestBrokenTokens:
    EXPECTED = Expected(1_700_000_000.0, app_id=SECRET.app_id, user_id="alice", sdk="web")

    @pytest.mark.parametrize(
        ("mistake", "kind"),
        [
            ("jwt", "jwt"),
            ("other-secret", "other-secret"),
            ("other-app", "app-id-mismatch"),
            ("other-user", "user-id-mismatch"),
            ("expired", "expired"),
            ("quoted", "quoted"),
            ("cut", "truncated"),
            ("signed", "signed-not-sealed"),
            ("hex-key", "hex-decoded-secret"),
            ("little-endian", "expiry-field"),
        ],
        ids=MISTAKES,
    )
    def test_each_is_refused_for_its_own_mistake(self, mistake: str, kind: str) -> None:
        token = broken_token(mistake, SECRET, "alice", 1_700_000_000)
        found = diagnose(token, {"AWSCURRENT": TriedSecret.of(SECRET)}, self.EXPECTED)
        assert kind in KINDS
        assert (found.verdict, found.findings[0].kind) == ("refused", kind)
