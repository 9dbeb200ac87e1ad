"""Embeddings of items for grouping, if the installation has an embedding model."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from feeds.ai.embed.errors import EmbeddingError
from feeds.ai.embed.provider import chosen_provider, is_chosen
from feeds.ai.embed.store import encode_missing, known_vectors, text_for

logger = logging.getLogger(__name__)

Texts = Mapping[int, str]


def texts_of(rows: Iterable[Any]) -> dict[int, str]:
    """Return {item id: text to embed}, empty without a model. Rows must start with COLUMNS of
    feeds.stories.grouping.documents."""
    return {row[0]: text_for(row[3], row[4]) for row in rows} if is_chosen() else {}


def embed_missing(texts: Texts) -> None:
    """Embed the texts that have no vector yet. If the model fails, grouping goes on by terms."""
    if not texts:
        return
    try:
        encode_missing(chosen_provider(), texts.values())
    except EmbeddingError as error:
        logger.warning("embedding_failed reason=%s", error)


def vectors_for(texts: Texts) -> dict[int, Any]:
    """Return {item id: float32 [d]} of the texts that have been embedded."""
    return known_vectors(texts) if texts else {}
