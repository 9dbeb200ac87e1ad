"""The similarity that two documents need to belong to one story, and penalties. Pure.

The numbers were tuned on labelled data: see `manage.py evaluate stories`.
"""

import math
from functools import lru_cache
from typing import Any

from feeds.stories.grouping.tokenizer import Document, versions_conflict

WINDOW = 72 * 3600.0
"""Time window in seconds: articles on an event are at most so far apart."""
THRESHOLD = 0.09
"""Cosine by terms at which two large stories merge. Small ones need more, see below."""
THRESHOLD_WITH_VECTORS = 0.14
"""The same for similarities of `combine`."""
TERMS_ONLY_FACTOR = 1.5
"""Factor for a similarity by terms if one of two documents has no vector: about the ratio of the
two thresholds, so that documents without a vector are judged alike."""
COPY = 0.9
"""Cosine at which a document is a copy of another."""
SAME_SOURCE = 0.4
"""Penalty for documents of one source, which rarely covers an event twice."""
OTHER_VERSION = 0.1
"""Penalty for different versions, such as GPT-4 and GPT-5: almost a veto."""
MAX_DOCUMENTS = 500
"""Documents of a story. More of them are no event: their titles are made of few words, as those of
tables, quotations and tests are."""
DAY = 24 * 3600.0
_DAILY_DECAY = 0.4
_CAUTION = 1.5
_GROWTH = 0.15


def combine(by_vectors: Any, by_terms: Any) -> Any:
    """Combine the cosine of two documents' vectors with that of their terms.

    Takes floats or arrays, not negative. The geometric mean rewards documents that are similar by
    both.
    """
    return 0.45 * by_vectors + 0.25 * by_terms + 0.3 * (by_vectors * by_terms) ** 0.5


def time_decay(days: Any) -> Any:
    """The factor for the time between two documents, in days. Takes floats or arrays, at most 1.

    Similar events may happen on consecutive days, such as falls of the market. The factor does
    not decrease after a day, or long stories would be split.
    """
    return 1 - _DAILY_DECAY * days


@lru_cache(maxsize=10_000)
def threshold_factor(left: int, right: int) -> float:
    """The multiple of the threshold that two groups need, by their numbers of sources.

    Single documents share words by chance, so small groups need more (2.5 for two single sources,
    1.15 for one and ten). Two large groups of one story are more similar than two stories on one
    subject, so large groups need more as well. Sources are counted rather than documents, because
    repeated posts of one feed do not make a large story.
    """
    smaller, larger = (left, right) if left < right else (right, left)
    return (1 + _GROWTH * math.log2(smaller)) * (1 + _CAUTION / larger)


def penalty(left: Document, right: Document) -> float:
    """The factor, at most 1, by which the similarity of two documents is reduced."""
    factor = 1.0
    if left.source == right.source:
        factor *= SAME_SOURCE
    if left.versions and versions_conflict(left.versions, right.versions):
        factor *= OTHER_VERSION
    return factor


def is_same_text(left: Document, right: Document) -> bool:
    """Whether two sources published the same article: the same URL or the same long title."""
    if left.source == right.source:
        return False
    has_same_url = left.url and left.url == right.url
    return bool(has_same_url or (left.title_key and left.title_key == right.title_key))
