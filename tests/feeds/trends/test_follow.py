"""Following terms, and being told once when they burst."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from feeds.models import Subscription, TrendAlert, TrendFollow
from feeds.trends import alerts
from feeds.trends.alerts import SHOWN_FOR
from feeds.trends.follow import (
    MAX_FOLLOWED,
    FollowError,
    alerts_for,
    delete_old_alerts,
    dismiss,
    due,
    follow,
    term_of,
    unfollow,
)
from feeds.trends.update import update_trends
from tests.feeds.trends.newsroom import NOW, Newsroom
from tests.make import make_user

pytestmark = pytest.mark.django_db


def due_alerts(user_id: int, now: datetime) -> list[TrendAlert]:
    return alerts.due_alerts([user_id], now).get(user_id, [])


@pytest.fixture
def room() -> Newsroom:
    room = Newsroom(12)
    room.ordinary_days()
    return room


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("GPT 6", "gpt-6"),
        ("  context   windows ", "context window"),
        ("AI agents", "ai agent"),
        ("#chips", "#chips"),
        ("Chips", "#chips"),
        ("mistral", "mistral"),
        ("Mistral", "#mistral"),
        ("#nonsense", ""),
        ("the", ""),
        ("", ""),
        ("one, two", ""),
        ("a very long phrase of many words indeed", ""),
        ("x" * 200, ""),
    ],
)
def test_what_a_reader_writes_becomes_a_term_or_a_topic(text: str, term: str) -> None:
    assert term_of(text) == term


def test_a_term_is_followed_once_and_called_as_it_was_written() -> None:
    reader = make_user()

    follow(reader, "GPT 6")
    follow(reader, "gpt-6", label="GPT-6")

    (one,) = TrendFollow.objects.filter(user=reader)
    assert (one.term, one.label) == ("gpt-6", "GPT 6")


def test_a_label_that_is_another_term_is_not_believed() -> None:
    assert follow(make_user(), "velloria", label="Something else").label == "velloria"
    assert follow(make_user("other"), "velloria", label="Velloria").label == "Velloria"


@pytest.mark.parametrize("odd", ["Velloria\0", "\ud800Velloria"])
def test_what_no_database_takes_is_left_out(odd: str) -> None:
    assert follow(make_user(), odd).label == "Velloria"
    assert follow(make_user("other"), "velloria", label=odd).label == "Velloria"


def test_too_many_and_too_vague_are_refused_in_words() -> None:
    reader = make_user()
    TrendFollow.objects.bulk_create(
        TrendFollow(user=reader, term=f"t{n}", label="t") for n in range(MAX_FOLLOWED)
    )

    with pytest.raises(FollowError, match="the maximum"):
        follow(reader, "Velloria")
    with pytest.raises(FollowError, match="one to four words"):
        follow(reader, "the new")


def test_a_burst_is_told_once_to_those_who_follow_its_term(room: Newsroom) -> None:
    reader, other = make_user(), make_user("other")
    follow(reader, "Velloria")
    follow(other, "Gristmill")
    room.burst("Velloria", 7)

    assert update_trends(NOW) == 1
    assert update_trends(NOW + timedelta(hours=1)) == 0

    (one,) = alerts_for(reader, NOW)
    assert (one.label, one.began, one.due_at) == ("Velloria", NOW.date(), NOW)
    assert one.explanation == "7 stories from 7 sources in two days, usually none"
    assert alerts_for(other, NOW) == []


def test_a_burst_that_goes_on_is_not_told_again_and_the_next_one_is(room: Newsroom) -> None:
    reader = make_user()
    follow(reader, "Velloria")
    for day in range(3):
        room.burst("Velloria", 7, days_ago=day + 0.2)
    for day in (2, 1, 0):
        update_trends(NOW - timedelta(days=day))
    assert TrendAlert.objects.count() == 1

    TrendAlert.objects.update(until=NOW.date() - timedelta(days=10), began="2026-01-01")
    update_trends(NOW)

    assert TrendAlert.objects.count() == 2


def test_a_term_within_a_wider_trend_is_told_of_as_well(room: Newsroom) -> None:
    reader = make_user()
    follow(reader, "protocol")
    room.burst("Model Context Protocol", 7)

    update_trends(NOW)

    assert [one.label for one in alerts_for(reader, NOW)] == ["protocol"]


def test_a_curated_topic_bursts(room: Newsroom) -> None:
    reader = make_user()
    follow(reader, "Chips")
    room.tell([f"{room._number()} {room._number()}" for _ in range(8)], topics=["chips"])

    update_trends(NOW)

    assert [one.term for one in alerts_for(reader, NOW)] == ["#chips"]


def test_bursts_of_private_sources_are_told_to_their_readers_alone(room: Newsroom) -> None:
    reader, other = make_user(), make_user("other")
    private = Newsroom(8, is_public=False)
    for source in private.sources:
        Subscription.objects.create(user=reader, source=source)
    for user in (reader, other):
        follow(user, "Velloria")
    private.burst("Velloria", 7)

    update_trends(NOW)

    assert len(alerts_for(reader, NOW)) == 1
    assert not TrendAlert.objects.filter(user=other).exists()


def test_an_alert_whose_story_is_not_the_reader_s_any_more_is_not_shown(room: Newsroom) -> None:
    reader = make_user()
    private = Newsroom(8, is_public=False, reader=reader)
    follow(reader, "Velloria")
    private.burst("Velloria", 7)
    update_trends(NOW)

    Subscription.objects.filter(user=reader).delete()

    assert alerts_for(reader, NOW) == []


@pytest.mark.parametrize(
    ("zone", "hour", "due_hour"),
    [("UTC", 12, 12), ("UTC", 23, 32), ("UTC", 3, 8), ("Asia/Tokyo", 12, 12),
     ("Asia/Tokyo", 14, 23), ("America/New_York", 6, 12), ("nowhere", 3, 8)],
)  # fmt: skip
def test_at_night_it_waits_for_the_reader_s_morning(zone: str, hour: int, due_hour: int) -> None:
    day = datetime(2026, 7, 1, tzinfo=UTC)

    assert due(day + timedelta(hours=hour), zone) == day + timedelta(hours=due_hour)


def test_what_is_not_due_is_not_sent(room: Newsroom) -> None:
    reader = make_user(time_zone="Asia/Tokyo")  # where it is midnight
    follow(reader, "Velloria")
    room.burst("Velloria", 7)

    update_trends(NOW)

    assert due_alerts(reader.pk, NOW) == []
    assert len(due_alerts(reader.pk, NOW + timedelta(hours=9))) == 1


def test_dismissed_and_old_alerts_are_gone(room: Newsroom) -> None:
    reader = make_user()
    follow(reader, "Velloria")
    room.burst("Velloria", 7)
    update_trends(NOW)

    dismiss(reader, NOW)

    assert alerts_for(reader, NOW) == [] == due_alerts(reader.pk, NOW)
    delete_old_alerts(NOW + timedelta(days=31))
    assert not TrendAlert.objects.exists()


def test_each_action_gives_the_reader_another_version() -> None:
    reader = make_user()
    versions: list[Any] = []

    for act in (
        lambda: follow(reader, "Velloria"),
        lambda: unfollow(reader, "velloria"),
        lambda: dismiss(reader, NOW),
    ):
        act()
        reader.refresh_from_db()
        versions.append(reader.version)

    assert len(set(versions)) == 3


def test_a_burst_of_several_days_is_one_alert_whose_end_moves(room: Newsroom) -> None:
    reader = make_user()
    follow(reader, "Velloria")
    for day in range(6):
        room.burst("Velloria", 7, days_ago=day + 0.2)

    told = [update_trends(NOW - timedelta(days=day)) for day in (5, 2, 1)]

    (one,) = TrendAlert.objects.filter(user=reader)
    assert told == [1, 0, 0]  # three days may pass between two on which it is seen
    assert one.began == NOW.date() - timedelta(days=5)
    assert one.until == NOW.date() - timedelta(days=1)


def test_a_dismissed_burst_that_goes_on_is_not_told_again(room: Newsroom) -> None:
    reader = make_user()
    follow(reader, "Velloria")
    for day in range(3):
        room.burst("Velloria", 7, days_ago=day + 0.2)
    update_trends(NOW - timedelta(days=1))
    dismiss(reader, NOW - timedelta(days=1))

    assert update_trends(NOW) == 0

    assert due_alerts(reader.pk, NOW) == []


def test_one_reader_s_burst_takes_no_alert_from_another(room: Newsroom) -> None:
    first, second = make_user(), make_user("second")
    follow(first, "Velloria")
    for day in range(3):
        room.burst("Velloria", 7, days_ago=day + 0.2)
    update_trends(NOW - timedelta(days=1))
    follow(second, "Velloria")

    assert update_trends(NOW) == 1

    assert TrendAlert.objects.filter(user=second).count() == 1


def test_each_followed_term_has_an_alert_of_its_own(room: Newsroom) -> None:
    reader = make_user()
    follow(reader, "Velloria")
    follow(reader, "Gristmill")
    room.burst("Velloria", 7)
    room.burst("Gristmill", 7)

    assert update_trends(NOW) == 2

    assert {one.term for one in alerts_for(reader, NOW)} == {"velloria", "gristmill"}


def test_a_reader_is_sent_and_dismisses_own_alerts_alone(room: Newsroom) -> None:
    first, second = make_user(), make_user("second")
    for reader in (first, second):
        follow(reader, "Velloria")
    room.burst("Velloria", 7)
    update_trends(NOW)
    assert [one.user for one in due_alerts(first.pk, NOW)] == [first]

    dismiss(first, NOW)

    assert due_alerts(first.pk, NOW) == []
    assert [one.user for one in due_alerts(second.pk, NOW)] == [second]


def test_an_alert_of_a_week_ago_is_not_sent_any_more(room: Newsroom) -> None:
    reader = make_user()
    follow(reader, "Velloria")
    room.burst("Velloria", 7)
    update_trends(NOW)

    assert len(due_alerts(reader.pk, NOW + SHOWN_FOR - timedelta(seconds=1))) == 1
    assert due_alerts(reader.pk, NOW + SHOWN_FOR) == []
