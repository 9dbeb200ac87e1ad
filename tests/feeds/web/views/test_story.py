"""The pages of a story and of an item: their head, coverage, actions and limits."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from digests.models import Digest
from feeds.models import Item, ItemBody, ItemState, Source, Story
from feeds.web.formats import byline, excerpt
from feeds.web.story_strip import StripArticle, strip_dots
from tests.feeds.ingest.server import reply, serve
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db
TEXTS = (
    "The lab in Calder opened its new robot factory on Monday with four hundred workers.",
    "The factory in Calder cost nine million crowns, the mayor said at the opening on Monday.",
    "Workers of the robot factory in Calder will build two hundred robots a week from May.",
)


def text(page: Client, path: str) -> str:
    response = page.get(path)
    assert response.status_code == 200
    return response.content.decode()


def report(source: Source, title: str, hours: float, **fields: Any) -> Item:
    return make_item(source, title, published=timezone.now() - timedelta(hours=hours), **fields)


def covered(reader: User, count: int = 3) -> Story:
    sources = [make_source(f"paper{n}", reader=reader) for n in range(count)]
    return make_story(
        *[
            report(source, f"Robot factory {n}", 9 - n, text=TEXTS[n % 3])
            for n, source in enumerate(sources)
        ]
    )


def test_a_story_says_what_happened_in_sentences_that_lead_to_their_articles(
    page: Client, reader: User
) -> None:
    story = covered(reader)
    shown = text(page, f"/story/{story.pk}/")
    assert "Extracted from 3 articles" in shown
    cited = re.findall(r'class="cite" href="#(a\d+)"', shown)
    assert cited
    for target in cited:
        assert f'id="{target}"' in shown
    assert "[1]" in shown


def test_a_story_of_two_articles_shows_the_excerpt_and_says_why(page: Client, reader: User) -> None:
    story = covered(reader, 2)
    shown = text(page, f"/story/{story.pk}/")
    assert TEXTS[0] in shown
    assert "A story gets a summary once it has three articles" in shown
    assert 'class="cite"' not in shown


def edition(story: Story, items: list[Item], reader: User | None, **entry: Any) -> None:
    citations = [{"number": n, "item_id": item.pk} for n, item in enumerate(items, 1)]
    fields = {
        "story_id": story.pk,
        "sentences": [{"text": "What the edition said.", "cites": [2]}],
        "citations": citations,
        "is_update": False,
        "last_seq": max(item.seq for item in items),
        "why": None,
        "written_by": "gpt-5",
        "headline": "A headline",
    }
    content = {"stories": [fields | entry], "also": []}
    Digest.objects.create(user=reader, date=timezone.now().date(), content=content)


def test_the_sentences_of_an_edition_are_used(page: Client, reader: User) -> None:
    story = covered(reader)
    edition(story, list(story.items.order_by("pk")), reader)
    shown = text(page, f"/story/{story.pk}/")
    assert "What the edition said." in shown
    assert "Written by gpt-5 from 3 articles" in shown


@pytest.mark.parametrize("why", ["of another", "an update", "moved", "extracted before"])
def test_other_editions_are_not_used(page: Client, reader: User, why: str) -> None:
    story = covered(reader)
    items = list(story.items.order_by("pk"))
    changes: dict[str, Any] = {"is_update": why == "an update"}
    if why == "extracted before":
        changes |= {"written_by": "extractive", "last_seq": items[0].seq}
    if why == "moved":
        items[1] = report(make_source("elsewhere", is_public=True), "Another story", 2)
    edition(story, items, make_user("other") if why == "of another" else reader, **changes)
    shown = text(page, f"/story/{story.pk}/")
    assert "What the edition said." not in shown
    assert "Extracted from 3 articles" in shown


def test_what_is_new_stands_first_and_once(page: Client, reader: User) -> None:
    story = covered(reader)
    items = list(story.items.order_by("pk"))
    assert "New since your last visit" not in text(page, f"/story/{story.pk}/")
    ItemState.objects.filter(user=reader).update(changed_at=items[1].fetched_at)

    shown = text(page, f"/story/{story.pk}/")

    assert "New since your last visit · 1" in shown
    assert shown.count(f'id="a{items[2].pk}"') == 1
    assert "New since your last visit" not in text(page, f"/story/{story.pk}/")


def test_the_coverage_of_a_large_story_is_limited_and_can_be_shown(
    page: Client, reader: User
) -> None:
    source = make_source(reader=reader)
    items = [report(source, f"Report {n}.", 300 - n) for n in range(205)]
    story = make_story(*items)
    Item.objects.filter(pk=items[-1].pk).update(copy_of=items[0].pk)

    def shown(query: str) -> list[int]:
        html = text(page, f"/story/{story.pk}/{query}")
        return [int(pk) for pk in re.findall(r'<li class="report[^"]*" id="a(\d+)"', html)]

    first = text(page, f"/story/{story.pk}/")
    assert 'href="?all=1">Show all 204' in first
    assert len(shown("")) == 31  # 30 and the copy
    assert first.split('class="life"')[1].count("<circle ") == 24
    assert shown("?all=1")[:200] == [item.pk for item in items[:200]]
    assert 'href="?all=1&amp;from=200"' in text(page, f"/story/{story.pk}/?all=1")
    assert shown("?all=1&from=200") == [item.pk for item in items[200:204]]
    assert shown("?all=1&from=9999") == []


def test_pages_make_the_same_number_of_queries_for_any_coverage(
    page: Client, reader: User, django_assert_max_num_queries: Any
) -> None:
    story = covered(reader, 40)
    text(page, f"/story/{story.pk}/")
    with django_assert_max_num_queries(15):
        text(page, f"/story/{story.pk}/")


def test_the_page_is_marked_as_read_on_itself(page: Client, reader: User) -> None:
    story = covered(reader)
    assert ">Mark unread</button>" in text(page, f"/story/{story.pk}/")


def test_only_those_who_manage_a_source_can_fetch_full_texts(page: Client, reader: User) -> None:
    mine = make_item(make_source("mine", reader=reader, is_public=False))
    public = make_item(make_source("public", reader=reader, is_public=True))
    assert "Fetch full text" in text(page, f"/item/{mine.pk}/")
    assert "Fetch full text" not in text(page, f"/item/{public.pk}/")
    assert page.post(f"/item/{public.pk}/fulltext/").status_code == 403
    assert page.post("/item/5/fulltext/").status_code == 404
    ItemBody.objects.filter(pk=mine.pk).update(is_full_text=True)
    assert "Fetch full text" not in text(page, f"/item/{mine.pk}/")


@pytest.mark.parametrize(
    ("author", "shown"),
    [
        ("Kiln & Kernel", ""),
        ("Kiln & Kernel Kiln & Kernel", ""),
        ("by Kiln & Kernel", ""),
        ("Ada Moor, Kiln & Kernel", "Ada Moor"),
        ("Ada Moor", "Ada Moor"),
        ("", ""),
    ],
)
def test_a_byline_does_not_repeat_the_source(author: str, shown: str) -> None:
    assert byline(author, "Kiln & Kernel") == shown


def test_labels_of_the_strip_do_not_overlap() -> None:
    now = timezone.now()
    articles = [
        StripArticle(n, f"Report {n}", "a" * 60, now - timedelta(hours=40 - n)) for n in range(24)
    ]
    dots = strip_dots(articles)
    assert [dot.place for dot in dots] == sorted(dot.place for dot in dots)
    assert dots[0].label
    assert dots[-1].label
    assert sum(bool(dot.label) for dot in dots) < 6
    assert strip_dots(articles[:1]) == []


def test_the_full_text_is_fetched_on_request(page: Client, reader: User, settings: Any) -> None:
    settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]
    words = "".join(
        f"<p>Paragraph {n} says in many words how the factory in Calder was built.</p>"
        for n in range(6)
    )
    body = f"<html><body><article><h1>A</h1>{words}</article></body></html>".encode()
    source = make_source(reader=reader, is_public=False)
    with serve({"/": reply(200, body, Content_Type="text/html")}) as server:
        settings.FETCH_PORTS = [urlsplit(server.url).port]
        item = make_item(source, url=server.url + "/", text="A teaser.")
        answer = page.post(f"/item/{item.pk}/fulltext/", follow=True)
        assert "Paragraph 5 says" in answer.content.decode()
        assert "Fetch full text" not in answer.content.decode()

        gone = make_item(source, url=server.url + "/gone", text="A teaser.")
        answer = page.post(f"/item/{gone.pk}/fulltext/", follow=True)
    shown = answer.content.decode()
    assert "The full text was not fetched." in shown
    assert "404" in shown
    assert "A teaser." in shown


def test_the_item_uses_the_own_name_of_the_source_and_no_byline_twice(
    page: Client, reader: User
) -> None:
    source = make_source("kiln", reader=reader)
    reader.subscriptions.update(title="My kiln")
    item = make_item(source, author="My kiln")
    assert text(page, f"/item/{item.pk}/").count("My kiln") == 1


def test_discussions_are_hollow_and_apart(page: Client, reader: User) -> None:
    hacker_news = make_source("hn", reader=reader, url="https://hnrss.org/frontpage")
    items = [report(make_source(f"p{n}", reader=reader), f"Paper {n}", 5 - n) for n in range(2)]
    talk = report(hacker_news, "An agent bought gnomes", 2)
    copy = report(make_source("copies", reader=reader), "Paper 0", 1, copy_of=items[0].pk)
    story = make_story(*items, talk, copy)

    shown = text(page, f"/story/{story.pk}/")
    coverage, discussion = shown.split('id="discussion"')
    assert 'id="coverage"' in coverage
    assert f'id="a{talk.pk}"' not in coverage
    assert f'id="a{talk.pk}"' in discussion
    assert shown.count('class="life-talk"') == shown.count('class="life-copy"') == 1
    everything = text(page, f"/story/{story.pk}/?all=1")
    assert f'id="a{talk.pk}"' in everything
    assert 'id="discussion"' not in everything

    row = text(page, "/")
    strip = row[row.index('<svg class="strip"') :].partition("</svg>")[0]
    assert strip.count("<circle") == strip.count("strip-copies") == 1


@pytest.mark.parametrize(
    ("summary", "left"),
    [
        ('He asked for "gnomes". Crowns, he meant.', "Crowns, he meant."),
        ('He asked for "gnomes": "Crowns", he meant.', '"Crowns", he meant.'),
        ("He asked for “gnomes.” “Crowns”, he meant.", "“Crowns”, he meant."),
        ("He asked for “gnomes”", ""),
        ("Something else.", "Something else."),
    ],
)
def test_an_excerpt_begins_after_the_title(summary: str, left: str) -> None:
    assert excerpt(summary, 'He asked for "gnomes"') == left


@pytest.mark.parametrize(
    ("body", "html", "has_text"),
    [
        ("Robots", "", False),
        ("Robots.", "<p>Robots.</p>", False),
        ("Robots. They build cars.", "", True),
        ("", '<p><img src="https://a.example/robot.png" alt=""></p>', True),
        ("", "", False),
    ],
)
def test_a_text_that_repeats_the_title_is_no_text(
    page: Client, reader: User, body: str, html: str, has_text: bool
) -> None:
    item = report(make_source(reader=reader), "Robots", 1)
    ItemBody.objects.filter(pk=item.pk).update(text=body, html=html)
    shown = text(page, f"/item/{item.pk}/")
    assert ("provides only a headline" in shown) is not has_text
