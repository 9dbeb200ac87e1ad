"""What the benchmark of pages needs beyond a library: a reader of 2,000 sources, a story of 30
items and one of many thousands, folders, eight trends, an edition, sessions.
"""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.library import FUNCTION_WORDS, READERS, SOURCES, Library, Words
from benchmarks.served import Page

READER, READER_OF_MANY = 1, READERS + 1
MANY_SOURCES = 2_000
ITEMS_OF_PRIVATE = 2
FOLDERS, FOLDERS_OF_MANY, IN_FOLDERS = 8, 40, 0.6
USUAL_STORY, LARGE_STORY = 30, 19_000
LARGE_STORY_ENDED = 60
"""Days since the last item of the large story, so that it is on its own page only."""
TRENDS = 8
RARE = "zanzibar"


def extend(library: Library) -> dict[str, int]:
    """Add to a new library what all runs share. Return the facts that runs need of it."""
    from django.db import connection

    from feeds.models import ItemKey

    words = Words()
    _add_reader_of_many(library, words)
    for user, folders in ((READER, FOLDERS), (READER_OF_MANY, FOLDERS_OF_MANY)):
        _add_folders(user, folders)
    facts = {
        "usual": _make_story(library, library.items, USUAL_STORY, has_each_source_once=True),
        "large": _make_story(
            library,
            _number_at(library, LARGE_STORY_ENDED),
            min(LARGE_STORY, library.items // 5),
        ),
        "seq": ItemKey.objects.order_by("-seq").values_list("seq", flat=True)[0],
    }
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return facts


def _number_at(library: Library, days_ago: int) -> int:
    return max(1, library.items - library.items * days_ago // 720)


def _add_reader_of_many(library: Library, words: Words) -> None:
    """Create the reader, their private sources, and some items of each."""
    from accounts.models import User
    from feeds.ingest.store import store_entries
    from feeds.models import Source, Subscription
    from feeds.stories.grouping.group import group_new_items

    private = range(SOURCES + 1, MANY_SOURCES + 1)
    User.objects.create(pk=READER_OF_MANY, username="reader-of-many", password="!")
    Source.objects.bulk_create(
        Source(pk=n, url=f"https://own{n}.example/feed", title=f"Own {n}") for n in private
    )
    Subscription.objects.bulk_create(
        Subscription(user_id=READER_OF_MANY, source_id=n) for n in range(1, MANY_SOURCES + 1)
    )
    chance = random.Random(3)
    for source in private:
        published = [library.day(chance.uniform(1, 25)) for _ in range(ITEMS_OF_PRIVATE)]
        entries = [make_entry(words, chance, moment) for moment in published]
        store_entries(source, entries, now=library.end, language="en")
    group_new_items()
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for table in ("feeds_source", "accounts_user"):
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'id'),"
                    f" (SELECT max(id) FROM {table}))"
                )


def make_entry(words: Words, chance: random.Random, published: datetime) -> Any:
    import numpy as np

    from feeds.ingest.parse.types import CleanEntry

    text = " ".join(words.draw(np.random.default_rng(chance.getrandbits(60)), 110))
    own = chance.getrandbits(60)
    return CleanEntry(
        *(own, own + 1, own + 2),
        url=f"https://outlet.example/{own}",
        title=text[:70].capitalize(),
        author="A. Writer",
        summary=text[:300],
        html=f"<p>{text}</p>",
        text=text,
        published=published,
    )


def _add_folders(user: int, count: int) -> None:
    """Put the most part of the reader's subscriptions into folders."""
    from feeds.models import Folder, Subscription

    folders = [Folder(user_id=user, name=f"Folder {n}") for n in range(1, count + 1)]
    pks = [folder.pk for folder in Folder.objects.bulk_create(folders)]
    followed = list(Subscription.objects.filter(user=user).order_by("pk"))
    for number, subscription in enumerate(followed[: int(len(followed) * IN_FOLDERS)]):
        subscription.folder_id = pks[number % len(pks)]
    Subscription.objects.bulk_update(followed, ["folder"], batch_size=500)


def _make_story(
    library: Library, last: int, size: int, *, has_each_source_once: bool = False
) -> int:
    """Make one story of the newest items up to the number `last`. Return its id."""
    from feeds.models import Item, ItemKey
    from feeds.stories.grouping.refresh import refresh_stories

    numbers = range(max(1, last - size * 20), last + 1)
    keys = ItemKey.objects.filter(seq__gte=numbers[0], seq__lte=last).order_by("-seq")
    chosen: dict[int, int] = {}
    for pk, source in keys.values_list("item_id", "source_id"):
        chosen.setdefault(source if has_each_source_once else pk, pk)
        if len(chosen) == size:
            break
    pks = sorted(chosen.values())
    story = Item.objects.get(pk=pks[0]).story_id
    assert story is not None
    before: set[int] = set()
    for start in range(0, len(pks), 500):
        items = Item.objects.filter(pk__in=pks[start : start + 500])
        before.update(pk for pk in items.values_list("story_id", flat=True) if pk)
        items.update(story_id=story, copy_of=None)
    _settle(before - {story})
    refresh_stories([story])
    return story


