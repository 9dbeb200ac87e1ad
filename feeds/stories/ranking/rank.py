"""Rank stories for one reader by named terms, and explain the result. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from feeds.stories.ranking import terms as registry
from feeds.stories.ranking.data.batch import Facts, Learned, batch_of_facts
from feeds.stories.ranking.data.reader import Reader

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

NO_REASON = "from a source you follow"


@dataclass(frozen=True, slots=True)
class Ranking:
    """A score and the values of its terms, each in 0..1."""

    score: float
    terms: Mapping[str, float]


def score(values: "Mapping[str, Floats]") -> "Floats":
    """[stories]: the weighted mean of the terms, times those that are factors."""
    weighted = [(term.weight, term.name) for term in registry.TERMS if term.weight is not None]
    whole = sum(weight for weight, _ in weighted)
    scores: Floats = sum(weight / whole * values[name] for weight, name in weighted)  # type: ignore[assignment]
    for term in registry.TERMS:
        if term.weight is None:
            scores = scores * values[term.name]
    return scores


def rank(facts: Sequence[Facts], reader: Reader, learned: Learned | None = None) -> list[Ranking]:
    """Rank a short list of stories; every term is computed for every story."""
    batch = batch_of_facts(facts, learned)
    values = {term.name: term.values(batch, reader) for term in registry.TERMS}
    columns = zip(*(column.tolist() for column in values.values()), strict=True)
    return [
        Ranking(value, dict(zip(values, row, strict=True)))
        for value, row in zip(score(values).tolist(), columns, strict=True)
    ]


def explain(facts: Facts, reader: Reader, values: Mapping[str, float]) -> str:
    """Say what speaks for a story: "4 sources · topic you follow: Agents · new"."""
    reasons = [
        reason
        for term in registry.TERMS
        for reason in term.reasons(facts, reader, values[term.name])
    ]
    return " · ".join(r.text for r in sorted(reasons, key=lambda r: r.place)) or NO_REASON
