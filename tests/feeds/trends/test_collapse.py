"""Terms that tell of the same stories are one trend; stages by the last days."""

import pytest

from feeds.trends.burst import Expected
from feeds.trends.collapse import Rise, collapse
from feeds.trends.types import CLIMBING, COOLING, NEW, PEAK, stage_of


def rise(key: str, *stories: int, p: float = 1e-6, usual: float = 0.1) -> Rise:
    return Rise(key, frozenset(stories), Expected(usual, 5.0), p)


def names(*rises: Rise) -> list[str]:
    return [cluster.named.key for cluster in collapse(rises)]


def test_a_phrase_swallows_its_parts() -> None:
    parts = [rise(key, *range(9)) for key in ("context", "protocol", "context protocol")]

    assert names(*parts, rise("model context protocol", *range(8))) == ["model context protocol"]


def test_a_phrase_that_few_of_the_stories_have_gives_no_name() -> None:
    assert names(rise("heron-4", *range(12)), rise("quillmark heron-4", *range(5))) == ["heron-4"]


def test_a_wider_term_is_explained_when_without_the_burst_it_is_as_usual() -> None:
    maker = rise("openai", *range(14), p=1e-4, usual=4.0)

    assert names(maker, rise("gpt-6", *range(9), p=1e-9)) == ["gpt-6"]


def test_a_wider_term_with_a_burst_of_its_own_stays() -> None:
    maker = rise("openai", *range(40), p=1e-8, usual=4.0)

    assert names(maker, rise("gpt-6", *range(9), p=1e-9)) == ["gpt-6", "openai"]


def test_two_names_of_one_thing_are_told_as_aliases() -> None:
    (cluster,) = collapse([rise("velloria", *range(9)), rise("project tarn", *range(1, 9), p=1e-5)])

    assert (cluster.named.key, cluster.aliases) == ("velloria", ["project tarn"])


def test_a_curated_topic_gives_way_to_a_name_and_is_a_trend_without_one() -> None:
    topic = rise("#chips", *range(12), p=1e-12)

    assert names(topic, rise("velloria", *range(12))) == ["velloria"]
    assert names(topic) == ["#chips"]


def test_what_has_no_story_in_common_stays_apart() -> None:
    assert len(names(rise("tarn", *range(5)), rise("velloria", *range(10, 15)))) == 2


@pytest.mark.parametrize(
    ("days", "before", "stage"),
    [
        ((0, 0, 0, 0, 0, 0, 0, 6), 0.0, NEW),
        ((0, 0, 0, 0, 0, 0, 5, 1), 0.0, NEW),
        ((1, 1, 1, 2, 1, 3, 6, 1), 1.0, CLIMBING),
        ((1, 1, 1, 2, 1, 3, 6, 9), 1.0, CLIMBING),
        ((1, 1, 2, 9, 8, 9, 8, 2), 1.0, PEAK),
        ((1, 2, 9, 8, 3, 2, 1, 0), 1.0, COOLING),
        ((0, 0, 9, 1, 0, 0, 0, 0), 0.0, COOLING),
    ],
)
def test_the_stage_is_told_by_the_last_days(
    days: tuple[int, ...], before: float, stage: str
) -> None:
    assert stage_of(days, before) == stage
