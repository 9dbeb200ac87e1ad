"""Ranking adds named terms up, and can say each of them."""

import pytest

from feeds.stories.rank import (
    WEIGHTS,
    Candidate,
    Facts,
    Reader,
    diversify,
    explain,
    learn_taste,
    rank,
)

ANYONE = Reader()


def test_the_score_is_the_sum_of_its_weighted_terms_each_between_0_and_1() -> None:
    ranking = rank(Facts(4, 2.0, ("agents",), 1.5), Reader({"agents": "more"}, {"agents": 0.4}))

    assert all(0 <= value <= 1 for value in ranking.terms.values())
    assert ranking.score == pytest.approx(sum(WEIGHTS[n] * v for n, v in ranking.terms.items()))
    assert sum(WEIGHTS.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (Facts(5, 6.0), Facts(1, 6.0)),
        (Facts(2, 1.0), Facts(2, 20.0)),
        (Facts(2, 1.0, weight=1.5), Facts(2, 1.0, weight=0.5)),
        (Facts(2, 1.0, ("agents",)), Facts(2, 1.0, ("robotics",))),
        (Facts(2, 1.0, ("chips",)), Facts(2, 1.0, ("policy",))),
    ],
)
def test_more_sources_newer_trusted_wanted_and_liked_stories_stand_higher(
    better: Facts, worse: Facts
) -> None:
    reader = Reader({"agents": "more", "robotics": "less"}, {"chips": 0.5, "policy": -0.5})

    assert rank(better, reader).score > rank(worse, reader).score


def test_why_names_what_speaks_for_a_story() -> None:
    reader = Reader({"agents": "more"})

    assert explain(Facts(4, 1.0, ("agents",)), reader) == (
        "4 sources · topic you follow: Agents · new"
    )
    assert explain(Facts(1, 30.0), ANYONE) == "from a source you follow"


def test_taste_grows_with_what_was_saved_and_shrinks_with_what_was_hidden() -> None:
    few = learn_taste([["agents"]], [])
    many = learn_taste([["agents"]] * 50, [["policy"]] * 10)

    assert 0 < few["agents"] < many["agents"] <= 1
    assert -1 <= many["policy"] < 0


def test_the_best_are_mixed_from_sources_and_topics() -> None:
    same = [Candidate(n, 0.9 - n / 100, ("agents",), 1) for n in range(6)]
    other = [Candidate(10 + n, 0.5, (f"topic-{n}",), 2 + n) for n in range(4)]

    chosen = diversify([*same, *other], 5)

    assert chosen[0] == 0
    assert len([key for key in chosen if key < 10]) <= 2
    assert len(chosen) == 5


def test_what_was_chosen_stands_in_order_of_score() -> None:
    candidates = [Candidate(n, n / 10, (f"topic-{n % 3}",), n % 4) for n in range(9)]

    chosen = diversify(candidates, 5)

    assert chosen == sorted(chosen, reverse=True)


def test_choosing_does_not_depend_on_the_order_of_arrival() -> None:
    candidates = [Candidate(n, 0.5, ("agents",), n % 3) for n in range(9)]

    assert diversify(candidates, 4) == diversify(reversed(candidates), 4)
