"""The pages of sources, against a real database and real servers."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from accounts.models import User
from feeds.models import FetchLog, Folder, Source, Subscription
from feeds.sources.subscriptions import MAX_OPML_BYTES
from feeds.web.views.sources import PREVIEW_SALT
from tests.feeds.ingest.server import reply, serve
from tests.make import make_item, make_source, make_user

pytestmark = pytest.mark.django_db
FEED = b"""<rss version="2.0"><channel><title>The Lab</title>
<item><title>A model</title><link>https://lab.example/1</link></item></channel></rss>"""


def text(client: Client, url: str) -> str:
    return client.get(url).content.decode()


@pytest.mark.parametrize(
    "path", ["/sources/", "/sources/add/", "/sources/1/", "/sources/export.opml"]
)
def test_the_pages_need_a_reader(client: Client, path: str) -> None:
    assert client.get(path)["Location"].startswith("/signin/")


def test_the_table_tells_each_source_s_health(page: Client, reader: User) -> None:
    make_source("fine", reader=reader, last_succeeded_at=timezone.now(), kind="rss")
    make_source("broken", reader=reader, failures=3, error="The server failed (500).")
    make_source("stranger")

    shown = text(page, "/sources/")

    assert "2 sources, 1 failing" in shown
    assert "The server failed (500)." in shown
    assert all(word in shown for word in ("Fine", "Broken", "source-state-ok", "RSS"))
    assert "Stranger" not in shown


