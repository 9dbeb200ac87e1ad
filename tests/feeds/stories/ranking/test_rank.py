"""Ranking adds named terms up, and can say each of them."""

import pytest

from feeds.stories.ranking.data.batch import Facts
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.diversify import Candidate, diversify, exploration_item
from feeds.stories.ranking.rank import Ranking, explain, rank
from feeds.stories.ranking.terms import TERMS

ANYONE = Reader()
KNOWN = Reader(shown={1: 20, 2: 20, 3: 20}, opened={1: 15, 2: 5}, learned=40)


def one(facts: Facts, reader: Reader = ANYONE) -> Ranking:
    (ranking,) = rank([facts], reader)
    return ranking


def why(facts: Facts, reader: Reader = ANYONE) -> str:
    return explain(facts, reader, one(facts, reader).terms)


def source_term(reader: Reader, source: int) -> float:
    return one(Facts(1, 1.0, lead_source=source), reader).terms["source"]


def test_the_score_is_the_weighted_mean_of_terms_between_0_and_1_times_freshness() -> None:
    ranking = one(Facts(4, 2.0, ("agents",), 1.5), Reader({"agents": "more"}))

    assert all(0 <= value <= 1 for value in ranking.terms.values())
    weights = {term.name: term.weight for term in TERMS if term.weight is not None}
    total = sum(weight * ranking.terms[name] for name, weight in weights.items())
    mean = total / sum(weights.values())
    assert ranking.score == pytest.approx(mean * ranking.terms["freshness"])


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (Facts(5, 6.0), Facts(1, 6.0)),
        (Facts(2, 1.0), Facts(2, 20.0)),
        (Facts(2, 1.0, weight=1.5), Facts(2, 1.0, weight=0.5)),
        (Facts(2, 1.0, ("agents",)), Facts(2, 1.0)),
        (Facts(2, 1.0), Facts(2, 1.0, ("robotics",))),
        (Facts(2, 1.0, story=9), Facts(2, 1.0)),
        (Facts(2, 1.0, lead_source=7), Facts(2, 1.0)),
        (Facts(2, 1.0), Facts(2, 1.0, lead_source=8)),
    ],
)
def test_more_sources_newer_trusted_wanted_and_followed_stories_stand_higher(
    better: Facts, worse: Facts
) -> None:
    reader = Reader({"agents": "more", "robotics": "less"}, {7: "more", 8: "less"}, frozenset({9}))

    first, second = rank([better, worse], reader)

    assert first.score > second.score


def test_a_story_that_one_outlet_tells_again_and_again_is_no_hotter_for_it() -> None:
    evenly, one_mostly = one(Facts(3, 1.0)), one(Facts(3, 1.0, entropy=0.8))

    assert evenly.terms["heat"] > one_mostly.terms["heat"]


def test_a_source_that_is_opened_more_than_the_mean_stands_higher() -> None:
    often, usual, seldom = (source_term(KNOWN, source) for source in (1, 4, 3))

    assert often > usual > seldom
    assert usual == pytest.approx(0.5)


def test_what_was_learned_counts_little_while_it_is_little() -> None:
    few = Reader(shown={1: 2, 2: 2}, opened={1: 1}, learned=1)

    assert 0.5 < source_term(few, 1) < source_term(KNOWN, 1)
    assert source_term(ANYONE, 1) == 0.5


def test_more_and_less_of_one_story_cancel_out() -> None:
    reader = Reader({"agents": "more", "robotics": "less"})

    assert one(Facts(1, 1.0, ("agents", "robotics")), reader).terms["interest"] == 0.5


def test_why_names_what_speaks_for_a_story() -> None:
    reader = Reader({"agents": "more"}, {7: "more"}, frozenset({5}))

    assert why(Facts(4, 1.0, ("agents",)), reader) == "4 sources · topic you follow: Agents · new"
    assert why(Facts(1, 30.0)) == "from a source you follow"
    assert why(Facts(1, 30.0, story=5), reader) == "you follow this story"
    assert why(Facts(1, 30.0, lead_source=7), reader) == "a source you want more of"
    assert why(Facts(1, 30.0, lead_source=1), KNOWN) == "a source you often open"
    assert why(Facts(1, 30.0, lead_source=3), KNOWN) == "a source you seldom open"


def test_the_best_are_mixed_from_sources_and_topics() -> None:
    same = [Candidate(n, 0.9 - n / 100, ("agents",), 1) for n in range(6)]
    other = [Candidate(10 + n, 0.5, (f"topic-{n}",), 2 + n) for n in range(4)]

    chosen = diversify([*same, *other], 5)

    assert chosen[0] == 0
    assert len([key for key in chosen if key < 10]) <= 2
    assert len(chosen) == 5


def test_no_more_than_three_of_the_first_ten_have_the_same_first_topic() -> None:
    agents = [Candidate(n, 0.9 - n / 100, ("agents",), n) for n in range(8)]
    plain = [Candidate(20 + n, 0.1, (), 20 + n) for n in range(8)]

    chosen = diversify([*agents, *plain], 10)

    assert len([key for key in chosen if key < 20]) == 3
    assert len(chosen) == 10


def test_what_was_chosen_stands_in_order_of_score() -> None:
    candidates = [Candidate(n, n / 10, (f"topic-{n % 3}",), n % 4) for n in range(9)]

    chosen = diversify(candidates, 5)

    assert chosen == sorted(chosen, reverse=True)


def test_choosing_does_not_depend_on_the_order_of_arrival() -> None:
    candidates = [Candidate(n, 0.5, ("agents",), n % 3) for n in range(9)]

    assert diversify(candidates, 4) == diversify(reversed(candidates), 4)


def test_something_different_is_of_another_source_and_topic_and_stays_for_the_day() -> None:
    shown = [Candidate(n, 0.9, ("agents",), 1) for n in range(9)]
    rest = [Candidate(20 + n, 0.5, ("agents",), 5) for n in range(4)]
    others = [Candidate(30 + n, 0.4 - n / 100, (f"topic-{n}",), 30 + n) for n in range(12)]
    everything = [*shown, *rest, *others]

    drawn = {exploration_item(everything, range(9), who, "2026-05-20") for who in range(40)}
    again = exploration_item(list(reversed(everything)), range(9), 1, "2026-05-20")

    assert {key for key, _ in drawn} <= {30, 31, 32, 33}
    assert len(drawn) > 1
    assert {chance for _, chance in drawn} == {0.25}
    assert again == exploration_item(everything, range(9), 1, "2026-05-20")


def test_where_all_is_alike_there_is_nothing_different() -> None:
    same = [Candidate(n, 0.5, ("agents",), 1) for n in range(12)]

    assert exploration_item(same, range(9), 1, "2026-05-20") == (None, 1.0)
