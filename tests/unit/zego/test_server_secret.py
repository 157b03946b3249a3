"""zego.server_secret: which values are accepted, and that none is ever shown."""

from __future__ import annotations

import copy
import hashlib
import hmac
import json
import logging
import pickle
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zego import server_secret
from zego.server_secret import PlaceholderError, ServerSecret, ServerSecretError

APP_ID = 1234567890
VALUE = "0123456789abcdef" * 2
OTHER_VALUE = "fedcba9876543210" * 2
STORE = 'store {"app_id": <number>, "server_secret": "<32 characters>"}'


def stored(server_secret_value: object = VALUE, app_id: object = APP_ID) -> str:
    """The text that is stored in Secrets Manager."""
    return json.dumps({"app_id": app_id, "server_secret": server_secret_value})


def refusal(text: str) -> ServerSecretError:
    with pytest.raises(ServerSecretError) as caught:
        server_secret.parse(text)
    return caught.value


class TestParse:
    def test_an_app_id_and_32_characters_are_a_secret(self) -> None:
        secret = server_secret.parse(stored())
        assert (secret.app_id, secret.value) == (APP_ID, VALUE)

    @pytest.mark.parametrize("app_id", [1, 2**32 - 1])
    def test_an_app_id_at_its_bound_is_accepted(self, app_id: int) -> None:
        assert server_secret.parse(stored(app_id=app_id)).app_id == app_id

    def test_further_keys_are_ignored(self) -> None:
        text = json.dumps({"app_id": APP_ID, "server_secret": VALUE, "note": "from the console"})
        assert server_secret.parse(text) == ServerSecret(APP_ID, VALUE)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", f"the secret is not JSON; {STORE}"),
            (VALUE, f"the secret is not JSON; {STORE}"),
            (f"{APP_ID}:{VALUE}", f"the secret is not JSON; {STORE}"),
            (stored()[:-1], f"the secret is not JSON; {STORE}"),
            ("[" * 100_000, f"the secret is not JSON; {STORE}"),
            (json.dumps(VALUE), f"the secret is JSON, but not an object; {STORE}"),
            (json.dumps([APP_ID, VALUE]), f"the secret is JSON, but not an object; {STORE}"),
            ("null", f"the secret is JSON, but not an object; {STORE}"),
            (json.dumps({"server_secret": VALUE}), f"the secret lacks app_id; {STORE}"),
            (json.dumps({"app_id": APP_ID}), f"the secret lacks server_secret; {STORE}"),
            (
                json.dumps({"appId": APP_ID, "serverSecret": VALUE}),
                f"the secret lacks app_id; {STORE}",
            ),
        ],
        ids=range(11),
    )
    def test_another_shape_is_refused_and_the_message_shows_the_right_one(
        self, text: str, message: str
    ) -> None:
        assert str(refusal(text)) == message

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (None, "server_secret must be a string, not NoneType"),
            (12345678901234567890123456789012, "server_secret must be a string, not int"),
            ([VALUE], "server_secret must be a string, not list"),
            (f"{VALUE}\n", "server_secret has white space or a newline around it"),
            (f"{VALUE}\r\n", "server_secret has white space or a newline around it"),
            (f" {VALUE}", "server_secret has white space or a newline around it"),
            (f"{VALUE}\u00a0", "server_secret has white space or a newline around it"),
            (f"\t{VALUE[:-1]}", "server_secret has white space or a newline around it"),
            (f'"{VALUE}"', "server_secret has quotes around it"),
            (f"'{VALUE}'", "server_secret has quotes around it"),
            (f"'{VALUE[:30]}'", "server_secret has quotes around it"),
            (f"'{VALUE[:31]}", "server_secret has quotes around it"),
            (f'{VALUE[:31]}"', "server_secret has quotes around it"),
            (VALUE * 2, "server_secret has 64 hex digits: that is an AppSign"),
            ((VALUE * 2).upper(), "server_secret has 64 hex digits: that is an AppSign"),
            ("", "server_secret has 0 characters; ZEGO's have 32"),
            (VALUE[:31], "server_secret has 31 characters; ZEGO's have 32"),
            (f"{VALUE}0", "server_secret has 33 characters; ZEGO's have 32"),
        ],
        ids=range(18),
    )
    def test_a_malformed_secret_is_refused_and_the_message_says_what_to_fix(
        self, value: object, message: str
    ) -> None:
        error = refusal(stored(value))
        assert (type(error), str(error)) == (ServerSecretError, message)

    @pytest.mark.parametrize("character", ["\n", "\0", "\x7f", "é", "用", "\ud83d"])
    def test_a_character_that_is_not_printable_ascii_is_refused(self, character: str) -> None:
        error = refusal(stored(VALUE[:16] + character + VALUE[17:]))
        assert str(error) == "server_secret contains a character that is not printable ASCII"

    @pytest.mark.parametrize(
        "value",
        [
            "REPLACE_ME",
            "replace-with-your-server-secret",
            "CHANGEME" * 4,
            "change me",
            "<32 characters from the console>",
            "placeholder",
            "your-server-secret",
            "TODO",
            "example",
            "0" * 32,
            "x" * 32,
        ],
    )
    def test_a_placeholder_has_its_own_error(self, value: str) -> None:
        error = refusal(stored(value))
        assert (type(error), str(error)) == (
            PlaceholderError,
            "server_secret is a placeholder; store the one from ZEGO's console",
        )

    @pytest.mark.parametrize("app_id", ["1234567890", True, 1234567890.0, None, [1], {}], ids=repr)
    def test_an_app_id_of_another_type_is_refused(self, app_id: object) -> None:
        message = str(refusal(stored(app_id=app_id)))
        assert message.startswith("app_id must be a ")
        assert message.endswith(f"number, not {type(app_id).__name__}")

    @pytest.mark.parametrize("app_id", [0, -1, 2**32, 10**100])
    def test_an_app_id_out_of_bounds_is_refused(self, app_id: int) -> None:
        assert str(refusal(stored(app_id=app_id))) == "app_id must be 1 to 4294967295"

    @given(st.text(st.characters(codec=None)))
    def test_any_text_is_refused_without_another_exception(self, text: str) -> None:
        refusal(text)

    @given(st.text(st.characters(codec=None), min_size=8))
    def test_any_value_is_accepted_or_refused_without_being_shown(self, value: str) -> None:
        try:
            secret = server_secret.parse(stored(value))
        except ServerSecretError as error:
            shown = repr(error)
        else:
            shown = repr(secret)
        assert value not in shown


