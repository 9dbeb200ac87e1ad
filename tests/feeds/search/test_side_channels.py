"""What others add in private changes nothing that a reader's search shows."""

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from feeds.models import Source
from feeds.search.popular import Search
from feeds.search.query import rarity, sample
from feeds.search.query.conditions import Conditions
from feeds.search.query.parser import parse_query
from feeds.search.run import search_items
from feeds.search.sqlite.score import lengths
from tests.make import make_item, make_source, make_user

pytestmark = pytest.mark.django_db
COMMON = ["kestrel", "falcon", "wing", "carbon", "running", "engines", "model", "company", "news"]
RARE = ["gezogen", "harbour", "lighthouse", "zanzibar"]
WORDS = [*COMMON, *RARE]
QUERIES = (
    "kestrel",
    "kestrel wing",
    "falcon carbon model",
    '"carbon wing" kestrel',
    "what did the company say about running engines?",
    "kestrel OR falcon company",
    "kest* model absent",
    "zanzibar lighthouse harbour kestrel model news",
    "ziehen company gezogen",
    "model -wing",
)


@pytest.fixture(params=["all", "some"], ids=["small library", "larger than the sample"])
def library(request: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[User, Source]:
    """A reader with news that is public or the reader's own, and the source of somebody else."""
    if request.param == "some":
        monkeypatch.setattr(sample, "RECENT", 12)
        monkeypatch.setattr(rarity, "FEW", 4)
    reader = make_user()
    own = make_source("own", reader=reader)
    public = make_source("public", is_public=True, language="en")
    chance = Random(5)
    for number in range(40):
        words = chance.choices(COMMON, range(1, 10), k=chance.randint(3, 60))
        at = timezone.now() - timedelta(hours=1 + number)
        make_item(
            own if number % 3 else public, " ".join(words[:5]), text=" ".join(words), published=at
        )
    make_item(public, "Harbour lighthouse", published=timezone.now() - timedelta(days=9))
    return reader, make_source("theirs", reader=make_user("other"))


def shown(reader: User, text: str) -> list[Any]:
    """All that a search shows, and the scores behind its order."""
    cache.clear()
    results = search_items(reader, text)
    marked = [(one.pk, one.marked_title, one.marked_snippet) for one in results.items]  # type: ignore[attr-defined]
    search = Search(reader, text, parse_query(text))
    conditions = Conditions(reader, search.query)
    matches = [
        sorted(search._finder.find(conditions)),
        *map(sorted, search._finder.find_partial(conditions)),
    ]
    return [marked, results.counted, results.problems, results.next_page, matches]


def added(theirs: Source, items: list[tuple[list[str], int, str]]) -> None:
    for words, hours, language in items:
        at = timezone.now() - timedelta(hours=hours)
        text = " ".join(words)
        make_item(theirs, text[:60] or "x", text=text, published=at, language=language)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE feeds_item, feeds_search")


PRIVATE = st.lists(
    st.tuples(
        st.lists(st.sampled_from(WORDS), max_size=80),
        st.integers(0, 300),
        st.sampled_from(["", "en", "de", "ja"]),
    ),
    min_size=1,
    max_size=30,
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(items=PRIVATE)
def test_private_items_of_others_change_nothing(
    library: tuple[User, Source], items: list[tuple[list[str], int, str]]
) -> None:
    reader, theirs = library
    before = [shown(reader, text) for text in QUERIES]
    with transaction.atomic():
        added(theirs, items)
        after = [shown(reader, text) for text in QUERIES]
        transaction.set_rollback(True)
    assert after == before


def test_a_rare_word_in_many_private_items_is_still_rare(library: tuple[User, Source]) -> None:
    """What a reader would look for: the word of a secret, among words that the reader knows."""
    reader, theirs = library
    texts = ["harbour kestrel model news", "lighthouse falcon", "harbour lighthouse"]
    before = [shown(reader, text) for text in texts]
    added(theirs, [(["harbour", "lighthouse"] * 40, hours, "de") for hours in range(200)])
    assert [shown(reader, text) for text in texts] == before


@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's own")
@given(st.lists(st.lists(st.integers(0, 2**31), min_size=3, max_size=3)))
def test_the_lengths_of_items_are_read_as_fts5_writes_them(rows: list[list[int]]) -> None:
    assert lengths([b"".join(map(varint, row)) for row in rows]).tolist() == [*map(sum, rows)]


def varint(number: int) -> bytes:
    def digits() -> Iterator[int]:
        rest = number >> 7
        while rest:
            yield rest & 0x7F | 0x80
            rest >>= 7

    return bytes([*reversed([*digits()]), number & 0x7F])