def test_the_number_of_queries_does_not_grow_with_the_sources(
    page: Client, reader: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    folder = Folder.objects.create(user=reader, name="Labs")
    for number in range(12):
        make_source(f"s{number}", reader=reader)
        make_source(f"public{number}", is_public=True)
    Subscription.objects.update(folder=folder)

    page.get("/sources/")  # what stands beside all pages is cached
    with django_assert_num_queries(6):  # three of them for the rows and the catalogue
        assert "s11" in text(page, "/sources/").lower()


def test_sources_are_filtered_and_ordered_by_the_address(page: Client, reader: User) -> None:
    labs = Folder.objects.create(user=reader, name="Labs")
    make_source("calm", reader=reader, items_per_day=0.5)
    make_source("busy", reader=reader, items_per_day=20)
    make_source("broken", reader=reader, failures=2, error="No answer.")
    make_source("resting", reader=reader, status="paused")
    Subscription.objects.filter(source__title="Calm").update(folder=labs)

    def names(query: str) -> list[str]:
        rows = text(page, f"/sources/{query}").partition("<tbody>")[2].partition("</tbody>")[0]
        return re.findall(r'dir="auto">(\w+)</a>', rows)

    assert names("?state=failing") == ["Broken"]
    assert names("?state=paused") == ["Resting"]
    assert names(f"?folder={labs.pk}") == ["Calm"]
    assert names("?sort=items")[:2] == ["Busy", "Calm"]
    assert names("?sort=name") == ["Broken", "Busy", "Calm", "Resting"]
    assert len(names("?state=odd&sort=odd&folder=odd&page=odd")) == 4
    assert "No source matches." in text(page, "/sources/?folder=999")


def test_the_catalogue_is_shown_page_by_page(
    page: Client, reader: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feeds.sources.listing.PAGE_OF_CATALOGUE", 2)
    make_source("mine", reader=reader)
    for number in range(5):
        make_source(f"free{number}", is_public=True, pack="labs")

    first, second = text(page, "/sources/"), text(page, "/sources/?catalogue=2")

    assert "Browse the catalogue (5)" in first
    assert 'id="catalogue">' in first
    assert "Free2" not in first
    assert 'id="catalogue" open>' in second
    assert "Free2" in second
    assert "?catalogue=3#catalogue" in second


def test_headings_order_the_table_and_keep_the_filter(page: Client, reader: User) -> None:
    make_source("calm", reader=reader, failures=1)
    assert "Folder" not in text(page, "/sources/")  # a column of dashes
    Folder.objects.create(user=reader, name="Labs")

    shown = text(page, "/sources/?state=failing&sort=items")

    assert 'href="?state=failing&amp;sort=name"' in shown
    assert 'href="?state=failing"' in shown
    assert 'colspan="2" class="number" aria-sort="descending"' in shown
    assert shown.count("aria-sort") == 1


def test_sources_are_found_by_a_part_of_their_name(
    page: Client, reader: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Die Zeitung", "أخبار الذكاء الاصطناعي", "Le Journal"):
        make_source(f"s{len(name)}", title=name, reader=reader)
    assert 'name="name"' not in text(page, "/sources/")
    monkeypatch.setattr("feeds.web.views.sources.FEW", 2)

    shown = text(page, "/sources/?name=ZEIT")
    assert "Die Zeitung" in shown and "Le Journal" not in shown
    assert 'name="name" value="ZEIT"' in shown
    assert "الذكاء" in text(page, "/sources/?name=الذكاء")
    assert "No source matches." in text(page, "/sources/?name=%22%3E%3Cscript")


def test_a_row_draws_the_items_of_the_last_days(page: Client, reader: User) -> None:
    source = make_source(reader=reader)
    for number in range(3):
        make_item(source, published=timezone.now() - timedelta(days=2, minutes=number))
    make_source("quiet", reader=reader)

    shown = text(page, "/sources/")

    assert "The past 14 days: 3 at most, 0 so far today" in shown
    assert shown.count('class="day-bars"') == 2


def test_the_filter_stays_on_the_next_page(
    page: Client, reader: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feeds.sources.listing.PAGE", 2)
    for number in range(5):
        make_source(f"s{number}", reader=reader, failures=1)

    shown = text(page, "/sources/?state=failing&sort=name&page=2")

    assert "?state=failing&amp;sort=name&amp;page=3" in shown
    assert "Page 2 of 3" in shown


def test_a_stranger_s_private_source_is_not_found(page: Client) -> None:
    source = make_source("secret", reader=make_user("other"))

    assert page.get(f"/sources/{source.pk}/").status_code == 404
    assert page.post(f"/sources/{source.pk}/", {"action": "pause"}).status_code == 404


def test_the_detail_shows_the_log_and_the_newest_items(page: Client, reader: User) -> None:
    source = make_source("lab", reader=reader)
    make_item(source, "A <b>new</b> model")
    FetchLog.objects.create(source=source, status=500, milliseconds=77, error="The server failed.")
    FetchLog.objects.create(source=source, status=200, size=12345, new=3, updated=2)

    shown = text(page, f"/sources/{source.pk}/")

    assert "The server failed." in shown
    assert all(part in shown for part in ("77", "12345", "OK, 2 updated"))
    assert "A &lt;b&gt;new&lt;/b&gt; model" in shown


def test_a_reader_names_and_files_a_source_for_themselves_alone(page: Client, reader: User) -> None:
    source = make_source("lab", reader=reader)
    other = Subscription.objects.create(user=make_user("other"), source=source)

    page.post(
        f"/sources/{source.pk}/",
        {"action": "settings", "title": "My lab", "folder_path": "Labs / Europe"},
    )

    mine = Subscription.objects.get(user=reader)
    other.refresh_from_db()
    assert (mine.title, mine.folder and mine.folder.name) == ("My lab", "Europe")
    assert (other.title, other.folder) == ("", None)
    assert "Labs / Europe" in text(page, "/sources/")


def test_a_folder_s_name_that_is_too_long_is_said_and_nothing_saved(
    page: Client, reader: User
) -> None:
    source = make_source("lab", reader=reader)

    answer = page.post(
        f"/sources/{source.pk}/", {"action": "settings", "title": "x", "folder_path": "f" * 101}
    )

    assert answer.status_code == 422
    assert "100 characters at most" in answer.content.decode()
    assert Subscription.objects.get().title == ""
    assert not Folder.objects.exists()


def test_who_alone_follows_a_source_pauses_and_resumes_it(page: Client, reader: User) -> None:
    source = make_source("lab", reader=reader)

    page.post(f"/sources/{source.pk}/", {"action": "pause"})
    source.refresh_from_db()
    assert source.status == "paused"

    page.post(f"/sources/{source.pk}/", {"action": "resume"})
    source.refresh_from_db()
    assert source.status == "active"


def test_a_newcomer_sees_no_fetch_of_a_private_source_from_before(
    page: Client, reader: User
) -> None:
    private = make_source("private", reader=make_user("other"))
    public = make_source("public", is_public=True)
    for source in (private, public):
        FetchLog.objects.create(
            source=source, error="Early failure", at=timezone.now() - timedelta(hours=1)
        )
        Subscription.objects.create(user=reader, source=source)
    FetchLog.objects.create(source=private, error="Late failure")

    assert "Early failure" in text(page, f"/sources/{public.pk}/")
    seen = text(page, f"/sources/{private.pk}/")
    assert "Late failure" in seen and "Early failure" not in seen


@pytest.mark.parametrize("action", ["pause", "resume", "full_text_on", "full_text_off"])
def test_a_shared_source_is_changed_by_staff_alone(page: Client, reader: User, action: str) -> None:
    shared = make_source("shared", reader=reader)
    Subscription.objects.create(user=make_user("other"), source=shared)
    public = make_source("public", reader=reader, is_public=True)

    for source in (shared, public):
        assert page.post(f"/sources/{source.pk}/", {"action": action}).status_code == 403
    User.objects.filter(pk=reader.pk).update(is_staff=True)
    assert page.post(f"/sources/{shared.pk}/", {"action": action}).status_code == 302


def test_full_text_is_switched(page: Client, reader: User) -> None:
    source = make_source("lab", reader=reader)

    page.post(f"/sources/{source.pk}/", {"action": "full_text_on"})

    assert Source.objects.get().full_text


def test_fetch_now_makes_it_due_but_not_twice_a_minute(page: Client, reader: User) -> None:
    later = timezone.now() + timedelta(hours=5)
    source = make_source("lab", reader=reader, next_poll_at=later)

    page.post(f"/sources/{source.pk}/", {"action": "fetch"})
    source.refresh_from_db()
    assert source.next_poll_at <= timezone.now()

    Source.objects.update(last_fetched_at=timezone.now(), next_poll_at=later)
    shown = page.post(f"/sources/{source.pk}/", {"action": "fetch"}, follow=True).content.decode()
    source.refresh_from_db()
    assert source.next_poll_at == later
    assert "less than a minute ago" in shown


def test_the_page_of_a_source_updates_itself_while_it_is_fetched(
    page: Client, reader: User
) -> None:
    now = timezone.now()
    source = make_source("lab", reader=reader, next_poll_at=now)

    assert "Fetching…" in text(page, f"/sources/{source.pk}/")

    for moment in (now + timedelta(minutes=5), now - timedelta(minutes=3)):  # done; no worker
        Source.objects.update(next_poll_at=moment)
        shown = text(page, f"/sources/{source.pk}/")
        assert "Fetching…" not in shown
        assert "hx-trigger" not in shown.split('<main id="content"')[1]


def test_an_unknown_action_is_not_found(page: Client, reader: User) -> None:
    source = make_source("lab", reader=reader)

    assert page.post(f"/sources/{source.pk}/", {"action": "explode"}).status_code == 404


def test_a_pasted_address_is_previewed_and_nothing_added(page: Client, settings: Settings) -> None:
    settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]
    with serve({"/": reply(200, FEED)}) as server:
        shown = page.post("/sources/add/", {"url": server.url}).content.decode()

    assert "The Lab" in shown
    assert "https://lab.example/1" in shown
    assert not Source.objects.exists()


def test_a_feed_that_is_followed_already_is_not_offered_again(
    page: Client, reader: User, settings: Settings
) -> None:
    settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]
    with serve({"/feed": reply(200, FEED)}) as server:
        make_source("lab", reader=reader, url=server.url + "/feed")
        shown = page.post("/sources/add/", {"url": server.url + "/feed"}).content.decode()

    assert "You already follow this feed" in shown
    assert "confirm" not in shown


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1/", "private address"),
        ("not an address", "not a web address"),
        ("", "not a web address"),
    ],
)
def test_what_cannot_be_added_is_said(page: Client, url: str, words: str) -> None:
    assert words in page.post("/sources/add/", {"url": url}).content.decode()


