"""Generate a library of news of any size. The same size always gives the same library.

It has 500 sources, some busy and most quiet, over 24 months; texts of 5 to 3,000 words; and 1,000
readers with 100 sources each. Some words are planted, so that searches match a known share of the
texts.

The texts resemble those of 41 real AI feeds: about 6.2 characters per word, a third stop words,
half as many distinct stems as words, and markup in one text of five.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

import numpy as np

SOURCES, MONTHS, READERS, FOLLOWED, STATES = 500, 24, 1_000, 100, 500
PLANTED = {
    "zanzibar": 50_000,
    "samarkand": 50_000,
    "timbuktu": 1_000,
    "harbour": 100,
    "lighthouse": 100,
    "harbour lighthouse": 2_000,
}
"""{planted word: one text in so many contains it}"""
VOCABULARY = 200_000
REPEATED = 0.3
"""The share of words that repeat an earlier word of the text."""
MARKED_UP = 5
"""One text in so many has links and emphasis."""
FUNCTION_WORDS = (
    "the of and to in a is that for it as was with be by on not he his but at are this have from "
    "or had an they which one you were all her she there would their we him been has when who "
    "will no more if out so up said what its about than into them can only other time new some "
    "could these two may first then do any like my now over such our me even most"
)
MEDIAN_WORDS, SPREAD_OF_LENGTH, LONGEST = 70, 0.95, 3_000
"""Parameters of the lengths of texts in words. The mean is 110."""
CHUNK = 20_000
DAY = 86_400
_TABLE = 1 << 24


@dataclass(frozen=True, slots=True)
class Row:
    """An item with its body and its ledger entry."""

    seq: int
    id: int
    source: int
    story: int
    published: datetime
    language: str
    title: str
    summary: str
    text: str
    html: str


class Words:
    """Draws words by the Zipf-Mandelbrot law: the frequency of word n is proportional to
    1 / (n + 2.7)."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        consonants, vowels = list("bcdfghklmnprstvz"), list("aeiou")
        made: dict[str, None] = dict.fromkeys(FUNCTION_WORDS.split())
        while len(made) < VOCABULARY:
            # Frequent words are short.
            longest = 4 if len(made) < 3_000 else 5
            count = int(rng.integers(1 if longest == 4 else 2, longest))
            made[
                "".join(str(rng.choice(consonants)) + str(rng.choice(vowels)) for _ in range(count))
                + str(rng.choice(consonants))
            ] = None
        self.words = list(made)
        share = 1 / (np.arange(VOCABULARY) + 2.7)
        edges = np.cumsum(share / share.sum())
        self.table = np.searchsorted(edges, (np.arange(_TABLE) + 0.5) / _TABLE).astype(np.int32)

    def draw(self, rng: np.random.Generator, count: int) -> list[str]:
        drawn = self.table[rng.integers(0, _TABLE, count)].tolist()
        return list(map(self.words.__getitem__, drawn))


def marked_up(words: list[str]) -> str:
    """HTML with paragraphs of 40 words, each with a link and a bold word."""
    return "".join(
        f"<p><b>{words[n]}</b> {' '.join(words[n + 1 : n + 36])}"
        f' <a href="https://outlet.example/{words[n]}" rel="noopener noreferrer nofollow">'
        f"{' '.join(words[n + 36 : n + 40])}</a></p>"
        for n in range(0, len(words), 40)
    )


@dataclass(frozen=True)
class Library:
    """A library with `items` items, the newest published at `end`."""

    items: int
    end: datetime

    def published(self, number: Any) -> Any:
        """When the item with this number was published, in seconds since 1970."""
        length = MONTHS * 30 * DAY
        end = int(self.end.timestamp()) - 60
        return end - length + np.asarray(number, dtype=np.int64) * length // self.items

    def rows(self, words: Words, first: int, last: int) -> Iterator[list[Row]]:
        """Yield the items with these numbers in chunks. Parts can be generated independently."""
        for start in range(first, last, CHUNK):
            yield self._chunk(words, start, min(start + CHUNK, last))

    def _chunk(self, words: Words, first: int, last: int) -> list[Row]:
        rng = np.random.default_rng(first + 7)
        count = last - first
        lengths = np.exp(np.log(MEDIAN_WORDS) + SPREAD_OF_LENGTH * rng.standard_normal(count))
        sizes = np.clip(lengths, 5, LONGEST).astype(int).tolist()
        drawn = words.draw(rng, sum(sizes))
        again = rng.random(len(drawn)) < REPEATED
        place = rng.random(len(drawn))
        sources = self.sources_of(rng, count)
        # One item in seven belongs to the story of one of the last hundred items.
        joins = rng.random(count) < 1 / 7
        back = rng.integers(1, 100, count)
        seqs = np.arange(first + 1, last + 1)
        times = self.published(seqs)
        ids = (times << 20) | (seqs & ((1 << 20) - 1))
        stories = ids.copy()
        for n in np.flatnonzero(joins).tolist():
            if n >= back[n]:
                stories[n] = stories[n - back[n]]
        planted = {
            word: set(np.flatnonzero(rng.integers(0, every, count) == 0).tolist())
            for word, every in PLANTED.items()
        }
        languages = rng.choice(["en", "de", "fr"], count, p=[0.9, 0.05, 0.05]).tolist()
        rows = []
        starts = [0, *accumulate(sizes)]
        for n in range(count):
            own = drawn[starts[n] : starts[n + 1]]
            for at in np.flatnonzero(again[starts[n] : starts[n + 1]]).tolist():
                own[at] = own[int(place[starts[n] + at] * at)]
            own += [word for word, where in planted.items() if n in where]
            text = " ".join(own)
            rows.append(
                Row(
                    int(seqs[n]),
                    int(ids[n]),
                    sources[n],
                    int(stories[n]),
                    datetime.fromtimestamp(int(times[n]), UTC),
                    languages[n],
                    " ".join(own[:9]).capitalize(),
                    text[:300],
                    text,
                    marked_up(own) if seqs[n] % MARKED_UP == 0 else "",
                )
            )
        return rows

    def number_at(self, edge: int) -> int:
        """The number of items that were published before the time of this id."""
        return bisect_left(range(1, self.items + 1), edge >> 20, key=self.published)

    @staticmethod
    def sources_of(rng: np.random.Generator, count: int) -> list[int]:
        """Draw sources from 1 to 500. The first publishes a hundred times as much as the last."""
        share = 1 / (np.arange(SOURCES) + 5)
        drawn = np.searchsorted(np.cumsum(share / share.sum()), rng.random(count))
        return (np.minimum(drawn, SOURCES - 1) + 1).tolist()  # type: ignore[no-any-return]

    def follows(self, reader: int) -> list[int]:
        """The sources that a reader follows. Those of reader 1 range from busy to quiet."""
        if reader == 1:
            return list(range(3, SOURCES + 1, SOURCES // FOLLOWED))
        rng = np.random.default_rng(reader)
        return sorted((rng.permutation(SOURCES)[:FOLLOWED] + 1).tolist())

    def day(self, days_ago: float) -> datetime:
        return self.end - timedelta(days=days_ago)
