"""Subscribing to sources, one at a time and by OPML."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from feeds.core.errors import FeedError
from feeds.core.topics import LABELS
from feeds.models import Folder, Source, Subscription
from feeds.sources.catalogue import catalogue_entries, load_catalogue, subscribe_to_packs
from feeds.sources.folders import folder_at, folder_paths
from feeds.sources.opml import read_opml
from feeds.sources.subscriptions import (
    add_source,
    export_opml,
    import_opml,
    subscribe,
    unsubscribe,
)
from tests.make import make_source, make_user

pytestmark = pytest.mark.django_db


def opml(*lines: str) -> bytes:
    return f"<opml version='2.0'><body>{''.join(lines)}</body></opml>".encode()


def line(url: str, title: str = "T") -> str:
    return f'<outline type="rss" text="{title}" xmlUrl="{url}"/>'


def test_two_readers_share_one_source() -> None:
    one, two = make_user("one"), make_user("two")
    first = add_source("https://Lab.example:443/feed#top", user=one)
    second = add_source("https://lab.example/feed", user=two)
    assert first == second
    assert first.subscriptions.count() == 2


@pytest.mark.parametrize("url", ["", "nonsense", "javascript:alert(1)", "https://x.example:22/"])
def test_an_address_that_cannot_be_fetched_is_refused_in_words(url: str) -> None:
    with pytest.raises(FeedError, match=r"\.$"):
        add_source(url, user=make_user())
    assert not Source.objects.exists()


def test_a_source_without_readers_is_paused_until_it_has_one() -> None:
    reader = make_user()
    source = make_source(reader=reader)
    unsubscribe(reader, source)
    source.refresh_from_db()
    assert source.status == Source.Status.PAUSED
    subscribe(reader, source)
    source.refresh_from_db()
    assert source.status == Source.Status.ACTIVE


def test_a_source_of_the_catalogue_is_polled_without_readers() -> None:
    reader = make_user()
    source = make_source(reader=reader, is_public=True)
    unsubscribe(reader, source)
    source.refresh_from_db()
    assert source.status == Source.Status.ACTIVE


def test_a_reader_cannot_use_the_folder_of_another() -> None:
    folder = Folder.objects.create(user=make_user("other"), name="Private")
    with pytest.raises(FeedError, match="isn't yours"):
        subscribe(make_user(), make_source(), folder)


def test_opml_keeps_nested_folders_and_comes_out_as_it_went_in() -> None:
    reader = make_user()
    nested = (
        '<outline text="Labs"><outline text="Europe">'
        + line("https://a.example/feed")
        + "</outline></outline>"
    )
    report = import_opml(reader, opml(nested, line("https://b.example/feed")))
    assert report.added == ("https://a.example/feed", "https://b.example/feed")
    folder = Subscription.objects.get(source__url="https://a.example/feed").folder
    assert folder is not None and folder.parent is not None
    assert (folder.parent.name, folder.name) == ("Labs", "Europe")
    again = {one.url: one.folder for one in read_opml(export_opml(reader)).outlines}
    assert again == {"https://a.example/feed": ("Labs", "Europe"), "https://b.example/feed": ()}


def test_five_thousand_lines_with_duplicates_and_nonsense(settings: Any) -> None:
    settings.QUOTAS = settings.QUOTAS | {"sources": 5_000}
    reader = make_user()
    add_source("https://s1.example/feed", user=reader)
    lines = [line(f"https://s{n % 4000}.example/feed") for n in range(4900)]
    lines += [line("javascript:alert(1)"), line("http://"), line("ftp://x.example/f"), "<outline/>"]
    with CaptureQueriesContext(connection) as queries:
        report = import_opml(reader, opml(*lines))
    assert len(report.added) == 3999
    assert report.known == ("https://s1.example/feed",)
    assert len(report.failed) >= 3
    assert all(why for _, why in report.failed)
    assert len(queries) < 200  # a batch of lines each, not a line
    again = import_opml(reader, opml(*lines))
    assert (len(again.added), len(again.known)) == (0, 4000)


def test_a_folder_a_line_costs_no_query_a_line(settings: Any) -> None:
    settings.QUOTAS = settings.QUOTAS | {"folders": 1_000}
    reader = make_user()
    lines = [
        f'<outline text="Folder {n}">{line(f"https://s{n}.example/feed")}</outline>'
        for n in range(600)
    ]
    with CaptureQueriesContext(connection) as queries:
        report = import_opml(reader, opml(*lines))
    assert len(report.added) == reader.folders.count() == 600
    assert len(queries) < 40


def test_two_spellings_of_an_address_are_reported_as_one() -> None:
    lines = [line("https://a.example/feed"), line("https://a.example/feed#top")]
    report = import_opml(make_user(), opml(*lines))
    assert report.added == ("https://a.example/feed",)
    assert report.failed == (
        ("https://a.example/feed#top", "Same feed as https://a.example/feed."),
    )


def test_a_file_that_is_no_opml_is_explained() -> None:
    with pytest.raises(FeedError, match="not an OPML"):
        import_opml(make_user(), b"<html></html>")


def test_the_catalogue_is_sound() -> None:
    entries = catalogue_entries()
    urls = [entry["url"] for entry in entries]
    assert len(set(urls)) == len(urls) >= 60
    for entry in entries:
        assert entry["url"].startswith("https://")
        assert entry["site_url"].startswith("https://")
        assert entry["title"]
        assert set(entry["topics"]) <= set(LABELS), entry
        assert 0.5 <= entry["weight"] <= 1.5
    assert {entry["pack"] for entry in entries} == {
        "labs",
        "research",
        "engineering",
        "newsletters",
        "news",
        "communities",
    }


def test_loading_the_catalogue_again_respects_the_curator() -> None:
    assert load_catalogue() == len(catalogue_entries())
    Source.objects.filter(pack="labs").update(title="Renamed", status=Source.Status.PAUSED)
    assert load_catalogue() == 0
    assert set(Source.objects.filter(pack="labs").values_list("title", "status")) == {
        ("Renamed", "paused")
    }


def test_packs_are_followed_in_folders_of_their_names() -> None:
    load_catalogue()
    reader = make_user()
    assert subscribe_to_packs(reader, ["labs", "news"]) > 20
    assert {folder.name for folder in reader.folders.all()} == {"Labs", "News"}
    assert subscribe_to_packs(reader, ["labs"]) == 0


def test_sources_that_a_reader_left_do_not_come_back() -> None:
    load_catalogue()
    reader = make_user()
    total = subscribe_to_packs(reader)
    unsubscribe(reader, Source.objects.filter(pack="labs").first())  # type: ignore[arg-type]
    assert subscribe_to_packs(reader) == 0
    assert Subscription.objects.filter(user=reader).count() == total - 1


def test_the_commands_have_clear_messages(tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CommandError, match="no accounts yet"):
        call_command("export_opml")
    make_user("ann")
    file = tmp_path / "mine.opml"
    file.write_bytes(opml(line("https://a.example/feed"), line("gopher://x")))
    call_command("import_opml", str(file))
    assert "1 added, 0 already followed, 1 failed." in capsys.readouterr().out
    call_command("export_opml", str(tmp_path / "out.opml"))
    assert b"https://a.example/feed" in (tmp_path / "out.opml").read_bytes()
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        call_command("import_opml", str(tmp_path / "missing.opml"))
    with pytest.raises(CommandError, match="No account is named bob"):
        call_command("export_opml", user="bob")


def test_a_reader_cannot_set_the_title_of_a_source_for_others() -> None:
    one, other = make_user("one"), make_user("other")
    import_opml(
        one,
        b"<opml><body><outline text='SPAM' xmlUrl='https://bank.example/feed'"
        b" htmlUrl='https://phish.example/'/></body></opml>",
    )
    add_source("https://own.example/feed", user=one, title="Mine")
    for url, title in (("https://bank.example/feed", "SPAM"), ("https://own.example/feed", "Mine")):
        source = add_source(url, user=other)
        assert (source.title, source.site_url) == ("", "")
        assert one.subscriptions.get(source=source).title == title
        assert other.subscriptions.get(source=source).title == ""


def test_a_reader_s_own_names_survive_export_and_import() -> None:
    one, other = make_user("one"), make_user("other")
    source = make_source("lab")
    subscribe(one, source, title="My lab")
    import_opml(other, export_opml(one))
    assert other.subscriptions.get().title == "My lab"


def test_a_source_that_is_gone_is_polled_again_for_a_new_reader() -> None:
    source = make_source("lab", status=Source.Status.GONE)
    add_source(source.url, user=make_user())
    source.refresh_from_db()
    assert source.status == Source.Status.ACTIVE


def test_a_folder_whose_name_has_a_slash_is_found_again() -> None:
    reader = make_user()
    subscribe(reader, make_source(), Folder.objects.create(user=reader, name="AI/ML"))
    (path,) = folder_paths(reader).values()
    assert folder_at(reader, path) == Folder.objects.get()
    assert Folder.objects.count() == 1
