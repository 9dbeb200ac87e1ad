"""Embeddings of documents as rows of a matrix, centred on their mean. Pure.

In news about one field all embeddings are close to each other. Subtracting the mean leaves what
distinguishes the documents.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]
Matrix = NDArray[np.float32]
_PRIOR = 50
"""Zero vectors that are added to the mean. Without them, the mean of few documents would mostly
be these documents."""


def mean_of(vectors: Sequence[Row] | Matrix) -> Row:
    """The mean [d] of unit vectors, shrunk towards zero if there are few."""
    rows = np.asarray(vectors, dtype=np.float32)
    return _shrunk_mean(rows.sum(axis=0, dtype=np.float64), len(rows))


def _shrunk_mean(total: NDArray[np.float64], count: int) -> Row:
    mean: Row = (total / (count + _PRIOR)).astype(np.float32)
    return mean


def centred(rows: Matrix, mean: Row) -> Matrix:
    """Subtract `mean` from unit vectors [n, d], and scale them to unit length again."""
    moved = rows.astype(np.float32) - mean
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    scaled: Matrix = moved / np.maximum(lengths, 1e-9)
    return scaled


class Vectors:
    """Centred vectors by document id. An instance without vectors is false.

    The mean includes the vectors of the instances in `above`.
    """

    def __init__(self, known: Mapping[int, Row], above: Sequence["Vectors"] = ()) -> None:
        self._rows: dict[int, int] = {}
        self._total: Any = None
        if known:
            ids = sorted(known)  # so that the sum does not depend on the order of arrival
            matrix = np.stack([known[pk] for pk in ids]).astype(np.float32)
            self._total = matrix.sum(axis=0, dtype=np.float64)
            self._matrix = centred(matrix, self._mean_with(above, len(ids)))
            self._rows = {pk: row for row, pk in enumerate(ids)}

    def _mean_with(self, above: Sequence["Vectors"], count: int) -> Row:
        others = [other for other in above if other and len(other._total) == len(self._total)]
        total = sum([other._total for other in others], self._total)
        return _shrunk_mean(total, count + sum(map(len, others)))

    @property
    def size(self) -> int:
        """The dimension of the vectors; 0 if there are none."""
        return len(self._total) if self._rows else 0

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, pk: int) -> bool:
        return pk in self._rows

    def matrix_for(self, documents: Sequence[int]) -> tuple[Matrix, NDArray[np.bool_]]:
        """Return the vectors [n, d] of these documents, zero if unknown, and which are known
        [n]."""
        places = np.array([self._rows.get(pk, -1) for pk in documents])
        known = places >= 0
        rows = self._matrix[np.maximum(places, 0)]
        rows[~known] = 0
        return rows, known
