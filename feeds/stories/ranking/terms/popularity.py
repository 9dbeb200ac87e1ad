"""How widely a story is covered."""

from collections.abc import Iterator
from math import log2
from typing import TYPE_CHECKING

from feeds.stories.ranking.data.batch import Batch, Facts
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.terms.term import Place, Reason, Term

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

MAX_SOURCES = 15
"""Number of sources, each with one article, from which on the value is 1."""


def values(batch: Batch, reader: Reader) -> "Floats":
    import numpy as np

    popularity: Floats = np.minimum(1.0, batch.entropy / log2(MAX_SOURCES))
    return popularity


def reasons(facts: Facts, reader: Reader, value: float) -> Iterator[Reason]:
    if facts.sources > 1:
        yield Reason(Place.COVERAGE, f"{facts.sources} sources")


TERM = Term(
    name="heat",
    weight=0.28,
    description=(
        "the entropy of the sources that cover the story: the logarithm of their number, or"
        " less if one of them published most of the articles"
    ),
    values=values,
    reasons=reasons,
)
