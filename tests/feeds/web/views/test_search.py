"""The search page: the form that writes a query, stories and articles."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from accounts.models import User
from feeds.models import Folder
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db


def text(client: Client, url: str) -> str:
    return client.get(url).content.decode()


def rows(shown: str) -> list[str]:
    """The titles of the rows."""
    titles = re.findall(r"data-open>(.*?)</a>", shown)
    return [title.replace("<mark>", "").replace("</mark>", "") for title in titles]


def test_the_form_writes_the_query(page: Client) -> None:
    values = {"words": "weights", "phrase": "open model", "exclude": "old", "source": "the lab"}
    answer = page.get("/search/", values | {"folder": "", "after": "2026-03-01", "by": "articles"})

    query = parse_qs(urlsplit(answer["Location"]).query)

    assert query["q"] == ['weights "open model" -old source:"the lab" after:2026-03-01']
    assert query["by"] == ["articles"]


def test_an_empty_form_leads_to_the_empty_page(page: Client) -> None:
    answer = page.get("/search/?words=&phrase=")
    assert answer.status_code == 302
    assert page.get(answer["Location"]).status_code == 200


def test_the_form_shows_the_parts_of_the_query(page: Client, reader: User) -> None:
    Folder.objects.create(user=reader, name="Labs")
    Folder.objects.create(user=make_user("other"), name="Secret folder")

    shown = text(page, "/search/?options=1&q=weights+-old+folder:labs+topic:agents+is:unread")

    assert 'name="words" value="weights"' in shown
    assert 'name="exclude" value="old"' in shown
    assert "<option selected>Labs</option>" in shown
    assert '<option value="agents" selected>' in shown
    assert '<option value="unread" selected>' in shown
    assert "Secret folder" not in shown


def test_the_form_keeps_names_that_its_lists_lack(page: Client) -> None:
    shown = text(page, "/search/?options=1&q=folder:nowhere+topic:unheard")
    assert "<option selected>nowhere</option>" in shown
    assert '<option value="unheard" selected>' in shown


def test_the_articles_of_a_story_are_one_row(page: Client, reader: User) -> None:
    source, other = make_source(reader=reader), make_source("paper", reader=reader)
    first = make_item(source, "Kestrel kestrel lands")
    second = make_item(other, "A kestrel has landed")
    make_story(first, second, make_item(other, "Of another bird"))
    make_item(source, "Kestrel without a story")

    shown = text(page, "/search/?q=kestrel")

    assert "3 results · 2 stories" in shown
    assert len(rows(shown)) == 2
    assert "+1 article<" in shown
    assert "A kestrel has landed" in shown
    assert "Of another bird" not in shown
    assert f'href="/story/{first.pk}/">The whole story' in shown


def test_articles_can_be_listed_one_by_one(page: Client, reader: User) -> None:
    source = make_source(reader=reader)
    make_story(make_item(source, "Kestrel one"), make_item(source, "Kestrel two"))

    shown = text(page, "/search/?q=kestrel&by=articles")

    assert sorted(rows(shown)) == ["Kestrel one", "Kestrel two"]
    assert "+1 article" not in shown
    assert "2 results " in shown


def test_a_story_shows_no_article_that_its_reader_may_not_see(page: Client, reader: User) -> None:
    secret = make_source("secret", reader=make_user("other"))
    own = make_item(make_source(reader=reader), "Kestrel in the open")
    make_story(make_item(secret, "Kestrel kestrel in secret"), own)

    shown = text(page, "/search/?q=kestrel")

    assert "1 result · 1 story" in shown
    assert "in secret" not in shown


def test_stories_have_pages(page: Client, reader: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feeds.search.run.STORIES", 2)
    source = make_source(reader=reader)
    for number in range(3):
        make_story(make_item(source, f"Plan {number}"), make_item(source, f"Plan {number}b"))

    first = text(page, "/search/?q=plan")
    second = text(page, "/search/?q=plan&page=2")

    assert 'href="?q=plan&amp;page=2"' in first
    assert (len(rows(first)), len(rows(second))) == (2, 1)
    assert not set(rows(first)) & set(rows(second))


def test_a_misspelled_word_leads_to_a_proposal(page: Client, reader: User) -> None:
    make_item(make_source(reader=reader), "Claude writes")

    shown = text(page, "/search/?q=cluade&by=articles")

    assert 'href="?q=claude&amp;by=articles"><strong dir="auto">claude</strong>' in shown
    assert "1 result<" in shown
    assert "Did you mean" not in text(page, "/search/?q=claude")


def test_a_text_that_repeats_the_title_is_not_shown(page: Client, reader: User) -> None:
    source = make_source(reader=reader)
    make_item(source, "Kestrel & co. land", text="Kestrel & co. land")
    make_item(source, "Another bird", text="It is no kestrel & no hawk")

    shown = text(page, "/search/?q=kestrel")

    assert shown.count('class="row-text"') == 1
    assert "It is no <mark>kestrel</mark> &amp; no hawk" in shown
