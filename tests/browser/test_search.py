"""The search in a real browser: by its form, by keyboard, and without JavaScript."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

SCREENS = [(360, "dark"), (1280, "light")]


def query_of(page: Page) -> str:
    return page.locator("#q").input_value()


@pytest.mark.parametrize("has_scripts", [True, False])
@pytest.mark.parametrize(("width", "theme"), SCREENS)
def test_the_form_writes_a_query(open_page: Any, width: int, theme: str, has_scripts: bool) -> None:
    page = open_page(
        "/search/?q=lab+source:wire",
        viewport={"width": width, "height": 800},
        color_scheme=theme,
        java_script_enabled=has_scripts,
    )
    page.get_by_role("link", name="More options").click()
    words = page.get_by_label("All of these words")
    expect(words).to_be_focused()
    expect(words).to_have_value("lab")
    expect(page.get_by_label("Source", exact=True)).to_have_value("wire")
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    page.get_by_label("None of these words").fill("price")
    page.get_by_label("State").select_option("unread")
    page.get_by_label("From this day").fill("2026-01-01")
    page.locator("#options").get_by_role("button", name="Search").click()

    page.wait_for_url("**price**")
    assert query_of(page) == "lab -price source:wire is:unread after:2026-01-01"
    expect(page.get_by_role("link", name="More options")).to_be_visible()
    sources = page.locator("#list .row-source").all_inner_texts()
    assert sources and set(sources) == {"Harbor Wire"}


def test_there_is_one_search_field(look_at: Any) -> None:
    for width in (360, 1280):
        page = look_at("/search/?q=model", width)
        assert page.locator("input[type=search]:visible").count() == 1


def test_the_articles_of_a_story_unfold_by_keyboard(open_page: Any) -> None:
    page = open_page("/search/?q=model")
    more = page.locator(".row-more > summary").first
    number = int(re.sub(r"\D", "", more.inner_text()))
    more.focus()
    page.keyboard.press("Enter")

    links = page.locator(".row-more[open] .coverage a")
    expect(links.first).to_be_visible()
    assert links.count() == min(number, 4) + 1  # with the whole story
    links.last.click()
    page.wait_for_url("**/story/**")


def test_stories_and_articles_are_a_choice(open_page: Any) -> None:
    page = open_page("/search/?q=model")
    page.get_by_role("link", name="Articles", exact=True).click()
    expect(page.get_by_role("link", name="Articles", exact=True)).to_have_attribute(
        "aria-current", "true"
    )
    assert page.locator("#list .row-more").count() == 0
    page.locator("#q").fill("lab")
    page.locator("#q").press("Enter")
    page.wait_for_url("**by=articles**")
    page.get_by_role("link", name="Stories", exact=True).last.click()
    page.wait_for_url(re.compile(r"\?q=lab$"))


@pytest.mark.parametrize(("width", "theme"), SCREENS)
def test_a_misspelled_word_is_corrected(open_page: Any, width: int, theme: str) -> None:
    page = open_page(
        "/search/?q=modle", viewport={"width": width, "height": 800}, color_scheme=theme
    )
    expect(page.locator(".search-mean")).to_contain_text("Did you mean model?")
    page.locator(".search-mean a").click()
    page.wait_for_url(re.compile(r"\?q=model$"))
    expect(page.locator("#list mark").first).to_be_visible()


def test_rows_are_moved_through_and_saved_by_keyboard(open_page: Any) -> None:
    page = open_page("/search/?q=model")
    page.keyboard.press("j")
    row = page.locator("#list > [data-row]").first
    expect(row).to_have_class(re.compile("is-current"))
    page.keyboard.press("s")
    expect(row).to_have_class(re.compile("is-saved"))
    page.keyboard.press("s")
    expect(row).not_to_have_class(re.compile("is-saved"))
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()


def test_a_query_of_one_very_long_word_does_not_widen_the_page(look_at: Any) -> None:
    page = look_at(f"/search/?options=1&q={'x' * 480}", 360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
