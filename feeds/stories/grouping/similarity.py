"""How alike two documents must be to tell of one event, and what speaks against it. Pure."""

import math
from typing import Any

from feeds.stories.grouping.tokenizer import Document, versions_conflict

WINDOW = 72 * 3600.0
"""Seconds within which the next telling of an event is expected."""
THRESHOLD = 0.09
"""Cosine of two large stories from which they are one, by words alone; see `needed`."""
THRESHOLD_WITH_MEANING = 0.14
"""The same of what `mixed` gives."""
FROM_WORDS = 1.5
"""What a likeness by words counts as where one of the two has no vector: the two thresholds'
ratio, rounded down, so that a document that is not embedded yet is judged alike."""
COPY = 0.9
"""Cosine of two documents from which one is a copy of the other."""
SAME_SOURCE = 0.4
"""A publisher seldom tells an event twice; two of its posts on a subject are two stories."""
OTHER_VERSION = 0.1
"""All but a veto: GPT-5 is not news about GPT-4, however like the words are."""
DAY = 24 * 3600.0
_FADES = 0.4
_CAUTION = 1.5
_GROWTH = 0.15


def mixed(meaning: Any, words: Any) -> Any:
    """The likeness of two documents by the cosine of their vectors and that of their words.

    Floats or arrays of them, not negative. Both together say more than their mean: hence
    the geometric term.
    """
    return 0.45 * meaning + 0.25 * words + 0.3 * (meaning * words) ** 0.5


def fading(days: Any) -> Any:
    """The factor by which time between two tellings lessens their likeness: markets fall on
    Monday and on Tuesday. Floats or arrays, of at most a day: it falls no further, or long
    stories would be cut."""
    return 1 - _FADES * days


def needed(one: int, other: int) -> float:
    """How many times the threshold two groups, told by so many sources, must reach.

    Two documents alone share words by chance, and a word or two of a large group mean less:
    small groups are judged with caution (2.5 for two sources, 1.15 for one and ten). Two
    large groups that are both one story are more alike than two stories of one subject.
    Sources are counted, as a feed that tells the same thing twenty times makes no large story.
    """
    smaller, larger = (one, other) if one < other else (other, one)
    return (1 + _GROWTH * math.log2(smaller)) * (1 + _CAUTION / larger)


def doubt(one: Document, other: Document) -> float:
    """The factor, at most 1, by which guards lessen the likeness of two documents."""
    factor = 1.0
    if one.source == other.source:
        factor *= SAME_SOURCE
    if one.versions and versions_conflict(one.versions, other.versions):
        factor *= OTHER_VERSION
    return factor


def is_same_text(one: Document, other: Document) -> bool:
    """Whether address or title say that one is a copy of the other, in another outlet."""
    if one.source == other.source:
        return False
    return bool(
        (one.url and one.url == other.url) or (one.title_key and one.title_key == other.title_key)
    )
