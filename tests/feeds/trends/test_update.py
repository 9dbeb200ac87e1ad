"""The whole of it on a real database: count, find, keep, read; and what must be no trend."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from feeds.coordination.lease import lease
from feeds.coordination.revisions import news_for
from feeds.models import (
    Item,
    Lease,
    Source,
    Story,
    StoryRedirect,
    Subscription,
    TermDay,
    TrendBoard,
    TrendDay,
)
from feeds.stories.grouping.moves import PUBLIC, move_items
from feeds.trends.board import trends_for
from feeds.trends.count import count_days
from feeds.trends.types import COOLING, NEW
from feeds.trends.update import LEASE, update_trends
from tests.feeds.trends.newsroom import NOW, PLACES, Newsroom
from tests.make import make_source, make_user, public_trends

pytestmark = pytest.mark.django_db


@pytest.fixture
def room() -> Newsroom:
    room = Newsroom(12)
    room.ordinary_days()
    return room


def bursts() -> list[str]:
    return [trend.label for trend in public_trends(NOW, 30) if trend.is_burst]


def shown(part: str) -> bool:
    trends = public_trends(NOW, 30)
    return any(part in " ".join([one.label, *one.aliases]).lower() for one in trends)


def test_a_name_that_many_tell_of_at_once_is_a_trend(room: Newsroom) -> None:
    room.burst("OpenAI ships GPT-6", 6)

    update_trends(NOW)

    trend = public_trends(NOW)[0]
    assert trend.label == "OpenAI ships GPT-6"
    assert (trend.stories, trend.before, trend.sources) == (6, 0, 6)
    assert (trend.stage, trend.is_burst, trend.sparkline[-1]) == (NEW, True, 6)
    assert len(trend.sparkline) == 30
    assert "6 stories from 6 sources in 7 days" in trend.explanation
    assert "GPT-6" in trend.story_title
    assert Story.objects.filter(pk=trend.story_id).exists()


def test_words_in_lower_case_burst_as_well(room: Newsroom) -> None:
    room.burst("prompt injection", 7)

    update_trends(NOW)

    assert bursts() == ["prompt injection"]


def test_spellings_of_one_name_are_counted_together(room: Newsroom) -> None:
    for written in ("GPT-6", "gpt6", "GPT 6"):
        room.tell([f"{written} {room._number()}" for _ in range(2)], sources=room.sources[:6])
        room.sources = room.sources[1:] + room.sources[:1]

    update_trends(NOW)

    (trend,) = (one for one in public_trends(NOW) if one.is_burst)
    assert (trend.key, trend.stories) == ("gpt-6", 6)


def test_versions_of_one_name_are_one_trend_when_none_would_be_by_itself(room: Newsroom) -> None:
    room.tell([f"Claude {n}.{n} {room._number()}" for n in range(1, 9)])

    update_trends(NOW)

    assert bursts() == ["Claude"]


def test_words_that_stand_in_the_same_stories_are_one_trend(room: Newsroom) -> None:
    room.burst("Model Context Protocol", 7)

    update_trends(NOW)

    assert bursts() == ["Model Context Protocol"]


@pytest.mark.parametrize(
    "words", ["Read more: the new", "Newsletter of this week", "Breaking", "Monday 18 May 2026"]
)
def test_stop_words_weekdays_and_boilerplate_are_no_trend(room: Newsroom, words: str) -> None:
    room.burst(words, 10)

    update_trends(NOW)

    assert not shown(words.split()[0].lower())


def test_a_column_of_each_wednesday_is_no_trend_on_wednesday(room: Newsroom) -> None:
    for week in range(9):
        room.burst("Kernel Patches", 6, days_ago=week * 7 + 0.2)

    update_trends(NOW)

    assert not shown("kernel")


def test_a_name_that_is_always_hot_is_no_trend(room: Newsroom) -> None:
    for day in range(60):
        room.burst("Quillmark", 4, days_ago=day + 0.2)

    update_trends(NOW)

    assert not shown("quillmark")


def test_a_prolific_source_makes_no_trend(room: Newsroom) -> None:
    for _ in range(20):
        room.add(room.sources[0], f"Gristmill {room._number()}", 0.2)
    room.tell([f"Gristmill {room._number()}"], sources=room.sources[1:2])

    update_trends(NOW)

    assert not shown("gristmill")


def test_new_sources_and_their_backfill_are_no_trend(room: Newsroom) -> None:
    new = [make_source(f"new{n}", is_public=True) for n in range(5)]
    Source.objects.filter(pk__in=[one.pk for one in new]).update(created_at=NOW)
    for day in range(20):
        room.tell([f"Bitcoin {room._number()}" for _ in new], day + 0.2, sources=new)
    fresh = [make_source(f"fresh{n}", is_public=True) for n in range(5)]
    Source.objects.filter(pk__in=[one.pk for one in fresh]).update(created_at=NOW)
    room.tell([f"Dogecoin {room._number()}" for _ in fresh], sources=fresh)

    update_trends(NOW)

    assert not shown("bitcoin")
    assert not shown("dogecoin")


def test_one_or_two_stories_of_what_was_never_told_of_are_no_trend(room: Newsroom) -> None:
    room.burst("Zweiwort", 2)

    update_trends(NOW)

    assert not shown("zweiwort")


def test_copies_of_a_wire_are_one_story_and_no_sources(room: Newsroom) -> None:
    first = room.add(room.sources[0], "Harbor Wire tells of Tarn", 0.2)
    room.tell(
        ["Harbor Wire tells of Tarn"] * 11,
        sources=room.sources[1:],
        story=first.story,
        copy_of=first.pk,
    )

    update_trends(NOW)

    assert not shown("tarn")


def test_articles_of_one_story_are_no_trend(room: Newsroom) -> None:
    first = room.add(room.sources[0], "Tarn opens", 0.2)
    room.tell([f"Tarn {n}" for n in PLACES[:11]], sources=room.sources[1:], story=first.story)

    update_trends(NOW)

    assert not shown("tarn")


def test_what_cools_says_so(room: Newsroom) -> None:
    room.burst("Velloria", 4, days_ago=6.2)
    room.burst("Velloria", 9, days_ago=5.2)
    room.burst("Velloria", 1, days_ago=1.2)

    update_trends(NOW)

    (trend,) = (one for one in public_trends(NOW, 30) if one.label == "Velloria")
    assert (trend.stage, trend.is_burst) == (COOLING, False)


def test_stories_that_are_merged_later_count_as_one(room: Newsroom) -> None:
    items = room.burst("Velloria", 7)
    update_trends(NOW)
    assert shown("velloria")

    current = {item.pk: item.story_id or 0 for item in items}
    move_items(
        dict.fromkeys(list(current)[1:], items[0].story_id or 0), current, PUBLIC, is_public=True
    )
    update_trends(NOW)

    assert not shown("velloria")
    (row,) = TermDay.objects.filter(term="velloria")
    assert (row.count, len(json.loads(row.stories)[0])) == (1, 8)


def test_counting_again_changes_nothing_and_no_version(room: Newsroom) -> None:
    room.burst("Velloria", 7)
    update_trends(NOW)
    before = list(TermDay.objects.order_by("pk").values_list())
    news = news_for(make_user())

    update_trends(NOW + timedelta(minutes=1))

    assert list(TermDay.objects.order_by("pk").values_list()) == before
    assert news_for(make_user("other"))[:3] == news[:3]


def test_late_arrivals_are_counted_on_their_day(room: Newsroom) -> None:
    update_trends(NOW)
    room.burst("Velloria", 5, days_ago=20.2)

    update_trends(NOW)

    (row,) = TermDay.objects.filter(term="velloria")
    assert (row.day, row.count) == ((NOW - timedelta(days=20.2)).date(), 5)


def test_days_that_a_killed_process_did_not_reach_are_counted_the_next_time(room: Newsroom) -> None:
    room.burst("Velloria", 5, days_ago=20.2)
    days = iter([True] * 5)
    count_days(NOW, lambda: next(days, False))
    assert TrendDay.objects.count() == 5

    count_days(NOW)

    assert TrendDay.objects.count() == 63
    assert TermDay.objects.get(term="velloria").count == 5


def test_items_that_were_not_grouped_are_counted_once_they_are(room: Newsroom) -> None:
    items = room.burst("Velloria", 5, days_ago=20.2)
    stories = {item.pk: item.story_id for item in items}
    Item.objects.filter(pk__in=stories).update(story=None)
    update_trends(NOW)
    assert not TermDay.objects.filter(term="velloria").exists()

    for pk, story in stories.items():
        Item.objects.filter(pk=pk).update(story=story)
    update_trends(NOW)

    assert TermDay.objects.get(term="velloria").count == 5


def test_rare_terms_and_old_days_are_dropped(room: Newsroom) -> None:
    room.add(room.sources[0], "Seldomly", 20.2)
    room.add(room.sources[0], "Lately", 2.2)
    update_trends(NOW)

    assert not TermDay.objects.filter(term="seldomly").exists()
    assert TermDay.objects.filter(term="lately").exists()

    update_trends(NOW + timedelta(days=90))
    assert not TermDay.objects.exists()


def test_private_sources_are_seen_by_their_readers_alone(room: Newsroom) -> None:
    reader, other = make_user("reader"), make_user("other")
    private = Newsroom(8, is_public=False)
    for source in private.sources:
        Subscription.objects.create(user=reader, source=source)
    private.burst("Secret Project", 7)

    update_trends(NOW)

    assert trends_for(reader, NOW)[0].label == "Secret Project"
    assert "Secret Project" not in [one.label for one in trends_for(other, NOW)]
    assert not shown("secret")


def test_public_trends_are_the_same_whatever_private_sources_tell(room: Newsroom) -> None:
    room.burst("Velloria", 6)
    update_trends(NOW)
    before = TrendBoard.objects.get(user=None).trends

    reader = make_user()
    private = Newsroom(8, is_public=False, reader=reader)
    private.burst("Velloria", 8)
    for day in range(2, 40):
        private.burst("Velloria harbour", 3, days_ago=day + 0.2)
    story = Story.objects.get(pk=before[0]["story_id"])
    private.tell(["Ours: Velloria, by us"], story=story)
    update_trends(NOW)

    assert TrendBoard.objects.get(user=None).trends == before
    assert trends_for(make_user("other"), NOW)[0].label == "Velloria"


def test_who_stops_following_a_private_source_sees_its_trends_no_more(room: Newsroom) -> None:
    reader = make_user()
    private = Newsroom(8, is_public=False, reader=reader)
    private.burst("Secret Project", 7)
    update_trends(NOW)
    Subscription.objects.filter(user=reader).delete()

    assert "Secret Project" not in [one.label for one in trends_for(reader, NOW)]
    update_trends(NOW)
    assert not TrendBoard.objects.filter(user=reader).exists()


def test_a_trend_leads_to_the_story_that_its_own_was_merged_into(room: Newsroom) -> None:
    items = room.burst("Velloria", 6)
    update_trends(NOW)
    trend = public_trends(NOW)[0]
    target = next(item.story for item in items if item.story_id != trend.story_id)
    assert target
    Item.objects.filter(story=trend.story_id).update(story=target)
    StoryRedirect.objects.create(old_id=trend.story_id, story=target)

    assert trends_for(make_user(), NOW)[0].story_id == target.pk


def test_what_was_found_days_ago_is_no_trend(room: Newsroom) -> None:
    room.burst("Velloria", 6)
    update_trends(NOW)

    assert public_trends(NOW + timedelta(days=3)) == []


def test_nobody_counts_while_another_does(room: Newsroom) -> None:
    with lease(LEASE):
        Lease.objects.filter(name=LEASE).update(holder="another process")
        assert update_trends(NOW) == 0

    assert not TermDay.objects.exists()


def test_reading_costs_the_same_whatever_there_is(room: Newsroom) -> None:
    reader = make_user()
    room.burst("Velloria", 6)
    update_trends(NOW)
    with CaptureQueriesContext(connection) as few:
        trends_for(reader, NOW, 30)
    for name in ("Quillmark", "Tarn", "Gristmill", "Pennywhit"):
        room.burst(name, 7)
    update_trends(NOW)

    with CaptureQueriesContext(connection) as many:
        found = trends_for(reader, NOW, 30)

    assert len(found) >= 5
    assert (len(few), len(many)) == (3, 3)


def test_no_news_at_all_are_no_trouble() -> None:
    assert update_trends(NOW) == 0
    assert public_trends(NOW) == []


LANGUAGES = [
    "Der Hafen von Vesmark wird gesperrt",
    "Le port est fermé aujourd'hui",
    "El puerto cierra hoy",
    "Il porto chiude oggi",
    "O porto fecha hoje",
    "De haven gaat dicht",
    "Hamnen stängs i dag",
    "Havnen lukker i dag",
    "Satama suljetaan tänään",
    "Port zostanie dziś zamknięty",
    "Přístav se dnes zavírá",
    "Liman bugün kapanıyor",
    "Порт сегодня закрывается",
    "Το λιμάνι κλείνει σήμερα",
    "הנמל נסגר היום",
    "الميناء يغلق اليوم",
    "港口今天关闭了所有的入口",
    "港は今日閉鎖されます",
    "항구가 오늘 문을 닫는다",
    "ท่าเรือปิดวันนี้",
]


def test_odd_items_do_no_harm(room: Newsroom) -> None:
    room.tell(["", "!", "x", "word", "\u202e\u200b", "0", "🎉🎉", "'", "a" * 500])
    for day in range(3):
        room.tell(LANGUAGES, day + 0.1)
    room.burst("Velloria", 7)

    update_trends(NOW)

    assert bursts() == ["Velloria"]


def test_a_thousand_identical_titles_of_one_source_are_no_trend(room: Newsroom) -> None:
    for _ in range(1_000):
        room.add(room.sources[0], "Error 500 at Tarn", 0.1)
    room.burst("Velloria", 7)

    update_trends(NOW)

    assert bursts() == ["Velloria"]


def test_ten_thousand_items_in_an_hour_are_counted(room: Newsroom) -> None:
    story = room.add(room.sources[0], "Flood", 0.1).story
    assert story
    base = Item.objects.latest("pk").pk
    items, stories = [], []
    for n in range(10_000):
        pk = base + 1 + n
        stories.append(Story(pk=pk, title="", first_at=NOW, last_at=NOW))
        items.append(
            Item(
                pk=pk,
                seq=20_000 + n,
                source=room.sources[n % 12],
                story_id=pk,
                title=f"{PLACES[n % 26]} report {n} Aurora" if n % 50 == 0 else f"note {n} w{n}",
                published_at=NOW,
                fetched_at=NOW,
            )
        )
    Story.objects.bulk_create(stories)
    Item.objects.bulk_create(items)

    update_trends(NOW)

    assert TermDay.objects.get(term="aurora").count == 200
    assert "Aurora" in bursts()
