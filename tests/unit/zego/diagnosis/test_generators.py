"""The fault model in :mod:`.generators` is sound, and the corpus made with it is complete."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import tiers
from tests.support.table import table
from tests.unit.zego.diagnosis.builders import NOW
from tests.unit.zego.diagnosis.corpus import (
    INDISTINGUISHABLE,
    SHORT,
    BrokenToken,
    GoodToken,
    Indistinguishable,
    as_php_writes,
    broken_token,
    broken_tokens,
    good_tokens,
)
from tests.unit.zego.diagnosis.generators import (
    CBC,
    CLAIMS,
    GCM,
    MISTAKES,
    Generator,
    compact_json,
    with_mistakes,
)
from tests.unit.zego.vendor_tokens import KnownAnswer, known_answers
from zego.diagnosis.kinds import KINDS
from zego.diagnosis.model import Expected
from zego.diagnosis.secrets import diagnose

DOCUMENT = Path(__file__).parents[4] / "docs" / "troubleshooting.md"
ALONE = [*broken_tokens(1), *broken_tokens(1, SHORT)]
PAIRS = [*broken_tokens(2)]
#: The order of the claims in PHP's newer generator.
PHP_GCM = ("app_id", "user_id", "ctime", "expire", "nonce", "payload")
#: Those that are diagnosed: `make prove` does all.
SOME_PAIRS = PAIRS[:: tiers.tier(test=10, prove=1)]
#: Kinds of findings that are true of these tokens, but are not mistakes of their generator.
FACTS = {"no-publish", "secret-app-sign", "weak-iv"}
GOOD = [*good_tokens()]


class TestModel:
    @table("answer", known_answers(), ids=str)
    def test_without_mistakes_it_makes_the_vendors_tokens(self, answer: KnownAnswer) -> None:
        claims = {
            "app_id": answer.claims.app_id,
            "user_id": answer.claims.user_id,
            "nonce": answer.claims.nonce,
            "ctime": answer.claims.issued_at,
            "expire": answer.claims.expires_at,
            "payload": answer.claims.payload,
        }
        base = GCM if answer.cipher == "gcm" else CBC
        if answer.generator == "php":
            base = replace(base, syntax=as_php_writes)
            order = PHP_GCM if answer.cipher == "gcm" else CLAIMS
            claims = {name: claims[name] for name in order}
        generator = replace(base, claims=claims, secret=answer.secret, iv=answer.iv)
        assert generator.token() == answer.token

    @pytest.mark.parametrize("generator", [GCM, CBC], ids=["gcm", "cbc"])
    def test_its_tokens_have_all_that_a_mistake_can_change(self, generator: Generator) -> None:
        plaintext = compact_json(CLAIMS).encode()
        assert len(plaintext) > 256
        assert len(plaintext) % 16 not in (0, 15)
        assert set("+/=") <= set(generator.token())

    def test_every_mistake_changes_a_token(self) -> None:
        for mistake in MISTAKES:
            wrong = [
                (generator, made)
                for generator in (GCM, CBC)
                if (made := with_mistakes(generator, mistake)) is not None
            ]
            assert wrong, str(mistake)
            assert all(made.token() != generator.token() for generator, made in wrong), mistake


class TestCorpus:
    def test_it_has_at_least_250_broken_tokens_and_60_good_ones(self) -> None:
        assert len(ALONE) + len(PAIRS) >= 250
        assert len({one.text for one in GOOD if not one.refused}) >= 60

    def test_it_is_the_same_each_time(self) -> None:
        assert [one.text for one in broken_tokens(2)] == [one.text for one in PAIRS]

    def test_tokens_with_the_same_text_have_the_same_mistakes(self) -> None:
        kinds: dict[str, set[frozenset[str]]] = {}
        for one in (*ALONE, *PAIRS):
            kinds.setdefault(one.text, set()).add(one.kinds)
        assert [each for each in kinds.values() if len(each) > 1] == []

    def test_every_pair_that_is_left_out_could_be_made(self) -> None:
        left_out = [*broken_tokens(2, is_listed=True)]
        for pair in INDISTINGUISHABLE:
            assert pair.why
            assert [one for one in left_out if pair.one in one.name and pair.other in one.name]

    def test_its_figures_are_documented(self) -> None:
        document = " ".join(DOCUMENT.read_text(encoding="utf-8").split())
        alone = sum(1 for _ in broken_tokens(1))
        assert f"{alone} with one mistake and {len(PAIRS):,} with two" in document
        assert f"none of {sum(not one.refused for one in GOOD)} tokens" in document
        assert all(pair.why in document for pair in INDISTINGUISHABLE)

    def test_its_kinds_exist(self) -> None:
        assert {kind for one in ALONE for kind in one.kinds} <= KINDS.keys()


def named(token: BrokenToken) -> list[str]:
    """The kinds of all findings, except of facts that are true and no mistake."""
    diagnosis = diagnose(token.text, token.secrets, Expected(NOW))
    return [one.kind for one in diagnosis.findings if one.kind not in FACTS]


class TestDiagnosis:
    @staticmethod
    def all_are_named(token: BrokenToken) -> None:
        kinds = named(token)
        assert set(kinds) == token.kinds
        assert kinds[0] in token.kinds

    @table("token", ALONE, ids=str)
    def test_a_mistake_is_named_and_no_other(self, token: BrokenToken) -> None:
        self.all_are_named(token)

    @pytest.mark.exhaustive
    @table("token", SOME_PAIRS, ids=str)
    def test_two_mistakes_are_named_and_no_other(self, token: BrokenToken) -> None:
        self.all_are_named(token)

    @table("pair", INDISTINGUISHABLE, ids=str)
    def test_of_two_indistinguishable_mistakes_no_secret_is_blamed(
        self, pair: Indistinguishable
    ) -> None:
        for token in broken_tokens(2, is_listed=True):
            if pair.one in token.name and pair.other in token.name:
                kinds = named(token)
                assert pair.named in kinds
                assert "other-secret" not in kinds

    @pytest.mark.exhaustive
    @pytest.mark.parametrize("length", tiers.tier(test=(1, 10, 16), prove=tuple(range(1, 33))))
    def test_no_length_hides_a_mistake(self, length: int) -> None:
        for token in broken_tokens(1, SHORT | {"user_id": "a" * length}):
            assert set(named(token)) == token.kinds, token

    @pytest.mark.exhaustive
    def test_no_three_mistakes_blame_the_secret(self) -> None:
        seed = tiers.seed()
        print(f"random.Random({seed})")  # shown if the test fails
        chance = random.Random(seed)
        for _ in range(tiers.tier(test=500, prove=10_000)):
            mistakes = tuple(chance.sample(MISTAKES, 3))
            token = broken_token(chance.choice((GCM, CBC)), mistakes)
            assert token is None or "other-secret" not in named(token), token

    def test_bytes_next_to_an_encoded_part_may_look_like_a_part_of_it(self) -> None:
        names = {"values: milliseconds", "form: base64", "tag: in front"}  # its tag ends with PD
        token = broken_token(GCM, tuple(one for one in MISTAKES if str(one) in names))
        assert token is not None
        self.all_are_named(token)

    @pytest.mark.exhaustive
    def test_precision_and_recall(self, record_property: Callable[[str, object], None]) -> None:
        tokens = [*ALONE, *SOME_PAIRS]
        right = expected = found = 0
        for token in tokens:
            kinds = set(named(token))
            right += len(kinds & token.kinds)
            expected += len(token.kinds)
            found += len(kinds)
        precision, recall = right / found, right / expected
        figures = f"precision {precision:.4f}, recall {recall:.4f}"
        record_property("how much", f"{figures} over {len(tokens):,} broken tokens")
        assert (precision, recall) == (1, 1)

    @table("good", GOOD, ids=str)
    def test_no_good_token_is_refused(self, good: GoodToken) -> None:
        for sdk in good.sdks:
            diagnosis = diagnose(good.text, {"AWSCURRENT": good.secret}, good.expected(sdk))
            refused = {one.kind for one in diagnosis.findings if one.severity == "refused"}
            assert refused == set(good.refused), sdk
            assert diagnosis.opened_by == "AWSCURRENT"
