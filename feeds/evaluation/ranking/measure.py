"""Measure rankings against the preferences of simulated readers: AUC, MRR, nDCG@10. Pure.

nDCG: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002. Gains are
preferences in 0..1. For AUC and MRR, a story with a gain of at least RELEVANT is relevant.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import log2

from feeds.evaluation.ranking.readers import HALF_LIFE, Trial

RELEVANT = 0.25
DEPTH = 10
SEED_BOOST = 1.5

Scorer = Callable[[Trial], Sequence[float]]
"""Returns a score for each offer of a trial. Equal scores keep the order of the offers."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over the readers of the means over their mornings."""

    ndcg: float
    auc: float
    mrr: float


def recency(trial: Trial) -> list[float]:
    """Score by the time of the newest article."""
    return [max(article.time for article in offer) for offer in trial.offers]


def popularity(trial: Trial) -> list[float]:
    """Score by the number of sources, then by recency."""
    newest = recency(trial)
    return [
        len({article.source for article in offer}) + when / 1e11
        for offer, when in zip(trial.offers, newest, strict=True)
    ]


def seed_rule(trial: Trial) -> list[float]:
    """A simple rule for comparison: popularity with decay, times 1.5 if a declared topic matches.
    Of several variants that were tried, this is the best."""
    scores = []
    for offer, when in zip(trial.offers, recency(trial), strict=True):
        sources = {article.source for article in offer}
        base = log2(1 + len(sources)) * 2 ** ((when - trial.now) / HALF_LIFE)
        matches = any(topic in trial.declared for a in offer for topic in a.topics)
        scores.append(base * (SEED_BOOST if matches else 1.0))
    return scores


def measure(readers: Iterable[Sequence[Trial]], scorer: Scorer) -> Quality:
    """Measure a scorer. Mornings without relevant stories, or with relevant ones only, are left
    out."""
    rows = [row for trials in readers if (row := _measure_reader(trials, scorer))]
    if not rows:
        raise ValueError("There was nothing that these readers wanted.")
    return Quality(*(sum(values) / len(rows) for values in zip(*rows, strict=True)))


def _measure_reader(trials: Sequence[Trial], scorer: Scorer) -> tuple[float, ...] | None:
    rows = [
        judge([trial.wanted[n] for n in order(scorer(trial))])
        for trial in trials
        if 0 < _count_relevant(trial.wanted) < len(trial.wanted)
    ]
    return tuple(sum(values) / len(rows) for values in zip(*rows, strict=True)) if rows else None


def order(scores: Sequence[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda n: (-scores[n], n))


def judge(gains: Sequence[float]) -> tuple[float, float, float]:
    """(nDCG@10, AUC, MRR) of gains in the order in which they are shown."""
    relevant = [n for n, gain in enumerate(gains) if gain >= RELEVANT]
    others = len(gains) - len(relevant)
    others_before = sum(n - m for m, n in enumerate(relevant))
    auc = 1 - others_before / (len(relevant) * others)
    best = _cumulated(sorted(gains, reverse=True))
    return _cumulated(gains) / best, auc, 1 / (relevant[0] + 1)


def _count_relevant(gains: Sequence[float]) -> int:
    return sum(gain >= RELEVANT for gain in gains)


def _cumulated(gains: Sequence[float]) -> float:
    return sum(gain / log2(place + 2) for place, gain in enumerate(gains[:DEPTH]))
