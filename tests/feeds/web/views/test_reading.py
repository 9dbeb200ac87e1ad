"""Stories, river, story, item, search and marks, as a reader's browser asks for them."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from feeds.models import Folder, ItemBody, ItemState, StoryRedirect, Subscription
from feeds.reading.unread import unread_counts
from feeds.web.views.stories import MAX_CHIPS
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db


def text(page: Client, path: str, status: int = 200) -> str:
    answer = page.get(path)
    assert answer.status_code == status
    return answer.content.decode()


@pytest.mark.parametrize("path", ["/", "/river/", "/story/1/", "/item/1/", "/search/?q=x"])
def test_a_stranger_is_asked_to_sign_in(path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/signin/")


def test_stories_show_headline_sources_topics_and_why(page: Client, reader: User) -> None:
    one, two = make_source("one", reader=reader), make_source("two", reader=reader)
    lead = make_item(one, "Lead headline", text="What happened.", topics=["agents"])
    make_story(lead, make_item(two, "Other headline"))
    shown = text(page, "/")
    for part in (
        "Lead headline",
        "+1 source",
        "Other headline",
        "Agents",
        "Why here",
        "What happened.",
    ):
        assert part in shown
    assert "Lead headline" in text(page, "/?topic=agents")
    assert "Lead headline" not in text(page, "/?topic=robotics")


def test_the_selected_filters_come_first_and_those_that_do_not_fit_are_under_more(
    page: Client, reader: User
) -> None:
    lead = make_item(make_source("one", reader=reader), "A headline", topics=["agents"])
    make_story(lead)
    names = [f"Folder {n:03}" for n in range(300)]
    folders = [Folder.objects.create(user=reader, name=name) for name in names]
    Subscription.objects.filter(user=reader).update(folder=folders[299])

    filters, more = text(page, "/").split('<ul class="chips"')[1].split("<details", 1)
    assert 3 <= filters.count('class="chip"') - 1 <= MAX_CHIPS
    assert "Folder 000" in filters and "Agents" in filters
    assert "Folder 299" in more.split("</details>")[0]

    shown = text(page, f"/?folder={folders[299].pk}&topic=agents")
    assert "<h1>Folder 299 · Agents</h1>" in shown and "A headline" in shown
    filters, more = shown.split('<ul class="chips"')[1].split("<details", 1)
    selected = [chip.split("<")[0] for chip in filters.split('aria-current="true">')[1:]]
    assert sorted(selected) == ["Agents", "Folder 299"]
    assert filters.index("Agents") < filters.index("Folder 000")
    assert "Folder 299" not in more.split("</details>")[0]

    long = Folder.objects.create(user=reader, name=f"A {9 * 'long '}name")
    shown = text(page, f"/?folder={long.pk}")
    assert "A long long" in shown and long.name not in shown.split('<ul class="chips"')[1]


def test_saved_stories_are_a_filter_of_stories(page: Client, reader: User) -> None:
    source = make_source("one", reader=reader)
    story = make_story(make_item(source, "A saved headline"))
    make_story(make_item(source, "Another headline"))
    assert "No saved stories" in text(page, "/?saved=1")
    page.post(f"/story/{story.pk}/state/", {"saved": "1"})
    shown = text(page, "/?saved=1")
    assert "A saved headline" in shown
    assert "Another headline" not in shown
    assert 'href="/river/?saved=1"' in shown
    assert "Mark all read" not in shown
    assert 'href="?saved=1"' in text(page, "/")


def test_the_heading_says_how_much_is_unread_of_how_many_sources(
    page: Client, reader: User
) -> None:
    one, two = make_source("one", reader=reader), make_source("two", reader=reader)
    make_story(make_item(one, "A headline", topics=["agents"]))
    read = make_story(make_item(two, "Another headline"))
    page.post(f"/story/{read.pk}/state/", {"read": "1"})
    note = '<b class="num" data-count="stories">1</b><span> unread'
    assert f"{note} · </span>2 sources" in text(page, "/")
    assert f"{note}</span>" in text(page, "/?topic=agents")


@pytest.mark.parametrize("path", ["/", "/river/", "/sources/", "/trends/", "/digest/", "/search/"])
def test_the_bar_shows_how_much_of_the_river_is_unread(
    page: Client, reader: User, path: str
) -> None:
    source = make_source("one", reader=reader)
    make_story(make_item(source, "A headline"), make_item(source, "Another headline"))
    place = '<span>River</span><b class="num" data-count="all">{}</b>'
    assert place.format(2) in text(page, path)
    item = source.items.first()
    page.post(f"/item/{item.pk}/state/", {"read": "1"})
    assert place.format(1) in text(page, path)


def test_an_empty_page_says_what_to_do(page: Client, reader: User) -> None:
    assert "Choose what to read" in text(page, "/")
    assert "Choose sources" in text(page, "/river/")
    make_source(reader=reader, last_fetched_at=timezone.now())
    reader.bump_cache_version()
    assert "No news in the past few days" in text(page, "/")
    assert "Nothing has arrived yet" in text(page, "/river/")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?before=1", "There are no older items."),
        ("?folder=999999", "You don&#39;t have this folder."),
        ("?source=999999", "You don&#39;t follow this source."),
        ("?unread=1", "You're up to date."),
        ("", "Nothing has arrived yet."),
    ],
)
def test_an_empty_river_says_why(page: Client, reader: User, query: str, words: str) -> None:
    source = make_source("one", reader=reader)
    if query:
        item = make_item(source, "Headline")
        ItemState.objects.create(user=reader, item=item, is_read=True)
    assert words in text(page, f"/river/{query}")


def test_a_river_without_sources_has_nothing_to_mark(page: Client, reader: User) -> None:
    assert "Mark all read" not in text(page, "/river/")
    assert "You don't follow any sources yet." in text(page, "/river/?before=1")
    make_source("one", reader=reader)
    reader.bump_cache_version()
    assert "Mark all read" in text(page, "/river/")


def test_a_story_shows_its_coverage_and_a_merged_one_leads_there(
    page: Client, reader: User
) -> None:
    one, two, three = (make_source(name, reader=reader) for name in ("one", "two", "three"))
    now = timezone.now()
    items = [
        make_item(source, f"Headline of {source}", published=now - timedelta(hours=hours))
        for source, hours in ((one, 9), (two, 5), (three, 1))
    ]
    copy = make_item(make_source("copy", reader=reader), "Headline of One")
    story = make_story(*items, copy)
    type(copy).objects.filter(pk=copy.pk).update(copy_of=items[0].pk)
    shown = text(page, f"/story/{story.pk}/")
    for part in ("3 sources", "First", "1 syndicated copy", "+4 h", "Headline of Two"):
        assert part in shown
    StoryRedirect.objects.create(old_id=5, story=story)
    answer = page.get("/story/5/")
    assert (answer.status_code, answer["Location"]) == (302, f"/story/{story.pk}/")


def test_readers_are_strangers_to_each_other(page: Client) -> None:
    item = make_item(make_source("private", reader=make_user("other")))
    story = make_story(item)
    text(page, f"/item/{item.pk}/", 404)
    text(page, f"/story/{story.pk}/", 404)
    assert page.post(f"/item/{item.pk}/state/", {"saved": "1"}).status_code == 404
    assert page.post(f"/story/{story.pk}/state/", {"read": "1"}).status_code == 404
    assert not ItemState.objects.exists()


@pytest.mark.parametrize("path", ["/item/{}/", "/story/{}/", "/river/?before={}", "/?folder={}"])
def test_ids_beyond_all_bounds_are_no_error(page: Client, path: str) -> None:
    assert page.get(path.format(10**30)).status_code in (200, 404)
    assert page.get(path.format(2**63 - 1)).status_code in (200, 404)


def test_opening_an_item_reads_it(page: Client, reader: User) -> None:
    source = make_source(reader=reader)
    item = make_item(source, html="<p>The <b>body</b></p>")
    assert "<p>The <b>body</b></p>" in text(page, f"/item/{item.pk}/")
    assert unread_counts(reader) == {}


def test_enclosures_can_be_played(page: Client, reader: User) -> None:
    item = make_item(make_source(reader=reader))
    sound = {"url": "https://cdn.example/a.mp3", "type": "audio/mpeg", "length": 2_000_000}
    ItemBody.objects.filter(pk=item.pk).update(enclosures=[sound])
    shown = text(page, f"/item/{item.pk}/")
    assert "<audio controls" in shown
    assert "1.9\xa0MB" in shown


def test_titles_cannot_bring_markup(page: Client, reader: User) -> None:
    item = make_item(make_source(reader=reader), "<script>alert(1)</script>")
    make_story(item)
    for path in ("/", "/river/", f"/item/{item.pk}/", "/search/?q=alert"):
        assert "<script>alert" not in text(page, path)


def test_the_river_pages_by_keyset(page: Client, reader: User) -> None:
    source = make_source(reader=reader)
    for number in range(55):
        make_item(source, f"Item-{number}-", published=timezone.now() - timedelta(hours=number))
    shown = text(page, "/river/")
    assert "Item-49-" in shown
    assert "Item-50-" not in shown
    before = shown.split("?before=")[1].split('"')[0]
    rest = page.get(f"/river/?before={before}", headers={"HX-Request": "true"}).content.decode()
    assert "Item-50-" in rest
    assert "<html" not in rest
    assert "You've reached the end" in rest


def test_a_folder_narrows_the_river_and_its_mark(page: Client, reader: User) -> None:
    folder = Folder.objects.create(user=reader, name="Labs")
    lab, paper = make_source("lab", reader=reader), make_source("paper", reader=reader)
    Subscription.objects.filter(source=lab).update(folder=folder)
    make_item(lab, "From the lab")
    last = make_item(paper, "From the paper")
    shown = text(page, f"/river/?folder={folder.pk}")
    assert "<h1>Labs</h1>" in shown
    assert "From the paper</a>" not in shown
    answer = page.post(f"/river/read/?folder={folder.pk}", {"seq": last.seq})
    assert unread_counts(reader) == {paper.pk: 1}
    shown = text(page, answer["Location"])
    assert "Marked 1 item as read." in shown and "Undo" in shown
    undo = answer["Location"].split("undo=")[1]
    page.post(f"/undo/{undo}/")
    assert len(unread_counts(reader)) == 2


def test_buttons_work_as_forms_and_by_script(page: Client, reader: User) -> None:
    item = make_item(make_source(reader=reader))
    form = {"saved": "1", "next": "/river/?unread=1"}
    answer = page.post(f"/item/{item.pk}/state/", form)
    assert (answer.status_code, answer["Location"]) == (302, f"/river/?unread=1#i{item.pk}")
    form = {"read": "1", "next": "/river/?unread=1"}
    answer = page.post(f"/item/{item.pk}/state/", form, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()) == (200, {})
    state = ItemState.objects.get()
    assert (state.is_read, state.is_saved) == (True, True)


def test_a_form_leads_to_no_other_site(page: Client, reader: User) -> None:
    item = make_item(make_source(reader=reader))
    for target in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        answer = page.post(f"/item/{item.pk}/state/", {"saved": "1", "next": target})
        assert answer["Location"] == f"/river/#i{item.pk}"


def test_hiding_a_story_takes_it_off_the_page(page: Client, reader: User) -> None:
    story = make_story(make_item(make_source(reader=reader), "Not again"))
    page.post(f"/story/{story.pk}/state/", {"hidden": "1", "next": "/"})
    assert "Not again" not in text(page, "/")


@pytest.mark.parametrize(
    ("name", "message"),
    [("hidden", "Hidden."), ("less", "You&#x27;ll see fewer stories like this.")],
)
@pytest.mark.parametrize("kind", ["item", "story"])
def test_what_a_form_takes_off_a_list_can_be_undone_there(
    page: Client, reader: User, kind: str, name: str, message: str
) -> None:
    item = make_item(make_source(reader=reader), "A headline")
    story = make_story(item)
    address = f"/{kind}/{item.pk if kind == 'item' else story.pk}/state/"
    path = "/river/" if kind == "item" else "/"

    page.post(address, {name: "1", "next": path})
    shown = text(page, path)
    assert message in shown
    assert "A headline" not in shown
    assert f'formaction="{address}" name="{name}" value="0"' in shown

    page.post(address, {name: "0", "next": path})
    assert "A headline" in text(page, path)


@pytest.mark.parametrize(
    ("name", "value", "before"),
    [
        ("saved", "0", {"is_saved": True}),
        ("saved", "1", {"is_saved": True}),
        ("read", "1", {"is_read": True}),
        ("read", "0", {"is_read": True}),
        ("hidden", "1", {"is_hidden": True}),
        ("less", "1", {"is_hidden": True}),
        ("less", "1", {"is_hidden": True, "is_disliked": True}),
    ],
)
@pytest.mark.parametrize("marked", [[0], [1, 3]])
def test_the_undo_of_a_story_restores_the_marks_that_its_articles_had(
    page: Client,
    reader: User,
    name: str,
    value: str,
    before: dict[str, bool],
    marked: list[int],
) -> None:
    source = make_source(reader=reader)
    items = [make_item(source, f"Headline {number}") for number in range(5)]
    story = make_story(*items)
    other = make_item(source, "Of another story")
    for item in [*(items[number] for number in marked), other]:
        ItemState.objects.create(user=reader, item=item, **before)

    def marks() -> list[tuple[int, ...]]:
        rows = ItemState.objects.filter(user=reader).order_by("item")
        flags = rows.values_list("item", "is_read", "is_saved", "is_hidden", "is_disliked")
        return [(item, *map(bool, values)) for item, *values in flags if any(values)]

    marks_before = marks()
    address, headers = f"/story/{story.pk}/state/", {"Accept": "application/json"}
    changed = page.post(address, {name: value}, headers=headers).json()["changed"]
    assert changed
    only = {f"only_{mark}": ",".join(map(str, ids)) for mark, ids in changed.items()}
    opposite = "01"[value == "0"]
    answer = page.post(address, {name: opposite, **only}, headers=headers)
    assert answer.status_code == 200
    assert marks() == marks_before


def test_an_undo_with_items_that_are_no_numbers_or_of_others_restores_nothing(
    page: Client, reader: User
) -> None:
    private = make_item(make_source("private", is_public=False))
    story = make_story(make_item(make_source(reader=reader)))
    form = {"saved": "1", "only_saved": f"{private.pk},x,-1,,{'9' * 30}", "only_less": "x"}
    answer = page.post(f"/story/{story.pk}/state/", form, headers={"Accept": "application/json"})
    assert answer.status_code == 200
    assert not ItemState.objects.exists()


@pytest.mark.parametrize(("kind", "path"), [("item", "/river/"), ("story", "/")])
def test_mark_unread_leaves_the_page_that_would_mark_it_as_read_again(
    page: Client, reader: User, kind: str, path: str
) -> None:
    item = make_item(make_source(reader=reader))
    address = f"/{kind}/{item.pk if kind == 'item' else make_story(item).pk}/"
    text(page, address)

    answer = page.post(f"{address}state/", {"read": "0", "next": f"{address}?x=1"})

    assert answer["Location"] == path
    assert "Marked as unread." in text(page, path)
    assert unread_counts(reader) == {item.source_id: 1}


def test_search_shows_matches_problems_and_help(page: Client, reader: User) -> None:
    make_item(make_source(reader=reader), "A kestrel lands")
    shown = text(page, "/search/?q=kestrel+souce:x")
    assert "did you mean source:" in shown
    shown = text(page, "/search/?q=kestrel")
    assert "A <mark>kestrel</mark> lands" in shown
    assert "1 result" in shown
    assert "No results" in text(page, "/search/?q=nowhere")
    assert "Search tips" in text(page, "/search/")


def test_the_number_of_queries_does_not_depend_on_the_rows(
    page: Client, reader: User, django_assert_max_num_queries: object
) -> None:
    for number in range(30):
        source = make_source(f"s{number}", reader=reader)
        make_story(make_item(source), make_item(source))
    page.get("/")  # what stands beside all pages is cached
    for path, most in (("/", 18), ("/river/", 16), ("/search/?q=model", 17)):
        with django_assert_max_num_queries(most):  # type: ignore[operator]
            page.get(path)


def test_a_lost_page_is_said_kindly(page: Client) -> None:
    assert "Page not found" in text(page, "/nowhere/", 404)


def test_only_whole_sources_and_folders_are_marked_read(page: Client, reader: User) -> None:
    make_item(make_source("one", reader=reader), topics=["agents"])
    for query in ("?topic=agents", "?saved=1"):
        assert "Mark all read" not in text(page, f"/river/{query}")
        assert page.post(f"/river/read/{query}", {"seq": 99}).status_code == 400
    assert sum(unread_counts(reader).values()) == 1


def test_saving_a_story_saves_its_lead(page: Client, reader: User) -> None:
    source = make_source("one", reader=reader)
    lead = make_item(source, "Lead")
    story = make_story(lead, make_item(source, "Other"))
    page.post(f"/story/{story.pk}/state/", {"saved": "1"})
    assert ItemState.objects.get(is_saved=True).item == lead
    page.post(f"/story/{story.pk}/state/", {"saved": "0"})
    assert not ItemState.objects.filter(is_saved=True).exists()


def test_what_is_saved_no_more_and_not_followed_vanishes(page: Client, reader: User) -> None:
    item = make_item(make_source("one"))
    ItemState.objects.create(user=reader, item=item, is_saved=True)
    address = f"/item/{item.pk}/state/"
    answer = page.post(address, {"saved": "0"}, headers={"Accept": "application/json"})
    assert answer.status_code == 200
    assert page.get(f"/item/{item.pk}/").status_code == 404


def test_numbers_beyond_all_bounds_are_not_there(page: Client) -> None:
    for kind in ("item", "story"):
        assert page.post(f"/{kind}/{10**25}/state/", {"read": "1"}).status_code == 404


def test_mark_all_read_on_stories_of_a_folder_marks_that_folder(page: Client, reader: User) -> None:
    labs = Folder.objects.create(user=reader, name="Labs")
    inside, outside = make_source("inside", reader=reader), make_source("outside", reader=reader)
    Subscription.objects.filter(source=inside).update(folder=labs)
    for source in (inside, outside):
        make_story(make_item(source, f"From {source.title}"))
    shown = text(page, f"/?folder={labs.pk}")
    [(address, seq)] = re.findall(
        r'formaction="(/river/read/[^"]*)" name="seq" value="(\d+)"', shown
    )

    answer = page.post(unescape(address), {"seq": seq, "next": f"/?folder={labs.pk}"})

    assert answer["Location"].startswith("/?folder=")
    assert unread_counts(reader) == {outside.pk: 1}


def test_a_page_of_stories_beyond_the_end_shows_the_first(page: Client, reader: User) -> None:
    make_story(make_item(make_source(reader=reader), "The only story"))

    assert "The only story" in text(page, "/?from=900")
