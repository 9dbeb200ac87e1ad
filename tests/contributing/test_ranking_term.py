"""A ranking term is one module and one line in `TERMS`."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import ApiToken
from feeds.stories import ranking
from feeds.stories.ranking.data.batch import Facts
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.rank import explain, rank
from feeds.stories.ranking.terms import TERMS
from tests.contributing import toy_term
from tests.docs.blocks import ranking_terms
from tests.make import make_item, make_source, make_story, make_user


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking.terms, "TERMS", (*TERMS, toy_term.TERM))


def test_it_changes_scores_and_is_explained() -> None:
    alone, covered = Facts(1, 5.0), Facts(2, 5.0)

    first, second = rank([alone, covered], Reader())

    assert (first.terms["exclusive"], second.terms["exclusive"]) == (1.0, 0.0)
    assert first.score > second.score
    assert 0 <= second.score <= first.score <= 1
    assert explain(alone, Reader(), first.terms) == "no other source has it"
    assert explain(covered, Reader(), second.terms) == "2 sources"


@pytest.mark.django_db
def test_the_api_and_the_pages_show_it() -> None:
    reader = make_user()
    first, second = (make_source(name, reader=reader) for name in ("first", "second"))
    when = timezone.now() - timedelta(hours=5)
    both = [make_item(source, "Two have it", published=when) for source in (first, second)]
    make_story(*both)
    make_story(make_item(first, "One has it", published=when))
    api = Client(headers={"authorization": f"Bearer {ApiToken.issue(reader, 'test')}"})

    answer = api.get("/api/v1/stories/ranked/").json()
    page = Client()
    page.force_login(reader)

    assert [(one["title"], one["terms"]["exclusive"]) for one in answer] == [
        ("One has it", 1.0),
        ("Two have it", 0.0),
    ]
    assert answer[0]["why"] == "no other source has it"
    assert "no other source has it" in page.get("/").content.decode()


def test_the_table_of_the_documentation_gets_a_row() -> None:
    assert "| exclusive | 0.5 | 1 if a single source covers the story |" in ranking_terms(
        ranking.terms.TERMS
    )
