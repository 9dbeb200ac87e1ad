"""What the pages look like: where the pill lies, what fits a phone, how large targets are."""

from typing import Any

import pytest
from playwright.sync_api import expect

PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 800},
    "has_touch": True,
    "is_mobile": True,
}
TABLET: dict[str, Any] = {"viewport": {"width": 1024, "height": 900}, "has_touch": True}
BOXES = "rows => rows.map(row => row.getBoundingClientRect().toJSON())"
REACH = """target => {
    target.scrollIntoView({ block: "center" });
    const box = target.getClientRects()[0];
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const extent = (dx, dy) => {
        let steps = 0;
        const at = () => document.elementFromPoint(x + dx * steps, y + dy * steps);
        while (target.contains(at())) steps += 1;
        return steps;
    };
    return [extent(-1, 0) + extent(1, 0) - 1, extent(0, -1) + extent(0, 1) - 1];
}"""
"""How wide and high the area is that a tap may hit."""
SHOW_PILL = """text => {
    const pill = document.querySelector("#new-pill");
    pill.textContent = text;
    pill.hidden = false;
}"""


@pytest.mark.parametrize("path", ["/", "/river/", "/?topic=agents"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_pill_lies_on_the_rule_of_the_heading_and_moves_nothing(
    look_at: Any, path: str, width: int
) -> None:
    page = look_at(path, width)
    rows = page.locator("#list [data-row]")
    before = rows.evaluate_all(BOXES)
    page.evaluate(SHOW_PILL, "3 new stories")
    assert rows.evaluate_all(BOXES) == before

    pill = page.locator("#new-pill").bounding_box()
    rule = page.locator(".list-head").bounding_box()
    end = rule["y"] + rule["height"]
    assert pill["y"] < end < pill["y"] + pill["height"]
    for other in page.locator(".list-head > *, .chips .chip, #list [data-open]").all():
        if (box := other.bounding_box()) is None:
            continue
        is_beside = (
            box["x"] + box["width"] <= pill["x"]
            or box["x"] >= pill["x"] + pill["width"]
            or box["y"] + box["height"] <= pill["y"]
            or box["y"] >= pill["y"] + pill["height"]
        )
        assert is_beside, other.inner_text()


def test_the_pill_is_below_the_top_bar_when_the_page_has_scrolled(open_page: Any) -> None:
    page = open_page("/", viewport={"width": 1280, "height": 800})
    page.evaluate(SHOW_PILL, "3 new stories")
    page.mouse.wheel(0, 1500)
    page.wait_for_timeout(200)
    bar, pill = page.locator(".topbar").bounding_box(), page.locator("#new-pill").bounding_box()
    assert 0 <= pill["y"] - bar["y"] - bar["height"] <= 12


def test_a_phone_shows_five_rows_below_a_lead_with_a_picture(open_page: Any) -> None:
    page = open_page("/", **PHONE)
    lead = page.locator(".row-lead")
    if not lead.locator(".row-image").count():
        lead.evaluate(
            "lead => lead.prepend(Object.assign(new Image(), { className: 'row-image' }))"
        )
    title = "A headline that is as long as the longest ones are, and then goes on for a while"
    lead.locator("[data-open]").evaluate("(link, title) => { link.textContent = title; }", title)
    navigation = page.locator(".mainnav").bounding_box()["y"]
    fifth = page.locator("#list .row:not(.row-lead)").nth(4).bounding_box()
    assert fifth["y"] + fifth["height"] <= navigation + 1


@pytest.mark.parametrize("device", [PHONE, TABLET])
@pytest.mark.parametrize("path", ["/", "/river/", "/trends/", "/digest/"])
def test_filters_are_large_enough_for_a_finger(
    open_page: Any, device: dict[str, Any], path: str
) -> None:
    page = open_page(path, **device)
    for chip in page.locator(".chip:visible").all():
        assert chip.bounding_box()["height"] >= 44


def test_a_trend_takes_little_room_on_a_phone(open_page: Any) -> None:
    page = open_page("/trends/", **PHONE)
    for row in page.locator(".trend").all():
        assert row.bounding_box()["height"] <= 92


def test_the_numbers_of_unread_items_and_stories_follow_what_is_read(open_page: Any) -> None:
    page = open_page("/", viewport={"width": 1280, "height": 900})
    stories, items = page.locator("[data-count=stories]"), page.locator(".mainnav [data-count]")
    before, all_items = int(stories.inner_text()), int(items.inner_text())
    row = page.locator("#list [data-row]:not(.is-read)").nth(3)
    name = row.get_attribute("data-row")
    row.hover()
    row.locator("[data-key=m]").click()
    expect(stories).to_have_text(str(before - 1))
    expect(items).not_to_have_text(str(all_items))
    page.locator(f"[data-row={name}] [data-key=m]").click()
    expect(stories).to_have_text(str(before))
    page.locator(f"[data-row={name}] [data-key=x]").click()
    expect(stories).to_have_text(str(before - 1))
    page.keyboard.press("z")
    expect(stories).to_have_text(str(before))


@pytest.mark.parametrize("path", ["/digest/", "/sources/", "/trends/", "/preferences/"])
def test_each_page_shows_the_number_of_unread_items(open_page: Any, path: str) -> None:
    page = open_page(path, viewport={"width": 1280, "height": 900})
    assert int(page.locator(".mainnav [data-count=all]").inner_text()) > 0


def test_an_edition_gives_the_number_of_sources_once(open_page: Any) -> None:
    page = open_page("/digest/")
    for story in page.locator(".edition-story:has(.edition-strip)").all():
        assert story.locator(".edition-writer, .edition-strip").all_inner_texts()
        assert " sources" not in story.locator(".edition-writer").inner_text()


@pytest.mark.parametrize("width", [360, 1280])
def test_names_of_sources_without_spaces_fit_an_edition(look_at: Any, width: int) -> None:
    page = look_at("/digest/", width)
    captions = page.locator(".edition-strip span")
    assert captions.count()
    captions.evaluate_all("all => all.forEach(one => { one.textContent = 'w'.repeat(300); })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("path", "targets", "height"),
    [
        ("/", ".brand, .me, .pagefoot button, .rail-block h2 a, .rail-digest a", 44),
        ("/", ".row:not(.row-lead) .row-head:has(.row-text) [data-open]", 44),
        ("/", ".row:not(.row-lead) :is(.row-source, .row-more > summary)", 24),
        ("/trends/", ".trend summary", 44),
        ("/trends/", ".trend h2 a, .trend-lead a", 24),
        ("/?topic=agents", ".levels .act", 44),
    ],
)
def test_targets_are_large_enough_for_a_finger(
    look_at: Any, path: str, targets: str, height: int
) -> None:
    page = look_at(path, 360)
    found = page.locator(f":is({targets}):visible").all()[:24]
    assert found
    for target in found:
        width, reached = target.evaluate(REACH)
        assert width >= min(height, 44) and reached >= height, target.inner_text()
