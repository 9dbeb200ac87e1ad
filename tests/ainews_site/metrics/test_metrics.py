"""/metrics: who may read it, and what it has."""

import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from ainews_site.infra.cache_metrics import KINDS, kind_of
from ainews_site.infra.metrics import DELIVERIES, RECORDED
from ainews_site.metrics import measured
from ainews_site.metrics.exposition import all_metrics, exposition
from ainews_site.proxies import read_proxies
from feeds.ingest.measure import count_outcome, forget_selection, selected_sources
from feeds.ingest.outcome import Outcome
from feeds.ingest.store import Stored
from tests.make import make_source, make_user

TOKEN = "a token of the operator"
LOCAL = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def open_to_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "METRICS_NETWORKS", LOCAL)


def samples(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by name and the values of the labels."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_outcomes_that_were_not_counted_yet_are_zero() -> None:
    """Prometheus sees no increase in a series that begins with 1."""
    assert shown()["ainews_digests_total"] == {("written",): 0, ("failed",): 0}
    assert "ainews_deliveries_total" not in shown()

    DELIVERIES.add(1, "email", "given_up")

    assert shown()["ainews_deliveries_total"] == {
        ("email", "given_up"): 1,
        ("email", "sent"): 0,
        ("email", "retry"): 0,
    }


def shown() -> dict[str, dict[tuple[str, ...], float]]:
    return samples(exposition(with_measured=False)[0].decode())


def scrape(client: Client, **headers: str) -> dict[str, dict[tuple[str, ...], float]]:
    response = client.get("/metrics", **headers)
    assert response.status_code == 200
    return samples(response.content.decode())


@pytest.mark.django_db
class TestWhoMayRead:
    def test_nobody_by_default(self, client: Client) -> None:
        assert client.get("/metrics").status_code == 404

    def test_not_even_staff_or_a_reader(self, client: Client) -> None:
        client.force_login(make_user("admin", is_staff=True, is_superuser=True))
        assert client.get("/metrics").status_code == 404

    def test_who_has_the_token(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(settings, "METRICS_TOKEN", TOKEN)
        for given, status in (
            (f"Bearer {TOKEN}", 200),
            (f"bearer {TOKEN}", 200),
            (f"Bearer {TOKEN}x", 404),
            ("Bearer ", 404),
            (f"Basic {TOKEN}", 404),
            ("", 404),
        ):
            assert client.get("/metrics", headers={"authorization": given}).status_code == status

    def test_no_token_is_not_the_empty_token(self, client: Client) -> None:
        assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 404

    @pytest.mark.usefixtures("open_to_local")
    def test_machines_of_the_networks(self, client: Client) -> None:
        for address, status in (
            ("127.0.0.1", 200),
            ("::ffff:127.0.0.1", 200),
            ("203.0.113.7", 404),
            ("", 404),
        ):
            assert client.get("/metrics", REMOTE_ADDR=address).status_code == status

    @pytest.mark.usefixtures("open_to_local")
    @pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "x-real-ip", "via"])
    def test_not_a_stranger_behind_a_proxy_that_is_not_trusted(
        self, client: Client, header: str
    ) -> None:
        assert client.get("/metrics", headers={header: "127.0.0.1"}).status_code == 404

    @pytest.mark.usefixtures("open_to_local")
    def test_a_trusted_proxy_says_who_asks(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings, "TRUSTED_PROXIES", read_proxies(["127.0.0.1"]))
        for client_address, status in (("203.0.113.7", 404), ("127.0.0.1", 200)):
            headers = {"x-forwarded-for": client_address}
            assert client.get("/metrics", headers=headers).status_code == status
        headers = {"x-forwarded-for": "127.0.0.1, 203.0.113.7"}
        assert client.get("/metrics", headers=headers).status_code == 404
        # Another proxy, in a network that may read, but not trusted to say whom it serves.
        asked = client.get("/metrics", headers=headers, REMOTE_ADDR="127.0.0.2")
        assert asked.status_code == 404

    @pytest.mark.usefixtures("open_to_local")
    def test_nobody_if_metrics_are_off(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings, "METRICS", False)
        assert client.get("/metrics").status_code == 404

    @pytest.mark.usefixtures("open_to_local")
    def test_it_is_read_only(self, client: Client) -> None:
        assert client.post("/metrics").status_code == 405


def outcome(source: Any, milliseconds: int = 500, error: str = "", new: int = 0) -> Outcome:
    return Outcome(
        source,
        milliseconds=milliseconds,
        error=error,
        stored=Stored(new_ids=list(range(new))),
    )


