"""What documents mean, as rows of one matrix with the field's common direction taken out. Pure.

In a feed about one field everything is close to everything: without the mean, the cosine
of two posts says what they say of their own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.float32]
Matrix = NDArray[np.float32]
_PRIOR = 50
"""Vectors of zero that the mean is taken with: of few documents it would say nothing but
the documents themselves."""


def mean_of(vectors: Sequence[Row] | Matrix) -> Row:
    """The mean of unit vectors, shrunk to zero where there are few."""
    rows = np.asarray(vectors, dtype=np.float32)
    total: Row = rows.sum(axis=0, dtype=np.float64) / (len(rows) + _PRIOR)
    return total.astype(np.float32)


def centred(rows: Matrix, mean: Row) -> Matrix:
    """Unit vectors [n, d] without `mean`, of unit length again."""
    moved = rows.astype(np.float32) - mean
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    found: Matrix = moved / np.maximum(lengths, 1e-9)
    return found


class Vectors:
    """Centred vectors by document id. Empty ones are false."""

    def __init__(self, known: Mapping[int, Row]) -> None:
        self.mean: Any = None
        self._rows: dict[int, int] = {}
        if known:
            ids = sorted(known)  # sums in one order, whatever the order of arrival
            matrix = np.stack([known[pk] for pk in ids]).astype(np.float32)
            self.mean = mean_of(matrix)
            self._matrix = centred(matrix, self.mean)
            self._rows = {pk: row for row, pk in enumerate(ids)}

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, pk: int) -> bool:
        return pk in self._rows

    def matrix_for(self, documents: Sequence[int]) -> tuple[Matrix, NDArray[np.bool_]]:
        """Their rows [n, d], zero where unknown, and which are known [n]."""
        places = np.array([self._rows.get(pk, -1) for pk in documents])
        known = places >= 0
        rows = self._matrix[np.maximum(places, 0)]
        rows[~known] = 0
        return rows, known