class TestUnusual:
    def test_lower_case_hexadecimal_is_usual(self) -> None:
        assert not ServerSecret(APP_ID, VALUE).looks_unusual

    @pytest.mark.parametrize("value", [VALUE.upper(), VALUE[:31] + "g", VALUE[:31] + "-"])
    def test_anything_else_is_unusual_but_accepted(self, value: str) -> None:
        assert ServerSecret(APP_ID, value).looks_unusual


class TestFingerprint:
    def test_it_is_the_same_for_ever(self) -> None:
        # Operators compare it between environments and releases: this value must not change.
        assert ServerSecret(APP_ID, VALUE).fingerprint == "15bdd9f7c1e1"

    def test_it_is_12_digits_of_the_documented_hmac(self) -> None:
        mac = hmac.new(VALUE.encode(), b"zego-server-secret:1234567890", hashlib.sha256)
        assert ServerSecret(APP_ID, VALUE).fingerprint == mac.hexdigest()[:12]

    def test_another_app_id_has_another(self) -> None:
        assert ServerSecret(1, VALUE).fingerprint != ServerSecret(2, VALUE).fingerprint

    def test_another_secret_has_another(self) -> None:
        assert ServerSecret(1, VALUE).fingerprint != ServerSecret(1, OTHER_VALUE).fingerprint


