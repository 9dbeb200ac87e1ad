"""What turns texts into vectors of their meaning, and which of the three is chosen."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Protocol

from django.conf import settings

from feeds.embed.errors import EmbeddingError

KINDS = ("none", "onnx", "sentence-transformers", "openai")


class Provider(Protocol):
    """`name` tells models apart: vectors of two names are never compared."""

    name: str

    def encode(self, texts: Sequence[str]) -> Any:
        """float32 [n, d] of unit length, in the texts' order. Raises EmbeddingError."""


def is_chosen() -> bool:
    """Whether an installation wants vectors at all; loads nothing."""
    return bool(settings.EMBEDDINGS != "none")


def model_name() -> str:
    """The name under which vectors are kept; loads nothing."""
    return f"{settings.EMBEDDINGS}:{settings.EMBEDDING_MODEL}"


@cache
def provider_for(kind: str, model: str) -> Provider:
    """The provider, its model loaded, once a process.

    Raises EmbeddingError, with what to do, when it is not installed.
    """
    if kind == "onnx":
        from feeds.embed.onnx import OnnxProvider

        return OnnxProvider(model)
    if kind == "sentence-transformers":
        from feeds.embed.sentences import SentenceProvider

        return SentenceProvider(model)
    if kind == "openai":
        from feeds.embed.server import ServerProvider

        return ServerProvider(model)
    raise EmbeddingError(f"EMBEDDINGS={kind} is none of {', '.join(KINDS)}.")


def chosen_provider() -> Provider:
    """The configured one. Raises EmbeddingError."""
    return provider_for(settings.EMBEDDINGS, settings.EMBEDDING_MODEL)
