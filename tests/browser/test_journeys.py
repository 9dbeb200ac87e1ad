"""Whole journeys of a reader in a real browser, in windows from a phone to a large screen."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Product
from tests.browser.test_pages import PAGES
from tests.browser.test_triage import has

WINDOWS = [(360, "light"), (768, "dark"), (1280, "dark"), (1920, "light")]
FEW, MANY = 3, 50


def rows_of(page: Page) -> list[Locator]:
    """The first 50 rows of River, found by name, as their order may change."""
    page.goto(page.url.split("/start")[0].rstrip("/") + "/river/")
    names = page.locator("#list > [data-row]").evaluate_all(
        "rows => rows.map(row => row.dataset.row)"
    )
    assert len(names) >= MANY
    return [page.locator(f"[data-row={name}]") for name in names[:MANY]]


def expect_read(page: Page, rows: list[Locator]) -> None:
    page.reload()
    for row in rows:
        expect(row).to_have_class(has("is-read"))


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
@pytest.mark.parametrize("path", PAGES)
def test_every_page_fits_its_window(look_at: Any, path: str, width: int, scheme: str) -> None:
    page = look_at(path, width, scheme)
    expect(page.locator("h1")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    column = page.locator("main").bounding_box()
    rail = page.locator(".rail").bounding_box()
    if rail and width >= 1100:
        assert rail["x"] >= column["x"] + column["width"]
        assert rail["x"] + rail["width"] <= width


def test_fifty_items_are_triaged_by_keyboard(new_reader: Any) -> None:
    page = new_reader("keys", 40, viewport={"width": 1280, "height": 900})
    rows = rows_of(page)
    for number, row in enumerate(rows):
        page.keyboard.press("j")
        expect(row).to_have_class(has("is-current"))
        with page.expect_response("**/state/"):
            page.keyboard.press("s" if number < FEW else "m")
        if number < FEW:
            with page.expect_response("**/state/"):
                page.keyboard.press("m")
    with page.expect_response("**/state/"):
        page.keyboard.press("x")
    expect(rows[-1]).to_be_hidden()
    expect_read(page, rows[:-1])
    expect(rows[-1]).to_have_count(0)
    expect(page.locator("#list > .is-saved")).to_have_count(FEW)


def test_fifty_items_are_triaged_by_mouse(new_reader: Any) -> None:
    page = new_reader("mouse", 40, viewport={"width": 1280, "height": 900})
    rows = rows_of(page)
    for number, row in enumerate(rows):
        row.hover()
        for key in "sm" if number < FEW else "m":
            with page.expect_response("**/state/"):
                row.locator(f".acts > [data-key={key}]").click()
    rows[-1].hover()
    with page.expect_response("**/state/"):
        rows[-1].locator(".acts > [data-key=x]").click()
    expect_read(page, rows[:-1])
    expect(rows[-1]).to_have_count(0)
    expect(page.locator("#list > .is-saved")).to_have_count(FEW)


def test_fifty_items_are_triaged_by_touch(new_reader: Any) -> None:
    page = new_reader(
        "touch", 40, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True
    )
    rows = rows_of(page)
    client = page.context.new_cdp_session(page)

    def swipe(row: Locator) -> None:
        row.evaluate("row => row.scrollIntoView({ block: 'center' })")
        box = row.bounding_box()
        assert box is not None
        for kind, x in [("Start", 250), *(("Move", x) for x in (220, 180, 140, 100)), ("End", 0)]:
            points = [{"x": x, "y": box["y"] + 20}] if x else []
            client.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
            page.wait_for_timeout(15)  # a finger takes its time

    for row in rows:
        with page.expect_response("**/state/"):
            swipe(row)
    expect_read(page, rows)
    for key, row in (("s", rows[0]), ("s", rows[1]), ("x", rows[-1])):
        row.evaluate("row => row.scrollIntoView({ block: 'center' })")
        for _ in range(3):  # the menu closes as well as it opens
            row.locator(".menu > summary").tap()
        with page.expect_response("**/state/"):
            row.locator(f".acts > [data-key={key}]").tap()
    page.reload()
    expect(rows[-1]).to_have_count(0)
    expect(page.locator("#list > .is-saved")).to_have_count(2)


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_source_is_added_by_the_address_of_its_site(
    product: Product, new_reader: Any, has_scripts: bool
) -> None:
    page = new_reader(f"adds-{has_scripts}", 1, java_script_enabled=has_scripts)
    site = f"http://pylon.localhost:{product.newsroom_port}/"
    page.goto(f"{product.url}/sources/")
    page.get_by_label("Web page or feed address").fill(site)
    page.get_by_role("button", name="Add a source").click()
    candidate = page.locator(".source-candidate").first
    expect(candidate.locator("h2")).to_contain_text("The Pylon")
    title = candidate.locator("ol a").first.inner_text()
    candidate.get_by_role("button", name="Follow").click()
    expect(page.locator("h1")).to_contain_text("The Pylon")
    expect(page.locator("#source-newest")).to_contain_text(title)
    page.goto(f"{product.url}/river/")
    expect(page.locator("#list .row-source", has_text="The Pylon").first).to_be_visible()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_an_opml_file_is_imported(
    product: Product, new_reader: Any, tmp_path: Path, has_scripts: bool
) -> None:
    page = new_reader(f"imports-{has_scripts}", 1, java_script_enabled=has_scripts)
    feed = f"http://harbor-wire.localhost:{product.newsroom_port}/feed.xml"
    file = tmp_path / "feeds.opml"
    file.write_text(
        '<opml version="2.0"><body><outline text="Wires"><outline text="My wire" type="rss"'
        f' xmlUrl="{feed}"/><outline text="None" type="rss" xmlUrl="mailto:a@b.example"/>'
        "</outline></body></opml>"
    )
    page.goto(f"{product.url}/sources/")
    page.get_by_label("Import an OPML file").set_input_files(file)
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("1 added, 0 already followed, 1 failed.")).to_be_visible()
    expect(page.locator(".sources-table")).to_contain_text("mailto:a@b.example")
    page.get_by_role("link", name="Back to sources").click()
    row = page.locator(".sources-list tr", has_text="My wire")
    expect(row).to_contain_text("Wires")
    expect(row).to_contain_text("ok")


@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_digest_is_read_from_its_contents_to_a_source(open_page: Any, has_scripts: bool) -> None:
    page = open_page("/", java_script_enabled=has_scripts)
    page.locator(".mainnav").get_by_role("link", name="Digest").click()
    contents = page.get_by_role("navigation", name="Contents").get_by_role("link")
    headline = contents.nth(1).inner_text()
    contents.nth(1).click()
    assert page.url.endswith("#story-2")
    story = page.locator("#story-2")
    expect(story.locator("h2")).to_have_text(headline)
    expect(story).to_be_in_viewport()
    story.locator(".cite").first.click()
    cited = page.locator(re.sub(r".*#", "#", page.url))
    expect(cited).to_be_in_viewport()
    expect(cited.locator("a")).to_have_attribute("href", re.compile("^http"))
    story.locator("h2 a").click()
    expect(page.locator("h1")).to_be_visible()
    assert "/story/" in page.url
    page.go_back()
    expect(page.locator(".edition")).to_be_visible()
