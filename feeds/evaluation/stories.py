"""Measure the grouping on labelled items: B-cubed precision, recall and F1. Pure.

B-cubed: Bagga and Baldwin, "Entity-Based Cross-Document Coreferencing Using the Vector
Space Model", 1998.
"""

import csv
import time
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from feeds.ingest.clean.links import canonical_url
from feeds.stories.grouping.continuity import continue_stories
from feeds.stories.grouping.linkage import group_all
from feeds.stories.grouping.online import Grouper, Vectors
from feeds.stories.grouping.similarity import WINDOW
from feeds.stories.grouping.tokenizer import Document, make_document

HEADER = ["published", "publisher", "url", "title", "story"]
REPAIR_EVERY = 12 * 3600.0
"""Interval of repairs, in seconds of the data's time. The product repairs hourly, but a repair
depends only on the items of its window, so fewer repairs give the same result."""

FORGET_EVERY = 3600.0
"""Interval after which old stories are dropped from memory, in seconds of the data's time."""


@dataclass(frozen=True, slots=True)
class Score:
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`online` is the B-cubed score of the stories as items arrive, `repaired` after repairs and
    `pairs` the score of pairs after repairs. `seconds` is the time that grouping took."""

    items: int
    stories: int
    online: Score
    repaired: Score
    pairs: Score
    clusters: int
    largest: int
    largest_story: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Labelled:
    """Labelled items: documents in order of time, their stories, and {document id: title}."""

    documents: list[Document]
    labels: list[str]
    titles: dict[int, str]


def read_labels(path: Path) -> Labelled:
    """Read labelled items from a tab-separated file with the columns HEADER.

    Raises ValueError with a message that has the number of the line.
    """
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        try:
            header = next(rows, [])
            if header != HEADER:
                raise ValueError(f"The first line must be {' <tab> '.join(HEADER)}.")
            rows_by_time = sorted(
                _read_row(number, row) for number, row in enumerate(rows, 2) if row
            )
        except csv.Error as error:
            raise ValueError(f"Line {rows.line_num}: {error}.") from None
    if not rows_by_time:
        raise ValueError("The file has no items.")
    sources: dict[str, int] = {}
    documents = [
        make_document(
            pk,
            moment,
            sources.setdefault(publisher, len(sources)),
            title,
            url=canonical_url(url) or url,
        )
        for pk, (moment, _, publisher, url, title, _) in enumerate(rows_by_time, 1)
    ]
    titles = {pk: row[4] for pk, row in enumerate(rows_by_time, 1)}
    return Labelled(documents, [row[-1] for row in rows_by_time], titles)


def _read_row(number: int, row: list[str]) -> tuple[float, int, str, str, str, str]:
    if len(row) != len(HEADER):
        raise ValueError(f"Line {number} has {len(row)} columns instead of {len(HEADER)}.")
    published, publisher, url, title, story = row
    try:
        moment = datetime.fromisoformat(published).timestamp()
    except ValueError:
        raise ValueError(f"Line {number}: {published!r} is not a date (ISO 8601).") from None
    return moment, number, publisher, url, title, story


def evaluate(
    documents: Sequence[Document], labels: Sequence[str], vectors: Vectors | None = None
) -> Evaluation:
    """Group the documents as they would arrive, with repairs, and compare with the labels."""
    started = time.perf_counter()
    online = group_online(documents, vectors)
    repaired = repair_in_time(documents, online, vectors)
    seconds = time.perf_counter() - started
    sizes = Counter(repaired)
    return Evaluation(
        items=len(documents),
        stories=len(set(labels)),
        online=b_cubed(labels, online),
        repaired=b_cubed(labels, repaired),
        pairs=pair_score(labels, repaired),
        clusters=len(sizes),
        largest=max(sizes.values()),
        largest_story=max(Counter(labels).values()),
        seconds=seconds,
    )


def group_online(documents: Sequence[Document], vectors: Vectors | None = None) -> list[int]:
    """Group the documents hour by hour, as they would arrive. Return the story of each."""
    grouper, stories = Grouper(), []
    for _, hour in groupby(documents, key=lambda document: document.time // FORGET_EVERY):
        batch = list(hour)
        grouper.drop_before(batch[0].time - WINDOW)
        stories += [assigned.story for assigned in grouper.assign_all(batch, vectors).values()]
    return stories


def repair_in_time(
    documents: Sequence[Document], stories: Sequence[int], vectors: Vectors | None = None
) -> list[int]:
    """Apply repairs at intervals of REPAIR_EVERY to online stories. Return the story of each
    document."""
    current = {document.id: story for document, story in zip(documents, stories, strict=True)}
    moment, last = documents[0].time, documents[-1].time
    while moment < last:
        moment = min(moment + REPAIR_EVERY, last)
        window = [d for d in documents if moment - WINDOW <= d.time <= moment]
        known = {d.id: vectors[d.id] for d in window} if vectors else {}
        groups = [[d.id for d in group] for group in group_all(window, known)]
        current |= continue_stories(groups, current)
    return [current[document.id] for document in documents]


def b_cubed(labels: Sequence[Hashable], assigned: Sequence[Hashable]) -> Score:
    """The B-cubed score: precision and recall of each item's cluster, averaged over the items."""
    pairs = Counter(zip(labels, assigned, strict=True))
    stories, clusters = Counter(labels), Counter(assigned)
    total = len(labels)
    precision = sum(n * n / clusters[cluster] for (_, cluster), n in pairs.items()) / total
    recall = sum(n * n / stories[story] for (story, _), n in pairs.items()) / total
    return Score(precision, recall)


def pair_score(labels: Sequence[Hashable], assigned: Sequence[Hashable]) -> Score:
    """Precision and recall of pairs of items in one cluster."""
    right = _pairs(Counter(zip(labels, assigned, strict=True)))
    merged, wanted = _pairs(Counter(assigned)), _pairs(Counter(labels))
    return Score(right / merged if merged else 1.0, right / wanted if wanted else 1.0)


def _pairs(sizes: Counter[Any]) -> int:
    return sum(n * (n - 1) // 2 for n in sizes.values())