def _settle(stories: set[int]) -> None:
    """Delete these stories if they have no items, and refresh the others."""
    from feeds.models import Item, Story
    from feeds.stories.grouping.refresh import refresh_stories

    pks = sorted(stories)
    for start in range(0, len(pks), 500):
        part = pks[start : start + 500]
        items = Item.objects.filter(story__in=part)
        full = set(items.order_by().values_list("story_id", flat=True).distinct())
        Story.objects.filter(pk__in=set(part) - full).delete()
        refresh_stories(full)


class Newsroom:
    """Publishes new items, and takes them back when the run is over."""

    def __init__(self, facts: dict[str, int]) -> None:
        self.facts, self.words = facts, Words()
        self.chance = random.Random()  # keys must differ from those of earlier runs
        self.source = Library(1, datetime.now(UTC)).follows(READER)[0]

    def change(self) -> None:
        """A new item of a source that both readers follow arrives, as after a poll, and both save
        it, so that nothing that was cached for them is valid."""
        from accounts.models import User
        from feeds.coordination.announce import announce_news
        from feeds.ingest.store import store_entries
        from feeds.reading.marks import set_state
        from feeds.stories.grouping.group import group_new_items

        now = datetime.now(UTC)
        entry = make_entry(self.words, self.chance, now - timedelta(seconds=5))
        stored = store_entries(self.source, [entry], now=now, topics=["models"], language="en")
        assert len(stored.new_ids) == 1
        group_new_items()
        announce_news()
        for reader in User.objects.filter(pk__in=(READER, READER_OF_MANY)):
            set_state(reader, stored.new_ids, saved=True)

    def take_back(self) -> None:
        """Delete what this run, or one that was interrupted, has published."""
        from feeds.coordination.revisions import CONTENT, GROUPING, bump_revision
        from feeds.models import Item, ItemKey

        new = ItemKey.objects.filter(seq__gt=self.facts["seq"])
        pks = [pk for pk in new.values_list("item_id", flat=True) if pk]
        items = Item.objects.filter(pk__in=pks)
        stories = {pk for pk in items.values_list("story_id", flat=True) if pk}
        items.delete()
        new.delete()
        _settle(stories)
        bump_revision(GROUPING, CONTENT)


def prepare(facts: dict[str, int]) -> list[Page]:
    """Make what has a date (trends, today's edition, sessions). Return the pages to measure."""
    from accounts.models import ApiToken, User
    from benchmarks.measure import signed_in
    from digests.editions.write import write_digest
    from feeds.models import Item

    reader, reader_of_many = (User.objects.get(pk=pk) for pk in (READER, READER_OF_MANY))
    _write_trends()
    write_digest(reader)
    item = Item.objects.subscribed_by(reader).newest_first()[0]
    ApiToken.objects.filter(user=reader).delete()
    token = {"Authorization": f"Bearer {ApiToken.issue(reader, 'benchmark')}"}
    own, many = (
        {"Cookie": f"sessionid={signed_in(user).cookies['sessionid'].value}; csrftoken={'a' * 32}"}
        for user in (reader, reader_of_many)
    )
    rare, common = search_words()
    return [
        Page("stories", "/", own),
        Page("river", "/river/", own),
        Page("story of 30", f"/story/{facts['usual']}/", own),
        Page("story of thousands", f"/story/{facts['large']}/", own),
        Page("item", f"/item/{item.pk}/", own),
        Page("search, rare word", f"/search/?q={rare}", own),
        Page("search, common word", f"/search/?q={common}", own),
        Page("sources", "/sources/", own),
        Page("sources, 2,000 followed", "/sources/", many),
        Page("preferences", "/preferences/", own),
        Page("taste", "/taste/", own),
        Page("trends", "/trends/", own),
        Page("digest", "/digest/", own),
        Page("API items", "/api/v1/items/", token),
        Page("API stories", "/api/v1/stories/", token),
        Page("API sources", "/api/v1/sources/", token),
    ]


def search_words() -> tuple[str, str]:
    """A word of one text in 50,000, and one of a text in ten."""
    return RARE, Words().words[len(FUNCTION_WORDS.split()) + 5]


def _write_trends() -> None:
    """Store eight public trends, as the hourly update does."""
    from feeds.models import Item
    from feeds.trends import board
    from feeds.trends.types import CLIMBING, SPARKLINE, Trend

    now = datetime.now(UTC)
    newest = Item.objects.filter(source__is_public=True).newest_first()
    items = {item.story_id: item for item in newest[: TRENDS * 20] if item.story_id}
    trends = [
        Trend(
            key=f"term{n}",
            label=f"Term {n}",
            aliases=(f"Terms {n}",),
            stories=20 + n,
            before=n,
            sources=12,
            stage=CLIMBING,
            sparkline=tuple(day * n % 9 for day in range(SPARKLINE)),
            story_id=item.story_id,
            story_title=item.title,
            score=10.0 - n,
            expected=2.0,
            is_burst=True,
            began=(now - timedelta(days=3)).date(),
        )
        for n, item in enumerate(list(items.values())[:TRENDS], 1)
    ]
    board.write(None, trends, now)


def write_facts(place: Path, facts: dict[str, int]) -> None:
    (place / "facts.json").write_text(json.dumps(facts))


def read_facts(place: Path) -> dict[str, int] | None:
    """The facts of a library that is complete, or None."""
    file = place / "facts.json"
    return json.loads(file.read_text()) if file.exists() else None
