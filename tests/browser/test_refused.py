"""What a page does when its session ended, its connection is lost or its requests are refused."""

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Product
from tests.browser.test_triage import GUEST, has, rows


def save(page: Page, place: int = 1) -> Any:
    """Save a row by its key. Return the row."""
    row = rows(page).nth(place)
    row.locator("[data-open]").focus()
    page.keyboard.press("s")
    return row


def refusal(status: int) -> Callable[[Route], None]:
    wait = {"Retry-After": "7"} if status in (429, 503) else {}
    return lambda route: route.fulfill(status=status, headers=wait)


def test_a_list_loads_nothing_of_the_sign_in_page_or_of_another_reader(
    new_reader: Any, product: Product
) -> None:
    page = new_reader("leaver", 12)
    page.goto(product.url + "/search/?q=lab")
    page.context.clear_cookies()
    page.get_by_role("link", name="More options").click()
    page.wait_for_url("**/signin/?next=%2Fsearch%2F%3Fq%3Dlab")

    page = new_reader("sharer", 12)
    first = page.locator("body").get_attribute("data-reader")
    page.goto(product.url + "/river/")
    page.context.clear_cookies()
    save(page)
    expect(page.locator("#toast")).to_contain_text("Not saved: you are signed out.")
    other = page.context.new_page()
    other.goto(f"{product.url}/signin/{product.run(GUEST).strip()}")
    second = other.locator("body").get_attribute("data-reader")
    assert first != second
    expect(page.locator("body")).to_have_attribute("data-reader", str(first))
    with page.expect_navigation():
        save(page)
    expect(page.locator("body")).to_have_attribute("data-reader", str(second))
    assert page.url == product.url + "/river/"


def test_older_rows_come_when_the_connection_is_back(new_reader: Any, product: Product) -> None:
    page = new_reader("traveller", 40)
    page.goto(product.url + "/river/")
    toast, count = page.locator("#toast"), rows(page).count()
    page.context.set_offline(True)
    page.locator("#list > .more").scroll_into_view_if_needed()
    expect(toast).to_contain_text("Not loaded: there is no connection to the server.")
    page.evaluate("window.isOld = true")
    page.keyboard.press("j")
    page.keyboard.press("r")
    page.wait_for_timeout(300)
    assert page.evaluate("window.isOld")
    expect(toast).to_contain_text("Not loaded: there is no connection to the server.")
    expect(rows(page)).to_have_count(count)
    page.context.set_offline(False)
    expect(rows(page).nth(count)).to_be_attached()

    count = rows(page).count()
    page.route("**/river/?before=*", lambda route: route.abort("connectionreset"))
    page.locator("#list > .more").scroll_into_view_if_needed()
    expect(toast).to_contain_text("Not loaded")
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(100)
    page.unroute("**/river/?before=*")  # not before: while the end is in view, it is tried again
    expect(rows(page)).to_have_count(count)
    page.locator("#list > .more").scroll_into_view_if_needed()
    expect(rows(page).nth(count)).to_be_attached()

    page.goto(page.url.replace("/river/", "/search/?q=lab"))
    page.context.set_offline(True)
    page.get_by_role("link", name="More options").click()
    expect(toast).to_contain_text("Not loaded")
    page.context.set_offline(False)
    expect(page.get_by_label("All of these words")).to_be_visible()


def test_a_refusal_says_why_and_storage_may_be_denied(new_reader: Any, product: Product) -> None:
    page = new_reader("refused", 12)
    page.clock.install()
    page.add_init_script(
        """for (const name of ["localStorage", "sessionStorage"]) {
          Object.defineProperty(window, name, { get() { throw new DOMException("no"); } });
        }"""
    )
    page.goto(product.url + "/river/")
    toast = page.locator("#toast")
    answers = {
        429: "there were too many requests. Try again in 7 seconds.Try again",
        500: "something broke on the server. Try again in a moment.Try again",
        503: "the server is busy. Try again in 7 seconds.Try again",
        403: "the server refused it. Reload the page and try again.Reload",
    }
    for status, reason in answers.items():
        page.route("**/state/", refusal(status))
        row = save(page)
        expect(toast).to_have_text("Not saved: " + reason)
        expect(row).not_to_have_class(has("is-saved"))
        page.unroute("**/state/")

    # The message stays as long as its button has the focus.
    toast.get_by_role("button").focus()
    page.clock.fast_forward(30_000)
    expect(toast).to_contain_text("Not saved")
    page.locator("h1").click()
    page.clock.fast_forward(30_000)
    expect(toast).to_have_text("")

    with page.expect_response("**/state/"):
        row = save(page)
    expect(row).to_have_class(has("is-saved"))
    expect(toast).to_have_text("")
    with page.expect_response("**/river/read/**"):
        page.keyboard.press("A")
    expect(toast).to_contain_text("as read")
    page.route("**/undo/**", lambda route: route.fulfill(status=410, json={}))
    page.keyboard.press("z")
    expect(toast).to_have_text("This was undone already.")
    page.unroute("**/undo/**")
    with page.expect_response("**/state/"):
        page.keyboard.press("z")
    expect(toast).to_contain_text(re.compile("No longer saved: "))
