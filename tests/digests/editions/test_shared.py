"""What editions of different readers share is done once, and has nothing that one may not see."""

from typing import Any

import pytest

from digests.editions import summarise
from digests.editions.summarise import Article, clear_extracted, summarise_extractively
from digests.editions.write import write_digest
from tests.digests.make import make_reader
from tests.make import make_item, make_source, make_story

pytestmark = pytest.mark.django_db
FIRST = Article(
    "A lab releases a model",
    "The lab Orion released a model of seven billion weights on Wednesday. It costs $5 million.",
)
SECOND = Article(
    "Critics doubt the model",
    "Critics said that the licence of the Orion model matters to banks and to insurers.",
)
SECRET = Article("Our launch is late", "The launch of our secret product Vesper was postponed.")


@pytest.fixture(autouse=True)
def empty() -> None:
    clear_extracted()


def test_a_summary_is_extracted_once_for_the_same_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    choose = summarise.choose_sentences
    monkeypatch.setattr(
        summarise,
        "choose_sentences",
        lambda texts, **options: calls.append(texts) or choose(texts, **options),
    )

    first = summarise_extractively([FIRST, SECOND])
    again = summarise_extractively([Article(FIRST.title, FIRST.text), SECOND])
    assert first == again
    assert first.sentences
    assert len(calls) == 1
    for other in ([SECOND, FIRST], [FIRST], [FIRST, Article("Another title", SECOND.text)]):
        shared = summarise_extractively(other)
        clear_extracted()
        assert summarise_extractively(other) == shared
    assert len(calls) == 7


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summarise, "MAX_EXTRACTED", 2)
    for n in range(5):
        summarise_extractively([Article(f"Title {n}", FIRST.text)])
    assert len(summarise._extracted) == 2


def test_editions_are_the_same_whatever_was_shared_before() -> None:
    insider, outsider = make_reader("insider"), make_reader("outsider")
    own = make_source("own", reader=insider)
    secret = make_item(own, SECRET.title, text=SECRET.text)
    items = [secret]
    for number, article in enumerate((FIRST, SECOND)):
        source = make_source(f"s{number}", is_public=True)
        for reader in (insider, outsider):
            source.subscriptions.create(user=reader)
        items.append(make_item(source, article.title, text=article.text))
    make_story(*items)

    alone = write_digest(outsider).content
    clear_extracted()
    assert "Vesper" in str(write_digest(insider).content)
    after = write_digest(outsider).content

    assert after == alone
    assert "Vesper" not in str(after)
    assert "Orion" in str(after)
