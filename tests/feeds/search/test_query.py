"""Reading what a reader types into the search."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.search.query.function_words import is_question
from feeds.search.query.parser import LONGEST, MOST_TERMS, Term, parse_query


def words(text: str) -> list[list[str]]:
    return [[term.text for term in group] for group in parse_query(text).groups]


def test_words_are_all_wanted_and_phrases_stay_together() -> None:
    assert words('open "large model" weights') == [["open"], ["large model"], ["weights"]]


def test_or_joins_and_minus_excludes() -> None:
    query = parse_query('gemini OR claude -sports -"press release"')
    assert [[term.text for term in group] for group in query.groups] == [["gemini", "claude"]]
    assert query.excluded == (Term("sports"), Term("press release", is_quoted=True))
    assert words("OR gemini") == [["gemini"]]


def test_operators_are_read() -> None:
    query = parse_query('source:openai folder:"My labs" topic:agents is:unread is:saved')
    assert query.sources == ("openai",)
    assert query.folders == ("My labs",)
    assert query.topics == ("agents",)
    assert query.states == {"unread", "saved"}
    assert not query.problems


def test_dates_may_be_days_months_or_years() -> None:
    query = parse_query("after:2026-03 before:2027")
    assert query.after == datetime(2026, 3, 1, tzinfo=UTC)
    assert query.before == datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("souce:openai", "did you mean source:?"),
        ("is:unred", "did you mean is:unread?"),
        ("is:xyz", "use is:unread"),
        ("before:2025-13-01", "is not a date"),
        ("after:yesterday", "write it like after:2026-03-01"),
        ("-is:read", "be excluded"),
        ('source:""', "needs a value"),
        ("x" * 600, "first 500 characters"),
    ],
)
def test_what_is_not_understood_is_said(text: str, says: str) -> None:
    assert says in " ".join(parse_query(text).problems)


def test_a_colon_in_a_word_is_no_operator() -> None:
    query = parse_query("https://example.org GPT:4")
    assert not query.problems
    assert query.groups


def test_words_without_letters_are_left_out() -> None:
    assert words("!!! -- ? «» 4") == [["4"]]


@given(st.text(max_size=LONGEST + 20))
def test_nothing_that_is_typed_breaks_it(text: str) -> None:
    parse_query(text)


def test_words_are_counted_wherever_they_stand_and_repetitions_are_not() -> None:
    repeated = parse_query("a OR " * 90)
    many = parse_query(" OR ".join(f"w{number}" for number in range(60)))

    assert repeated.groups == ((Term("a"),),)
    assert sum(map(len, many.groups)) == MOST_TERMS
    assert many.problems == (f"Only the first {MOST_TERMS} words were used.",)


def meant(text: str) -> list[str]:
    return [group[0].text for group in parse_query(text).content_groups]


def test_words_that_only_hold_a_question_together_are_not_looked_for() -> None:
    assert meant("what is the state of open weights") == ["state", "open", "weights"]
    assert meant("wer hat die Aktien von Nvidia gekauft?") == ["Aktien", "Nvidia", "gekauft?"]
    assert meant("¿quién compra los chips de Nvidia?") == ["compra", "chips", "Nvidia?"]


@pytest.mark.parametrize("text", ["the who", "what is it", "to be or not to be"])
def test_words_without_meaning_are_looked_for_where_there_are_no_others(text: str) -> None:
    assert meant(text) == list(dict.fromkeys(text.split()))


def test_a_word_of_one_language_is_none_of_another() -> None:
    assert meant("die hard") == ["die", "hard"]


def test_what_stands_in_quotes_must_be_found_and_the_rest_helps() -> None:
    query = parse_query('"the large model" of kestrel OR falcon -secret weights')

    assert [group[0].text for group in query.quoted] == ["the large model"]
    assert [[term.text for term in group] for group in query.optional] == [
        ["kestrel", "falcon"],
        ["weights"],
    ]


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("who bought the company", True),
        ("kestrel?", True),
        ("谁收购了公司？", True),
        ("Warum steigt die Aktie", True),
        ("what", False),
        ("kestrel weights", False),
        ("???", False),
        ("", False),
    ],
)
def test_a_question_is_known_by_its_mark_or_its_first_word(text: str, asks: bool) -> None:
    assert is_question(text) == asks
