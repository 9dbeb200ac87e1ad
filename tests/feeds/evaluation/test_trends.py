"""The benchmark itself: its theory is the textbook's, and its figures move as they must."""

import pytest
from django.core.management import call_command

from feeds.evaluation.trends import doubles, evaluate, poisson_tail, theory


@pytest.mark.parametrize(("background", "found"), [(1, 0.012), (5, 0.43), (10, 0.84), (20, 0.998)])
def test_theory_is_that_of_a_known_rate(background: int, found: float) -> None:
    assert theory(background)["theory"] == pytest.approx(found, abs=0.01)


def test_the_poisson_tail_is_the_textbook_s() -> None:
    assert poisson_tail(16, 5) == pytest.approx(6.9e-5, rel=0.01)


def test_twice_as_many_is_counted_as_it_is_said() -> None:
    assert doubles([1] * 7 + [3] * 7)
    assert not doubles([1] * 7 + [2] * 7)
    assert doubles([0] * 13 + [1])


def test_planted_bursts_are_found_at_theory_s_level_with_few_false_alarms() -> None:
    found = evaluate(weeks=4, planted=50, seed=2)

    for one in found.recalls:
        assert one.first >= one.theory - 0.1
        assert one.second >= one.theory_second - 0.1
        assert one.second >= one.first
        assert one.first <= one.optimum + 0.15
    assert found.false_alarms <= 2
    assert found.seed_false_alarms > 100


def test_the_command_ends_with_names_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("evaluate", "trends", "--weeks", "3", "--planted", "10")

    lines = dict(line.split() for line in capsys.readouterr().out.splitlines()[1:])
    assert {"trends_recall_1d_bg5", "trends_theory_1d_bg5", "trends_false_alarms_week"} <= set(
        lines
    )
    assert all(float(value) >= 0 for value in lines.values())
