"""/ops/: who may see it, what it shows, and the samples of the past day behind it."""

import json
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from ainews_site.infra import metric_files as files
from ainews_site.infra.metrics import ITEMS_NEW, REQUEST_SECONDS
from ainews_site.metrics import history
from ainews_site.metrics.history import Sample, growth, percentiles
from ainews_site.ops_charts import WIDTH, cards_of, chart
from tests.make import make_user

pytestmark = pytest.mark.django_db
BUCKETS = len(REQUEST_SECONDS.buckets) + 1


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(make_user("admin", is_staff=True, is_superuser=True))
    return client


def sample(minutes_ago: float, latency: list[float] | None = None, **counts: float) -> Sample:
    at = time.time() - 60 * minutes_ago
    return Sample(at, counts, {"queue_fast": 1.0}, latency or [0.0] * BUCKETS)


def test_strangers_sign_in_and_readers_may_not(client: Client) -> None:
    assert client.get("/ops/").headers["Location"].startswith("/signin/")
    client.force_login(make_user())
    assert client.get("/ops/").status_code == 403


def test_staff_see_figures_and_processes(staff: Client) -> None:
    staff.get("/")
    page = staff.get("/ops/").content.decode()

    assert "Database" in page
    assert "Waiting tasks" in page
    assert "Processes of this machine" in page
    assert "<style" not in page
    assert "style=" not in page


def test_the_page_is_linked_from_the_admin_and_the_foot_of_pages_of_staff(
    staff: Client, page: Client
) -> None:
    assert 'href="/ops/"' in staff.get("/admin/").content.decode()
    assert 'href="/ops/"' in staff.get("/sources/").content.decode()
    assert 'href="/ops/"' not in page.get("/sources/").content.decode()


def test_its_queries_do_not_grow_with_the_samples(staff: Client) -> None:
    staff.get("/ops/")
    with CaptureQueriesContext(connection) as before:
        staff.get("/ops/")
    rows = [[s.at, s.counts, s.values, s.latency] for s in map(sample, range(1440, 0, -5))]
    (files.folder() / history.FILE).write_text(json.dumps(rows))
    with CaptureQueriesContext(connection) as after:
        staff.get("/ops/")

    assert len(after) == len(before)


def test_samples_are_taken_every_five_minutes_and_kept_for_a_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time()
    for step in range(600):
        monkeypatch.setattr(history.time, "time", lambda step=step: now + step * 150)
        history.check_again()
        history.sample_if_due()
    samples = history.samples_of_day()

    assert 285 <= len(samples) <= 290
    assert (files.folder() / history.FILE).stat().st_size < 300_000


def test_an_error_breaks_no_task(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(settings, "DATA", Path("/proc/nowhere"))
    history.sample_if_due()

    assert "sample_failed" in caplog.text


def test_a_sample_has_what_was_counted() -> None:
    ITEMS_NEW.add(4)
    REQUEST_SECONDS.observe(0.03, "stories", "2xx")
    REQUEST_SECONDS.observe(0.03, "stories", "5xx")
    taken = history.take_sample()

    assert taken.counts["items"] == 4
    assert taken.counts["requests"] == 2
    assert taken.counts["server_errors"] == 1
    assert sum(taken.latency) == 2
    assert taken.values["queue_fast"] == 0


def test_a_count_that_began_again_grew_by_what_it_is() -> None:
    assert growth([sample(15, items=10), sample(10, items=14), sample(5, items=3)], "items") == [
        4,
        3,
    ]


def test_the_latency_is_that_of_the_requests_between_two_samples() -> None:
    slow, fast = [0.0] * BUCKETS, [0.0] * BUCKETS
    slow[-2] = 100
    fast[-2], fast[2] = 100, 50
    samples = [sample(10, slow), sample(5, fast), sample(0, fast)]

    assert percentiles(samples, 0.95) == [REQUEST_SECONDS.buckets[2], None]


def test_a_chart_has_gaps_where_samples_are_missing() -> None:
    now = time.time()
    points = [(now - 80_000, 1.0), (now - 79_700, 2.0), (now - 300, 4.0), (now, 4.0)]
    drawn = chart(points, "Things")

    assert drawn.count("M") == 4  # two runs, each an area and a line
    assert f"{WIDTH} 1" in drawn


def test_a_bad_value_is_marked() -> None:
    samples = [sample(10, requests=100), sample(0, requests=200, server_errors=5)]
    bad = {card.title for card in cards_of(samples) if card.is_bad}

    assert bad == {"Server errors"}
