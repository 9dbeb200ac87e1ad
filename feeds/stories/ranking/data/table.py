"""Tellings put together into the stories that they tell, in arrays. Pure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from feeds.core.ids import TAIL_BITS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]


class Table(NamedTuple):
    """A line a story. `first` says where the lines of a story begin in `order`, which puts the
    given tellings by story, copies last; `lead` is the given line of its best telling; `hot` the
    entropy of who tells it, in bits; `newest` the id of its newest telling that is no copy."""

    stories: "Ints"
    order: "Ints"
    first: "Ints"
    lead: "Ints"
    trust: "Floats"
    """The curator's trust in the source of each lead."""
    sources: "Ints"
    hot: "Floats"
    newest: "Ints"
    counts: "NDArray[np.bool_]"
    """Of each line in `order`: whether it counts, being no copy, or of a story of copies."""

    def ages(self, moment: float) -> "Floats":
        """Hours from the newest tellings to `moment`, in seconds since 1970; none is negative."""
        import numpy as np

        return np.maximum(0.0, (moment - (self.newest >> TAIL_BITS)) / 3600)

    def told(self, place: int) -> list[int]:
        """The given lines of the tellings of a story that count."""
        end = self.first[place + 1] if place + 1 < len(self.first) else len(self.order)
        lines = slice(self.first[place], end)
        told: list[int] = self.order[lines][self.counts[lines]].tolist()
        return told

    def share(self, flags: "NDArray[np.bool_]") -> "Floats":
        """The part of each story's tellings that count of which `flags`, a given line each,
        is true."""
        import numpy as np

        said = np.add.reduceat((flags[self.order] & self.counts).astype(np.float64), self.first)
        share: Floats = said / np.add.reduceat(self.counts.astype(np.float64), self.first)
        return share


def tabulate(
    ids: "Ints", stories: "Ints", sources: "Ints", copies: "Ints", trust: Mapping[int, float]
) -> Table:
    """The stories of tellings, at least one. The best telling is no copy, of the most trusted
    source, and the first of those."""
    import numpy as np

    distinct, places = np.unique(sources, return_inverse=True)
    weight = np.array([trust.get(one, 1.0) for one in distinct.tolist()])[places]
    is_copy = copies != 0
    order = np.lexsort((ids, -weight, is_copy, stories))
    first = np.flatnonzero(np.diff(stories[order], prepend=-1))
    sizes = np.diff(first, append=len(order))
    # Copies stand last, so a story that begins with one has nothing else.
    counts = ~is_copy[order] | np.repeat(is_copy[order[first]], sizes)
    owners = np.repeat(np.arange(len(first)), sizes)
    pairs, times = np.unique((owners * len(distinct) + places[order])[counts], return_counts=True)
    teller = pairs // len(distinct)
    told = np.bincount(teller, times, len(first))
    part = times / told[teller]
    newest = np.maximum.reduceat(np.where(counts, ids[order], 0), first)
    return Table(
        stories=stories[order[first]],
        order=order,
        first=first,
        lead=order[first],
        trust=weight[order[first]],
        sources=np.bincount(teller, minlength=len(first)),
        hot=np.bincount(teller, -part * np.log2(part), len(first)).astype(np.float64),
        newest=newest,
        counts=counts,
    )
