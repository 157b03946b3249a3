"""The fault model in :mod:`.generators` is sound, and the corpus made with it is complete."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.table import table
from tests.unit.zego.diagnosis.corpus import (
    INDISTINGUISHABLE,
    SHORT,
    as_php_writes,
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

ALONE = [*broken_tokens(1), *broken_tokens(1, SHORT)]
PAIRS = [*broken_tokens(2)]
#: The order of the claims in PHP's newer generator.
PHP_GCM = ("app_id", "user_id", "ctime", "expire", "nonce", "payload")
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
