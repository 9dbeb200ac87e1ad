"""The page of an edition that is being written or could not be: it loads once and waits."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Product

WATCHED = 6_000
"""Milliseconds for which loads are counted: a page that reloads itself did so twice a second."""


@contextmanager
def writing(product: Product, owner: int | None, error: str = "") -> Iterator[None]:
    """An edition of today that some other worker holds, or that failed, for a day."""
    with closing(sqlite3.connect(Path(product.data) / "ainews.sqlite3", timeout=30)) as database:
        with database:
            database.execute("DELETE FROM digests_writing")  # after its hour one may wait
            database.execute(
                "INSERT INTO digests_writing "
                "(user_id, date, is_due, done, total, attempts, error, next_try_at, until) "
                "SELECT ?, date('now'), 0, 2, 7, 1, ?, datetime('now', '+1 day'), "
                "CASE WHEN ? = '' THEN datetime('now', '+1 day') END",
                (owner, error, error),
            )
        try:
            yield
        finally:
            with database:
                database.execute("DELETE FROM digests_writing")


def loads_of(page: Page) -> list[str]:
    """The documents that the page loads from now on."""
    loads: list[str] = []
    page.on("framenavigated", lambda frame: loads.append(frame.url))
    return loads


@pytest.mark.parametrize("path", ["/digest/", "/digest/global/"])
@pytest.mark.parametrize("error", ["", "Something failed while it was written."])
def test_a_page_waits_for_its_own_edition_without_reloading(
    product: Product, open_page: Any, path: str, error: str
) -> None:
    open_page(path)  # the first visit writes what is not there yet
    owner = None if "global" in path else 1
    said = error or "Writing story 3 of 7…"

    with writing(product, owner, error):
        page = open_page(path)
        loads = loads_of(page)
        expect(page.locator("[data-writing]")).to_contain_text(said)
        page.wait_for_timeout(WATCHED)
        expect(page.locator("[data-writing]")).to_contain_text(said)
        assert loads == []

    expect(page.locator("[data-writing]")).to_have_count(0, timeout=15_000)
    assert len(loads) == 1


def test_a_page_that_is_behind_its_socket_is_not_loaded_without_pause(
    product: Product, open_page: Any
) -> None:
    """The page may come from a replica that is behind the database that the socket reads."""
    page = open_page("/digest/")
    written = json.dumps({"kind": "written", "is_global": False})
    page.route_web_socket("**/ws/digest/", lambda socket: socket.send(written))
    loads = loads_of(page)

    with writing(product, 1):
        page.goto(product.url + "/digest/")
        page.wait_for_timeout(WATCHED)

    assert 2 <= len(loads) <= 4
