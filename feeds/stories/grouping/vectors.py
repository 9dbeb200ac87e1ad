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
    return _shrunk_mean(rows.sum(axis=0, dtype=np.float64), len(rows))


def _shrunk_mean(total: NDArray[np.float64], count: int) -> Row:
    mean: Row = (total / (count + _PRIOR)).astype(np.float32)
    return mean


def centred(rows: Matrix, mean: Row) -> Matrix:
    """Unit vectors [n, d] without `mean`, of unit length again."""
    moved = rows.astype(np.float32) - mean
    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    found: Matrix = moved / np.maximum(lengths, 1e-9)
    return found


class Vectors:
    """Centred vectors by document id. Empty ones are false.

    The mean is that of these vectors, and of those of `above` where there are such.
    """

    def __init__(self, known: Mapping[int, Row], above: Sequence["Vectors"] = ()) -> None:
        self._rows: dict[int, int] = {}
        self._total: Any = None
        if known:
            ids = sorted(known)  # sums in one order, whatever the order of arrival
            matrix = np.stack([known[pk] for pk in ids]).astype(np.float32)
            self._total = matrix.sum(axis=0, dtype=np.float64)
            self._matrix = centred(matrix, self._mean_with(above, len(ids)))
            self._rows = {pk: row for row, pk in enumerate(ids)}

    def _mean_with(self, above: Sequence["Vectors"], count: int) -> Row:
        others = [one for one in above if one and len(one._total) == len(self._total)]
        total = sum([one._total for one in others], self._total)
        return _shrunk_mean(total, count + sum(map(len, others)))

    @property
    def size(self) -> int:
        """Numbers of a vector; 0 where there is none."""
        return len(self._total) if self._rows else 0

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
