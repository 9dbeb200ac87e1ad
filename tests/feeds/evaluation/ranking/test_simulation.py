"""Simulated readers are the same each time, want what the ranker is not told, and judge fairly."""

import random
from pathlib import Path

import pytest

from feeds.core.topics import TOPICS
from feeds.evaluation.ranking.labels import LABEL_OF, label
from feeds.evaluation.ranking.measure import (
    judge,
    measure,
    order,
    popularity,
    recency,
    seed_rule,
)
from feeds.evaluation.ranking.readers import DAY, Trial, World, make_reader, trials
from feeds.evaluation.ranking.world import Article, newsroom_world, recorded_world

FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Lab</title>
<link>https://lab.example/</link>{items}</channel></rss>"""
ITEM = "<item><title>{0}</title><link>https://lab.example/{0}</link>{1}</item>"
DATE = "<pubDate>Sun, 05 Jan 2025 1{0}:00:00 +0000</pubDate>"


def mornings(seed: int = 1, readers: int = 6) -> list[list[Trial]]:
    world = World(newsroom_world())
    return list(trials(world, readers=readers, seed=seed, training=18, held_out=4))


def write_version(folder: Path, moment: str, *items: str) -> None:
    (folder / "lab").mkdir(exist_ok=True)
    (folder / "lab" / f"{moment}.xml").write_text(FEED.format(items="".join(items)))


def test_no_word_of_a_label_is_a_pattern_of_a_topic() -> None:
    patterns = {pattern for topic in TOPICS for pattern in topic.patterns}

    assert not patterns & LABEL_OF.keys()


def test_a_text_has_the_labels_that_its_words_name_most() -> None:
    assert label("Neurons and their circuits", "The bank paid for it.") == {"minds", "money"}
    assert label("Hello", "Nothing to say.") == frozenset()


def test_the_same_seed_gives_the_same_readers_and_another_others() -> None:
    one, same, other = mornings(), mornings(), mornings(seed=2)

    assert one == same
    assert [t[0].declared for t in one] != [t[0].declared for t in other]


def test_nothing_of_the_held_out_mornings_is_in_the_history() -> None:
    for reader in mornings():
        first = reader[0].now
        history = reader[0].history

        assert history.shown
        assert all(when < first for _, when in history.shown)
        done = {told.story for told, _ in history.opened + history.hidden}
        assert not done & {offer[0].story for trial in reader for offer in trial.offers}
        assert all(told.time < trial.now for trial in reader for o in trial.offers for told in o)


def test_a_story_is_wanted_more_for_its_labels_its_sources_and_its_youth() -> None:
    reader = make_reader(random.Random(1))
    (label_wanted, *_) = sorted(reader.strong)

    def told(source: int, about: str, time: float) -> Article:
        return Article(source, time, source, 1, "", "", (), frozenset({about} - {""}))

    match = reader.wants([told(1, label_wanted, 0)], DAY)
    assert match > reader.wants([told(1, label_wanted, 0)], 3 * DAY) > 0
    assert match > reader.wants([told(1, "", 0), told(2, "", 0)], DAY) > 0
    assert reader.wants([told(1, "", 0)], DAY) == 0


def test_a_perfect_order_is_worth_1_and_the_reverse_the_least() -> None:
    gains = [0.9, 0.5, 0.3, 0.1, 0.0]

    best, worst = judge(gains), judge(gains[::-1])

    assert best == (1.0, 1.0, 1.0)
    assert worst[0] < best[0]
    assert worst[1:] == (0.0, 1 / 3)


def test_equal_scores_keep_the_order_in_which_stories_are_offered() -> None:
    assert order([0.5, 0.7, 0.5, 0.7]) == [1, 3, 0, 2]


def test_who_knows_what_is_wanted_is_perfect_and_the_rules_lie_in_between() -> None:
    found = mornings(readers=20)

    perfect = measure(found, lambda trial: trial.wanted)
    rules = [measure(found, rule).ndcg for rule in (recency, popularity, seed_rule)]

    assert perfect.ndcg == pytest.approx(1.0)
    assert all(0.2 < value < 0.9 for value in rules)


def test_what_readers_want_cannot_be_measured_where_they_want_nothing() -> None:
    with pytest.raises(ValueError, match="nothing that these readers wanted"):
        measure([[Trial(0.0, {}, mornings()[0][0].history, [[]], [0.0])]], lambda trial: [0.0])


def test_a_recording_is_read_version_by_version_each_item_once(tmp_path: Path) -> None:
    write_version(
        tmp_path, "20250105T120000Z", ITEM.format("old", ""), ITEM.format("a", DATE.format(2))
    )
    write_version(
        tmp_path, "20250105T180000Z", ITEM.format("a", DATE.format(2)), ITEM.format("late", "")
    )

    found = recorded_world(tmp_path)

    assert [one.title for one in found] == ["a", "late"]


def test_a_folder_without_a_recording_and_a_file_that_is_none_are_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no archive")

    with pytest.raises(ValueError, match="contains no FEED"):
        recorded_world(tmp_path)
    with pytest.raises(ValueError, match="cannot be read"):
        recorded_world(tmp_path / "notes.txt")
