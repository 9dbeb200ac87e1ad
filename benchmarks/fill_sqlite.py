"""Fill an empty SQLite database with a library: first rows without triggers, then the index."""

import json
import random

from benchmarks.fill_postgres import TOPICS, leads, people, signed_hash, timed
from benchmarks.library import MONTHS, READERS, STATES, Library, Row, Words


def fill(library: Library) -> dict[str, float]:
    """Fill the database. Return {step: seconds}."""
    from django.db import connection

    from feeds.search.sqlite import index as sqlite_index

    seconds: dict[str, float] = {}
    with timed(seconds, "sources and readers"):
        people(library)
    sqlite_index.detach_index(connection)
    with timed(seconds, "rows"):
        words = Words()
        for rows in library.rows(words, 0, library.items):
            _insert(rows)
    with timed(seconds, "read state"):
        _states(library)
    with timed(seconds, "search index"):
        sqlite_index.ensure_index(connection)
    with timed(seconds, "statistics"), connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return seconds


def _insert(rows: list[Row]) -> None:
    from django.db import transaction

    from feeds.core.bulk import adapt_time, insert_rows
    from feeds.ingest.new_rows import BODY_COLUMNS, ITEM_COLUMNS, KEY_COLUMNS
    from feeds.models import Item, ItemBody, ItemKey, Story

    keys, items, bodies = [], [], []
    for row in rows:
        own, at = signed_hash(row.seq), adapt_time(row.published)
        keys.append((row.seq, row.source, own, signed_hash(-row.seq), row.id))
        url = f"https://outlet{row.source}.example/news/{row.seq}"
        content = (url, row.title, "A. Writer", row.summary, "", TOPICS[row.seq % 5], own)
        head = (row.id, row.seq, row.source, at, at, row.language, False)
        items.append((*head, *content, row.story))
        bodies.append((row.id, row.html, row.text, json.dumps([]), False))
    stories = [
        Story(
            pk=row.story,
            title=row.title,
            lead_id=row.id,
            first_at=row.published,
            last_at=row.published,
            item_count=count,
            source_count=count,
            last_seq=seq,
        )
        for row, count, seq in leads(rows)
    ]
    with transaction.atomic():
        insert_rows(ItemKey, KEY_COLUMNS, keys)
        Story.objects.bulk_create(stories)
        insert_rows(Item, (*ITEM_COLUMNS, "story_id"), items)
        insert_rows(ItemBody, BODY_COLUMNS, bodies)


def _states(library: Library) -> None:
    """Create the states of readers: items opened in the last month, items saved at any time."""
    from django.utils import timezone

    from feeds.models import ItemKey, ItemState

    rng, now = random.Random(5), timezone.now()
    ids = dict(ItemKey.objects.values_list("seq", "item_id"))
    month = library.items // MONTHS
    for reader in range(1, READERS + 1):
        recent = range(library.items - month, library.items)
        opened = rng.sample(recent, min(int(STATES * 0.8), month))
        saved = set(rng.sample(range(library.items), min(int(STATES * 0.2), library.items)))
        ItemState.objects.bulk_create(
            ItemState(
                user_id=reader,
                item_id=ids[number + 1],
                is_read=True,
                is_opened=True,
                told_at=now,
                is_saved=number in saved,
                is_hidden=number not in saved and rng.random() < 0.02,
                changed_at=now,
            )
            for number in saved.union(opened)
        )
