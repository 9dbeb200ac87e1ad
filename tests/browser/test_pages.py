"""The pages in a real browser."""

import os
import re
import subprocess
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Dialog, expect

from tests.browser.conftest import Product

PAGES = [
    "/",
    "/river/",
    "/digest/",
    "/digest/global/",
    "/digests/",
    "/digest/delivery/",
    "/trends/",
    "/sources/",
    "/search/?q=model",
    "/preferences/",
    "/taste/",
    "/start/",
    "/start/topics/",
    "/start/digest/",
]


def test_the_terminal_says_which_command_reaches_this_database(product: Product) -> None:
    said = product.wait_for("Other commands: .*")
    command = said.removeprefix("Other commands: ").replace("COMMAND", "signin_link reader")
    assert f"DATA={product.data}" in command
    elsewhere = {name: value for name, value in os.environ.items() if name != "DATA"}
    folder = settings.BASE_DIR
    done = subprocess.run(["sh", "-c", command], cwd=folder, env=elsewhere, capture_output=True)
    assert b"/signin/" in done.stdout, done.stderr


@pytest.mark.parametrize("path", PAGES)
def test_every_page_fits_a_small_screen_in_the_dark(look_at: Any, path: str) -> None:
    page = look_at(path, 360, "dark")
    expect(page.locator("h1")).to_have_count(1)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360
    assert page.locator(".mainnav a:visible").count() == 5


def test_the_keyboard_moves_and_opens(open_page: Any) -> None:
    page = open_page("/river/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    row = page.locator("#list > [data-row]").nth(1)
    expect(row).to_have_class(re.compile("is-current"))
    title = row.locator("[data-open]").inner_text()
    page.keyboard.press("o")
    expect(page.locator("h1")).to_have_text(title)
    page.wait_for_load_state()  # with the script that listens
    page.keyboard.press("g")
    page.keyboard.press("h")
    expect(page.locator("h1")).to_have_text("Stories")
    page.keyboard.press("?")
    expect(page.locator("#keys-help")).to_be_visible()


def test_keys_are_left_alone_while_one_types(open_page: Any) -> None:
    page = open_page("/river/")
    page.keyboard.press("/")
    page.keyboard.type("jjs?")
    assert page.locator("#top-q").input_value() == "jjs?"
    assert page.locator(".is-current").count() == 0


def test_coverage_unfolds_in_place(open_page: Any) -> None:
    page = open_page("/")
    more = page.locator(".row-more > summary").first
    more.click()
    expect(page.locator(".coverage").first).to_be_visible()


def test_marking_all_read_can_be_taken_back(open_page: Any) -> None:
    page = open_page("/river/?unread=1")
    row = page.locator("#list > [data-row]").first
    page.get_by_role("button", name="Mark all read").click()
    expect(page.locator("#toast")).to_contain_text("items as read")
    expect(row).to_have_class("row is-read")
    page.get_by_role("button", name="Undo").click()
    expect(row).to_have_class("row")


def test_older_items_come_by_scrolling(open_page: Any) -> None:
    page = open_page("/river/")
    before = page.locator("#list > [data-row]").count()
    page.mouse.wheel(0, 100_000)
    expect(page.locator("#list > [data-row]").nth(before)).to_be_attached()


def test_everything_works_without_javascript(open_page: Any) -> None:
    page = open_page("/river/", java_script_enabled=False)
    row = page.locator("#list > [data-row]:not(.is-saved)").nth(3)
    title = row.locator("[data-open]").inner_text()
    row.hover()
    with page.expect_navigation():
        row.locator("[data-key=s]").click()
    page.get_by_role("link", name="Saved", exact=True).click()
    expect(page.get_by_role("link", name=title, exact=True)).to_be_visible()
    page.goto(page.url.split("?")[0])
    page.get_by_role("link", name="Older items").click()
    expect(page.locator("#list > [data-row]").first).to_be_visible()


def test_what_arrives_shows_as_a_pill_and_comes_in_on_a_click(open_page: Any) -> None:
    page = open_page("/river/")
    pill = page.locator("#new-pill")
    expect(pill).to_be_visible(timeout=60_000)
    first = page.locator("#list [data-open]").first.inner_text()
    pill.click()
    expect(pill).to_be_hidden()
    expect(page.locator("#list [data-open]").first).not_to_have_text(first)


def test_the_theme_is_kept(open_page: Any) -> None:
    page = open_page("/preferences/", color_scheme="light")
    page.get_by_label("Theme").select_option("dark")
    page.locator("#reading").get_by_role("button", name="Save").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.get_by_label("Theme").select_option("system")
    page.locator("#reading").get_by_role("button", name="Save").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "system")


