"""Measure orders of stories against what simulated readers want: AUC, MRR, nDCG@10. Pure.

nDCG: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002, with
gains as they are, 0..1. For AUC and MRR a story is relevant that is wanted at least so much.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import log2

from feeds.evaluation.ranking.readers import OLD, Trial

RELEVANT = 0.25
DEPTH = 10
SEED_BOOST = 1.5

Scorer = Callable[[Trial], Sequence[float]]
"""Gives each of a trial's offers its score; the order is by score, then as offered."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over readers of the means over their mornings."""

    ndcg: float
    auc: float
    mrr: float


def recency(trial: Trial) -> list[float]:
    return [max(one.time for one in offer) for offer in trial.offers]


def popularity(trial: Trial) -> list[float]:
    """By distinct sources; the newer one where they are equal."""
    newest = recency(trial)
    return [
        len({one.source for one in offer}) + when / 1e11
        for offer, when in zip(trial.offers, newest, strict=True)
    ]


def seed_rule(trial: Trial) -> list[float]:
    """Popularity that ages as it does for these readers, times 1.5 where a declared topic
    matches: of several bases that were tried, the one with which the rule is best."""
    scores = []
    for offer, when in zip(trial.offers, recency(trial), strict=True):
        base = log2(1 + len({one.source for one in offer})) * 2 ** ((when - trial.now) / OLD)
        matches = any(topic in trial.declared for one in offer for topic in one.topics)
        scores.append(base * (SEED_BOOST if matches else 1.0))
    return scores


def measure(readers: Iterable[Sequence[Trial]], scorer: Scorer) -> Quality:
    """Mornings on which a reader wants nothing, or all alike, say nothing and are left out."""
    found = [row for trials in readers if (row := _of_reader(trials, scorer))]
    if not found:
        raise ValueError("There was nothing that these readers wanted.")
    return Quality(*(sum(values) / len(found) for values in zip(*found, strict=True)))


def _of_reader(trials: Sequence[Trial], scorer: Scorer) -> tuple[float, ...] | None:
    rows = [
        judge([trial.wanted[n] for n in order(scorer(trial))])
        for trial in trials
        if 0 < _relevant(trial.wanted) < len(trial.wanted)
    ]
    return tuple(sum(values) / len(rows) for values in zip(*rows, strict=True)) if rows else None


def order(scores: Sequence[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda n: (-scores[n], n))


def judge(gains: Sequence[float]) -> tuple[float, float, float]:
    """(nDCG@10, AUC, MRR) of gains in the order in which they are shown."""
    relevant = [n for n, gain in enumerate(gains) if gain >= RELEVANT]
    others = len(gains) - len(relevant)
    before = sum(n - m for m, n in enumerate(relevant))
    auc = 1 - before / (len(relevant) * others)
    best = _cumulated(sorted(gains, reverse=True))
    return _cumulated(gains) / best, auc, 1 / (relevant[0] + 1)


def _relevant(gains: Sequence[float]) -> int:
    return sum(gain >= RELEVANT for gain in gains)


def _cumulated(gains: Sequence[float]) -> float:
    return sum(gain / log2(place + 2) for place, gain in enumerate(gains[:DEPTH]))
