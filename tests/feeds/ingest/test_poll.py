"""Polling real servers on loopback into a real database."""

import gzip
import time
import zlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from html import escape
from http.server import BaseHTTPRequestHandler
from typing import Any

import brotli
import pytest
import zstandard
from django.db import connection
from django.utils import timezone

from accounts.models import User
from feeds.core.bulk import prefer_lz4
from feeds.ingest import outcome as outcome_module
from feeds.ingest.fetch.client import Limits
from feeds.ingest.fetch.guard import Guard
from feeds.ingest.lease import claim
from feeds.ingest.move import current_source
from feeds.ingest.outcome import Outcome
from feeds.ingest.poll import PollReport, _Poll, poll_sources
from feeds.models import FetchLog, Item, Source
from tests.feeds.ingest.hostile import FEEDS
from tests.feeds.ingest.server import Answer, Server, redirect, reply, serve
from tests.make import make_source, make_user

pytestmark = pytest.mark.django_db
LIMITS = Limits(
    guard=Guard.of(["127.0.0.1"]),
    timeout=2,
    connect_timeout=1,
    max_bytes=12_000_000,
    host_pause=0.0,
)


def rss(*titles: str, extra: str = "", dated: bool = True) -> bytes:
    date = "<pubDate>Mon, 02 Nov 2026 10:00:00 GMT</pubDate>" if dated else ""
    items = "".join(
        f"<item><title>{title}</title><link>https://outlet.example/{number}</link>"
        f"<guid>g{number}</guid>{date}<description>Text of {title}</description></item>"
        for number, title in enumerate(titles)
    )
    head = "<title>Outlet</title><link>https://outlet.example/</link>"
    return f"<rss version='2.0'><channel>{head}{extra}{items}</channel></rss>".encode()


def feed(*titles: str, **headers: str) -> Answer:
    return reply(200, rss(*titles), **({"Content_Type": "application/rss+xml"} | headers))


def source_at(server: Server, path: str = "/", reader: User | None = None) -> Source:
    return make_source(f"s{Source.objects.count()}", url=server.url + path, reader=reader)


def poll(sources: Iterable[Source], **options: object) -> PollReport:
    ids = [source.pk for source in sources]
    return poll_sources(ids, limits=LIMITS, **options)  # type: ignore[arg-type]


def poll_answer(answer: Answer) -> tuple[Source, Outcome]:
    with serve({"/": answer}) as server:
        source = source_at(server)
        report = poll([source])
    source.refresh_from_db()
    return source, report.outcomes[0]


def test_a_poll_stores_describes_and_schedules() -> None:
    source, outcome = poll_answer(feed("One", "Two"))
    assert len(outcome.stored.new_ids) == Item.objects.count() == 2
    assert (source.kind, source.failures, source.error) == ("rss", 0, "")
    assert source.site_url == "https://outlet.example/"
    assert source.lease_until is None
    assert source.next_poll_at > timezone.now()
    log = FetchLog.objects.get()
    assert (log.status, log.new, log.updated) == (200, 2, 0)


def test_the_second_poll_asks_conditionally_and_takes_a_304_for_an_answer() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        known = handler.headers.get("If-None-Match") == '"v1"'
        (reply(304) if known else feed("One", ETag='"v1"'))(handler)

    with serve({"/": answer}) as server:
        source = source_at(server)
        poll([source])
        report = poll([source])
    assert report.outcomes[0].status == 304
    assert report.outcomes[0].is_unchanged
    source.refresh_from_db()
    assert source.etag == '"v1"'


def test_every_twelve_hours_the_whole_document_is_requested() -> None:
    with serve({"/": feed("One", ETag='"v1"')}) as server:
        source = source_at(server)
        poll([source])
        Source.objects.update(last_full_fetch_at=timezone.now() - timedelta(hours=13))
        poll([source])
    assert "if-none-match" not in server.requests[1][2]


