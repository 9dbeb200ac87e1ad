"""What the reader declared: topics, and stories that they follow."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from feeds.core.topics import LABELS
from feeds.stories.ranking.data.batch import Batch, Facts
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.terms.term import Place, Reason, Term

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

_WORDS = {"more": "topic you follow", "less": "you asked for less"}


def values(batch: Batch, reader: Reader) -> "Floats":
    """1 for a wanted topic or a followed story, 0 for an unwanted topic, 0.5 for both or none."""
    import numpy as np

    preferences = batch.by_topics(reader.preference)
    more, less = batch.share(preferences > 0.5) > 0, batch.share(preferences < 0.5) > 0
    interest: Floats = 0.5 + (more * 0.5 - less * 0.5)
    if reader.followed:
        interest = np.where(np.isin(batch.stories, list(reader.followed)), 1.0, interest)
    return interest


def reasons(facts: Facts, reader: Reader, value: float) -> Iterator[Reason]:
    if facts.story in reader.followed:
        yield Reason(Place.FIRST, "you follow this story")
    for level, words in _WORDS.items():
        labels = [LABELS.get(t, t) for t in facts.topics if reader.interests.get(t) == level]
        if labels:
            yield Reason(Place.TOPICS, f"{words}: {', '.join(labels)}")


TERM = Term(
    name="interest",
    weight=0.14,
    description=(
        "the reader's levels for its topics, and whether the reader follows the story; a muted"
        " topic hides it"
    ),
    values=values,
    reasons=reasons,
)
