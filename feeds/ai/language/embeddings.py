"""Vectors of texts from a server's /v1/embeddings, counted and limited as all calls are."""

from collections.abc import Sequence
from functools import partial

from django.conf import settings

from feeds.ai.language.admission import Wanted
from feeds.ai.language.calling import call
from feeds.ai.language.prices import estimate_tokens
from feeds.ai.language.servers import endpoint, server_of
from feeds.ai.language.types import Usage

BATCH = 128
"""Texts of one call."""
PURPOSE = "embeddings"


def embed(texts: Sequence[str], model: str) -> list[list[float]]:
    """A vector for each text, in their order and of one length, not normalised.

    Raises LanguageModelError in words. Must be called outside of transactions.
    """
    vectors: list[list[float]] = []
    for start in range(0, len(texts), BATCH):
        vectors += _batch(texts[start : start + BATCH], model)
    return vectors


def _batch(texts: Sequence[str], model: str) -> list[list[float]]:
    tokens = sum(map(estimate_tokens, texts))
    wanted = Wanted(server_of(model), model, PURPOSE, tokens, 0)
    return call(wanted, partial(_embed, texts, model, tokens), settings.LLM_TIMEOUT)


def _embed(texts: Sequence[str], model: str, tokens: int) -> tuple[list[list[float]], Usage]:
    from feeds.ai.language import wire

    # A text that is empty is refused by some.
    vectors, usage = wire.embed(endpoint(), [text.strip() or "-" for text in texts], model)
    return vectors, usage or Usage(tokens, 0, is_estimated=True)
