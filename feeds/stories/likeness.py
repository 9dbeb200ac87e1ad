"""How alike two documents must be to tell of one event, and what speaks against it. Pure."""

from feeds.stories.words import Document, versions_conflict

WINDOW = 72 * 3600.0
"""Seconds within which the next telling of an event is expected."""
THRESHOLD = 0.18
"""Cosine of two stories from which they are one. F1 is level from 0.12 to 0.24 on labelled
headlines; false merges among posts of AI companies fall with it."""
COPY = 0.9
"""Cosine of two documents from which one is a copy of the other."""
SAME_SOURCE = 0.4
"""A publisher seldom tells an event twice; two of its posts on a subject are two stories."""
OTHER_VERSION = 0.1
"""All but a veto: GPT-5 is not news about GPT-4, however like the words are."""


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
