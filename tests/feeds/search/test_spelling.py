"""Which other words a reader may have meant."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.models import User
from feeds.search import suggest
from feeds.search.query.spelling import close_words, typed_words, vocabulary, with_words
from feeds.search.suggest import propose
from tests.make import make_item, make_source, make_user

TITLES = ["Claude and Gemini", "Claude writes", "Anthropic's plan", "Clause 4", "Нейросеть учится"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("cluade", "claude"),
        ("claud", "claude"),
        ("claudde", "claude"),
        ("qlaude", "claude"),
        ("gemnii", "gemini"),
        ("anthorpci", "anthropic"),
        ("нейростеь", "нейросеть"),
    ],
)
def test_the_likeliest_word_comes_first(typed: str, meant: str) -> None:
    assert close_words(typed, vocabulary(TITLES), 3)[0] == meant


@pytest.mark.parametrize("typed", ["xy", "zebra", "claude", "cld", "cabled"])
def test_a_word_that_is_too_different_has_no_proposal(typed: str) -> None:
    assert "claude" not in close_words(typed, vocabulary(TITLES), 3)


def test_only_words_that_are_wanted_are_corrected() -> None:
    text = 'Cluade -cluade source:cluade "cluade opus" cluade* OR 2026'
    assert typed_words(text) == ["cluade", "opus"]
    assert (
        with_words(text, {"cluade": "claude"})
        == 'claude -cluade source:cluade "claude opus" cluade* OR 2026'
    )


@settings(deadline=None)
@given(st.text(max_size=30))
def test_any_query_can_be_corrected(text: str) -> None:
    assert with_words(text, {}) == text
    for word in typed_words(text):
        close_words(word, vocabulary(TITLES), 3)


def test_a_misspelled_query_is_proposed_with_its_number_of_matches(reader: User) -> None:
    source = make_source(reader=reader)
    for number in range(3):
        make_item(source, f"Claude opens an office {number}")
    assert propose(reader, "cluade offfice") == ("claude office", 3)
    assert propose(reader, "cluade source:nowhere") is None


def test_many_unknown_words_cost_no_more_than_few(
    reader: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_item(make_source(reader=reader), "Claude opens")
    asked: list[str] = []
    real = suggest._count
    monkeypatch.setattr(
        suggest, "_count", lambda user, text: asked.append(text) or real(user, text)
    )

    assert propose(reader, " ".join(f"claudx{letter * 3}" for letter in "abcdefghij")) is None
    assert len(asked) == suggest.MOST_UNKNOWN + 1


def test_a_word_of_a_text_is_not_corrected(reader: User) -> None:
    make_item(make_source(reader=reader), "Claude opens", text="The clause was long")
    assert propose(reader, "clause nothing") is None


def test_a_proposal_shows_no_word_that_its_reader_may_not_see(reader: User) -> None:
    secret = make_source("secret", reader=make_user("other"))
    make_item(secret, "Kestrelium is bought")
    make_item(make_source("public", is_public=True), "Kestrelia is sold")

    assert propose(reader, "kestrelum") == ("kestrelia", 1)


def test_readers_with_private_sources_have_words_of_their_own(reader: User) -> None:
    other = make_user("other")
    make_item(make_source("secret", reader=other), "Kestrelium is bought")
    assert propose(other, "kestrelum") == ("kestrelium", 1)
    assert propose(reader, "kestrelum") is None