def test_a_body_that_is_the_same_is_not_parsed_again() -> None:
    with serve({"/": feed("One")}) as server:
        source = source_at(server)
        poll([source])
        Item.objects.all().delete()
        assert poll([source]).outcomes[0].is_unchanged
    assert not Item.objects.exists()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_truncated_body_is_a_failure_and_its_validators_are_not_kept(encoding: str) -> None:
    squeeze = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "br": brotli.compress,
        "zstd": zstandard.ZstdCompressor().compress,
    }[encoding]
    half = squeeze(rss(*[f"Title {number}" for number in range(50)]))[:-20]
    answers = iter(
        [
            reply(200, half, ETag='"v1"', Last_Modified="today", Content_Encoding=encoding),
            feed("One", "Two", ETag='"v1"'),
        ]
    )
    with serve({"/": lambda handler: next(answers)(handler)}) as server:
        source = source_at(server)
        poll([source])
        source.refresh_from_db()
        assert "truncated" in source.error
        assert (source.etag, source.last_modified, source.body_hash) == ("", "", "")
        assert not Item.objects.exists()
        assert poll([source]).new == 2
    assert "if-none-match" not in server.requests[1][2]


def test_a_source_that_another_worker_holds_is_left_to_it() -> None:
    with serve({"/": feed("One")}) as server:
        source = source_at(server)
        claim([source.pk], timezone.now())
        assert poll([source]).busy == 1
        assert not server.requests
        Source.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert poll([source]).new == 1


def test_a_worker_that_comes_too_late_does_not_overwrite_the_schedule() -> None:
    until = timezone.now() + timedelta(hours=1)
    with serve({"/": reply(404)}) as server:
        source = source_at(server)
        late = _Poll(claim([source.pk], timezone.now()), None, None)
        Source.objects.update(lease_token=99, lease_until=until)
        late.run(LIMITS)
        late.flush()
    source.refresh_from_db()
    assert (source.lease_until, source.failures) == (until, 0)


def test_one_feed_that_cannot_be_stored_delays_none_of_its_neighbours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = outcome_module.store_entries

    def fail_for_one(source_id: int, *arguments: Any, **options: Any) -> Any:
        if source_id == broken.pk:
            raise RuntimeError("disk error")
        return store(source_id, *arguments, **options)

    monkeypatch.setattr(outcome_module, "store_entries", fail_for_one)
    with serve({"/": feed("One"), "/2": feed("Two"), "/3": feed("Three")}) as server:
        broken, *others = (source_at(server, path) for path in ("/2", "/", "/3"))
        report = poll([broken, *others])
    assert [outcome.source for outcome in report.crashed] == [broken]
    assert report.new == Item.objects.count() == 2
    broken.refresh_from_db()
    assert "could not be saved" in broken.error
    assert (broken.body_hash, broken.failures) == ("", 1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(500), "reported an error (500)"),
        (reply(404), "no longer exists at this address"),
        (reply(429, Retry_After="7200"), "limiting how often"),
        (reply(200, b"<html><body>Hello</body></html>", Content_Type="text/html"), "page"),
        (reply(200, b""), "empty"),
        (redirect("/"), "loop"),
        (redirect("http://127.0.0.2/feed"), "private"),
        (redirect("file:///etc/passwd"), "http"),
        (reply(200, b"x" * 13_000_000), "exceeds the limit"),
        (
            reply(200, gzip.compress(b"\0" * 50_000_000), Content_Encoding="gzip"),
            "exceeds the limit",
        ),
    ],
)
def test_a_failure_is_a_sentence_and_is_tried_again_later(answer: Answer, words: str) -> None:
    source, outcome = poll_answer(answer)
    assert words in source.error.lower(), source.error
    assert source.error == outcome.error
    assert source.error.endswith(".")
    assert source.failures == 1
    assert source.failing_since is not None
    assert source.next_poll_at > timezone.now()
    assert FetchLog.objects.get().error == source.error


def test_a_dead_host_is_a_sentence() -> None:
    source = make_source("dead", url="http://127.0.0.1:9/feed")
    poll([source])
    source.refresh_from_db()
    assert "refused the connection" in source.error


