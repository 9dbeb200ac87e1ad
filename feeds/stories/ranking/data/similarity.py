"""Compare items with those that a reader opened and was shown, by their terms. Pure.

There are two measures: `odds` uses how often items with a term were opened, and `nearest` the
most similar examples. An item is a row, a bag of hashed terms.
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
"""The hashed terms of an item in 16 bits each, so that many rows are joined quickly."""
BUCKETS = 1 << 15
NEIGHBOURS = 5
"""Number of most similar examples that count."""
PRIOR = 10
"""Number of shown rows at which a term's own open rate counts half, the reader's mean the other
half."""
MAX_TEXT = 300
MIN_RARE = 0.05
COMMON, FEW = 0.05, 10
"""A term is common if more than this fraction of the examples, and more than FEW, have it."""


def terms_in(title: str, summary: str, topics: Iterable[str]) -> Row:
    """The row of an item: its topics, and the stems of its title and the start of its summary."""
    stems = terms_of(f"{title} {summary[:MAX_TEXT]}")
    return make_row(crc32(word.encode()) for word in (*stems, *(f"#{t}" for t in topics)))


def make_row(numbers: Iterable[int]) -> Row:
    return array("H", sorted({number % BUCKETS for number in numbers})).tobytes()


@dataclass(frozen=True, slots=True)
class Bags:
    """Many rows, end to end. Entry i has the term `terms[i]` and belongs to row `owners[i]`."""

    count: int
    terms: "Ints"
    owners: "Ints"

    def sums(self, values: "Floats") -> "Floats":
        """[rows]: the sum of `values`, one per entry, for each row."""
        import numpy as np

        return np.bincount(self.owners, values, self.count).astype(np.float32)


def bags(rows: Sequence[Row]) -> Bags:
    import numpy as np

    lengths = np.fromiter(map(len, rows), np.int64, len(rows)) // 2
    terms = np.frombuffer(b"".join(rows), np.uint16).astype(np.int64)
    return Bags(len(rows), terms, np.repeat(np.arange(len(rows)), lengths))


def idf(*many: Bags) -> "Floats":
    """[BUCKETS]: the inverse document frequency of each term."""
    import numpy as np

    frequency = np.sum([np.bincount(rows.terms, minlength=BUCKETS) for rows in many], axis=0)
    # Few frequencies occur, so the logarithm is taken of each once, rather than of each term.
    possible = np.arange(frequency.max(initial=0) + 1)
    weights = np.log((sum(rows.count for rows in many) + 1) / (possible + 0.5))
    of_terms: Floats = np.maximum(weights, MIN_RARE).astype(np.float32)[frequency]
    return of_terms


def odds(rows: Bags, shown: Bags, opened: "Floats", weights: "Floats") -> "Floats":
    """[rows]: the mean log-odds of their terms to be opened; 0 if nothing is known.

    The odds of a term are its open rate relative to the reader's mean. They are weighted by the
    squares of `weights`. `opened` has a value per row of `shown`: 1 opened, 0 not, -1 hidden.
    """
    import numpy as np

    times_shown = np.bincount(shown.terms, minlength=BUCKETS)
    times_opened = np.bincount(shown.terms, opened[shown.owners], BUCKETS)
    mean = float(np.maximum(opened, 0).mean()) if len(opened) else 0.0
    if not mean:
        return np.zeros(rows.count, np.float32)
    opened_of, shown_of = times_opened[rows.terms], times_shown[rows.terms]
    rates = np.log((np.maximum(opened_of, 0) + PRIOR * mean) / (shown_of + PRIOR) / mean)
    squares = weights[rows.terms] ** 2
    means = rows.sums(squares * rates) / np.maximum(rows.sums(squares), 1e-9)
    return means.astype(np.float32)


def cosines(rows: Bags, examples: Bags, weights: "Floats") -> "Floats":
    """[rows, examples]: the cosines, with terms weighted by `weights`.

    Common terms count in the lengths only: they distinguish few examples and cost most of the
    time.
    """
    import numpy as np

    squares = weights**2
    frequency = np.bincount(examples.terms, minlength=BUCKETS)
    begins = (np.cumsum(frequency) - frequency)[rows.terms]
    frequency[frequency > max(examples.count * COMMON, FEW)] = 0
    # Pair each entry of a row with all entries of the same term among the sorted examples.
    order = np.argsort(examples.terms, kind="stable")
    pairs = frequency[rows.terms]
    entry = np.repeat(np.arange(len(rows.terms)), pairs)
    within = np.arange(len(entry)) - np.repeat(np.cumsum(pairs) - pairs, pairs)
    example = examples.owners[order[begins[entry] + within]]
    places = rows.owners[entry] * examples.count + example
    sums = np.bincount(places, squares[rows.terms[entry]], rows.count * examples.count)
    lengths = np.outer(_lengths(rows, squares), _lengths(examples, squares))
    return sums.reshape(lengths.shape).astype(np.float32) / lengths


def _lengths(rows: Bags, squares: "Floats") -> "Floats":
    import numpy as np

    lengths: Floats = np.maximum(np.sqrt(rows.sums(squares[rows.terms])), 1e-6)
    return lengths


def nearest(similarities: "Floats", weights: "Floats") -> "Floats":
    """[rows]: the mean of the NEIGHBOURS highest similarities, each times its example's weight.

    `similarities` are [rows, examples].
    """
    import numpy as np

    if not len(weights):
        return np.zeros(len(similarities), np.float32)
    weighted = similarities * weights
    if weighted.shape[1] > NEIGHBOURS:
        weighted = np.partition(weighted, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:]
    mean: Floats = (weighted.sum(1) / NEIGHBOURS).astype(np.float32)
    return mean
