"""The endless part of the sample newsroom, by the clock and without waiting."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from feeds.demo.edition import Article
from feeds.demo.grammar import slots
from feeds.demo.outlets import OUTLETS
from feeds.demo.plots import EVERY_STYLE, Plot, Report, read_book
from feeds.demo.published import Published
from feeds.demo.stream import A_DAY, CACHED_DAYS, DELAYS, SAGA_SLOTS, Stream, stream_of
from feeds.evaluation.stories import evaluate
from feeds.stories.grouping.tokenizer import make_document
from tests.feeds.demo.test_newsroom import REAL_NAMES

START = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
TODAY = (START - datetime(1970, 1, 1, tzinfo=UTC)).days
HOUR = timedelta(hours=1)
STYLES = {outlet.slug: outlet.style for outlet in OUTLETS}
BY_SLUG = {outlet.slug: outlet for outlet in OUTLETS}
WIRE_AND_COPIES = {"harbor-wire", "courier", "saltmarsh"}


def articles_of(days: Iterable[int], seed: int = 1) -> list[Article]:
    stream = stream_of(seed)
    found = [article for day in days for own in stream.of_day(day).values() for article in own]
    return sorted(found, key=lambda article: article.published)


def between(articles: list[Article], start: datetime, end: datetime) -> list[Article]:
    return [article for article in articles if start <= article.published < end]


@pytest.fixture(scope="module")
def week() -> list[Article]:
    """What appears from three days before the start to three days after it."""
    return articles_of(range(TODAY - 3, TODAY + 4))


def outlets_by_event(articles: list[Article]) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for article in articles:
        found[article.story].add(article.outlet)
    return found


def all_plots() -> list[Plot]:
    book = read_book()
    return [*book.plots, *(part for saga in book.sagas for part in saga.parts)]


def test_the_stream_is_a_function_of_the_seed_and_the_clock() -> None:
    number = TODAY * A_DAY

    assert Stream(1).of_slot(number) == Stream(1).of_slot(number)
    assert Stream(1).of_slot(number) != Stream(2).of_slot(number)
    assert Stream(1).of_day(TODAY) == stream_of(1).of_day(TODAY)  # whatever was asked for before


@pytest.mark.parametrize("hours", [0, 9])
def test_hour_ten_is_as_varied_as_the_first(week: list[Article], hours: int) -> None:
    hour = between(week, START + hours * HOUR, START + (hours + 1) * HOUR)

    assert len(hour) >= 6
    assert len({article.outlet for article in hour}) >= 5
    assert len({article.story for article in hour}) >= 3


def test_ten_hours_have_no_outlet_that_dominates(week: list[Article]) -> None:
    seen = between(week, START, START + 10 * HOUR)
    outlets = Counter(article.outlet for article in seen)

    assert len(seen) >= 80
    assert outlets.most_common(1)[0][1] / len(seen) <= 0.25
    assert len(outlets) >= 18


def test_no_headline_repeats_for_a_week_but_as_a_copy_of_the_wire(week: list[Article]) -> None:
    by_title: defaultdict[str, list[Article]] = defaultdict(list)
    for article in week:
        by_title[article.versions[0].title].append(article)

    repeated = [same for same in by_title.values() if len(same) > 1]

    for same in repeated:
        assert {article.outlet for article in same} <= WIRE_AND_COPIES, same[0].versions[0].title
        assert len({article.outlet for article in same}) == len(same)
        assert len({article.story for article in same}) == 1


def test_each_hour_has_events_that_several_outlets_cover(week: list[Article]) -> None:
    covered = outlets_by_event(week)
    for hour in (0, 9):
        start = START + hour * HOUR
        events = {article.story for article in between(week, start - 2 * HOUR, start + HOUR)}
        wide = [event for event in events if len(covered[event]) >= 3]
        assert len(wide) >= 3


def test_outlets_cover_an_event_in_words_of_their_own(week: list[Article]) -> None:
    texts: defaultdict[str, list[Article]] = defaultdict(list)
    for article in week:
        if article.outlet not in ("courier", "saltmarsh"):
            texts[article.story].append(article)
    for same in texts.values():
        titles = [article.versions[0].title for article in same]
        leads = [article.versions[0].paragraphs[0] for article in same]
        assert len(set(titles)) == len(titles)
        assert len(set(leads)) >= 0.5 * len(leads), leads


def test_there_are_corrections_follow_ups_and_copies(week: list[Article]) -> None:
    corrected = [article for article in week if len(article.versions) > 1]
    twice = [
        same
        for same in Counter((article.story, article.outlet) for article in week).values()
        if same > 1
    ]

    assert len(corrected) >= 2
    assert all("Correction: " in article.versions[1].paragraphs[-1] for article in corrected)
    assert all(article.versions[0].since < article.versions[1].since for article in corrected)
    assert len(twice) >= 3


def test_the_product_groups_the_stream_into_its_events(week: list[Article]) -> None:
    outlets = {slug: number for number, slug in enumerate(sorted(BY_SLUG))}
    documents = [
        make_document(
            number,
            article.published.timestamp(),
            outlets[article.outlet],
            article.versions[0].title,
            "\n".join(article.versions[0].paragraphs)[:600],
            f"/{article.outlet}{article.path}",
        )
        for number, article in enumerate(week, 1)
    ]

    score = evaluate(documents, [article.story for article in week]).repaired

    assert score.precision >= 0.75
    assert score.recall >= 0.9


def test_a_saga_is_under_way_at_any_hour() -> None:
    """What trends is in the news of the last two days with many stories."""
    stream = Stream(1)
    for hour in range(24):
        slot = (TODAY * 24 + hour) * A_DAY // 24
        parts = [number for number in range(slot - 2 * A_DAY, slot) if stream._saga_part(number)]
        assert len(parts) >= len(SAGA_SLOTS)


def test_a_bounded_number_of_days_is_kept() -> None:
    stream = Stream(3)
    for day in (TODAY, TODAY + 1, TODAY):
        stream.of_day(day)

    cache = stream._cached.cache_info()
    assert (cache.currsize, cache.maxsize, cache.hits) == (2, CACHED_DAYS, 1)


def test_nothing_real_is_named(week: list[Article]) -> None:
    text = "\n".join("\n".join([v.title, *v.paragraphs]) for a in week for v in a.versions)

    for name in REAL_NAMES:
        assert not re.search(rf"\b{name}\b", text), name


def test_no_pattern_is_left_unfilled(week: list[Article]) -> None:
    for article in week:
        for version in article.versions:
            assert version.title and version.paragraphs
            for text in (version.title, *version.paragraphs):
                assert not re.search(r"[{}\[\]|]|\bNone\b| {2}", text), text
                assert text[0].isupper() or not text[0].isalpha(), text


@pytest.mark.parametrize("plot", all_plots(), ids=lambda plot: plot.key)
def test_a_plot_can_be_reported(plot: Plot) -> None:
    assert plot.reports
    assert plot.reports.keys() <= DELAYS.keys()
    assert EVERY_STYLE not in plot.reports
    reports: list[Report] = [*plot.reports.values(), *plot.follow_ups]
    assert all(report.headlines and report.leads for report in reports)
    assert all(slots(headline) for report in reports for headline in report.headlines)
    assert not plot.doubtful or plot.doubtful in plot.facts


def test_every_fact_of_a_pattern_is_defined_or_a_person() -> None:
    """A fact without a definition is drawn as a person, so a slip of the pen would read oddly."""
    book = read_book()
    given = {"co", "makes", "town", "boss", "family", "product", "rival", "rival_product", "day"}
    given |= {"place", "place2", "co2", "family2", *book.fields[0].facts, *book.common}
    people = {"analyst", "spokes", "person", "person2", "person3", "person5", "person6"}
    saga_facts = {name for saga in book.sagas for name in saga.facts}
    sentences = [*book.common_details, *(text for saga in book.sagas for text in saga.details)]
    assert {
        name.lower() for text in sentences for name in slots(text)
    } <= given | people | saga_facts
    for plot in all_plots():
        known = given | people | saga_facts | plot.facts.keys()
        reports = [*plot.reports.values(), *plot.follow_ups]
        patterns = [text for report in reports for text in report.headlines + report.leads]
        for pattern in (*patterns, *plot.details, *plot.facts.values()):
            for name in slots(pattern):
                assert name.removesuffix("_last").lower() in known, (plot.key, name)


def test_old_articles_can_still_be_opened() -> None:
    published = Published(START, 1, timedelta(seconds=40))
    article = next(iter(stream_of(1).of_day(TODAY - 200).values()))[0]

    shown = published.at(BY_SLUG[article.outlet], article.path, START)

    assert shown is not None
    assert shown.version == article.versions[-1]


def test_a_feed_shows_what_is_published_newest_first() -> None:
    published = Published(START, 1, timedelta(seconds=40))

    now = published.shown(BY_SLUG["pylon"], START)
    later = published.shown(BY_SLUG["pylon"], START + 10 * HOUR)

    moments = [shown.article.published for shown in now]
    assert moments == sorted(moments, reverse=True)
    assert moments[0] <= START
    assert {shown.guid for shown in now} < {shown.guid for shown in later}
    assert min(moments) < START - timedelta(days=13)