def test_an_import_without_a_file_is_said(page: Client) -> None:
    answer = page.post("/sources/import/")

    assert answer.status_code == 422
    assert "Choose an OPML file" in answer.content.decode()


def test_a_found_feed_is_followed_in_a_folder(page: Client, reader: User) -> None:
    page.post(
        "/sources/add/", {"url": "https://lab.example/feed", "step": "confirm", "folder": "Labs"}
    )

    subscription = Subscription.objects.select_related("source", "folder").get(user=reader)
    assert subscription.source.url == "https://lab.example/feed"
    assert subscription.folder is not None
    assert subscription.folder.name == "Labs"


def test_a_catalogue_source_is_followed_and_left_again(page: Client, reader: User) -> None:
    source = make_source("public", is_public=True)

    page.post(f"/sources/{source.pk}/", {"action": "follow"})
    assert Subscription.objects.filter(user=reader, source=source).exists()

    answer = page.post(f"/sources/{source.pk}/", {"action": "unfollow"})
    assert answer["Location"] == "/sources/"
    assert not Subscription.objects.exists()


def test_undo_follows_a_source_again_as_it_was(page: Client, reader: User) -> None:
    source = make_source("lab", reader=reader)
    folder = Folder.objects.create(user=reader, name="Labs")
    settings = {"folder": folder, "title": "Mine", "read_up_to": 7, "level": "more"}
    Subscription.objects.update(**settings)
    before = Subscription.objects.values().get()

    answer = page.post(f"/sources/{source.pk}/", {"action": "unfollow"})
    shown = text(page, answer["Location"])
    assert "You no longer follow <bdi>Mine</bdi>." in shown
    assert not Subscription.objects.exists()
    assert "read_up_to" not in shown
    page.post("/sources/restore/")

    assert Subscription.objects.values().get() == before | {"id": Subscription.objects.get().pk}
    assert "You no longer follow" not in text(page, answer["Location"])


