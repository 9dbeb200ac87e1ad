"""Embeddings from a server with OpenAI's /v1/embeddings: Ollama, vLLM, llama.cpp, OpenAI."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from feeds.ai.embed.errors import EmbeddingError
from feeds.ai.language.embeddings import embed
from feeds.ai.language.errors import LanguageModelError


class ServerProvider:
    def __init__(self, model: str) -> None:
        if not model:
            raise EmbeddingError(
                "EMBEDDINGS=openai needs EMBEDDING_MODEL, the name under which the server of "
                "OPENAI_BASE_URL knows the model."
            )
        self.name = f"openai:{model}"
        self._model = model

    def encode(self, texts: Sequence[str]) -> Any:
        try:
            rows = np.array(embed(texts, self._model), dtype=np.float32)
        except LanguageModelError as error:
            raise EmbeddingError(str(error)) from error
        lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
        if not np.isfinite(rows).all() or not lengths.all():
            raise EmbeddingError(f"{self._model} returned a zero vector.")
        return rows / lengths
