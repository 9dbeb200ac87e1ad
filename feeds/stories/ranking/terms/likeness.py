"""How similar a story is to what the reader opened, saved and hid."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from feeds.stories.ranking.data.batch import Batch, Facts, Learned
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.data.similarity import bags, cosines, idf, nearest, odds
from feeds.stories.ranking.terms.term import Place, Reason, Term

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.floating]

STEEPNESS, NEARNESS = 6.0, 1.0
"""How much the odds and the nearest examples move the value."""
DISLIKED = 0.5
"""Weight of the nearest disliked examples relative to the nearest liked ones."""
LIKED_FROM, HIDDEN_TO = 0.62, 0.4
"""Values above and below which the term is mentioned."""


def values(batch: Batch, reader: Reader) -> "Floats":
    """Compare the leading articles of the batch with the examples; 0.5 where nothing is known."""
    import numpy as np

    if batch.learned is None or not batch.learned.examples:
        return np.full(len(batch.stories), 0.5)
    likely, liked, disliked = _compare(batch.leads, batch.learned)
    likelihood = 1 / (1 + np.exp(-STEEPNESS * likely)) - 0.5
    similarity = NEARNESS * (liked - DISLIKED * disliked)
    likeness: Floats = np.clip(0.5 + reader.confidence() * (likelihood + similarity), 0.0, 1.0)
    return likeness


def _compare(items: "Ints", learned: Learned) -> "tuple[Floats, Floats, Floats]":
    """[items]: the odds to be opened; the similarity to liked and to disliked examples."""
    import numpy as np

    weights = np.array([weight for _, weight in learned.examples], np.float32)
    acted = [item for item, _ in learned.examples]
    rest = list(set(learned.shown) - set(acted))
    traits = learned.traits([*items.tolist(), *acted, *rest])
    rows, examples = bags(traits[: len(items)]), bags(traits[len(items) : len(items) + len(acted)])
    shown = bags(traits[len(items) :])
    weights_of_terms = idf(rows, shown)
    opened = np.concatenate([np.sign(weights), np.zeros(len(rest))])
    similarities = cosines(rows, examples, weights_of_terms)
    return (
        odds(rows, shown, opened, weights_of_terms),
        nearest(similarities[:, weights > 0], weights[weights > 0]),
        nearest(similarities[:, weights < 0], -weights[weights < 0]),
    )


def reasons(facts: Facts, reader: Reader, value: float) -> Iterator[Reason]:
    if value > LIKED_FROM:
        yield Reason(Place.HISTORY, "like what you opened or saved")
    elif value < HIDDEN_TO:
        yield Reason(Place.HISTORY, "like what you hid")


TERM = Term(
    name="likeness",
    weight=0.29,
    description=(
        "how often articles with its words are opened when they are shown, and its similarity to"
        " what the reader opened and saved, minus half of its similarity to what they hid"
    ),
    values=values,
    reasons=reasons,
    from_examples=True,
)