def test_another_reader_cannot_use_an_undo(page: Client, reader: User) -> None:
    source = make_source("lab", reader=reader)
    page.post(f"/sources/{source.pk}/", {"action": "unfollow"})
    other = Client()
    other.force_login(make_user("other"))

    other.post("/sources/restore/")
    assert not Subscription.objects.exists()

    page.post("/sources/restore/")
    assert Subscription.objects.get().user == reader


def test_a_file_too_large_for_opml_is_refused(page: Client) -> None:
    large = SimpleUploadedFile("large.opml", b" " * (MAX_OPML_BYTES + 1))

    report = page.post("/sources/import/", {"opml": large})

    assert report.status_code == 422
    assert b"The file is too large: the limit is 10 MiB." in report.content


def test_opml_comes_in_with_a_report_and_goes_out(page: Client) -> None:
    opml = b"""<opml version="2.0"><body><outline text="Labs">
      <outline type="rss" text="Lab" xmlUrl="https://lab.example/feed"/>
      <outline type="rss" text="Odd" xmlUrl="javascript:alert(1)"/></outline></body></opml>"""

    answer = page.post("/sources/import/", {"opml": SimpleUploadedFile("mine.opml", opml)})

    assert answer.status_code == 302
    for _ in range(2):
        report = page.get(answer.headers["Location"]).content.decode()
        assert "<strong>1</strong> added" in report
        assert "javascript:alert(1)" in report
    assert b"https://lab.example/feed" in page.get("/sources/export.opml").content


def test_the_address_of_a_report_leads_to_the_sources_without_one(page: Client) -> None:
    opml = b'<opml version="2.0"><body><outline text="nothing"/></body></opml>'
    assert page.get("/sources/import/").headers["Location"] == "/sources/"
    page.post("/sources/import/", {"opml": SimpleUploadedFile("mine.opml", opml)})
    assert page.get("/sources/import/").status_code == 200
    page.get("/sources/")
    assert page.get("/sources/import/").headers["Location"] == "/sources/"


def test_a_followed_feed_has_the_name_of_its_preview_and_is_polled_at_once(
    page: Client,
    settings: Settings,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]
    with serve({"/": reply(200, FEED)}) as server:
        shown = page.post("/sources/add/", {"url": server.url}).content.decode()
    form = dict(re.findall(r'type="hidden" name="(url|preview)" value="([^"]*)"', shown))

    with django_capture_on_commit_callbacks(execute=True):
        answer = page.post("/sources/add/", form | {"step": "confirm"}, follow=True)

    source = Source.objects.get()
    assert source.title == "The Lab"
    assert "You&#x27;re now following The Lab." in answer.content.decode().replace(
        "&#39;", "&#x27;"
    )
    task = OrmQ.objects.get().task
    assert (task["func"], task["args"]) == ("feeds.tasks.poll_batch", ([source.pk],))


def test_a_preview_has_the_name_of_a_source_that_the_reader_can_see(
    page: Client, settings: Settings
) -> None:
    settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]
    with serve({"/": reply(200, FEED)}) as server:
        url = f"{server.url}/"
        source = make_source("lab", is_public=False, url=url, title="Private name")
        assert "Private name" not in page.post("/sources/add/", {"url": url}).content.decode()
        Source.objects.filter(pk=source.pk).update(is_public=True, title="Our lab")
        shown = page.post("/sources/add/", {"url": url}).content.decode()
    assert re.findall(r'<h2 id="feed[^>]*>([^<]*)', shown) == ["Our lab"]


def test_following_in_the_catalogue_stays_there(page: Client, reader: User) -> None:
    source = make_source("public", is_public=True)
    shown = unescape(text(page, "/sources/?sort=next"))
    form = re.search(r'formaction="(/sources/\d+/\?[^"]*catalogue=1)"', shown)
    assert form

    answer = page.post(form[1], {"action": "follow"})

    assert answer.headers["Location"] == "/sources/?sort=next&catalogue=1#catalogue"
    assert "You&#39;re now following" in text(page, "/sources/?sort=next&catalogue=1")
    assert Subscription.objects.get().source == source


@pytest.mark.parametrize("url", ["https://lab.example/feed", "https://other.example/feed"])
def test_a_name_that_no_preview_showed_is_not_given_to_a_source(page: Client, url: str) -> None:
    other = signing.dumps(["https://lab.example/", "Fake"], salt=PREVIEW_SALT)

    for preview in (other, other + "x", "Fake"):
        page.post("/sources/add/", {"url": url, "step": "confirm", "preview": preview})

    assert Source.objects.get().title == ""
