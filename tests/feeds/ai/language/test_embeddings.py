"""Vectors come in the order of the texts, whatever the server's order, and are counted."""

import pytest

from feeds.ai.language.embeddings import BATCH, embed
from feeds.ai.language.errors import BadReplyError
from feeds.models import LanguageUse
from tests.model_server import ModelServer, embeds, sends

pytestmark = pytest.mark.django_db


def test_each_text_has_its_vector(llm: ModelServer) -> None:
    llm.will(embeds())

    assert embed(["a", "bb", ""], "tiny") == [[1.0] * 3, [2.0] * 3, [1.0] * 3]
    use = LanguageUse.objects.get()
    assert (use.model, use.purpose, use.tokens_in, use.estimated) == ("tiny", "embeddings", 7, 0)


def test_many_texts_go_in_batches(llm: ModelServer) -> None:
    llm.will(embeds())

    assert len(embed(["text"] * (BATCH + 1), "tiny")) == BATCH + 1
    assert [len(asked["input"]) for asked in llm.asked] == [BATCH, 1]


def test_no_text_asks_nothing(llm: ModelServer) -> None:
    assert embed([], "tiny") == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": []}',
        b'{"data": [{"index": 0, "embedding": [1]}]}',
        b'{"data": [{"index": 0, "embedding": ["x"]}, {"index": 1, "embedding": [1]}]}',
        b'{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1, 2]}]}',
        b'{"data": 7}',
        b'{"data": [{"embedding": [1' + b"0" * 400 + b']}, {"index": 1, "embedding": [1]}]}',
    ],
)
def test_vectors_that_are_lacking_or_differ_are_refused(llm: ModelServer, body: bytes) -> None:
    llm.will(sends(body))

    with pytest.raises(BadReplyError, match="return"):
        embed(["one", "two"], "tiny")
