"""The statistics: known tails, known failures, and false alarms that are as rare as promised."""

import math
from collections import Counter
from random import Random

import pytest

from feeds.trends.burst import (
    FALSE_ALARMS,
    Expected,
    WindowTest,
    bin_of,
    capped_count,
    dispersion_of,
    evidence_threshold,
    expect,
    expected_false_alarms,
    find_bursts,
    likelihood,
    predict,
    tail,
)

EVEN = [1.0] * 70
TODAY = [57]


def world(terms: int = 2_000, mean: float = 0.2) -> Counter[tuple[int, int]]:
    return Counter({bin_of(mean, 56): terms})


def is_found(past: list[float], stories: int, factors: list[float] = EVEN) -> bool:
    test = WindowTest(1, stories, expect(past, factors, TODAY), 56)
    return bool(find_bursts([test], world(), FALSE_ALARMS))


@pytest.mark.parametrize(
    ("count", "mean", "p"), [(16, 5.0, 6.90e-5), (7, 1.0, 8.32e-5), (1, 2.0, 0.8647), (0, 3.0, 1.0)]
)
def test_the_tail_is_poisson_s_where_the_rate_is_known(count: int, mean: float, p: float) -> None:
    assert tail(count, Expected(mean, 1e9)) == pytest.approx(p, rel=0.01)


def test_the_tails_of_all_counts_add_up_to_the_mean() -> None:
    expected = Expected(7.3, 2.1)

    assert sum(tail(count, expected) for count in range(1, 2_000)) == pytest.approx(7.3, rel=1e-6)


def test_a_rate_that_is_known_badly_expects_more() -> None:
    short, long = predict(1, 14, 1), predict(4, 56, 1)

    assert tail(4, short) > 3 * tail(4, long)


@pytest.mark.parametrize("daily", [0, 1, 3, 10, 40])
def test_the_usual_is_no_burst_and_four_times_as_many_is_one(daily: int) -> None:
    past = [float(daily)] * 56
    many = 4 * daily if daily > 1 else 9

    assert not is_found(past, daily)
    assert is_found(past, many)


@pytest.mark.parametrize("stories", [0, 1, 2])
def test_from_none_to_one_or_two_is_no_burst(stories: int) -> None:
    assert not is_found([0.0] * 56, stories)


def test_an_always_hot_name_needs_more_than_its_waves() -> None:
    random = Random(3)
    waves = [float(random.choice([10, 10, 10, 45])) for _ in range(56)]

    assert dispersion_of(waves, [sum(waves) / 56] * 56) > 5
    assert not is_found(waves, 45)
    assert is_found([sum(waves) / 56] * 56, 45)


def test_chance_alone_is_not_taken_for_waves() -> None:
    random = Random(5)
    spreads = []
    for _ in range(200):
        days = [float(sum(random.random() < 0.05 for _ in range(100))) for _ in range(56)]
        spreads.append(dispersion_of(days, [5.0] * 56))

    assert sum(dispersion > 1 for dispersion in spreads) <= 6


def test_a_weekday_of_its_own_is_no_burst_on_that_day_alone() -> None:
    past = [6.0 if day % 7 == TODAY[0] % 7 else 0.0 for day in range(56)]

    assert not is_found(past, 7)
    assert expect(past, EVEN, [TODAY[0] + 1]).mean < 2


def test_weekends_bring_less_and_are_expected_to() -> None:
    weekdays = [0.4 if day % 7 > 4 else 1.24 for day in range(70)]
    past = [10 * factor for factor in weekdays[:56]]
    saturday = next(day for day in range(57, 64) if day % 7 == 5)

    assert expect(past, weekdays, [saturday]).mean == pytest.approx(4, rel=0.05)


def test_days_without_any_collection_are_no_past() -> None:
    factors = [0.0 if day < 28 else 1.0 for day in range(70)]
    past = [0.0] * 28 + [5.0] * 28

    assert expect(past, factors, TODAY).mean == pytest.approx(5, rel=0.01)


def test_a_prolific_source_counts_for_no_more_than_all_others() -> None:
    assert capped_count([{1}] * 30) == 0
    assert capped_count([{1}] * 30 + [{2}, {3}]) == 4
    assert capped_count([{1}, {2}, {3}]) == 3
    assert capped_count([{1, 2}, {1, 3}, {1, 4}]) == 3


def test_the_line_allows_as_many_false_alarms_as_it_says() -> None:
    tested = Counter({bin_of(mean, 56): 400 for mean in (0.05, 0.3, 1.0, 4.0, 12.0)})
    threshold = evidence_threshold([likelihood(90, 12.0)], tested, FALSE_ALARMS)

    assert expected_false_alarms(threshold, tested) <= FALSE_ALARMS
    assert evidence_threshold([], tested, FALSE_ALARMS) == math.inf


def test_more_terms_raise_the_line() -> None:
    test = WindowTest(1, 4, predict(5, 56, 1), 56)

    assert find_bursts([test], world(10), FALSE_ALARMS)
    assert not find_bursts([test], world(200_000), FALSE_ALARMS)


def test_many_bursts_at_once_lower_the_line_for_each() -> None:
    tests = [WindowTest(number, 4, predict(0, 56, 1), 56) for number in range(40)]

    alone = find_bursts(tests[:1], world(100_000), FALSE_ALARMS)
    together = find_bursts(tests, world(100_000), FALSE_ALARMS)

    assert (len(alone), len(together)) == (0, 40)


@pytest.mark.parametrize("past", [56, 28, 8])
def test_false_alarms_of_a_quiet_world_are_as_rare_as_promised(past: int) -> None:
    """A thousand days of 500 terms, by the test's own distribution."""
    import numpy as np

    random = np.random.default_rng(past)
    means = np.geomspace(0.02, 15, 500)
    tested = Counter(bin_of(float(mean), past) for mean in means)
    alarms = 0
    for _ in range(1_000):
        rates = random.gamma(means * past + 0.5, 1 / past)
        for number, stories in enumerate(random.poisson(rates).tolist()):
            mean = float(means[number])
            if stories >= 3 and stories > 1.5 * mean:
                expected = Expected(mean + 0.5 / past, mean * past + 0.5)
                alarms += bool(find_bursts([WindowTest(1, stories, expected, past)], tested, 0.1))

    assert alarms / 1_000 < 0.13
