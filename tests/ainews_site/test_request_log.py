"""The id of each request, and the line that is logged when it ends."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from ainews_site.infra.deferred_writes import DeferredWrites
from ainews_site.observe.context import carrying_ids, is_valid, of_request, request_id
from ainews_site.observe.log_lines import JsonLines
from ainews_site.proxies import Proxies, read_proxies

SENT = "nginx-0123456789abcdef"


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """The lines of requests that are logged meanwhile."""
    caught: list[dict[str, Any]] = []
    logger, formatter = logging.getLogger("ainews.access"), JsonLines()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            caught.append(json.loads(formatter.format(record)))

    handler, before = Handler(), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield caught
    logger.removeHandler(handler)
    logger.setLevel(before)


def test_each_answer_has_an_id(client: Client, db: None) -> None:
    first, second = (client.get("/signin/").headers["X-Request-ID"] for _ in range(2))

    assert is_valid(first)
    assert is_valid(second)
    assert first != second


def test_the_id_of_a_trusted_proxy_is_used(client: Client, db: None, settings: Any) -> None:
    settings.TRUSTED_PROXIES = read_proxies(["127.0.0.1"])

    assert client.get("/signin/", headers={"X-Request-ID": SENT}).headers["X-Request-ID"] == SENT


@pytest.mark.parametrize("sent", ["short", "has spaces in it", "line\nbreak-0123", "x" * 65, ""])
def test_an_id_that_is_none_is_replaced(client: Client, db: None, settings: Any, sent: str) -> None:
    settings.TRUSTED_PROXIES = read_proxies(["127.0.0.1"])

    answer = client.get("/signin/", headers={"X-Request-ID": sent})

    assert is_valid(answer.headers["X-Request-ID"])
    assert answer.headers["X-Request-ID"] != sent


def test_the_id_of_anyone_else_is_ignored(client: Client, db: None, settings: Any) -> None:
    settings.TRUSTED_PROXIES = Proxies()

    assert client.get("/signin/", headers={"X-Request-ID": SENT}).headers["X-Request-ID"] != SENT


def test_a_line_has_the_route_and_nothing_that_identifies(
    page: Client, lines: list[dict[str, Any]]
) -> None:
    answer = page.get("/search/?q=secret+words", REMOTE_ADDR="203.0.113.9")

    (line,) = lines
    user_id = int(page.session["_auth_user_id"])
    assert line.pop("ms") > 0
    line.pop("time")
    assert line == {
        "event": "request",
        "method": "GET",
        "route": "search",
        "status": 200,
        "user_id": user_id,
        "request_id": answer.headers["X-Request-ID"],
        "level": "info",
        "logger": "ainews.access",
    }


def test_an_address_is_logged_if_a_setting_asks_for_it(
    page: Client, lines: list[dict[str, Any]], settings: Any
) -> None:
    settings.LOG_ADDRESSES = True

    page.get("/river/", REMOTE_ADDR="203.0.113.9")

    assert lines[0]["ip"] == "203.0.113.9"


def test_a_request_without_a_route_or_a_reader_has_neither(
    client: Client, db: None, lines: list[dict[str, Any]]
) -> None:
    client.get("/no/such/page")

    assert (lines[0]["route"], lines[0]["user_id"], lines[0]["status"]) == ("", None, 404)


def test_health_checks_and_static_files_are_not_logged(
    client: Client, db: None, lines: list[dict[str, Any]]
) -> None:
    client.get("/health")
    client.get("/static/icon.svg")

    assert lines == []


def test_an_id_ends_with_its_request(client: Client, db: None) -> None:
    client.get("/signin/")

    assert request_id.get() == ""


def test_a_thread_can_carry_the_ids() -> None:
    seen: list[str] = []

    def note() -> None:
        seen.append(request_id.get())

    with of_request(SENT):
        work: Callable[[], None] = carrying_ids(note)
    for target in (work, note):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()

    assert seen == [SENT, ""]


def test_a_deferred_write_keeps_the_id_of_its_request(transactional_db: None) -> None:
    seen: list[str] = []
    writes = DeferredWrites()

    def note() -> None:
        seen.append(request_id.get())

    with of_request(SENT):
        writes._enqueue("key", note)

    assert writes.flush(5)
    assert seen == [SENT]
