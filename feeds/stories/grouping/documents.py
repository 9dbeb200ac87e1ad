"""Convert rows of items into the documents that grouping compares."""

from collections.abc import Sequence
from datetime import datetime

from feeds.stories.grouping.tokenizer import Document, make_document

COLUMNS = ("pk", "published_at", "source_id", "title", "summary", "url")


def document_of(row: Sequence[object]) -> Document:
    """Make the document of an item. `row` must start with the values of COLUMNS."""
    pk, published, source, title, summary, url = row[: len(COLUMNS)]
    assert isinstance(published, datetime)
    return make_document(int(pk), published.timestamp(), int(source), title, summary, url)  # type: ignore[call-overload, arg-type]
