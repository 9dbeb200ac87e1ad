"""What a ranking term declares. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from feeds.stories.ranking.data.batch import Batch, Facts
from feeds.stories.ranking.data.reader import Reader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]


class Place(IntEnum):
    """Where a reason stands in the explanation of a story."""

    FIRST = 0
    COVERAGE = 10
    TOPICS = 20
    HISTORY = 30
    SOURCE = 40
    LAST = 50


class Reason(NamedTuple):
    """A phrase of the explanation "4 sources · topic you follow: Agents · new"."""

    place: Place
    text: str


Values = Callable[[Batch, Reader], "Floats"]
Reasons = Callable[[Facts, Reader, float], Iterable[Reason]]


def no_reasons(facts: Facts, reader: Reader, value: float) -> Iterable[Reason]:
    return ()


@dataclass(frozen=True, slots=True)
class Term:
    """A term of the score of a story.

    `name` is its key in the API. `weight` is its part of the weighted mean; None makes it a
    factor that the mean is multiplied by. `description` is its line in docs/explanation/ranking.md.

    `values` returns one number in 0..1 per story of a batch; `reasons` returns what the
    explanation of a story says about its value.

    A term that is `from_examples` compares stories with what the reader did, which is slow. It
    is skipped if nothing was learned, and on long lists it is computed only for the stories that
    the other terms put first. All other stories have its `neutral` value.
    """

    name: str
    weight: float | None
    description: str
    values: Values
    reasons: Reasons = no_reasons
    from_examples: bool = False

    @property
    def neutral(self) -> float:
        return 1.0 if self.weight is None else 0.5
