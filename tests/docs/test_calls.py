"""docs/calls.md: its event is the issuer's, and its code does what the text says.

The JavaScript runs with fakes of ZEGO's SDKs, which have the functions that ZEGO documents.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from moto.events.models import EventPattern

from local.aws.api_destination import KEY_HEADER, TIMEOUT_SECONDS
from tests.infrastructure.stacks import stack_that_posts_incoming_calls
from tests.support.application import ROLE_SESSION, Application, event
from tests.support.node import find_node

PAGE: Final = (Path(__file__).parents[2] / "docs" / "calls.md").read_text(encoding="utf-8")


def code(heading: str, language: str) -> list[str]:
    """The code in a language below a heading."""
    section = re.split(rf"^##+ {heading}$", PAGE, flags=re.MULTILINE)[1]
    own = re.split(r"^##+ ", section, flags=re.MULTILINE)[0]
    return re.findall(rf"^```{language}\n(.*?)^```", own, re.MULTILINE | re.DOTALL)


(SHOWN,) = (json.loads(text) for text in code("The event", "json"))


def matches(pattern: str, of: dict[str, Any]) -> bool:
    found: Any = of
    return bool(EventPattern.load(pattern).matches_event(found))


def test_the_event_is_as_the_issuer_publishes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = Application(tmp_path, monkeypatch)
    called = {"user_id": "alice", "callees": ["bob"]}
    assert issuer.handle(event("POST /v1/service/calls", called, role=ROLE_SESSION)).status == 201
    (published,) = issuer.eventbridge.bus.events()
    assert SHOWN.keys() == published.keys()
    assert SHOWN["detail"].keys() == published["detail"].keys()
    for key in ("source", "detail-type", "resources", "version"):
        assert SHOWN[key] == published[key]
    for of in (SHOWN["detail"], published["detail"]):
        assert of["room_id"] == f"call_{of['call_id']}"
        assert re.fullmatch("[0-9a-f]{32}", of["call_id"])
        assert {type(of[key]) for key in ("app_id", "called_at", "expires_at")} == {int}
    assert (published["detail"]["caller"], published["detail"]["callees"]) == ("alice", ["bob"])


def test_the_rules_match_the_event() -> None:
    (own,) = code("Your own rule", "json")
    assert matches(own, SHOWN)
    assert not matches(own, SHOWN | {"detail": SHOWN["detail"] | {"stage": "dev"}})
    prod = stack_that_posts_incoming_calls(Stage="prod", AlarmsTellNobody="Yes")
    assert matches(json.dumps(prod.properties("IncomingCallRule")["EventPattern"]), SHOWN)


@pytest.mark.parametrize(
    ("header", "is_genuine"),
    [
        ("new", True),
        ("old", True),
        ("older", False),
        ("", False),
        (None, False),
        ("n\u00e9w", False),
    ],
)
def test_a_server_accepts_the_key_and_the_one_before(header: str | None, is_genuine: bool) -> None:
    (python,) = code("The webhook", "python")
    names: dict[str, Any] = {}
    exec(compile(python, "calls.md", "exec"), names)
    assert names["is_genuine"](header, ["new", "old"]) is is_genuine
    assert names["is_genuine"](header, [""]) is False  # a server without a key accepts no one
    assert KEY_HEADER in python


def test_the_page_has_the_limits_of_the_stack() -> None:
    (target,) = stack_that_posts_incoming_calls().properties("IncomingCallRule")["Targets"]
    minutes = target["RetryPolicy"]["MaximumEventAgeInSeconds"] // 60
    assert f"until the event is {minutes} minutes old" in PAGE
    assert f"2xx within {TIMEOUT_SECONDS:.0f} s" in PAGE


CLIENT: Final = Path(__file__).parents[2] / "clients" / "javascript"
ZIM: Final = """
import { createTokenSource } from "CLIENT/token-source.js";
import { createTestTokens } from "CLIENT/testing.js";
const said = [];
const handlers = {};
const ZIM = {
  create: (config) => ({
    on: (name, handler) => { handlers[name] = handler; },
    login: async (...given) => said.push(["login", ...given]),
    renewToken: async (token) => said.push(["renewToken", token]),
    callInvite: async (...given) => (said.push(["callInvite", ...given]), { callID: "zim-1" }),
    appID: config.appID,
  }),
};
const tokens = createTestTokens();
const source = createTokenSource({
  fetchToken: (request) => {
    if (request.roomId) throw new Error("a token for ZIM names no room");
    return tokens(request);
  },
  fetchCall: tokens,
});
""".replace("CLIENT", CLIENT.as_uri())
UIKIT: Final = """
const said = [];
const ZIM = { name: "ZIM" };
const kitToken = (issued, details) => JSON.stringify({ ...issued, ...details });
const ZegoUIKitPrebuilt = {
  InvitationTypeVideoCall: 1,
  create: (token) => ({
    addPlugins: (plugins) => said.push(["addPlugins", ...Object.keys(plugins)]),
    sendCallInvitation: async (params) => {
      said.push(["sendCallInvitation", params]);
      return { errorInvitees: params.callees.filter((one) => one.userID === "carol") };
    },
    token,
  }),
};
const source = { token: async () => ({ token: "identity" }) };
"""


def run(snippet: str, fakes: str, script: str) -> Any:
    """What a script prints as JSON, after a snippet of the page with fakes for its imports."""
    text = re.sub(r"^import .*$", "", snippet, flags=re.MULTILINE)
    command = [find_node(), "--input-type=module", "-"]
    done = subprocess.run(
        command, input=f"{fakes}\n{text}\n{script}", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_zim_carries_the_room_of_the_call() -> None:
    zim, _ = code("ZIM and UIKit", "js")
    script = """
    let rung;
    const client = await signIn(source, { userName: "Alice", ring: (call) => { rung = call; } });
    handlers.tokenWillExpire(client, { second: 30 });
    while (said.length < 2) await new Promise(setImmediate);
    const made = await call(client, source, ["bob"]);
    const invited = said.at(-1);
    handlers.callInvitationReceived(client, {
      callID: made.callID, inviter: "alice", extendedData: invited[2].extendedData,
    });
    console.log(JSON.stringify({ said, made, rung, appID: client.appID }));
    """
    found = run(zim, ZIM, script)
    signed_in, renewed, invited = found["said"]
    assert signed_in[:2] == ["login", "alice"]
    assert signed_in[2]["userName"] == "Alice"
    assert renewed[0] == "renewToken"
    assert renewed[1] != signed_in[2]["token"]
    assert invited[:2] == ["callInvite", ["bob"]]
    room = found["made"]["roomId"]
    assert re.fullmatch("call_[0-9]{32}", room)
    assert found["made"] == {"callID": "zim-1", "roomId": room}
    assert found["rung"] == {"callID": "zim-1", "inviter": "alice", "roomId": room}
    assert found["appID"] == 1234567890


@pytest.mark.parametrize(("callee", "is_rung"), [("bob", True), ("carol", False)])
def test_uikit_invites_with_a_token_of_the_service(callee: str, is_rung: bool) -> None:
    _, uikit = code("ZIM and UIKit", "js")
    script = f"""
    const kit = await createKit(source, "Alice");
    const rung = await call(kit, "{callee}", "Bob");
    console.log(JSON.stringify({{ said, rung, token: JSON.parse(kit.token) }}));
    """
    found = run(uikit, UIKIT, script)
    assert found["rung"] is is_rung
    assert found["token"] == {"token": "identity", "userName": "Alice", "roomId": "invitations"}
    assert found["said"][0] == ["addPlugins", "ZIM"]
    assert found["said"][1][1]["callees"] == [{"userID": callee, "userName": "Bob"}]
