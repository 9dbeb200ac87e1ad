"""The first page of the admin: what it shows, and to whom."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import Task

from feeds.ai.language.prices import DOLLAR
from feeds.models import LanguageMonth, LanguageUse, Source, Story, StoryRedirect
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(make_user("admin", is_staff=True, is_superuser=True))
    return client


def overview(client: Client) -> str:
    response = client.get("/admin/")
    assert response.status_code == 200
    return response.content.decode()


def fail_task(name: str, ago: timedelta = timedelta(hours=1)) -> None:
    stopped = timezone.now() - ago
    Task.objects.create(
        id=name, name=name, func=f"feeds.tasks.{name}", started=stopped, stopped=stopped,
        success=False, result="ValueError: no such feed\nTraceback",
    )  # fmt: skip


def test_the_admin_has_our_name_and_logo(admin: Client, client: Client) -> None:
    page = overview(admin)
    assert "Overview · AI News admin" in page
    assert "icon." in page
    assert "Django" not in page
    client.logout()
    assert "AI News" in client.get("/admin/login/").content.decode()


def test_failing_sources_are_listed_longest_first(admin: Client) -> None:
    make_source("fine")
    for number in range(7):
        source = make_source(f"failing{number}")
        Source.objects.filter(pk=source.pk).update(
            failures=3, error=f"Error {number}.",
            failing_since=timezone.now() - timedelta(days=number),
        )  # fmt: skip
    page = overview(admin)

    assert "7 of 8 failing, 0 gone" in page
    assert page.index("Error 6.") < page.index("Error 2.")
    assert "Error 1." not in page
    address = page.split('">All failing</a>')[0].rpartition('href="')[2].replace("&amp;", "&")
    assert "7 sources" in admin.get(address).content.decode()


def test_failed_tasks_of_the_past_day_are_listed(admin: Client) -> None:
    fail_task("poll_batch")
    fail_task("last_week", ago=timedelta(days=3))
    page = overview(admin)

    assert "Failed in the past day: 1" in page
    assert "no such feed" in page
    assert "Traceback" not in page
    assert "last_week" not in page
    assert admin.get("/admin/django_q/failure/poll_batch/change/").status_code == 200


def test_the_spending_of_this_month_is_shown(admin: Client, settings: Any) -> None:
    settings.LLM_MODEL, settings.LLM_MONTHLY_BUDGET = "small", 10.0
    today = timezone.now().date()
    LanguageMonth.objects.create(month=today.replace(day=1), cost=9 * DOLLAR)
    for model in ("small", "large"):
        LanguageUse.objects.create(
            day=today, model=model, purpose="digest", calls=3, failed=1, cost=2 * DOLLAR
        )
    page = overview(admin)

    assert "$9.00 this month" in page
    assert "90% of $10.00" in page
    assert "digest: $4.00" in page
    assert "6 calls, 2 failed" in page


def test_merges_and_large_stories_are_listed(admin: Client) -> None:
    merged = make_story(make_item(make_source("one"), "A lab publishes a model"))
    StoryRedirect.objects.create(old_id=5, story=merged)
    StoryRedirect.objects.create(old_id=6, story=merged)
    large = make_story(make_item(make_source("two"), "Daily links"))
    Story.objects.filter(pk=large.pk).update(item_count=300)
    page = overview(admin)

    assert page.count("A lab publishes a model") == 1
    assert f"/admin/feeds/story/{merged.pk}/change/" in page
    assert "300 items: is it one story?" in page


def test_what_is_wrong_is_shown_with_advice(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ainews_site.doctor.CHECKS", {"disk": lambda: "only 3 MB free."})
    page = overview(admin)

    assert "disk: only 3 MB free." in page
    assert "queue: the check failed" in page
    assert "All checks on this page passed." not in page


def test_staff_see_only_what_they_may_see(client: Client) -> None:
    source = make_source("failing")
    Source.objects.filter(pk=source.pk).update(failures=3, error="The server failed.")
    fail_task("poll_batch")
    user = make_user("helper", is_staff=True)
    client.force_login(user)
    page = overview(client)
    assert "Health" in page
    assert "The server failed." not in page
    assert "poll_batch" not in page
    assert "this month" not in page

    user.user_permissions.add(Permission.objects.get(codename="view_source"))
    page = overview(client)
    assert "The server failed." in page
    assert "poll_batch" not in page


def test_a_reader_sees_nothing_of_it(client: Client) -> None:
    client.force_login(make_user())
    assert client.get("/admin/").status_code == 302


def test_the_number_of_queries_is_constant(admin: Client) -> None:
    overview(admin)
    with CaptureQueriesContext(
        connection,
    ) as few:
        overview(admin)
    for number in range(10):
        source = make_source(f"failing{number}")
        Source.objects.filter(pk=source.pk).update(failures=1, error="x")
        fail_task(f"task{number}")
        story = make_story(make_item(source, f"Title {number}"))
        Story.objects.filter(pk=story.pk).update(item_count=100)
        StoryRedirect.objects.create(old_id=number + 1, story=story)
    with CaptureQueriesContext(connection) as many:
        overview(admin)

    assert len(many) <= len(few) + 1  # the number of failed tasks, where they exceed the list
    assert len(many) <= 22


def test_a_reader_who_is_not_staff_gets_the_page_of_denied_access() -> None:
    client = Client()
    client.force_login(make_user())

    answer = client.get("/admin/", follow=True)

    assert answer.status_code == 403
    assert "Back to stories" in answer.content.decode()