def test_saving_a_section_of_the_preferences_asks_about_changes_of_another(open_page: Any) -> None:
    page = open_page("/preferences/")
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.get_by_label("Theme").select_option("dark")
    page.locator("#digest").get_by_role("button", name="Save").click()
    expect(page.get_by_label("Theme")).to_have_value("dark")
    assert asked == ["beforeunload"]
    page.get_by_label("Theme").select_option("system")
    page.locator("#digest").get_by_role("button", name="Save").click()
    expect(page.locator("#digest .account-saved")).to_be_visible()
    assert asked == ["beforeunload"]


def test_less_like_this_takes_a_story_away_and_brings_it_back(open_page: Any) -> None:
    page = open_page("/")
    row = page.locator("#list [data-row]").last
    title = row.locator("[data-open]").inner_text()
    row.hover()
    row.locator(".menu > summary").click()
    row.get_by_role("button", name="Less like this").click()
    expect(page.locator("#toast")).to_contain_text("You'll see fewer stories like this")
    expect(row).to_be_hidden()
    page.goto(page.url + "taste/")
    expect(page.locator(".taste")).to_contain_text(title)
    page.go_back()
    page.goto(page.url)
    expect(page.get_by_role("link", name=title, exact=True)).to_have_count(0)

    page.goto(page.url + "taste/")
    page.locator("li", has_text=title).get_by_role("button", name="Forget").click()
    expect(page.locator(".taste")).not_to_contain_text(title)


def test_a_story_is_followed_and_a_link_out_of_it_is_counted(open_page: Any) -> None:
    page = open_page("/")
    page.locator("#list [data-open]").first.click()
    page.get_by_role("button", name="Follow story").click()
    expect(page.get_by_role("button", name="Following")).to_be_visible()
    link = page.locator("a[data-opened]")
    if link.count():
        with page.expect_request("**/opened/") as said:
            link.first.click(modifiers=["Control"])
        assert said.value.method == "POST"
    page.get_by_role("button", name="Following").click()
    expect(page.get_by_role("button", name="Follow story")).to_be_visible()


def test_the_key_that_opens_the_original_counts_as_a_click(open_page: Any) -> None:
    page = open_page("/river/")
    page.keyboard.press("j")
    original = page.locator("[data-row].is-current [data-original]")
    with (
        page.expect_popup() as opened,
        page.expect_response("**" + original.get_attribute("data-opened")) as told,
    ):
        page.keyboard.press("v")
    assert told.value.status == 204
    opened.value.close()
    title = page.locator("[data-row].is-current [data-open]").inner_text()
    page.goto(page.url.replace("/river/", "/taste/"))
    expect(page.locator("li", has_text=title)).to_contain_text("opened")


def test_an_edition_that_is_written_again_shows_by_itself(open_page: Any) -> None:
    page = open_page("/digest/")
    page.evaluate("window.isOld = true")
    page.get_by_role("button", name="Update this edition").click()
    expect(page.locator("[data-writing]")).to_have_count(0, timeout=30_000)
    expect(page.locator("h1")).to_have_count(1)
    assert page.evaluate("window.isOld") is None
    assert page.locator(".edition-story").count() > 0


def test_days_are_asked_for_only_where_they_are_to_be_chosen(open_page: Any) -> None:
    page = open_page("/preferences/")
    days = page.get_by_label("Wed")
    expect(days).to_be_hidden()
    page.get_by_label("On selected days").check()
    expect(days).to_be_visible()


def test_a_feed_is_added_and_opens(open_page: Any) -> None:
    page = open_page("/digest/delivery/")
    page.get_by_label("Type").select_option("feed")
    page.get_by_role("button", name="Add").click()
    address = page.locator(".channel-target a").inner_text()
    answer = page.request.get(address)
    assert answer.ok and "<feed" in answer.text()
    page.get_by_role("button", name="Remove").click()
    expect(page.locator(".channel")).to_have_count(0)
