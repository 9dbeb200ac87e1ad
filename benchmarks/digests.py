"""Measure how many sentences of editions are supported: `python benchmarks/digests.py`.

Stores the articles of the sample newsroom in a temporary database, groups them, and writes an
edition for each of the last days, with LLM_MODEL if it is set. Then it checks all sentences, once
by the product and once by benchmarks/citations.py, which shares no code with it.
"""

import logging
import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
DAYS = 20


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, str(ROOT))
        os.environ |= {"DATA": folder, "DJANGO_SETTINGS_MODULE": "ainews_site.settings"}
        os.environ.pop("DATABASE_URL", None)
        import django
        from django.core.management import call_command

        django.setup()
        logging.disable(logging.INFO)
        call_command("migrate", verbosity=0)
        store()
        write()
        call_command("evaluate", "digest")
        from benchmarks.citations import main as check

        return check()


def store() -> None:
    """Store the articles as items: one source per outlet, one body per text."""
    from accounts.models import User
    from feeds.core.ids import make_id
    from feeds.demo.edition import make_edition
    from feeds.models import Item, ItemBody, Source, Subscription
    from feeds.stories.grouping.group import group_new_items

    articles = [article for article in make_edition(NOW) if article.published < NOW]
    reader = User.objects.create_user("reader")
    names = sorted({article.outlet for article in articles})
    sources = {name: Source.objects.create(url=f"https://{name}/", title=name) for name in names}
    for source in sources.values():
        Subscription.objects.create(user=reader, source=source)
    for seq, article in enumerate(sorted(articles, key=lambda a: a.published), 1):
        text = "\n".join(article.versions[0].paragraphs)
        item = Item.objects.create(
            id=make_id(article.published, seq),
            seq=seq,
            source=sources[article.outlet],
            url=f"https://{article.outlet}{article.path}",
            title=article.versions[0].title,
            summary=text[:600],
            published_at=article.published,
            fetched_at=article.published,
        )
        ItemBody.objects.create(item=item, text=text)
    group_new_items(now=NOW)


def write() -> None:
    from accounts.models import User
    from digests.editions.write import write_digest

    reader = User.objects.get()
    seconds = 900.0 if os.environ.get("LLM_MODEL") else 0.0
    for ago in reversed(range(DAYS)):
        moment = NOW - timedelta(days=ago)
        write_digest(reader, moment.date(), now=moment, seconds_for_model=seconds)


if __name__ == "__main__":
    sys.exit(main())
