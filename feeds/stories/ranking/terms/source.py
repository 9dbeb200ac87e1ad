"""How much the reader and the curator think of a story's source."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

from feeds.stories.ranking.data.batch import Batch, Facts
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.terms.term import Place, Reason, Term

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

Rate = TypeVar("Rate", float, "Floats")

TRUST, LEVEL = 0.25, 0.25
"""What the curator's trust, from 1 to 2, and the reader's level for a source add at most."""
OFTEN, SELDOM = 0.58, 0.42
"""Learned values above and below which the reader's habit is mentioned."""
_WORDS = {"more": "a source you want more of", "less": "a source you want less of"}


def values(batch: Batch, reader: Reader) -> "Floats":
    import numpy as np

    distinct, places = np.unique(batch.lead_sources, return_inverse=True)
    sources = distinct.tolist()
    rates = np.array([reader.open_rate(source) for source in sources])[places]
    levels = np.array([reader.level(source) for source in sources])[places]
    value = _learned(reader, rates) + (TRUST * (batch.trust - 1) + LEVEL * (2 * levels - 1))
    return np.clip(value, 0.0, 1.0)


def _learned(reader: Reader, rate: Rate) -> Rate:
    """The open rate, moved towards 0.5 while the reader has done little."""
    return 0.5 + reader.confidence() * (rate - 0.5)


def reasons(facts: Facts, reader: Reader, value: float) -> Iterator[Reason]:
    if words := _in_words(facts, reader):
        yield Reason(Place.SOURCE, words)


def _in_words(facts: Facts, reader: Reader) -> str:
    if words := _WORDS.get(reader.levels.get(facts.lead_source, "normal")):
        return words
    learned = _learned(reader, reader.open_rate(facts.lead_source))
    if learned > OFTEN:
        return "a source you often open"
    if learned < SELDOM:
        return "a source you seldom open"
    return "trusted source" if facts.weight > 1 else ""


TERM = Term(
    name="source",
    weight=0.29,
    description=(
        "how often the reader opens articles of its source that are shown, compared with other"
        " sources; the curator's trust in the source, and the reader's level for it"
    ),
    values=values,
    reasons=reasons,
)
