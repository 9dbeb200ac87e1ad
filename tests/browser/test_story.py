"""The page of a story and of an item in a real browser: strip, citations, actions and keys."""

from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Product

WINDOWS = [("light", 1280), ("dark", 360)]


def largest_story(product: Product, page: Page) -> str:
    """The address of the story with the most sources on the front page."""
    return str(
        page.evaluate(
            """() => {
              const sources = (row) =>
                parseInt(row.querySelector(".row-more summary")?.innerText ?? "0");
              const rows = [...document.querySelectorAll("#list [data-row]")];
              rows.sort((a, b) => sources(b) - sources(a));
              return rows[0].querySelector("[data-open]").pathname;
            }"""
        )
    )


@pytest.fixture(params=WINDOWS, ids=lambda window: "-".join(map(str, window)))
def story(request: Any, open_page: Any, product: Product) -> Page:
    scheme, width = request.param
    page: Page = open_page(
        "/",
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        permissions=["clipboard-read", "clipboard-write"],
    )
    page.goto(product.url + largest_story(product, page))
    return page


def test_the_page_fits_and_says_what_happened(story: Page) -> None:
    assert story.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(story.locator(".what-note").first).to_contain_text("Extracted from")
    cite = story.locator(".cite").first
    cite.click()
    target = story.locator(story.evaluate("location.hash"))
    expect(target).to_be_in_viewport()
    expect(target.locator(".report-number")).to_have_text(f"[{cite.inner_text()}]")


def test_the_dots_are_links_for_the_keyboard(story: Page) -> None:
    dots = story.locator(".life a")
    assert 2 <= dots.count() <= 24
    labels = [
        label.bounding_box() for label in story.locator(".life text").all() if label.is_visible()
    ]
    width = story.evaluate("innerWidth")
    spans = sorted((box["x"], box["x"] + box["width"]) for box in labels if box)
    assert len(spans) >= 2
    assert spans[0][0] >= 0
    assert spans[-1][1] <= width
    assert all(end < start for (_, end), (start, _) in pairwise(spans))
    name = dots.last.get_attribute("aria-label") or ""
    dots.last.focus()
    story.keyboard.press("Enter")
    story.wait_for_url("**/item/**")
    expect(story.locator("h1")).to_have_text(name.split(": ", 2)[2])


def test_share_copies_the_address(story: Page) -> None:
    story.get_by_role("link", name="Share", exact=True).click()
    expect(story.locator("#toast")).to_contain_text("Address copied")
    assert story.evaluate("navigator.clipboard.readText()") == story.url


def test_the_keys_act_on_the_story_and_undo(story: Page) -> None:
    save = story.locator("article button[name=saved]")
    for value in ("Saved", "Save"):
        with story.expect_response("**/state/"):
            story.keyboard.press("s")
        expect(save).to_have_text(value)
    with story.expect_response("**/state/"):
        story.keyboard.press("m")
    with story.expect_response("**/state/"):
        story.keyboard.press("m")
    with story.expect_response("**/state/"):
        story.keyboard.press("x")
    expect(story.locator("#toast")).to_contain_text("Hidden")
    with story.expect_response("**/state/"):
        story.keyboard.press("z")
    story.keyboard.press("Escape")
    expect(story.locator("#list")).to_be_visible()


def test_the_menu_stays_in_the_window(story: Page) -> None:
    story.get_by_label("More for this story").click()
    box = story.locator(".reader-actions .sheet").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= story.evaluate("innerWidth")
    with story.expect_response("**/state/"):
        story.get_by_role("button", name="Mark unread").click()
    expect(story.locator("article button[name=read]")).to_have_text("Mark read")


def test_long_words_and_failed_pictures_leave_the_page_whole(story: Page) -> None:
    story.evaluate(
        """() => {
          document.querySelector("h1").textContent = "w".repeat(500);
          for (const link of document.querySelectorAll(".report h3 a")) {
            link.textContent = "w".repeat(500);
          }
        }"""
    )
    assert story.evaluate("document.documentElement.scrollWidth <= innerWidth")
    story.locator(".reader-actions").get_by_role("link", name="Read here").click()
    story.evaluate(
        """() => {
          const picture = document.createElement("img");
          picture.src = "data:image/png;base64,bm8gcGljdHVyZQ==";
          document.querySelector(".prose").append(picture);
        }"""
    )
    expect(story.locator(".prose img[src^=data]")).to_have_count(0)
    for key in ("m", "s"):
        for _ in range(2):
            with story.expect_response("**/state/"):
                story.keyboard.press(key)


@pytest.mark.parametrize("width", [360, 1280])
def test_a_long_name_of_a_source_leaves_its_icon_and_stays_on_a_line(
    open_page: Any, width: int
) -> None:
    page = open_page("/river/", viewport={"width": width, "height": 800})
    page.locator("#list [data-open]").nth(1).click()
    source = page.locator(".reader-source")
    source.locator("span").evaluate("name => { name.textContent = 'Long name '.repeat(30); }")
    icon = source.locator(".icon").bounding_box()
    assert (round(icon["width"]), round(icon["height"])) == (17, 17)
    assert source.bounding_box()["height"] <= 26
    assert page.evaluate("document.documentElement.scrollWidth") <= width