def test_a_slow_server_delays_nobody_else() -> None:
    def slow(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(3)

    done: list[str] = []
    with serve({"/slow": slow, "/": feed("One")}) as server:
        sources = [source_at(server, "/slow"), source_at(server, "/")]
        poll(sources, on_result=lambda outcome: done.append(outcome.source.url))
    assert done[0].endswith("/")
    sources[0].refresh_from_db()
    assert "within 2 seconds" in sources[0].error


def test_a_removed_feed_is_gone_and_keeps_its_items() -> None:
    with serve({"/": feed("One")}) as server:
        source = source_at(server)
        poll([source])
        server.routes["/"] = reply(410)
        poll([source])
    source.refresh_from_db()
    assert source.status == Source.Status.GONE
    assert "permanently removed" in source.error
    assert Item.objects.count() == 1


def test_a_success_resets_the_failures() -> None:
    with serve({"/": reply(500)}) as server:
        source = source_at(server)
        poll([source])
        server.routes["/"] = feed("One")
        poll([source])
    source.refresh_from_db()
    assert (source.failures, source.failing_since, source.error) == (0, None, "")


def test_broken_xml_is_recovered_with_a_complaint() -> None:
    whole = rss("One", "Two", "Three")
    source, outcome = poll_answer(reply(200, whole[: whole.index(b"Text of Three")]))
    assert len(outcome.stored.new_ids) >= 2
    assert source.complaint


def test_a_permanent_redirect_is_adopted_after_a_week() -> None:
    with serve({"/": redirect("/new", 301), "/new": feed("One")}) as server:
        source = source_at(server)
        poll([source])
        source.refresh_from_db()
        assert source.url == server.url + "/"
        assert source.moved_to == server.url + "/new"
        Source.objects.update(moved_since=timezone.now() - timedelta(days=8))
        poll([source])
    source.refresh_from_db()
    assert source.url == server.url + "/new"


def test_a_move_to_a_known_source_merges_the_two() -> None:
    reader = make_user()
    with serve({"/": redirect("/new", 308), "/new": feed("One", "Two")}) as server:
        old = source_at(server, "/", reader=reader)
        known = source_at(server, "/new", reader=reader)
        poll([known, old])
        assert Item.objects.count() == 4
        Source.objects.update(moved_since=timezone.now() - timedelta(days=8))
        poll([old])
    old.refresh_from_db()
    assert (old.status, old.moved_to) == (Source.Status.GONE, known.url)
    assert current_source(old) == known
    assert known.subscriptions.get().user == reader
    assert Item.objects.count() == 2


def test_a_move_during_a_poll_of_several_sources_loses_no_new_item() -> None:
    reader = make_user()
    with serve({"/": redirect("/new", 308), "/new": feed("One", "Two"), "/b": feed("Three")}) as s:
        sources = [source_at(s, path, reader=reader) for path in ("/b", "/new", "/")]
        Source.objects.update(moved_to=s.url + "/new", moved_since=timezone.now() - timedelta(8))
        report = poll(sources)
    assert not report.failed
    sources[2].refresh_from_db()
    assert sources[2].status == Source.Status.GONE
    assert sorted(Item.objects.values_list("title", flat=True)) == ["One", "Three", "Two"]


def test_a_poll_of_several_sources_writes_the_index_once() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("FTS5 has segments, GIN has none")
    now = timezone.now()
    answers = {}
    for number in range(3):  # the second source begins with an older entry than the first ends
        dates = [now - timedelta(days=day, hours=number) for day in range(4)]
        items = "".join(
            f"<item><guid>{number}.{day}</guid><title>Title {number} {day}</title>"
            f"<pubDate>{date:%a, %d %b %Y %H:%M:%S GMT}</pubDate></item>"
            for day, date in enumerate(dates)
        )
        body = f"<rss version='2.0'><channel><title>F</title>{items}</channel></rss>"
        answers[f"/{number}"] = reply(200, body.encode(), Content_Type="application/rss+xml")
    with serve(answers) as server:
        poll([source_at(server, path) for path in answers])
    assert Item.objects.count() == 12
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT segid) FROM feeds_search_idx")
        assert cursor.fetchone() == (1,)


def test_a_temporary_redirect_moves_nothing() -> None:
    with serve({"/": redirect("/new", 302), "/new": feed("One")}) as server:
        source = source_at(server)
        poll([source])
    source.refresh_from_db()
    assert source.moved_to == ""


def test_the_newest_two_thousand_entries_are_stored_and_the_log_says_so() -> None:
    source, outcome = poll_answer(feed(*(f"Entry {n}" for n in range(10_000))))
    assert source.error == ""
    assert len(outcome.stored.new_ids) == Item.objects.count() == 2_000
    said = "The feed has 10,000 entries; only the newest 2,000 were read."
    assert said in source.complaint
    assert FetchLog.objects.get().note == said


def test_a_document_that_exceeds_a_limit_is_a_failure_and_stores_nothing() -> None:
    bomb = gzip.compress(FEEDS["a million entries"]()[:11_900_000])
    source, outcome = poll_answer(reply(200, bomb, Content_Encoding="gzip", ETag='"v1"'))
    assert source.error == FetchLog.objects.get().error
    assert source.error == "The document has more than 200,000 elements."
    assert (source.failures, source.etag, outcome.crashed) == (1, "", False)
    assert not Item.objects.exists()


