"""Articles combined into the stories that they belong to, in arrays. Pure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from feeds.core.ids import TAIL_BITS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]


class Table(NamedTuple):
    """Stories in arrays of one value per story.

    `order` are the places of all articles sorted by story, copies last; `first` is where each
    story begins in `order`. `lead` is the place of a story's best article, `entropy` the entropy of
    its sources in bits, `newest` the id of its newest original.
    """

    stories: "Ints"
    order: "Ints"
    first: "Ints"
    lead: "Ints"
    trust: "Floats"
    """The curator's trust in the source of each lead."""
    sources: "Ints"
    entropy: "Floats"
    newest: "Ints"
    counts: "NDArray[np.bool_]"
    """For each place of `order`: whether the article counts. Copies count only in stories that
    consist of copies."""

    def ages(self, moment: float) -> "Floats":
        """Hours from each story's newest original to `moment` (seconds since 1970), at least 0."""
        import numpy as np

        return np.maximum(0.0, (moment - (self.newest >> TAIL_BITS)) / 3600)

    def articles_of(self, place: int) -> list[int]:
        """The places of the articles of a story that count."""
        end = self.first[place + 1] if place + 1 < len(self.first) else len(self.order)
        lines = slice(self.first[place], end)
        places: list[int] = self.order[lines][self.counts[lines]].tolist()
        return places

    def share(self, flags: "NDArray[np.bool_]") -> "Floats":
        """[stories]: the fraction of a story's counting articles for which `flags`, one per
        article, is true."""
        import numpy as np

        flagged = np.add.reduceat((flags[self.order] & self.counts).astype(np.float64), self.first)
        share: Floats = flagged / np.add.reduceat(self.counts.astype(np.float64), self.first)
        return share


def tabulate(
    ids: "Ints", stories: "Ints", sources: "Ints", copies: "Ints", trust: Mapping[int, float]
) -> Table:
    """Combine articles (at least one) into stories.

    All arrays have one value per article. `copies` are ids of originals, 0 for none; `trust` is
    {source: the curator's trust}. The lead is the first original of the most trusted source.
    """
    import numpy as np

    distinct, places = np.unique(sources, return_inverse=True)
    weight = np.array([trust.get(source, 1.0) for source in distinct.tolist()])[places]
    is_copy = copies != 0
    order = np.lexsort((ids, -weight, is_copy, stories))
    first = np.flatnonzero(np.diff(stories[order], prepend=-1))
    sizes = np.diff(first, append=len(order))
    # Copies are last, so a story that begins with a copy consists of copies.
    counts = ~is_copy[order] | np.repeat(is_copy[order[first]], sizes)
    owners = np.repeat(np.arange(len(first)), sizes)
    pairs, times = np.unique((owners * len(distinct) + places[order])[counts], return_counts=True)
    story_of_pair = pairs // len(distinct)
    article_counts = np.bincount(story_of_pair, times, len(first))
    part = times / article_counts[story_of_pair]
    newest = np.maximum.reduceat(np.where(counts, ids[order], 0), first)
    return Table(
        stories=stories[order[first]],
        order=order,
        first=first,
        lead=order[first],
        trust=weight[order[first]],
        sources=np.bincount(story_of_pair, minlength=len(first)),
        entropy=np.bincount(story_of_pair, -part * np.log2(part), len(first)).astype(np.float64),
        newest=newest,
        counts=counts,
    )
