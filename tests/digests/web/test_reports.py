"""Readers report mistakes and articles in the wrong story, and administrators judge that."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from digests.editions.write import write_digest
from feeds.models import Item, Report, Source, Story
from feeds.reading import reports
from feeds.reading.reports import MAX_NOTE
from feeds.stories.grouping.edit import delete_stories, merge_stories
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db
TEXTS = (
    "The lab in Calder opened its new robot factory on Monday with four hundred workers.",
    "The factory in Calder cost nine million crowns, the mayor said at the opening on Monday.",
    "Workers of the robot factory in Calder will build two hundred robots a week from May.",
)


@pytest.fixture
def client(reader: User) -> Client:
    client = Client()
    client.force_login(reader)
    return client


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(make_user("admin", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def story(reader: User) -> Story:
    now = timezone.now()
    return make_story(
        *[
            make_item(
                make_source(f"paper{n}", reader=reader),
                f"Robot factory {n}",
                text=text,
                published=now - timedelta(hours=9 - n),
            )
            for n, text in enumerate(TEXTS)
        ]
    )


def choices(client: Client, address: str) -> dict[str, str]:
    """{text of a choice: its value}"""
    page = client.get(address).content.decode()
    found = re.findall(r'name="wrong" value="([^"]+)".*?<bdi>(.*?)</bdi>', page)
    return {unescape(text): value for value, text in found}


def act(admin: Client, action: str, *pks: int) -> str:
    data = {"action": action, "_selected_action": list(pks)}
    return admin.post("/admin/feeds/report/", data, follow=True).content.decode()


def test_a_sentence_is_reported_with_its_sources_and_undone(
    client: Client, reader: User, story: Story
) -> None:
    address = f"/story/{story.pk}/report/"
    assert address in client.get(f"/story/{story.pk}/").content.decode()
    offered = choices(client, address)
    sentence = next(text for text in offered if text in TEXTS)

    sent = client.post(address, {"wrong": offered[sentence], "note": " It was Tuesday. "})

    report = Report.objects.get()
    assert (report.user, report.kind, report.state) == (reader, "mistake", "open")
    assert (report.sentence, report.note) == (sentence, "It was Tuesday.")
    assert (report.story, report.story_title, report.place) == (story.pk, story.title, "story")
    cited = Item.objects.get(summary=sentence)
    assert report.articles == [
        {"item": cited.pk, "title": cited.title, "url": cited.url, "source": str(cited.source)}
    ]
    page = client.get(sent["Location"]).content.decode()
    assert "Your report was sent" in page
    assert f"/reports/{report.pk}/withdraw/" in page
    assert "not reviewed yet" in client.get(address).content.decode()

    client.post(f"/reports/{report.pk}/withdraw/", {"next": f"/story/{story.pk}/"})
    assert not Report.objects.exists()
    assert "Your report was sent" not in client.get(sent["Location"]).content.decode()


def test_a_report_changes_no_story_until_an_administrator_acts_and_then_undoes_it(
    client: Client, admin: Client, story: Story
) -> None:
    wrong = Item.objects.get(title="Robot factory 2")
    address = f"/story/{story.pk}/report/"
    page = client.get(f"{address}?item={wrong.pk}").content.decode()
    assert len(re.findall(r'name="wrong"[^>]* checked', page)) == 1
    client.post(address, {"wrong": choices(client, address)[wrong.title]})
    report = Report.objects.get()
    assert (report.kind, report.item) == ("misplaced", wrong.pk)
    assert set(Item.objects.values_list("story", flat=True)) == {story.pk}
    assert wrong.title in admin.get("/admin/").content.decode()
    assert wrong.title in admin.get("/admin/feeds/report/").content.decode()
    assert admin.get(f"/admin/feeds/report/{report.pk}/change/").status_code == 200

    act(admin, "split_off", report.pk)
    wrong.refresh_from_db()
    assert wrong.story_id != story.pk
    report.refresh_from_db()
    assert (report.state, report.handled_by and report.handled_by.username) == ("done", "admin")
    assert "corrected" in client.get(address).content.decode()
    client.post(f"/reports/{report.pk}/withdraw/")
    assert Report.objects.count() == 1

    act(admin, "put_back", report.pk)
    wrong.refresh_from_db()
    assert wrong.story_id == story.pk
    report.refresh_from_db()
    assert (report.state, report.handled_by, report.split_from) == ("open", None, None)


def test_what_was_reported_outlives_the_story_the_items_and_the_reader(
    client: Client, reader: User, admin: Client, story: Story
) -> None:
    address = f"/story/{story.pk}/report/"
    for text, value in choices(client, address).items():
        client.post(address, {"wrong": value, "note": text})
    count = Report.objects.count()
    assert count >= 4
    other = make_story(make_item(make_source("other")))
    merge_stories(other, [story])
    assert client.get(address).status_code == 302
    delete_stories([other])
    Item.objects.all().delete()
    reader.delete()

    assert Report.objects.filter(user=None).count() == count
    assert "Robot factory" in admin.get("/admin/feeds/report/").content.decode()
    pks = Report.objects.values_list("pk", flat=True)
    assert "was deleted" in act(admin, "split_off", *pks)
    act(admin, "dismiss", *pks)
    assert not Report.objects.open().exists()


def test_what_the_reader_saw_is_reported_when_the_story_went_on(
    client: Client, story: Story
) -> None:
    address = f"/story/{story.pk}/report/"
    offered = choices(client, address)
    sentence = next(text for text in offered if text in TEXTS)
    Item.objects.filter(summary=sentence).delete()

    assert client.post(address, {"wrong": offered[sentence]}).status_code == 302
    assert Report.objects.get().sentence == sentence


def test_the_same_report_again_is_one(client: Client, story: Story) -> None:
    address = f"/story/{story.pk}/report/"
    for note in ("Wrong.", "", "Wrong day."):
        value = next(iter(choices(client, address).values()))
        assert client.post(address, {"wrong": value, "note": note}).status_code == 302

    assert Report.objects.get().note == "Wrong day."


def test_reports_are_limited_and_nothing_that_was_written_is_lost(
    client: Client, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MAX_A_DAY", 2)
    address = f"/story/{story.pk}/report/"
    values = list(choices(client, address).values())
    for value in values[:2]:
        assert client.post(address, {"wrong": value}).status_code == 302

    refused = client.post(address, {"wrong": values[2], "note": "My <own> words"})
    assert refused.status_code == 429
    page = refused.content.decode()
    assert "tomorrow" in page
    assert "My &lt;own&gt; words" in page
    assert f'value="{values[2]}" checked' in page
    as_json = client.post(address, {"wrong": values[2]}, headers={"Accept": "application/json"})
    assert (as_json.status_code, "tomorrow" in as_json.json()["problem"]) == (429, True)
    assert Report.objects.count() == 2

    Report.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert client.post(address, {"wrong": values[2], "note": "x" * 900}).status_code == 302
    assert len(Report.objects.first().note) == MAX_NOTE  # type: ignore[union-attr]


def test_nothing_can_be_invented(client: Client, story: Story, reader: User) -> None:
    other = make_story(*[make_item(make_source(f"o{n}", reader=reader)) for n in range(2)])
    foreign = next(iter(choices(client, f"/story/{other.pk}/report/").values()))
    for value in ("", "item-1", foreign, foreign[:-1], "null"):
        answer = client.post(f"/story/{story.pk}/report/", {"wrong": value})
        assert answer.status_code == 400
        assert "Choose the sentence" in answer.content.decode()
    assert not Report.objects.exists()


def test_others_see_and_withdraw_nothing(client: Client, reader: User) -> None:
    private = make_story(*[make_item(make_source(f"p{n}", reader=reader)) for n in range(2)])
    address = f"/story/{private.pk}/report/"
    client.post(address, {"wrong": next(iter(choices(client, address).values()))})
    report = Report.objects.get()
    other = Client()
    assert other.get(address).status_code == 302
    other.force_login(make_user("other"))

    assert other.get(address).status_code == 404
    assert other.get("/admin/feeds/report/").status_code == 302
    other.post(f"/reports/{report.pk}/withdraw/")
    assert Report.objects.get() == report
    assert "Your report" not in other.get(f"/?reported={report.pk}").content.decode()


@pytest.mark.parametrize("is_global", [False, True])
def test_a_sentence_of_an_edition_is_reported_with_the_edition(
    client: Client, reader: User, story: Story, is_global: bool
) -> None:
    if is_global:
        Source.objects.update(is_public=True)
    digest = write_digest(None if is_global else reader)
    part = "global/" if is_global else ""
    address = f"/digest/{part}{digest.date}/report/{story.pk}/"
    assert address in client.get(f"/digest/{part}{digest.date}/").content.decode()
    offered = choices(client, address)
    assert set(offered) <= set(TEXTS)

    sent = client.post(address, {"wrong": next(iter(offered.values()))})

    assert sent["Location"].endswith("#story-1")
    assert "Your report was sent" in client.get(sent["Location"]).content.decode()
    place = Report.objects.get().place
    assert place.startswith("site digest of" if is_global else "digest of")
    assert client.get(f"/digest/{part}{digest.date}/report/1/").status_code == 404


def test_a_large_story_offers_both_ends_and_the_article_it_is_asked_for(
    client: Client, reader: User
) -> None:
    source = make_source(reader=reader)
    now = timezone.now()
    items = [
        make_item(source, f"Part {n}", published=now - timedelta(minutes=500 - n))
        for n in range(100)
    ]
    story = make_story(*items)
    address = f"/story/{story.pk}/report/"
    assert len(choices(client, address)) == 30

    assert "Part 50" in choices(client, f"{address}?item={items[50].pk}")
    assert len(choices(client, f"{address}?item=1")) == 30


def test_a_story_of_one_article_has_nothing_to_report(client: Client, reader: User) -> None:
    story = make_story(make_item(make_source(reader=reader)))
    page = client.get(f"/story/{story.pk}/report/").content.decode()
    assert "nothing to report" in page
    assert "Report an article" not in client.get(f"/story/{story.pk}/").content.decode()