def test_all_entries_with_the_same_guid_are_stored() -> None:
    body = rss("One", "Two", "Three").replace(b"<guid>g1<", b"<guid>g0<")
    body = body.replace(b"<guid>g2<", b"<guid>g0<")
    source, outcome = poll_answer(reply(200, body))
    assert len(outcome.stored.new_ids) == 3
    assert not source.trusts_guid
    assert "reuses ids" in source.complaint


def test_null_bytes_and_one_long_line_do_no_harm() -> None:
    body = rss("One\0null", "x" * 5_000_000)
    source, outcome = poll_answer(reply(200, body))
    assert len(outcome.stored.new_ids) == 2, source.error
    assert not [item for item in Item.objects.all() if "\0" in item.title]


def test_dates_of_1970_and_2099_are_corrected() -> None:
    body = rss("Old", "New")
    body = body.replace(b"02 Nov 2026", b"01 Jan 1970", 1).replace(b"02 Nov 2026", b"01 Jan 2099")
    poll_answer(reply(200, body))
    now = timezone.now()
    for item in Item.objects.all():
        assert now - timedelta(days=1) < item.published_at <= now


def test_sources_do_not_fail_while_the_network_is_down() -> None:
    sources = [make_source(f"dead{n}", url=f"http://127.0.0.{n}:9/feed") for n in range(1, 6)]
    limits = replace(LIMITS, guard=Guard.of(["127.0.0.0/8"]))
    report = poll_sources([source.pk for source in sources], limits=limits)
    assert report.offline
    sources[0].refresh_from_db()
    assert (sources[0].failures, sources[0].failing_since) == (0, None)
    assert "is unreachable" in sources[0].error
    assert sources[0].next_poll_at < timezone.now() + timedelta(minutes=6)


def test_dead_hosts_fail_if_other_hosts_answer() -> None:
    make_source("alive", last_succeeded_at=timezone.now())
    sources = [make_source(f"dead{n}", url=f"http://127.0.0.{n}:9/feed") for n in range(1, 6)]
    limits = replace(LIMITS, guard=Guard.of(["127.0.0.0/8"]))
    assert not poll_sources([source.pk for source in sources], limits=limits).offline
    sources[0].refresh_from_db()
    assert sources[0].failures == 1


def test_blocked_addresses_do_not_count_as_a_missing_network() -> None:
    sources = [make_source(f"inner{n}", url=f"http://127.0.0.{n}:9/feed") for n in range(1, 7)]
    limits = replace(LIMITS, guard=Guard.of([]))
    assert not poll_sources([source.pk for source in sources], limits=limits).offline
    sources[0].refresh_from_db()
    assert (sources[0].failures, bool(sources[0].error)) == (1, True)


def test_sources_that_are_not_fetched_in_time_are_released_and_stay_due() -> None:
    def silence(_: BaseHTTPRequestHandler) -> None:
        time.sleep(8)

    with serve({"/": silence}) as tar_pit, serve({"/": feed("One")}) as server:
        slow, quick = source_at(tar_pit), source_at(server)
        limits = replace(LIMITS, timeout=20)
        started = time.monotonic()
        report = poll_sources([slow.pk, quick.pk], limits=limits, seconds=1)
        assert time.monotonic() - started < 5
    assert [outcome.source for outcome in report.outcomes] == [quick]
    slow.refresh_from_db()
    assert slow.lease_until is None
    assert slow in Source.objects.due()


def test_a_feed_cannot_set_a_script_as_its_site() -> None:
    hostile = rss("One").replace(b"https://outlet.example/<", b"javascript:alert(1)<", 1)
    source, _ = poll_answer(reply(200, hostile))
    assert source.site_url == ""


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite does not compress values")
def test_postgresql_compresses_long_texts_by_lz4_unless_an_administrator_chose_otherwise() -> None:
    body = " ".join(f"<b>word {number}</b>" for number in range(1000))
    entry = f"<item><guid>1</guid><title>T</title><description>{escape(body)}</description></item>"
    answer = reply(200, f"<rss version='2.0'><channel>{entry}</channel></rss>".encode())
    poll_answer(answer)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_column_compression(html) FROM feeds_itembody")
        assert cursor.fetchone() == ("lz4",)

        cursor.execute("SET default_toast_compression = 'pglz'")
        prefer_lz4()
        cursor.execute("SHOW default_toast_compression")
        assert cursor.fetchone() == ("pglz",)
        cursor.execute("RESET default_toast_compression")
