"""A newsroom for tests of trends: stories of chosen words on chosen days, in few queries."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from accounts.models import User
from feeds.core.ids import make_id
from feeds.models import Item, ItemKey, Source, Story
from tests.make import make_source

NOW = datetime(2026, 5, 20, 15, tzinfo=UTC)
# ruff: noqa: SIM905 - prose is easier to read
PLACES = """
    harbour valley castle bridge market garden library museum theatre orchard quarry meadow lagoon
    station tunnel terrace chapel foundry mill pier dock canal ridge grove plaza arcade depot
""".split()
DEEDS = """
    painted repaired flooded measured photographed restored fenced mapped cleaned lit planted
    paved rebuilt surveyed emptied inspected shuttered insured
""".split()


class Newsroom:
    """Sources that were watched long enough, and what they tell."""

    def __init__(self, sources: int = 10, *, reader: User | None = None, **fields: Any) -> None:
        old = NOW - timedelta(days=200)
        fields = {"is_public": True} | fields
        first = Source.objects.count()
        self.sources = [
            make_source(f"outlet{first + n}", reader=reader, **fields) for n in range(sources)
        ]
        Source.objects.filter(pk__in=[one.pk for one in self.sources]).update(created_at=old)
        self.random = Random(first)

    def tell(
        self,
        titles: Iterable[str],
        days_ago: float = 0.2,
        *,
        sources: Iterable[Source] | None = None,
        story: Story | None = None,
        **fields: Any,
    ) -> list[Item]:
        """An item a title, each by the next source and a story of its own unless one is given."""
        chosen = list(sources or self.sources)
        return [
            self.add(chosen[n % len(chosen)], title, days_ago, story, **fields)
            for n, title in enumerate(titles)
        ]

    def add(
        self, source: Source, title: str, days_ago: float, story: Story | None = None, **fields: Any
    ) -> Item:
        moment = NOW - timedelta(days=days_ago)
        key = ItemKey.objects.create(source=source, key_hash=self._hash(), alt_hash=self._hash())
        pk = make_id(moment, key.seq)
        story = story or Story.objects.create(
            pk=pk, title=title, first_at=moment, last_at=moment, last_seq=key.seq
        )
        item = Item.objects.create(
            **{"pk": pk, "seq": key.seq, "source": source, "story": story, "title": title}
            | {"published_at": moment, "fetched_at": moment}
            | fields
        )
        ItemKey.objects.filter(pk=key.pk).update(item_id=pk)
        Story.objects.filter(pk=story.pk, lead=None).update(lead=item)
        return item

    def ordinary_days(self, *, a_day: int = 3, days: int = 63) -> None:
        """What happens anyway: places and deeds at random, with some names now and then."""
        for day in range(days):
            for _ in range(a_day):
                place, deed = self.random.choice(PLACES), self.random.choice(DEEDS)
                source = self.random.choice(self.sources)
                self.add(source, f"{deed} {place} {self._number()}", day + 0.3)

    def burst(self, words: str, stories: int, days_ago: float = 0.2) -> list[Item]:
        """`stories` stories about `words`, each by another source, in words of their own."""
        titles = [f"{words} {self._number()} {self.random.choice(PLACES)}" for _ in range(stories)]
        return self.tell(titles, days_ago)

    def _number(self) -> str:
        """A word that comes but once."""
        return "".join(self.random.choices("bcdfghjklmnpqrstvwxz", k=9))

    def _hash(self) -> int:
        return self.random.getrandbits(60)
