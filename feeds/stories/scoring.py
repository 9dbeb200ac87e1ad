"""One pass over a reader's tellings: the stories that they tell, each scored. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from feeds.stories.alike import Row, bags, cosines, nearest, odds, rarity
from feeds.stories.rank import Reader, freshness, heat, likeness, score
from feeds.stories.table import Table, tabulate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.floating]

MOST_LIKENED = 300
"""Of the stories, the best by all else: those whose headlines are compared with the examples."""
MUTED = 0.5
"""The part of a story's tellings of a muted topic from which on it is left out."""

Traits = Callable[[Sequence[int]], Sequence[Row]]
"""The terms of items by their ids."""


@dataclass(frozen=True, slots=True)
class Learned:
    """Items that likeness is learned from. `examples` are (item, weight), above 0 for what the
    reader liked and below for what they did not; `shown` is what they saw."""

    examples: Sequence[tuple[int, float]]
    shown: Sequence[int]
    traits: Traits


@dataclass(frozen=True, slots=True)
class Scored:
    """The stories of `table` with their scores and terms, arrays of a value each. `wanted`
    is false for those that are left out."""

    table: Table
    scores: "Floats"
    terms: "Mapping[str, Floats]"
    wanted: "NDArray[np.bool_]"

    def best(self, most: int) -> list[int]:
        """The places of the best that are wanted, the best first, the newer story before."""
        import numpy as np

        order = np.lexsort((-self.table.stories, -self.scores))
        chosen: list[int] = order[self.wanted[order]][:most].tolist()
        return chosen


def score_all(
    tellings: "tuple[Ints, Ints, Ints, Ints, Ints]",
    names: Sequence[Sequence[str]],
    reader: Reader,
    trust: Mapping[int, float],
    moment: float,
    *,
    topic: str = "",
    learned: Learned | None = None,
) -> Scored:
    """Score the stories of tellings, at least one: ids, stories, sources, originals (0 for
    none) and topics, as places in `names`. With a `topic` only its stories are wanted, muted
    or not. `moment` is in seconds since 1970."""
    ids, stories, sources, copies, kinds = tellings
    table = tabulate(ids, stories, sources, copies, trust)
    said, muted, of_topic = _by_topics(table, kinds, names, reader, topic)
    terms = {
        "heat": heat(table.hot),
        "freshness": freshness(table.ages(moment)),
        "interest": _interest(said, table, reader),
        "likeness": _halves(len(table.stories)),
        "source": _by_source(sources[table.lead], reader, trust),
    }
    wanted = of_topic > 0 if topic else muted < MUTED
    scored = Scored(table, score(terms), terms, wanted)
    if learned is None or not learned.examples:
        return scored
    return _liken(scored, ids, learned, reader.surety())


def _by_topics(
    table: Table, kinds: "Ints", names: Sequence[Sequence[str]], reader: Reader, topic: str
) -> "tuple[Floats, Floats, Floats]":
    """What was said of each story's topics, in 0..1; and the parts that are muted, and of
    `topic`. Topics are looked at once a kind, of which there are few."""
    import numpy as np

    distinct, places = np.unique(kinds, return_inverse=True)
    lists = [names[n] for n in distinct.tolist()]
    said = np.array([reader.said_of(topics) for topics in lists])[places]
    muted = np.array([reader.mutes(topics) for topics in lists])[places]
    has = np.array([topic in topics for topics in lists])[places]
    more, less = table.share(said > 0.5), table.share(said < 0.5)
    return 0.5 + ((more > 0) * 0.5 - (less > 0) * 0.5), table.share(muted), table.share(has)


def _interest(said: "Floats", table: Table, reader: Reader) -> "Floats":
    import numpy as np

    if not reader.followed:
        return said
    return np.where(np.isin(table.stories, list(reader.followed)), 1.0, said)


def _by_source(leads: "Ints", reader: Reader, trust: Mapping[int, float]) -> "Floats":
    import numpy as np

    distinct, places = np.unique(leads, return_inverse=True)
    terms = [reader.source_term(one, trust.get(one, 1.0)) for one in distinct.tolist()]
    found: Floats = np.array(terms)[places]
    return found


def _halves(count: int) -> "Floats":
    import numpy as np

    return np.full(count, 0.5)


def _liken(scored: Scored, ids: "Ints", learned: Learned, surety: float) -> Scored:
    """The same with likeness, of the best by all else."""
    best = scored.best(MOST_LIKENED)
    terms = dict(scored.terms)
    terms["likeness"] = terms["likeness"].copy()
    items = ids[scored.table.lead[best]].tolist()
    terms["likeness"][best] = likeness_of(items, learned, surety)
    return Scored(scored.table, score(terms), terms, scored.wanted)


def likeness_of(items: Sequence[int], learned: Learned, surety: float) -> "Floats":
    """[items]: their term of likeness; there are examples."""
    import numpy as np

    weights = np.array([weight for _, weight in learned.examples], np.float32)
    acted = [item for item, _ in learned.examples]
    rest = list(set(learned.shown) - set(acted))
    known = learned.traits([*items, *acted, *rest])
    rows, examples = bags(known[: len(items)]), bags(known[len(items) : len(items) + len(acted)])
    shown = bags(known[len(items) :])
    rare = rarity(rows, shown)
    opened = np.concatenate([np.sign(weights), np.zeros(len(rest))])
    alike = cosines(rows, examples, rare)
    return likeness(
        odds(rows, shown, opened, rare),
        nearest(alike[:, weights > 0], weights[weights > 0]),
        nearest(alike[:, weights < 0], -weights[weights < 0]),
        surety,
    )
