"""Writes the true stories of the newsroom's articles, for `evaluate stories`."""

from collections.abc import Iterable
from pathlib import Path

from feeds.demo.edition import Article
from feeds.demo.outlets import OUTLETS

HEADER = ("published", "publisher", "url", "title", "story")


def write_labels(path: Path, articles: Iterable[Article], port: int) -> int:
    """Write the articles as tab-separated lines in the order of time, and return their number."""
    rows = label_rows(articles, port)
    lines = ["\t".join(row) for row in (HEADER, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(rows)


def label_rows(articles: Iterable[Article], port: int) -> list[tuple[str, ...]]:
    outlets = {outlet.slug: outlet for outlet in OUTLETS}
    return [
        (
            article.published.isoformat(),
            outlets[article.outlet].name,
            outlets[article.outlet].site(port) + article.path,
            article.versions[0].title,
            article.story,
        )
        for article in sorted(articles, key=lambda article: article.published)
    ]
