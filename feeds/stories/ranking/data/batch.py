"""The stories that are ranked together, as arrays that every term can read. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import log2
from typing import TYPE_CHECKING, Any

from feeds.stories.ranking.data.similarity import Row
from feeds.stories.ranking.data.table import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.floating]
    Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Learned:
    """The items that the likeness term learns from.

    `examples` are pairs of an item and its weight: positive for what the reader liked, negative
    for what they did not. `shown` are the items they were shown. `traits` returns the hashed
    words of items.
    """

    examples: Sequence[tuple[int, float]]
    shown: Sequence[int]
    traits: Callable[[Sequence[int]], Sequence[Row]]


@dataclass(frozen=True, slots=True)
class Facts:
    """One story as its reader may see it.

    `age` is the number of hours since its newest original article. `weight` is the curator's
    trust in its source; 1 is neutral. `lead` is the id of its leading article. `entropy` is the
    entropy of its sources in bits; None means that each covers the story once.
    """

    sources: int
    age: float
    topics: tuple[str, ...] = ()
    weight: float = 1.0
    lead_source: int = 0
    story: int = 0
    lead: int = 0
    entropy: float | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """The stories to rank, in arrays of one value per story.

    `leads` are the ids of their leading articles, `trust` the curator's trust in the sources of
    these, `entropy` the entropy of all sources of a story in bits, `ages` hours since the newest
    original article. `learned` is None for a reader of whom nothing is known.

    Topics are kept by article: `topics` holds the distinct lists of them, `kinds` the place of
    each article's list. `share` turns one flag per article into the fraction of each story's
    articles that carry it.
    """

    stories: "Ints"
    leads: "Ints"
    lead_sources: "Ints"
    trust: "Floats"
    sources: "Ints"
    entropy: "Floats"
    ages: "Floats"
    topics: Sequence[Sequence[str]]
    kinds: "Ints"
    share: "Callable[[Flags], Floats]"
    learned: Learned | None = None

    def by_topics(self, value: Callable[[Sequence[str]], float]) -> "NDArray[Any]":
        """[articles]: `value` of each article's topics, computed once per distinct list."""
        import numpy as np

        return np.array([value(topics) for topics in self.topics])[self.kinds]

    def take(self, places: "Ints") -> "Batch":
        """The stories at `places`, in that order."""
        return replace(
            self,
            stories=self.stories[places],
            leads=self.leads[places],
            lead_sources=self.lead_sources[places],
            trust=self.trust[places],
            sources=self.sources[places],
            entropy=self.entropy[places],
            ages=self.ages[places],
            share=lambda flags: self.share(flags)[places],
        )


def batch_of_table(
    table: Table,
    articles: "tuple[Ints, Ints, Ints]",
    names: Sequence[Sequence[str]],
    moment: float,
    learned: Learned | None,
) -> Batch:
    """The batch of all stories of `table`.

    `articles` are the ids, sources and topics of its articles, the latter as places in `names`.
    `moment` is in seconds since 1970.
    """
    import numpy as np

    ids, sources, topics = articles
    distinct, kinds = np.unique(topics, return_inverse=True)
    return Batch(
        stories=table.stories,
        leads=ids[table.lead],
        lead_sources=sources[table.lead],
        trust=table.trust,
        sources=table.sources,
        entropy=table.entropy,
        ages=table.ages(moment),
        topics=[names[place] for place in distinct.tolist()],
        kinds=kinds,
        share=table.share,
        learned=learned,
    )


def batch_of_facts(facts: Sequence[Facts], learned: Learned | None) -> Batch:
    """The batch of a few stories, each standing for its only article."""
    import numpy as np

    entropy = [log2(max(f.sources, 1)) if f.entropy is None else f.entropy for f in facts]
    return Batch(
        stories=np.array([f.story for f in facts], np.int64),
        leads=np.array([f.lead for f in facts], np.int64),
        lead_sources=np.array([f.lead_source for f in facts], np.int64),
        trust=np.array([f.weight for f in facts], np.float64),
        sources=np.array([f.sources for f in facts], np.int64),
        entropy=np.array(entropy, np.float64),
        ages=np.array([f.age for f in facts], np.float64),
        topics=[f.topics for f in facts],
        kinds=np.arange(len(facts)),
        share=lambda flags: flags.astype(np.float64),
        learned=learned,
    )
