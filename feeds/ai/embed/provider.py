"""The interface of embedding models, and the choice among them by EMBEDDINGS."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

from django.conf import settings

from feeds.ai.embed.errors import EmbeddingError

KINDS = ("none", "onnx", "sentence-transformers", "openai")


class Provider(Protocol):
    """Encodes texts as vectors. Vectors of providers with different names are never compared."""

    name: str

    def encode(self, texts: Sequence[str]) -> Any:
        """Return float32 [texts, dimensions], rows of unit length. Raises EmbeddingError."""


def is_chosen() -> bool:
    """Tell whether embeddings are switched on. Loads no model."""
    return bool(settings.EMBEDDINGS != "none")


def model_name() -> str:
    """Return the name under which vectors of the configured model are stored. Loads no model."""
    return f"{settings.EMBEDDINGS}:{settings.EMBEDDING_MODEL}"


@cache
def provider_for(kind: str, model: str) -> Provider:
    """Load a provider with its model, once per process.

    Raises EmbeddingError if it is not installed.
    """
    if kind == "onnx":
        from feeds.ai.embed.onnx import OnnxProvider

        return OnnxProvider(model)
    if kind == "sentence-transformers":
        from feeds.ai.embed.sentences import SentenceProvider

        return SentenceProvider(model)
    if kind == "openai":
        from feeds.ai.embed.server import ServerProvider

        return ServerProvider(model)
    raise EmbeddingError(f"EMBEDDINGS={kind} must be one of {', '.join(KINDS)}.")


def chosen_provider() -> Provider:
    """Return the configured provider. Raises EmbeddingError."""
    return provider_for(settings.EMBEDDINGS, settings.EMBEDDING_MODEL)
