"""Writes the newsroom's own answer to "what belongs together", for `evaluate stories`."""

from collections.abc import Iterable
from pathlib import Path

from feeds.demo.edition import Article
from feeds.demo.outlets import OUTLETS

HEADER = ("published", "publisher", "url", "title", "story")


def write_labels(path: Path, articles: Iterable[Article], base_url: str) -> int:
    """Writes the written articles as tab-separated lines in time order; returns how many."""
    rows = label_rows(articles, base_url)
    lines = ["\t".join(row) for row in (HEADER, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(rows)


def label_rows(articles: Iterable[Article], base_url: str) -> list[tuple[str, ...]]:
    names = {outlet.slug: outlet.name for outlet in OUTLETS}
    written = sorted((a for a in articles if a.is_written), key=lambda a: a.published)
    return [
        (
            article.published.isoformat(),
            names[article.outlet],
            base_url + article.path,
            article.versions[0].title,
            article.story,
        )
        for article in written
    ]
