"""How much rows of terms are like what a reader opened, out of what they were shown. Pure.

Two answers go together. `odds` ask of each term how often a row that has it was opened; `nearest`
asks for the examples that a row is most like. Rows are bags of hashed terms here; rows of a
model's vectors, of unit length, have their cosines by `rows @ examples.T` and go on from there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from feeds.stories.words import terms_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float32]

Row = tuple[int, ...]
BUCKETS = 1 << 16
NEIGHBOURS = 5
"""Of the examples, those that count."""
PRIOR = 10
"""A term's rate of openings is the mean until about so many rows of it were shown."""
MOST_TEXT = 300
LEAST_RARE = 0.05


def terms_in(title: str, summary: str, topics: Iterable[str]) -> Row:
    """The numbers, below `BUCKETS`, of the topics and of the stems of a title and of the
    beginning of its summary, each once."""
    stems = terms_of(f"{title} {summary[:MOST_TEXT]}")
    return tuple({crc32(word.encode()) % BUCKETS for word in (*stems, *(f"#{t}" for t in topics))})


@dataclass(frozen=True, slots=True)
class Bags:
    """Rows end to end: each entry's term and the row that it belongs to."""

    count: int
    terms: "Ints"
    owners: "Ints"

    def sums(self, values: "Floats") -> "Floats":
        """[rows]: the sums of a value an entry."""
        import numpy as np

        return np.bincount(self.owners, values, self.count).astype(np.float32)


def bags(rows: Sequence[Row]) -> Bags:
    import numpy as np

    lengths = np.array([len(row) for row in rows], np.int64)
    terms = np.fromiter((term for row in rows for term in row), np.int64, int(lengths.sum()))
    return Bags(len(rows), terms, np.repeat(np.arange(len(rows)), lengths))


def rarity(*many: Bags) -> "Floats":
    """[BUCKETS]: what a term weighs, the less the more rows have it."""
    import numpy as np

    often = sum(np.bincount(one.terms, minlength=BUCKETS) for one in many)
    weights = np.log((sum(one.count for one in many) + 1) / (often + 0.5))
    return np.maximum(weights, LEAST_RARE).astype(np.float32)


def odds(rows: Bags, shown: Bags, opened: "Floats", weights: "Floats") -> "Floats":
    """[rows]: the mean, weighted by the squares of rarity, of the logarithm of each term's rate
    of openings against the reader's; 0 where nothing is known.

    `opened` is a number for each row of `shown`: 1 for what was opened, 0 for what was not, -1
    for what was hidden.
    """
    import numpy as np

    seen = np.bincount(shown.terms, minlength=BUCKETS)
    met = np.bincount(shown.terms, opened[shown.owners], BUCKETS)
    mean = float(np.maximum(opened, 0).mean()) if len(opened) else 0.0
    if not mean:
        return np.zeros(rows.count, np.float32)
    rates = np.log((np.maximum(met, 0) + PRIOR * mean) / (seen + PRIOR) / mean)
    squares = weights[rows.terms] ** 2
    return rows.sums(squares * rates[rows.terms]) / np.maximum(rows.sums(squares), 1e-9)


def cosines(rows: Bags, examples: Bags, weights: "Floats") -> "Floats":
    """[rows, examples]: the cosines, each term weighted as given."""
    import numpy as np

    found = np.zeros((rows.count, examples.count), np.float32)
    known, matrix = _matrix(examples, weights)
    place = known[rows.terms]
    met = np.flatnonzero(place >= 0)
    if not met.size:
        return found
    owners = rows.owners[met]
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    weighted = matrix[place[met]] * weights[rows.terms[met], None]
    found[owners[starts]] = np.add.reduceat(weighted, starts)
    sizes = np.sqrt(rows.sums(weights[rows.terms] ** 2))
    return found / np.maximum(sizes, 1e-9)[:, None]


def _matrix(examples: Bags, weights: "Floats") -> "tuple[Ints, Floats]":
    """Each term's line, -1 for one of no example; and [lines, examples] of unit columns."""
    import numpy as np

    distinct, lines = np.unique(examples.terms, return_inverse=True)
    known = np.full(BUCKETS, -1, np.int64)
    known[distinct] = np.arange(distinct.size)
    matrix = np.zeros((distinct.size, examples.count), np.float32)
    matrix[lines, examples.owners] = weights[examples.terms]
    return known, matrix / np.maximum(np.sqrt((matrix**2).sum(0)), 1e-9)


def nearest(alike: "Floats", weights: "Floats") -> "Floats":
    """[rows]: the mean of the `NEIGHBOURS` highest likenesses, each times its example's weight."""
    import numpy as np

    if not len(weights):
        return np.zeros(len(alike), np.float32)
    found = alike * weights
    if found.shape[1] > NEIGHBOURS:
        found = np.partition(found, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:]
    return (found.sum(1) / NEIGHBOURS).astype(np.float32)
