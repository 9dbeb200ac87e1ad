"""No document takes more than a few seconds and some memory; each limit has a clear message."""

import gzip
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from feeds.core.errors import FeedError, LimitError
from feeds.ingest.clean.entries import clean_feed
from feeds.ingest.parse.budget import MAX_ENTRIES, Budget, newest
from feeds.ingest.parse.feed import parse_feed
from feeds.ingest.parse.tolerant import read_tolerantly, recover_tree
from feeds.ingest.parse.types import ParsedFeed
from feeds.sources.opml import read_opml
from tests.feeds.ingest.hostile import FEEDS, HEAD, LISTS, rss

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MOST_SECONDS = 8.0
"""Limit of CPU time, for a slow machine. Without limits, it took minutes."""
MOST_MEGABYTES = 400


def read(body: bytes, budget: Budget | None = None) -> ParsedFeed:
    feed = parse_feed(body, "", "https://lab.example/feed", budget)
    clean_feed(feed, "https://lab.example/", trusts_guid=True, now=NOW, budget=budget)
    return feed


def measure(reads: Callable[[bytes], Any], body: bytes) -> tuple[str, float, int]:
    """Return the error, and the CPU seconds and MiB that a new process needs in addition."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=_measured, args=(reads, body, theirs))
    child.start()
    theirs.close()
    found: tuple[str, float, int] = ours.recv()
    child.join()
    return found


def _measured(reads: Callable[[bytes], Any], body: bytes, answer: Any) -> None:
    before, started = _peak(), time.process_time()
    try:
        reads(body)
        error = ""
    except FeedError as caught:
        error = str(caught)
    answer.send((error, time.process_time() - started, _peak() - before))


def _peak() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit // 2**20


@pytest.mark.parametrize("name", FEEDS)
def test_a_hostile_feed_is_read_or_refused_in_time(name: str) -> None:
    error, seconds, megabytes = measure(read, FEEDS[name]())

    assert error == "" or error.endswith(".")
    assert seconds < MOST_SECONDS
    assert megabytes < MOST_MEGABYTES


@pytest.mark.parametrize("name", LISTS)
def test_a_hostile_list_is_read_or_refused_in_time(name: str) -> None:
    error, seconds, megabytes = measure(read_opml, LISTS[name]())

    assert error == "" or error.endswith(".")
    assert seconds < MOST_SECONDS
    assert megabytes < MOST_MEGABYTES


def test_some_kilobytes_that_unfold_to_a_million_entries_are_refused() -> None:
    body = FEEDS["a million entries"]()
    assert len(gzip.compress(body)) < 24_000

    with pytest.raises(LimitError, match="more than 200,000 elements"):
        parse_feed(body)


def dated(number: int) -> str:
    return (NOW - timedelta(hours=number)).strftime("%a, %d %b %Y %H:%M:%S +0000")


def item(number: int, date: str = "") -> str:
    written = f"<pubDate>{date}</pubDate>" if date else ""
    return f"<item><guid>{number}</guid><title>T{number}</title>{written}</item>"


def guids(body: Iterable[str], *, broken: bool = False) -> tuple[list[str], str]:
    whole = rss("".join(body).encode())
    feed = parse_feed(whole[: -len("</rss>")] if broken else whole)
    return [entry.guid for entry in feed.entries], feed.complaint


@pytest.mark.parametrize("broken", [False, True])
def test_the_newest_two_thousand_entries_are_read_in_their_order(broken: bool) -> None:
    items = [item(number, dated(number)) for number in range(3_000)]

    newest_last, complaint = guids(reversed(items), broken=broken)

    assert newest_last == [str(number) for number in range(1_999, -1, -1)]
    assert "The feed has 3,000 entries; only the newest 2,000 were read." in complaint


def test_the_newest_entries_that_only_feedparser_can_read_are_chosen_too() -> None:
    body = "".join(item(n, dated(n)).replace("</title>", "<br></title>") for n in range(2_500))

    feed = parse_feed(rss(body.encode()))

    assert [entry.guid for entry in feed.entries] == [str(n) for n in range(2_000)]
    assert "2,500 entries" in feed.complaint


def test_without_dates_the_first_entries_are_read() -> None:
    found, complaint = guids(item(number) for number in range(2_001))

    assert found == [str(number) for number in range(2_000)]
    assert "only the newest 2,000" in complaint


def test_dated_entries_come_before_those_without_a_date() -> None:
    undated = [item(number) for number in range(1_500)]
    found, _ = guids(undated + [item(number, dated(number)) for number in range(5_000, 6_000)])

    assert found[:1_000] == [str(number) for number in range(1_000)]
    assert found[1_000:] == [str(number) for number in range(5_000, 6_000)]


def test_two_thousand_entries_are_all_read_without_a_word() -> None:
    found, complaint = guids(item(number) for number in range(2_000))

    assert (len(found), complaint) == (2_000, "")


def test_the_newest_items_of_json_are_read() -> None:
    items = ",".join(
        f'{{"id": "{n}", "date_published": "{(NOW - timedelta(hours=n)).isoformat()}"}}'
        for n in range(2_500)
    )

    feed = parse_feed(f'{{"items": [{items}]}}'.encode())

    assert [entry.guid for entry in feed.entries] == [str(number) for number in range(2_000)]
    assert feed.total == 2_500


def test_a_chosen_entry_keeps_its_place_and_equal_dates_favour_the_first() -> None:
    later, sooner = NOW, NOW - timedelta(days=1)
    entries = [("a", sooner), *[(str(n), later) for n in range(MAX_ENTRIES - 1)], ("z", sooner)]

    chosen = newest(entries, lambda entry: entry[1])

    assert chosen == entries[:-1]


def test_a_budget_ends_with_the_time_that_the_thread_worked() -> None:
    budget = Budget(0.05)
    time.sleep(0.1)  # which is no work
    budget.check()
    while budget.spent < 0.06:
        pass

    with pytest.raises(LimitError, match=r"more than 0\.05 seconds of CPU time"):
        budget.check()


@pytest.mark.parametrize(
    "body",
    [
        rss("".join(map(item, range(500))).encode()),
        HEAD + "".join(map(item, range(500))).encode(),
        b'{"items": [' + b",".join([b'{"id": "1"}'] * 500) + b"]}",
    ],
)
def test_every_way_of_reading_heeds_the_budget(body: bytes) -> None:
    with pytest.raises(LimitError, match="CPU time"):
        parse_feed(body, budget=Budget(-1))


def test_cleaning_heeds_the_budget() -> None:
    feed = parse_feed(rss("".join(map(item, range(500))).encode()))

    with pytest.raises(LimitError, match="CPU time"):
        clean_feed(feed, "https://a.example/", trusts_guid=True, now=NOW, budget=Budget(-1))


def test_markup_within_cdata_and_comments_is_text_and_not_counted() -> None:
    feed = parse_feed(
        rss(
            b"<item><guid>1</guid><description><![CDATA["
            + b"<p a='b'>x</p>" * 210_000
            + b"]]></description></item><!--"
            + b"<a>" * 210_000
            + b"-->"
        )
    )

    assert len(feed.entries) == 1


@pytest.mark.parametrize(
    "hidden", [b"<!-- <![CDATA[ -->", b"<?x <!-- ?>", b"<![CDATA[ <!-- ]]>", b"<!-- <? -->"]
)
def test_nothing_hides_elements_from_the_count(hidden: bytes) -> None:
    with pytest.raises(LimitError, match="elements"):
        parse_feed(rss(b"<item>" + hidden + b"<a/>" * 400_001 + b"</item>"))


TOLERANT = {
    "unbalanced markup": b"<item><guid>1</guid><title>a<br>b</title></item>",
    "attributes": b"<item " + b"".join(b"a%d='x' " % n for n in range(500)) + b"/><br>",
    "open tags": b"<item><x><y><z>" * 4,
    "half tags": b"<item><x<y<z" * 4,
}


@pytest.mark.parametrize("name", TOLERANT)
def test_reading_tolerantly_takes_linear_time(name: str) -> None:
    unit = TOLERANT[name]

    def seconds(size: int) -> float:
        body = HEAD + unit * (size // len(unit))
        started = time.process_time()
        read_tolerantly(body)
        return time.process_time() - started

    seconds(20_000)  # feedparser is imported
    small = min(seconds(50_000) for _ in range(3))

    assert seconds(400_000) < 3 * 8 * small + 0.2  # 64 times as long if it were quadratic


def test_reading_tolerantly_ends_after_its_share_of_the_time() -> None:
    started = time.process_time()

    found = read_tolerantly(HEAD + TOLERANT["half tags"] * 58_000)

    assert found is not None and found.entries
    assert time.process_time() - started < 3.0 + 2.0


@pytest.mark.parametrize("unit", [b"<item><title>a & b</title>", b"<a b='<", b"<a b='c' b='c'>"])
def test_recovering_a_tree_takes_linear_time(unit: bytes) -> None:
    def seconds(size: int) -> float:
        body = HEAD + unit * (size // len(unit))
        started = time.process_time()
        recover_tree(body)
        return time.process_time() - started

    small = min(seconds(100_000) for _ in range(3))

    assert seconds(800_000) < 3 * 8 * small + 0.2
