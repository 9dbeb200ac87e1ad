"""Score all stories of a reader's articles in one pass over arrays. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from feeds.stories.ranking import terms as registry
from feeds.stories.ranking.data.batch import Batch, Learned, batch_of_table
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.data.table import Table, tabulate
from feeds.stories.ranking.rank import score

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.floating]

MAX_COMPARED = 300
"""Number of stories, the best by all other terms, that are compared with examples."""
MUTED = 0.5
"""A story is left out if at least this fraction of its articles has a muted topic."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The stories of `table` with their scores and the values of their terms, arrays of one
    value per story. `wanted` is false for stories to leave out."""

    table: Table
    scores: "Floats"
    terms: "Mapping[str, Floats]"
    wanted: "NDArray[np.bool_]"

    def best(self, most: int) -> list[int]:
        """The places of the best wanted stories, best first; of equal ones the newer first."""
        import numpy as np

        order = np.lexsort((-self.table.stories, -self.scores))
        chosen: list[int] = order[self.wanted[order]][:most].tolist()
        return chosen


def score_all(
    articles: "tuple[Ints, Ints, Ints, Ints, Ints]",
    names: Sequence[Sequence[str]],
    reader: Reader,
    trust: Mapping[int, float],
    moment: float,
    *,
    topic: str = "",
    learned: Learned | None = None,
) -> Scored:
    """Score the stories of at least one article.

    `articles` are ids, stories, sources, originals (0 for none) and topics, the latter as places
    in `names`. If `topic` is given, only its stories are wanted, even if it is muted. `moment` is
    in seconds since 1970.
    """
    ids, stories, sources, copies, kinds = articles
    table = tabulate(ids, stories, sources, copies, trust)
    batch = batch_of_table(table, (ids, sources, kinds), names, moment, learned)
    values = {
        term.name: _neutral(batch, term.neutral)
        if term.from_examples
        else term.values(batch, reader)
        for term in registry.TERMS
    }
    scored = Scored(table, score(values), values, _wanted(batch, reader, topic))
    if learned is None or not learned.examples:
        return scored
    return _compare(scored, batch, reader)


def _wanted(batch: Batch, reader: Reader, topic: str) -> "NDArray[np.bool_]":
    import numpy as np

    if topic:
        return batch.share(batch.by_topics(lambda topics: topic in topics)) > 0
    if "mute" not in reader.interests.values():
        return np.ones(len(batch.stories), np.bool_)
    return batch.share(batch.by_topics(reader.mutes)) < MUTED


def _neutral(batch: Batch, value: float) -> "Floats":
    import numpy as np

    return np.full(len(batch.stories), value)


def _compare(scored: Scored, batch: Batch, reader: Reader) -> Scored:
    """Add the terms that are computed from examples, for the best by all other terms."""
    import numpy as np

    best = np.array(scored.best(MAX_COMPARED), np.int64)
    values, chosen = dict(scored.terms), batch.take(best)
    for term in registry.TERMS:
        if term.from_examples:
            values[term.name] = values[term.name].copy()
            values[term.name][best] = term.values(chosen, reader)
    return replace(scored, scores=score(values), terms=values)