@pytest.mark.django_db
@pytest.mark.usefixtures("open_to_local")
class TestWhatItHas:
    def test_the_names_of_the_seed(self, client: Client) -> None:
        source = make_source("slow")
        count_outcome(outcome(source, 2_000, new=3))
        count_outcome(outcome(source, 4_000, error="It failed."))
        found = scrape(client)
        pk = str(source.pk)

        assert found["source_fetch_duration_sum"] == {(pk,): 6.0}
        assert found["source_fetch_duration_count"] == {(pk,): 2.0}
        assert found["source_fetch_errors_total"] == {(pk,): 1.0}
        assert found["ainews_items_new_total"] == {(): 3.0}

    def test_the_number_of_sources_is_bounded_and_those_that_fail_come_first(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings, "METRICS_SOURCES", 2)
        sources = [make_source(f"s{n}", interval=3600 - n) for n in range(5)]
        sources[0].failures = 9
        sources[0].save()
        for source in sources:
            count_outcome(outcome(source))
        labels = {label for (label,) in scrape(client)["source_fetch_duration_count"]}

        assert labels == {str(sources[0].pk), str(sources[4].pk), "other"}

    def test_a_source_that_is_selected_later_takes_nothing_from_the_others(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A counter that falls would look like thousands of errors to `rate`."""
        monkeypatch.setattr(settings, "METRICS_SOURCES", 1)
        first, second = make_source("first", interval=300), make_source("second", interval=600)
        for _ in range(4):
            count_outcome(outcome(second))
        assert scrape(client)["source_fetch_duration_count"][("other",)] == 4
        second.failures = 1
        second.save()
        forget_selection()
        count_outcome(outcome(second))
        count_outcome(outcome(first))
        found = scrape(client)["source_fetch_duration_count"]

        assert found == {("other",): 5.0, (str(second.pk),): 1.0}
        assert selected_sources() == {second.pk}

    def test_requests_are_counted_by_route_and_never_by_path(
        self, client: Client, page: Client
    ) -> None:
        page.get("/")
        page.get("/story/12345/")
        page.get("/secret-address/")
        client.get("/signin/")
        found = scrape(client)["ainews_request_seconds_count"]

        assert found["stories", "2xx"] == 1
        assert found["story", "4xx"] == 1
        assert found["none", "4xx"] == 1
        assert found["signin", "2xx"] == 1
        assert not any("12345" in label or "secret" in label for key in found for label in key)

    def test_queues_and_polls(self, client: Client) -> None:
        from django_q.models import OrmQ

        OrmQ.objects.create(key="slow", payload="x", lock=timezone.now() - timedelta(seconds=90))
        make_source("late", next_poll_at=timezone.now() - timedelta(minutes=10))
        found = scrape(client)

        assert found["ainews_queue_depth"] == {("fast",): 0, ("slow",): 1}
        assert 89 < found["ainews_queue_age_seconds"]["slow",] < 120
        assert 599 < found["ainews_poll_lag_seconds"][()] < 640
        assert found["ainews_sources"]["ok",] == 1
        assert found["ainews_database_up"][()] == 1
        assert found["ainews_database_bytes"][()] > 100_000
        assert found["ainews_disk_free_bytes"][()] > 0
        assert "ainews_backup_timestamp_seconds" not in found
        assert found["ainews_degraded"][()] == 0

    def test_a_folder_for_backups_without_any_has_the_time_zero(self, client: Client) -> None:
        (Path(settings.DATA) / "backups").mkdir()

        assert scrape(client)["ainews_backup_timestamp_seconds"][()] == 0

    def test_values_are_measured_at_most_once_in_a_while(self, client: Client) -> None:
        scrape(client)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            scrape(client)

        # The selection of sources, and the probe of /health.
        assert len(queries) <= 3

    def test_open_metrics_are_answered_to_who_asks_for_them(self, client: Client) -> None:
        accept = "application/openmetrics-text; version=1.0.0"
        response = client.get("/metrics", headers={"accept": accept})

        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        assert response.content.endswith(b"# EOF\n")

    def test_counters_are_still_read_while_the_database_is_down(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        count_outcome(outcome(make_source("any")))
        forget_selection()

        def fail(*_: object, **__: object) -> None:
            raise OperationalError("connection refused")

        with monkeypatch.context() as patch:
            patch.setattr("django.db.backends.utils.CursorWrapper.execute", fail)
            body, _ = exposition()
        found = samples(body.decode())

        assert found["ainews_database_up"][()] == 0
        assert found["ainews_measure_failed"]["queue",] == 1
        assert found["ainews_measure_failed"]["disk",] == 0
        assert sum(found["source_fetch_duration_count"].values()) == 1

    def test_a_group_that_cannot_be_measured_is_left_out(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(settings, "TLS_CERTIFICATE", "/nothing/here.pem")
        values = {(name, labels): value for name, labels, value in measured.measure()}

        assert values["ainews_measure_failed", ("certificate",)] == 1
        assert values["ainews_measure_failed", ("queue",)] == 0


def test_names_and_labels_are_well_formed() -> None:
    names = [metric.name for metric in all_metrics()]
    assert len(names) == len(set(names))
    for metric in all_metrics():
        assert re.fullmatch(r"(ainews|source_fetch)_[a-z_]+", metric.name)
        assert not metric.name.endswith(("_total", "_sum", "_count", "_bucket"))
        assert not metric.help.endswith(".")


def test_each_recorded_metric_is_recorded_by_the_product() -> None:
    from ainews_site.infra import metrics as defined

    names = {name for name in vars(defined) if getattr(defined, name) in RECORDED}
    sources = "".join(
        path.read_text()
        for app in ("feeds", "digests", "accounts", "ainews_site")
        for path in (settings.BASE_DIR / app).rglob("*.py")
    )
    unused = [
        name
        for name in names
        if not isinstance(getattr(defined, name), tuple)
        and not re.search(rf"\b{name}\.(add|observe|put)\(", sources)
    ]

    assert unused == []


def test_each_key_of_the_cache_has_a_kind() -> None:
    """A key without a kind would be counted as other, and a text of a reader must be no label."""
    found = set()
    for app in ("feeds", "digests"):
        for path in (settings.BASE_DIR / app).rglob("*.py"):
            text = path.read_text()
            if "infra.memo import" in text:
                found |= set(re.findall(r"f\"([a-z]+(?:-[a-z]+)*)-\{", text))
    assert found <= KINDS
    assert kind_of("page-7-river") == "page"
    assert kind_of("rail-of-trends-7") == "rail-of-trends"
    assert kind_of("matches-deadbeef") == "matches"
    assert kind_of("anything-else") == "other"
