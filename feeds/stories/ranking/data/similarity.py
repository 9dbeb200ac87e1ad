"""How much rows of terms are like what a reader opened, out of what they were shown. Pure.

Two answers go together. `odds` ask of each term how often a row that has it was opened; `nearest`
asks for the examples that a row is most like. Rows are bags of hashed terms here; rows of a
model's vectors, of unit length, have their cosines by `rows @ examples.T` and go on from there.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from feeds.stories.grouping.tokenizer import terms_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float32]

Row = bytes
"""The numbers of a row's terms in 16 bits each, so that many rows are joined at once."""
BUCKETS = 1 << 15
NEIGHBOURS = 5
"""Of the examples, those that count."""
PRIOR = 10
"""A term's rate of openings is the mean until about so many rows of it were shown."""
MOST_TEXT = 300
LEAST_RARE = 0.05
COMMON, FEW = 0.05, 10
"""Terms of more than this part of the examples, and of more than so few, are common."""


def terms_in(title: str, summary: str, topics: Iterable[str]) -> Row:
    """The topics and the stems of a title and of the beginning of its summary, each once."""
    stems = terms_of(f"{title} {summary[:MOST_TEXT]}")
    return make_row(crc32(word.encode()) for word in (*stems, *(f"#{t}" for t in topics)))


def make_row(numbers: Iterable[int]) -> Row:
    return array("H", sorted({number % BUCKETS for number in numbers})).tobytes()


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

    lengths = np.fromiter(map(len, rows), np.int64, len(rows)) // 2
    terms = np.frombuffer(b"".join(rows), np.uint16).astype(np.int64)
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
    found = rows.sums(squares * rates[rows.terms]) / np.maximum(rows.sums(squares), 1e-9)
    return found.astype(np.float32)


def cosines(rows: Bags, examples: Bags, weights: "Floats") -> "Floats":
    """[rows, examples]: the cosines, each term weighted as given. Terms that many examples have
    tell few of them apart and most of the time is theirs: they count in the lengths alone."""
    import numpy as np

    squares = weights**2
    often = np.bincount(examples.terms, minlength=BUCKETS)
    begins = (np.cumsum(often) - often)[rows.terms]
    often[often > max(examples.count * COMMON, FEW)] = 0
    # Each entry of a row meets the entries of its term among the examples, which stand together.
    order = np.argsort(examples.terms, kind="stable")
    meets = often[rows.terms]
    entry = np.repeat(np.arange(len(rows.terms)), meets)
    within = np.arange(len(entry)) - np.repeat(np.cumsum(meets) - meets, meets)
    example = examples.owners[order[begins[entry] + within]]
    places = rows.owners[entry] * examples.count + example
    sums = np.bincount(places, squares[rows.terms[entry]], rows.count * examples.count)
    lengths = np.outer(_lengths(rows, squares), _lengths(examples, squares))
    return sums.reshape(lengths.shape).astype(np.float32) / lengths


def _lengths(rows: Bags, squares: "Floats") -> "Floats":
    import numpy as np

    found: Floats = np.maximum(np.sqrt(rows.sums(squares[rows.terms])), 1e-6)
    return found


def nearest(alike: "Floats", weights: "Floats") -> "Floats":
    """[rows]: the mean of the `NEIGHBOURS` highest likenesses, each times its example's weight."""
    import numpy as np

    if not len(weights):
        return np.zeros(len(alike), np.float32)
    found = alike * weights
    if found.shape[1] > NEIGHBOURS:
        found = np.partition(found, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:]
    mean: Floats = (found.sum(1) / NEIGHBOURS).astype(np.float32)
    return mean
