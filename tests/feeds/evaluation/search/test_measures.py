"""How good a ranking is, by measures known from papers, worked out by hand."""

import math
from collections import Counter

import pytest

from feeds.evaluation.search.measures import BM25, ndcg, recall, reciprocal_rank

GAINS = {"a": 3, "b": 1, "c": 0}


def test_ndcg_is_one_for_the_best_order_and_less_for_others() -> None:
    best = 7 + 1 / math.log2(3)

    assert ndcg(["a", "b", "c"], GAINS) == 1.0
    assert ndcg(["b", "a"], GAINS) == pytest.approx((1 + 7 / math.log2(3)) / best)
    assert ndcg(["c", "x"], GAINS) == 0.0


def test_only_the_first_ten_count_for_ndcg() -> None:
    assert ndcg([f"x{n}" for n in range(10)] + ["a"], GAINS) == 0.0


def test_the_first_relevant_one_decides_the_reciprocal_rank() -> None:
    assert reciprocal_rank(["c", "x", "b"], GAINS) == pytest.approx(1 / 3)
    assert reciprocal_rank(["c"], GAINS) == 0.0


def test_recall_is_the_share_of_the_relevant() -> None:
    assert recall(["b", "c", "x"], GAINS) == 0.5
    assert recall(["b", "a"], GAINS, depth=1) == 0.5


def test_bm25_prefers_rare_words_and_short_documents() -> None:
    words = {"long": "wing wing flow flow flow flow", "short": "wing flow", "other": "flow"}
    index = BM25({name: Counter(text.split()) for name, text in words.items()})

    assert index.rank(["wing"]) == ["short", "long"]
    assert index.rank(["wing", "flow"])[-1] == "other"
    assert index.rank(["absent"]) == []


def test_bm25_is_what_the_formula_says() -> None:
    index = BM25({"a": Counter(x=2, y=1), "b": Counter(y=1)})
    rarity = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    expected = rarity * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / 2))

    assert index.scores(["x"]) == {"a": pytest.approx(expected)}
