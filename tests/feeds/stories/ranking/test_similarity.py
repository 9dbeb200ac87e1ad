"""Likeness tells what a reader opens from what they pass over; nothing known says nothing."""

import numpy as np
import pytest

from feeds.stories.ranking.data.batch import Learned
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.data.similarity import bags, cosines, idf, nearest, odds, terms_in
from feeds.stories.ranking.data.table import tabulate
from feeds.stories.ranking.scoring import score_all

AGENTS = [
    terms_in(f"Agents that plan their {word} work", "", ["agents"])
    for word in ("own", "long", "hard")
]
CHIPS = [
    terms_in(f"A {word} chip for data centres", "", ["chips"]) for word in ("new", "cheap", "cool")
]


def test_a_row_is_as_like_itself_as_can_be_and_unlike_what_shares_no_word() -> None:
    rows = bags([*AGENTS, *CHIPS])
    rare = idf(rows)

    alike = cosines(rows, rows, rare)

    assert np.diag(alike) == pytest.approx(np.ones(6), abs=1e-5)
    assert alike[0, 1] > 0
    assert alike[0, 3] == 0


def test_rows_without_words_and_no_examples_are_like_nothing() -> None:
    empty, some = bags([b"", b""]), bags(AGENTS)

    assert cosines(empty, some, idf(some)).tolist() == [[0, 0, 0]] * 2
    assert nearest(np.zeros((2, 0), np.float32), np.zeros(0, np.float32)).tolist() == [0, 0]
    assert odds(some, bags([]), np.zeros(0), idf(some)).tolist() == [0, 0, 0]


def test_terms_that_were_opened_more_than_the_mean_raise_the_odds() -> None:
    shown = bags([*AGENTS * 5, *CHIPS * 5])
    rare = idf(shown)
    opened = np.array([1.0] * 12 + [0.0] * 18)

    found = odds(bags([AGENTS[0], CHIPS[0], terms_in("Unheard of", "", [])]), shown, opened, rare)

    assert found[0] > 0 > found[1]
    assert found[2] == 0


def scores(learned: Learned | None, reader: Reader) -> dict[int, float]:
    ids = np.array([(100 << 20) + n for n in (1, 2)], np.int64)
    ones = np.array([1, 2], np.int64)
    nothing = np.zeros(2, np.int64)
    found = score_all((ids, ones, ones, nothing, nothing), [[]], reader, {}, 100.0, learned=learned)
    return dict(zip(found.table.stories.tolist(), found.terms["likeness"].tolist(), strict=True))


def test_stories_like_what_was_opened_are_lifted_and_like_what_was_hidden_are_lowered() -> None:
    rows = {(100 << 20) + 1: AGENTS[0], (100 << 20) + 2: CHIPS[0]}
    rows |= {n: AGENTS[n % 3] for n in range(10)} | {10 + n: CHIPS[n % 3] for n in range(10)}
    examples = [(n, 1.0) for n in range(10)] + [(10 + n, -2.0) for n in range(10)]
    learned = Learned(examples, list(range(20)), lambda items: [rows[pk] for pk in items])

    found = scores(learned, Reader(learned=20))

    assert found[1] > 0.7
    assert found[2] < 0.4


def test_a_reader_who_hid_everything_sees_what_they_hid_least_and_nothing_breaks() -> None:
    rows = {(100 << 20) + 1: AGENTS[0], (100 << 20) + 2: CHIPS[0]} | dict(enumerate(CHIPS))
    learned = Learned(
        [(n, -1.0) for n in range(3)], [0, 1, 2], lambda items: [rows[i] for i in items]
    )

    found = scores(learned, Reader(learned=3))

    assert found[1] == 0.5
    assert 0 <= found[2] < 0.5


def test_without_history_likeness_is_a_half() -> None:
    assert scores(None, Reader()) == {1: 0.5, 2: 0.5}


def test_copies_count_for_no_source_unless_there_is_nothing_else() -> None:
    ids = np.array([6, 5, 4, 3, 2, 1], np.int64) << 20
    stories = np.array([1, 1, 1, 2, 2, 1], np.int64)
    sources = np.array([10, 11, 12, 13, 14, 10], np.int64)
    copies = np.array([0, 5, 0, 9, 9, 0], np.int64)

    table = tabulate(ids, stories, sources, copies, {12: 2.0})

    assert table.stories.tolist() == [1, 2]
    assert table.sources.tolist() == [2, 2]
    assert table.lead.tolist() == [2, 4]
    assert table.newest.tolist() == [6 << 20, 3 << 20]
    assert table.entropy[1] == pytest.approx(1.0)
    assert table.entropy[0] < 1.0
    assert sorted(table.articles_of(0)) == [0, 2, 5]
