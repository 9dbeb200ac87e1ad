"""Measures of rankings, and BM25 as a reference. Pure."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

K1, B = 1.2, 0.75


def ndcg(ranking: Sequence[str], gains: Mapping[str, int], depth: int = 10) -> float:
    """nDCG of the first `depth`. The gain is 2^grade - 1, the discount log2(rank + 1) (Burges
    2005)."""
    best = sorted(gains.values(), reverse=True)[:depth]
    return _discounted([gains.get(name, 0) for name in ranking[:depth]]) / _discounted(best)


def _discounted(grades: Iterable[int]) -> float:
    return sum((2.0**grade - 1) / math.log2(rank + 2) for rank, grade in enumerate(grades))


def reciprocal_rank(ranking: Sequence[str], gains: Mapping[str, int]) -> float:
    """1 / rank of the first relevant document; 0 if there is none."""
    return next((1 / rank for rank, name in enumerate(ranking, 1) if gains.get(name, 0) > 0), 0.0)


def recall(ranking: Sequence[str], gains: Mapping[str, int], depth: int = 50) -> float:
    relevant = {name for name, grade in gains.items() if grade > 0}
    return len(relevant.intersection(ranking[:depth])) / len(relevant)


class BM25:
    """Okapi BM25 as in Robertson and Zaragoza 2009, over bags of stems."""

    def __init__(self, documents: Mapping[str, Counter[str]]) -> None:
        self._postings: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for name, terms in documents.items():
            for term, frequency in terms.items():
                self._postings[term].append((name, frequency))
        self._lengths = {name: terms.total() for name, terms in documents.items()}
        self._average = sum(self._lengths.values()) / max(1, len(documents)) or 1.0

    def rank(self, terms: Iterable[str], depth: int = 50) -> list[str]:
        scores = self.scores(terms)
        return sorted(scores, key=lambda name: (-scores[name], name))[:depth]

    def scores(self, terms: Iterable[str]) -> dict[str, float]:
        scores: defaultdict[str, float] = defaultdict(float)
        for term in terms:
            matches = self._postings.get(term, [])
            idf = math.log(1 + (len(self._lengths) - len(matches) + 0.5) / (len(matches) + 0.5))
            for name, frequency in matches:
                length = 1 - B + B * self._lengths[name] / self._average
                scores[name] += idf * frequency * (K1 + 1) / (frequency + K1 * length)
        return dict(scores)
