"""Topics are found in the words of a text and in the categories of a feed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.core import topics
from feeds.core.topics import LABELS, TOPICS, match_topics


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("OpenAI’s new GPT-5 is here", "openai"),
        ("Claude Code, now in the terminal", "anthropic"),
        ("The Model Context Protocol explained.", "mcp"),
        ("Training with RLHF", "reinforcement-learning"),
        ("EU AI Act enters into force", "policy"),
        ("阿里发布Qwen3模型", "qwen"),
        ("(Llama.cpp) runs locally", "local-ai"),
        ("Erdős problem solved", "mathematics"),
        ("x.ai raises money", "xai"),
    ],
)
def test_a_topic_is_found_by_its_patterns(text: str, topic: str) -> None:
    assert topic in match_topics(text)


@pytest.mark.parametrize("text", ["", "Storage and dragons", "A reagent for the kitchen", "maxim"])
def test_a_word_within_a_word_is_no_match(text: str) -> None:
    assert match_topics(text) == ()


def test_the_categories_of_the_feed_count_too() -> None:
    assert match_topics("News", ["Robotics", "Misc"]) == ("robotics",)


def test_the_most_frequent_topics_come_first_and_at_most_eight_are_returned() -> None:
    found = match_topics("Nvidia and OpenAI. " * 5 + " ".join(t.patterns[0] for t in TOPICS))

    assert found[:2] == ("openai", "nvidia")
    assert len(found) == 8


def test_topics_are_well_formed_and_about_sixty() -> None:
    assert 55 <= len(TOPICS) <= 75
    assert len(LABELS) == len(TOPICS)
    for topic in TOPICS:
        assert re.fullmatch(r"[a-z-]+", topic.slug)
        assert topic.label
        assert all(pattern == pattern.lower() for pattern in topic.patterns)
        assert topic.slug in match_topics(" , ".join([topic.patterns[0]] * 9))


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_text_has_the_same_words_by_the_faster_pattern(text: str) -> None:
    lower = text.lower()
    assert topics._ASCII_WORD.findall(lower) == topics._WORD.findall(lower)


_WORDS = sorted(
    {word for topic in TOPICS for pattern in topic.patterns for word in pattern.split()}
)


@given(st.lists(st.sampled_from(_WORDS), max_size=30))
def test_each_pattern_counts_as_often_as_its_words_occur_in_the_text(words: list[str]) -> None:
    text = " ".join(words)
    read = topics._WORD.findall(text)
    times: dict[str, int] = {}
    for topic in TOPICS:
        patterns = [topics._WORD.findall(pattern) for pattern in topic.patterns]
        counts = [_times(read, pattern) for pattern in patterns]
        if sum(counts):
            times[topic.slug] = sum(counts)
    ranked = sorted(times, key=lambda slug: -times[slug])

    assert match_topics(text) == tuple(ranked[:8])


def _times(words: list[str], pattern: list[str]) -> int:
    """How often the words of `pattern` follow each other, without overlaps."""
    count = at = 0
    while at <= len(words) - len(pattern):
        is_match = words[at : at + len(pattern)] == pattern
        count += is_match
        at += len(pattern) if is_match else 1
    return count