class TestEquality:
    def test_the_same_app_id_and_secret_are_equal(self) -> None:
        assert ServerSecret(APP_ID, VALUE) == ServerSecret(APP_ID, VALUE)

    def test_equal_ones_have_the_same_hash(self) -> None:
        assert hash(ServerSecret(APP_ID, VALUE)) == hash(ServerSecret(APP_ID, VALUE))

    @pytest.mark.parametrize(
        "other",
        [ServerSecret(APP_ID, OTHER_VALUE), ServerSecret(7, VALUE), VALUE, None, (APP_ID, VALUE)],
        ids=["secret", "app-id", "text", "none", "tuple"],
    )
    def test_anything_else_differs(self, other: object) -> None:
        assert ServerSecret(APP_ID, VALUE) != other

    def test_neither_half_can_be_changed_afterwards(self) -> None:
        # The two are one value, so that they always match.
        secret: Any = ServerSecret(APP_ID, VALUE)
        with pytest.raises(AttributeError):
            secret.value = OTHER_VALUE


class TestNeverShown:
    SECRET = ServerSecret(APP_ID, VALUE)

    def test_it_shows_its_app_id_and_fingerprint(self) -> None:
        assert repr(self.SECRET) == "<ServerSecret app_id=1234567890 fingerprint=15bdd9f7c1e1>"

    @pytest.mark.parametrize(
        "shown",
        [str(SECRET), f"{SECRET}", f"{SECRET!r}", "%s" % SECRET, str([SECRET]), str({1: SECRET})],  # noqa: UP031
        ids=["str", "f-string", "f-string-repr", "percent", "list", "dict"],
    )
    def test_it_is_not_in_text_made_from_it(self, shown: str) -> None:
        assert "fingerprint=" in shown
        assert VALUE not in shown

    def test_it_is_not_in_a_log(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.INFO):
            logging.getLogger("test").info(
                "%s %r", self.SECRET, self.SECRET, extra={"s": self.SECRET}
            )
        assert "fingerprint=" in caplog.text
        assert VALUE not in caplog.text

    @pytest.mark.parametrize("text", [f'{{"server_secret": "{VALUE}"', VALUE, f"[{VALUE}"])
    def test_no_part_of_it_is_in_the_error_or_the_one_before(self, text: str) -> None:
        with pytest.raises(ServerSecretError) as caught:
            server_secret.parse(text)
        error: BaseException | None = caught.value
        while error is not None:
            assert VALUE not in f"{error} {error.args} {vars(error)}"
            assert not hasattr(error, "doc")
            error = error.__context__

    def test_it_has_no_dict_to_be_dumped(self) -> None:
        with pytest.raises(TypeError):
            vars(self.SECRET)

    def test_it_is_not_json(self) -> None:
        with pytest.raises(TypeError) as caught:
            json.dumps(self.SECRET)
        assert VALUE not in str(caught.value)

    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_it_is_not_pickled(self, protocol: int) -> None:
        with pytest.raises(TypeError, match="a ServerSecret cannot be copied or pickled"):
            pickle.dumps(self.SECRET, protocol)

    def test_it_is_not_copied(self) -> None:
        with pytest.raises(TypeError, match="a ServerSecret cannot be copied or pickled"):
            copy.copy(self.SECRET)

    def test_it_is_not_copied_within_something_else(self) -> None:
        with pytest.raises(TypeError, match="a ServerSecret cannot be copied or pickled"):
            copy.deepcopy({"secret": self.SECRET})

    @pytest.mark.parametrize(
        "text",
        [
            VALUE,
            stored()[:-1],
            json.dumps(VALUE),
            json.dumps([VALUE]),
            json.dumps({"server_secret": VALUE}),
            stored(f"{VALUE}\n"),
            stored(f"'{VALUE}'"),
            stored(VALUE * 2),
            stored(f"{VALUE}0"),
            stored(f"replace {VALUE}"),
            stored([VALUE]),
            stored({VALUE: VALUE}),
            stored(VALUE, app_id=0),
            stored(VALUE, app_id=VALUE),
            stored(VALUE, app_id={VALUE: VALUE}),
        ],
        ids=range(15),
    )
    def test_it_is_not_in_the_error_that_refuses_it(self, text: str) -> None:
        error = refusal(text)
        for shown in (str(error), repr(error), "".join(traceback.format_exception(error))):
            assert VALUE[:8] not in shown
