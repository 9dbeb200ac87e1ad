"""The pages of sources in a real browser."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Product

SCREENS = [(360, "dark"), (1280, "light")]
NAME = "Weftwork Changelog (sample)"
"""The name that the feed gives itself."""
FIND = """
from datetime import timedelta
from django.utils import timezone
from feeds.models import ItemKey, Source
source = Source.objects.get(url__contains="weftwork")
"""
TAKE_AWAY = f"""{FIND}
source.delete()
print("ADDRESS", source.url)
"""
EMPTY = f"""{FIND}
source.items.all().delete()
ItemKey.objects.filter(source=source).delete()
earlier = timezone.now() - timedelta(minutes=5)
Source.objects.filter(pk=source.pk).update(
    last_fetched_at=earlier, etag="", last_modified="", body_hash=""
)
"""
WITH_FOLDERS = """size => {
    document.documentElement.dataset.size = size;
    for (const row of document.querySelectorAll(".sources-list tbody tr")) {
        const folder = row.insertCell(2);
        folder.className = "source-folder";
        folder.textContent = "Laboratories and others";
        row.querySelector(".number").textContent = "15.7";
    }
}"""


@pytest.fixture
def followed(product: Product, open_page: Any) -> Page:
    """The page of a source right after it was found, previewed and followed."""
    address = re.search(r"ADDRESS (\S+)", product.run(TAKE_AWAY))
    assert address
    page: Page = open_page("/sources/", viewport={"width": 360, "height": 800})
    page.get_by_label("Web page or feed address").fill(address[1])
    page.get_by_role("button", name="Add a source").click()
    expect(page.locator(".source-candidate h2")).to_have_text(NAME)
    assert page.locator(".source-candidate ol li").count() == 5
    page.get_by_role("button", name="Follow").click()
    return page


def test_a_followed_source_has_its_name_and_items_at_once(followed: Page) -> None:
    expect(followed.locator("h1")).to_have_text(NAME)
    expect(followed.locator("#source-newest li").first).to_be_visible(timeout=20_000)
    expect(followed.locator("#source-state")).to_contain_text("ok", timeout=20_000)
    assert followed.evaluate("performance.getEntriesByType('navigation')[0].type") == "navigate"


def test_fetch_now_shows_items_as_they_come(product: Product, followed: Page) -> None:
    expect(followed.locator("#source-state")).to_contain_text("ok", timeout=20_000)
    product.run(EMPTY)
    followed.reload()
    expect(followed.locator("#source-newest")).to_contain_text("No items yet")

    followed.get_by_role("button", name="Fetch now").click()

    expect(followed.locator("#source-state")).to_contain_text(re.compile("Fetching|ok"))
    expect(followed.locator("#source-newest li").first).to_be_visible(timeout=20_000)
    expect(followed.locator("#source-state")).to_contain_text("ok", timeout=20_000)


@pytest.mark.parametrize(("width", "theme"), SCREENS)
def test_each_row_draws_its_last_days(open_page: Any, width: int, theme: str) -> None:
    page = open_page("/sources/", viewport={"width": width, "height": 800}, color_scheme=theme)
    rows = page.locator(".sources-list tbody tr:not(.is-failing)")
    assert rows.count() == rows.locator(".day-bars:visible").count() > 20
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    heights = rows.evaluate_all("all => all.map(row => row.offsetHeight)")
    assert len(set(heights)) == 1


@pytest.mark.parametrize(("width", "size"), [(320, "medium"), (320, "huge"), (360, "huge")])
def test_rows_with_folders_fit_the_smallest_screens(look_at: Any, width: int, size: str) -> None:
    page = look_at("/sources/", width)
    page.evaluate(WITH_FOLDERS, size)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for row in page.locator(".sources-list tbody tr:not(.is-failing)").all()[:5]:
        number, days = (row.locator(cell).bounding_box() for cell in (".number", ".source-days"))
        assert number["x"] + number["width"] <= days["x"]


def test_headings_sort_the_table_without_javascript(open_page: Any) -> None:
    page = open_page("/sources/", java_script_enabled=False)
    page.get_by_role("link", name="Items per day").click()
    texts = page.locator("td.number").all_inner_texts()
    numbers = [0.0 if text == "rare" else float(text) for text in texts]
    assert numbers == sorted(numbers, reverse=True)
    expect(page.get_by_role("columnheader", name="Items per day")).to_have_attribute(
        "aria-sort", "descending"
    )


def test_the_message_that_offers_to_undo_is_one_line(open_page: Any) -> None:
    page = open_page("/sources/", viewport={"width": 360, "height": 800})
    page.locator(".sources-list .source-name a").last.click()
    page.get_by_role("button", name="Unfollow").click()
    message = page.locator(".message")
    expect(message).to_contain_text("You no longer follow")
    message.locator("bdi").evaluate("name => { name.textContent = 'Lab'; }")
    undo = message.get_by_role("button", name="Undo")
    assert message.bounding_box()["height"] <= 48
    assert undo.bounding_box()["height"] <= 28
    undo.click()
    expect(page.locator(".message")).to_contain_text("again")
