"""A ranking term as CONTRIBUTING.md describes it: stories that a single source has."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from feeds.stories.ranking.data.batch import Batch, Facts
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.terms.term import Place, Reason, Term

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def values(batch: Batch, reader: Reader) -> "NDArray[np.floating]":
    return (batch.sources == 1) * 1.0


def reasons(facts: Facts, reader: Reader, value: float) -> Iterator[Reason]:
    if value == 1.0:
        yield Reason(Place.COVERAGE, "no other source has it")


TERM = Term(
    name="exclusive",
    weight=0.5,
    description="1 if a single source covers the story",
    values=values,
    reasons=reasons,
)
