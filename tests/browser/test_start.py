"""The start of a new reader, the list of sources and preferences in a real browser."""

from typing import Any

import pytest
from playwright.sync_api import expect

SCREENS = [(360, "dark"), (1280, "light")]


@pytest.mark.parametrize(("width", "theme"), SCREENS)
@pytest.mark.parametrize("has_scripts", [True, False])
def test_a_newcomer_reads_a_first_story(
    new_reader: Any, width: int, theme: str, has_scripts: bool
) -> None:
    page = new_reader(
        f"new-{width}-{has_scripts}",
        viewport={"width": width, "height": 740},
        color_scheme=theme,
        java_script_enabled=has_scripts,
        timezone_id="Europe/Berlin",
    )
    expect(page.locator("h1")).to_have_text("Choose what to read")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_label("News", exact=False).first.check()
    page.get_by_role("button", name="Continue").click()

    page.get_by_label("Agents", exact=True).check()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_role("button", name="Continue").click()

    zone = page.get_by_label("Time zone")
    expect(zone).to_have_value("Europe/Berlin" if has_scripts else "UTC")
    page.get_by_role("button", name="Show my stories").click()

    expect(page.locator("h1")).to_have_text("Stories")
    expect(page.locator("#list [data-open]").first).to_be_visible(timeout=20_000)


def test_a_phone_shows_eight_sources_a_screen(open_page: Any) -> None:
    page = open_page("/sources/", viewport={"width": 360, "height": 740})
    bottom = page.locator(".mainnav").bounding_box()["y"]
    rows = [row.bounding_box() for row in page.locator(".sources-list tbody tr").all()]
    assert sum(row["y"] + row["height"] <= bottom + 2 for row in rows) >= 8


@pytest.mark.parametrize(("width", "theme"), SCREENS)
def test_no_time_of_a_source_breaks_over_two_lines(look_at: Any, width: int, theme: str) -> None:
    page = look_at("/sources/", width, theme)
    heights = page.locator(".sources-list time").evaluate_all(
        "all => all.map(one => one.getClientRects().length)"
    )
    assert heights and set(heights) <= {0, 1}


def test_sources_are_filtered_without_javascript(open_page: Any) -> None:
    page = open_page("/sources/", java_script_enabled=False)
    page.get_by_label("State").select_option("failing")
    page.get_by_role("button", name="Show", exact=True).click()
    assert "state=failing" in page.url
    words = page.locator(".source-word").all_inner_texts()
    assert words and all("failing" in word or "gone" in word for word in words)


@pytest.mark.parametrize(("width", "theme"), SCREENS)
def test_an_interest_is_a_chip(open_page: Any, width: int, theme: str) -> None:
    page = open_page("/preferences/", viewport={"width": width, "height": 740}, color_scheme=theme)
    group = page.locator("details.topics", has_text="Safety and society")
    group.locator("summary").click()
    for level in ("More", "Normal"):
        if group.get_attribute("open") != "":
            group.locator("summary").click()
        group.get_by_role("group", name="Copyright").get_by_label(level).check()
        page.locator("#interests").get_by_role("button", name="Save").click()
        expect(page.locator("#interests .account-saved")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
