"""The three providers of vectors: real models where they are installed, a real server, and what
is said where one is missing."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feeds.ai.embed.errors import EmbeddingError
from feeds.ai.embed.provider import chosen_provider, provider_for
from tests.model_server import ModelServer, embeds, fails, sends

TEXTS = [
    "The central bank raises interest rates",
    "Interest rates are lifted by the central bank to fight inflation",
    "A robot learns to fold shirts",
    "",
    "一家银行提高利率",
]


@pytest.fixture
def installed(settings: Any) -> str:
    if find_spec("sentence_transformers") is None:
        pytest.skip("sentence-transformers is not installed: tests/install.sh torch")
    return "sentence-transformers"


def check(rows: Any) -> None:
    assert rows.shape == (len(TEXTS), 384)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)
    assert rows[0] @ rows[1] > 0.6 > 0.3 > rows[0] @ rows[2]


def test_onnx_tells_what_is_meant() -> None:
    check(provider_for("onnx", "").encode(TEXTS))


def test_sentence_transformers_tells_the_same_as_onnx(installed: str) -> None:
    rows = provider_for(installed, "").encode(TEXTS)

    check(rows)
    same = (rows * provider_for("onnx", "").encode(TEXTS)).sum(axis=1)
    assert same.min() > 0.97


def test_rows_come_in_the_order_of_the_texts_whatever_the_batches() -> None:
    provider = provider_for("onnx", "")
    texts = [f"{word} " * (1 + n % 9) for n, word in enumerate(["bank", "robot", "court"] * 25)]

    rows = provider.encode(texts)

    for n in (0, 33, 74):
        assert rows[n] @ provider.encode([texts[n]])[0] > 0.99


@pytest.mark.django_db
def test_a_server_gives_vectors_of_unit_length(llm: ModelServer, settings: Any) -> None:
    settings.EMBEDDINGS, settings.EMBEDDING_MODEL = "openai", "tiny"
    llm.will(embeds(8))

    rows = chosen_provider().encode(["one", "three"])

    assert rows.shape == (2, 8)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    assert llm.asked[0]["model"] == "tiny"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "act",
    [
        fails(404, "no such model"),
        sends(b'{"data": [{"index": 0, "embedding": [0, 0]}]}'),
        sends(b"nothing"),
    ],
)
def test_a_server_that_gives_no_vectors_is_told_of_in_words(llm: ModelServer, act: Any) -> None:
    llm.will(act)

    with pytest.raises(EmbeddingError, match=r"language model at|zero vector"):
        provider_for("openai", "tiny").encode(["one"])


@pytest.mark.parametrize(
    ("kind", "model", "words"),
    [
        ("onnx", "/nowhere", "/nowhere is not a folder on this machine"),
        ("openai", "", "EMBEDDINGS=openai needs EMBEDDING_MODEL"),
        ("word2vec", "", "must be one of none, onnx"),
    ],
)
def test_a_missing_model_is_told_in_words(kind: str, model: str, words: str) -> None:
    with pytest.raises(EmbeddingError, match=words):
        provider_for(kind, model)


def test_a_folder_without_a_model_and_one_with_rubbish_are_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match=r"has no model.onnx or onnx/model.onnx"):
        provider_for("onnx", str(tmp_path))
    (tmp_path / "model.onnx").write_bytes(b"rubbish")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(EmbeddingError, match="cannot be read"):
        provider_for("onnx", str(tmp_path))
