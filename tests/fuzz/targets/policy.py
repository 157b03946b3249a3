"""The access policy: any file, and policies of valid parts for any caller and request."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any, Final

from local.access_policy import DEVELOPMENT
from tests.fuzz.choices import Choices
from tests.fuzz.targets import check_message
from tests.unit.zego.policy import reference
from tests.unit.zego.policy.test_reference import (
    NOW,
    a_policy,
    a_request,
    agrees,
    an_asker,
    as_toml,
    code_decides,
)
from zego.policy import examples
from zego.policy import file as policy_file
from zego.policy.decide import decide
from zego.policy.examples import ExampleError
from zego.policy.file import PolicyError
from zego.policy.keys import (
    EXAMPLE_KEYS,
    EXAMPLE_REQUEST_KEYS,
    GRANTING_KEYS,
    OIDC_KEYS,
    POLICY_KEYS,
    ROLE_KEYS,
    SHARED_KEY_KEYS,
)
from zego.policy.model import AccessPolicy, Caller, Grant, Refusal, TokenRequest

INVARIANT: Final = (
    "A file is refused with a PolicyError, or loads to a policy that decides each request as its"
    " document says, and never grants more than its rule."
)

POLICIES: Final = Path(policy_file.__file__).parents[4] / "functions" / "issuer" / "policies"
#: The requests of one policy of valid parts.
REQUESTS: Final = 4

WORDS: Final = (
    *(
        f"{key.name} = "
        for keys in (OIDC_KEYS, SHARED_KEY_KEYS, ROLE_KEYS, GRANTING_KEYS, EXAMPLE_KEYS)
        for key in (*keys, *POLICY_KEYS, *EXAMPLE_REQUEST_KEYS)
    ),
    *("\n[[rules]]\n", "\n[[examples]]\n", "\n[identities.web]\n", "{user_id}", "{claims.team}"),
    *('"*"', "true", "false", "nan", "-inf", "1979-05-27", "0x7f", '"""', "'''", "\\u0000", "[["),
    *('"RS256"', '"EdDSA"', "http://127.0.0.1:1/", "https://[::1]/", "deny = true\n", "86400"),
)

_folder: Final = tempfile.TemporaryDirectory(prefix="fuzz-policy-")
_path: Final = Path(_folder.name) / "policy.toml"

CLAIMS: Final[tuple[Mapping[str, Any], ...]] = (
    {},
    {"sub": "al.ice", "team": "red", "auth_time": NOW, "scope": "calls", "suspended": "true"},
    {"sub": "bob", "plan": ["free", {"x": None}], "auth_time": True, "team": "*", "scp": ["calls"]},
)
REQUESTED: Final = (
    TokenRequest(),
    TokenRequest(user_id="bob", room_id="call_1"),
    TokenRequest(room_id="team.red.1", stream_ids=("al.ice_1", "cam"), lifetime_seconds=7200),
    TokenRequest(
        user_id="al", room_id="call_1", privileges=frozenset({"publish"}), callees=("bob",)
    ),
)


class ChosenRandom(Random):
    """Makes the choices of a generator of the tests with the bytes of an input.

    After the end of the input, each choice is the first option.
    """

    def __init__(self, choices: Choices) -> None:
        super().__init__(0)
        self._choices = choices

    def getrandbits(self, k: int) -> int:
        """The next bytes of the input."""
        value = 0
        for _ in range((k + 7) // 8):
            value = value << 8 | self._choices.byte()
        return value & ((1 << k) - 1)

    def random(self) -> float:
        """The next byte, as a number from 0 to 1."""
        return self._choices.byte() / 256


def check(data: bytes) -> None:
    """Read a file, or decide by a policy of valid parts."""
    choices = Choices(data)
    if choices.byte() % 2 == 0:
        _check_file(choices.rest())
    else:
        _check_decisions(ChosenRandom(choices))


def seeds() -> Iterator[bytes]:
    """The policies of the project whole and without their comments, and random choices."""
    random = Random(1)
    for file in (DEVELOPMENT, *sorted(POLICIES.glob("*.toml"))):
        text = file.read_text(encoding="utf-8").replace("{identity_provider}", "http://127.0.0.1:1")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        yield b"\0" + "\n".join(lines).encode()
    for size in (20, 40, 60, 80, 120, 200):
        for _ in range(4):
            yield b"\1" + random.randbytes(size)


def _check_file(content: bytes) -> None:
    _path.write_bytes(content)
    try:
        policy = policy_file.load(_path, allow_loopback=content.count(b"#") % 2 == 0)
    except PolicyError as error:
        check_message(error)
        policy = None
    try:
        tests = policy_file.load_examples(_path)
    except PolicyError as error:
        check_message(error)
        tests = []
    if policy is None:
        return
    for example in tests:
        try:
            examples.run(policy, example)
        except ExampleError as error:
            check_message(error)
    names_users = {one.name: one.names_users for one in policy.bearers}
    names_users |= {one.name: True for one in policy.roles.values()}
    for identity, is_backend in names_users.items():
        for claims in CLAIMS:
            user_id = None if is_backend else str(claims.get("sub", "al"))
            caller = Caller(identity, "subject", user_id, claims)
            for request in REQUESTED:
                decided = decide(policy, caller, request, now=NOW)
                assert decided == decide(policy, caller, request, now=NOW)
                _is_within_its_rule(policy, caller, request, decided)


def _is_within_its_rule(
    policy: AccessPolicy, caller: Caller, request: TokenRequest, decided: Grant | Refusal
) -> None:
    if isinstance(decided, Refusal):
        assert decided.code
        assert decided.detail
        return
    rule = next(one for one in policy.rules if one.name == decided.rule)
    assert not rule.deny
    assert caller.identity in rule.callers
    assert decided.privileges <= rule.privileges
    assert decided.lifetime_seconds <= rule.max_lifetime_seconds
    assert decided.lifetime_seconds <= (request.lifetime_seconds or rule.max_lifetime_seconds)
    assert decided.room_id == request.room_id
    assert decided.user_id == (caller.user_id or request.user_id)
    assert request.room_id is None or rule.rooms
    assert request.room_id is not None or rule.identity_tokens


def _check_decisions(random: Random) -> None:
    policy = a_policy(random)
    text = "\n".join(f"{key} = {as_toml(value)}" for key, value in policy.items())
    _path.write_text(text, encoding="utf-8")
    try:
        loaded = policy_file.load(_path)
    except PolicyError as error:
        if "can never be reached" in str(error):
            return
        raise
    for _ in range(REQUESTS):
        asker, request = an_asker(random), a_request(random)
        wanted = reference.decision(policy, asker, request, NOW)
        decided = code_decides(loaded, asker, request)
        assert agrees(decided, wanted), (text, asker, request, wanted, decided)
