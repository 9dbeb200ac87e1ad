"""What the items of a window mean, where an installation has a model for it."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from feeds.ai.embed.errors import EmbeddingError
from feeds.ai.embed.provider import chosen_provider, is_chosen
from feeds.ai.embed.store import encode_missing, known_vectors, text_for

logger = logging.getLogger(__name__)

Texts = Mapping[int, str]


def texts_of(rows: Iterable[Any]) -> dict[int, str]:
    """{item id: text} of rows that begin as `feeds.stories.grouping.group` reads them."""
    return {row[0]: text_for(row[3], row[4]) for row in rows} if is_chosen() else {}


def encode(texts: Texts) -> None:
    """Have them known. Without the model the stories are made of words, until it is back."""
    if not texts:
        return
    try:
        encode_missing(chosen_provider(), texts.values())
    except EmbeddingError as error:
        logger.warning("embedding_failed reason=%s", error)


def meanings(texts: Texts) -> dict[int, Any]:
    """{item id: float32 [d]} of those that are known."""
    return known_vectors(texts) if texts else {}
