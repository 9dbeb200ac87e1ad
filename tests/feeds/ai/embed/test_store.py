"""Vectors are encoded once, and those of two models never meet."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from ainews_site.infra import db_clock
from feeds.ai.embed.errors import EmbeddingError
from feeds.ai.embed.store import KEEP, drop_old_vectors, encode_missing, known_vectors
from feeds.models import Embedding

pytestmark = pytest.mark.django_db


class Counting:
    """A provider that points each text somewhere of its own."""

    def __init__(self, name: str, size: int = 16) -> None:
        self.name = name
        self.size = size
        self.encoded: list[str] = []
        self.fails_after = 1_000_000

    def encode(self, texts: Sequence[str]) -> Any:
        if len(self.encoded) + len(texts) > self.fails_after:
            raise EmbeddingError("The model is gone.")
        self.encoded += texts
        rows = [np.random.default_rng(len(text)).standard_normal(self.size) for text in texts]
        found = np.array(rows, dtype=np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.fixture
def tiny(settings: Any) -> Counting:
    settings.EMBEDDINGS, settings.EMBEDDING_MODEL = "openai", "tiny"
    return Counting("openai:tiny")


def test_a_text_is_encoded_once_whoever_has_it(tiny: Counting) -> None:
    assert encode_missing(tiny, ["one", "three", "one"]) == 2
    assert encode_missing(tiny, ["three", "seven"]) == 1

    found = known_vectors({7: "one", 8: "one", 9: "unknown"})

    assert tiny.encoded == ["one", "three", "seven"]
    assert set(found) == {7, 8}
    assert found[7] @ tiny.encode(["one"])[0] > 0.999


def test_vectors_of_another_model_are_never_given(tiny: Counting, settings: Any) -> None:
    encode_missing(tiny, ["one"])

    settings.EMBEDDING_MODEL = "larger"

    assert known_vectors({7: "one"}) == {}
    assert encode_missing(Counting("openai:larger"), ["one"]) == 1


def test_a_model_that_changed_its_size_under_the_same_name_starts_anew(tiny: Counting) -> None:
    encode_missing(tiny, ["one", "three"])

    assert encode_missing(Counting("openai:tiny", size=24), ["seven"]) == 1

    found = known_vectors({1: "one", 2: "three", 3: "seven"})
    assert {len(row) for row in found.values()} == {24}
    assert set(found) == {3}


def test_what_was_encoded_before_the_model_went_is_kept(tiny: Counting) -> None:
    texts = [str(n) for n in range(600)]
    tiny.fails_after = 300

    with pytest.raises(EmbeddingError):
        encode_missing(tiny, texts)
    tiny.fails_after = 1_000_000

    assert 0 < len(known_vectors(dict(enumerate(texts)))) < 300
    encode_missing(tiny, texts)
    assert len(known_vectors(dict(enumerate(texts)))) == 600
    assert len(tiny.encoded) == 600


def test_a_model_that_fails_in_words_of_its_own_is_told_of_as_any(tiny: Counting) -> None:
    def fail(texts: Sequence[str]) -> Any:
        raise RuntimeError("CUDA out of memory")

    tiny.encode = fail  # type: ignore[method-assign]

    with pytest.raises(EmbeddingError, match="CUDA out of memory"):
        encode_missing(tiny, ["one"])


def test_old_vectors_are_dropped(tiny: Counting) -> None:
    encode_missing(tiny, ["one", "three"])
    Embedding.objects.filter(pk=Embedding.objects.first().pk).update(  # type: ignore[union-attr]
        created_at=db_clock.now() - KEEP - timedelta(hours=1)
    )

    assert drop_old_vectors() == 1
    assert Embedding.objects.count() == 1


def test_any_text_can_be_kept(tiny: Counting) -> None:
    texts = ["", "\ud800 half a sign", "é" * 5000, "日本語", "\x00"]

    encode_missing(tiny, texts)

    assert len(known_vectors(dict(enumerate(texts)))) == len(texts)
