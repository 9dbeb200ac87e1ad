"""Embeddings from /v1/embeddings of a server, with the limits and accounting of all calls."""

from collections.abc import Sequence
from functools import partial

from django.conf import settings

from feeds.ai.language.admission import CallRequest
from feeds.ai.language.calling import call
from feeds.ai.language.prices import estimate_tokens
from feeds.ai.language.servers import endpoint, server_of
from feeds.ai.language.types import Usage

BATCH = 128
"""Texts per call."""
PURPOSE = "embeddings"


def embed(texts: Sequence[str], model: str) -> list[list[float]]:
    """Return a vector for each text, in their order. Vectors are not normalised.

    Raises LanguageModelError. Must be called outside of a transaction.
    """
    vectors: list[list[float]] = []
    for start in range(0, len(texts), BATCH):
        vectors += _batch(texts[start : start + BATCH], model)
    return vectors


def _batch(texts: Sequence[str], model: str) -> list[list[float]]:
    tokens = sum(map(estimate_tokens, texts))
    request = CallRequest(server_of(model), model, PURPOSE, tokens, 0)
    return call(request, partial(_embed, texts, model, tokens), settings.LLM_TIMEOUT)


def _embed(texts: Sequence[str], model: str, tokens: int) -> tuple[list[list[float]], Usage]:
    from feeds.ai.language import wire

    # Some servers reject empty texts.
    vectors, usage = wire.embed(endpoint(), [text.strip() or "-" for text in texts], model)
    return vectors, usage or Usage(tokens, 0, is_estimated=True)
