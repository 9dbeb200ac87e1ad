"""How recent a story is."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from feeds.stories.ranking.data.batch import Batch, Facts
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.terms.term import Place, Reason, Term

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

HALF_LIFE = 250.0
"""In hours."""
NEW = 3.0
"""Hours for which a story is called new."""


def values(batch: Batch, reader: Reader) -> "Floats":
    freshness: Floats = 2.0 ** (-batch.ages / HALF_LIFE)
    return freshness


def reasons(facts: Facts, reader: Reader, value: float) -> Iterator[Reason]:
    if facts.age < NEW:
        yield Reason(Place.LAST, "new")


TERM = Term(
    name="freshness",
    weight=None,
    description=f"halves every {HALF_LIFE:.0f} hours after the newest article that is not a copy",
    values=values,
    reasons=reasons,
)
