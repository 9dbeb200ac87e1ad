"""A connection that is lost in the middle of an act: the page says so and shows the old state."""

import re
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Product
from tests.browser.test_story import largest_story
from tests.browser.test_triage import has

LOST = "internetdisconnected"


def lose(page: Page, address: str, *, after_it_arrived: bool = False) -> None:
    """Lose the connection of each request to `address`, before or after the server has it."""

    def handle(route: Route) -> None:
        if after_it_arrived:
            route.fetch()
        route.abort(LOST)

    page.route(address, handle)


def test_an_answer_that_is_lost_is_asked_for_again(open_page: Any) -> None:
    page = open_page("/river/")
    name = page.locator("#list [data-row]:not(.is-saved)").nth(3).get_attribute("data-row")
    row = page.locator(f"[data-row={name}]")
    lose(page, "**/state/", after_it_arrived=True)
    row.hover()
    row.locator("[data-key=s]").click()
    expect(page.locator("#toast")).to_contain_text("no connection")
    expect(row).not_to_have_class(has("is-saved"))
    page.unroute("**/state/")
    page.get_by_role("button", name="Try again").click()
    expect(row).to_have_class(has("is-saved"))
    page.reload()
    expect(page.locator(f"[data-row={name}]")).to_have_class(has("is-saved"))


def test_a_row_that_could_not_be_hidden_comes_back(open_page: Any) -> None:
    page = open_page("/")
    name = page.locator("#list [data-row]").nth(2).get_attribute("data-row")
    row = page.locator(f"[data-row={name}]")
    lose(page, "**/state/")
    row.locator("[data-open]").focus()
    page.keyboard.press("x")
    expect(page.locator("#toast")).to_contain_text("Not saved")
    expect(row).to_be_visible()


def test_what_could_not_be_marked_as_read_stays_unread(open_page: Any) -> None:
    page = open_page("/river/")
    unread = page.locator("#list [data-row]:not(.is-read)")
    before = unread.count()
    count = page.locator(".mainnav [data-count=all]").inner_text()
    lose(page, "**/river/read/**")
    page.keyboard.press("A")
    expect(page.locator("#toast")).to_contain_text("Not saved")
    assert (unread.count(), page.locator(".mainnav [data-count=all]").inner_text()) == (
        before,
        count,
    )


def test_what_was_marked_as_read_is_undone_also_if_its_answer_was_lost(open_page: Any) -> None:
    page = open_page("/river/")
    unread = page.locator("#list [data-row]:not(.is-read)")
    toast = page.locator("#toast")
    before = unread.count()
    assert before
    lose(page, "**/river/read/**", after_it_arrived=True)
    page.keyboard.press("A")
    expect(toast).to_contain_text("Not saved")
    page.unroute("**/river/read/**")
    page.get_by_role("button", name="Try again").click()
    expect(toast).to_contain_text(re.compile(r"Marked [1-9][\d,]* items? as read"))
    expect(unread).to_have_count(0)
    with page.expect_response("**/river/read/**"):
        page.keyboard.press("A")
    expect(toast).to_contain_text(re.compile(r"Marked [1-9][\d,]* items? as read"))
    page.keyboard.press("z")
    expect(toast).to_contain_text("unread again")
    expect(unread).to_have_count(before)


def test_the_page_of_a_story_shows_what_is_and_undoes_each_act(
    open_page: Any, product: Product
) -> None:
    page = open_page("/")
    page.goto(product.url + largest_story(product, page))
    address = re.compile("/(state|follow)/$")
    page.route(address, lambda route: route.abort(LOST))
    acts = [("saved", "Save", "Saved"), ("follow", "Follow story", "Following")]
    acts.append(("hidden", "Hide", "Hidden"))
    for name, off, _ in acts:
        button = page.locator(f"article button[name={name}]")
        button.click()
        expect(page.locator("#toast")).to_contain_text("Not saved")
        expect(button).to_have_text(off)
        expect(button).to_have_attribute("aria-pressed", "false")
    page.unroute(address)
    for name, off, on in acts:
        button = page.locator(f"article button[name={name}]")
        for text in (on, off):
            with page.expect_response(address):
                button.click()
            expect(button).to_have_text(text)
            page.reload()
            expect(button).to_have_text(text)


def test_new_stories_that_cannot_be_loaded_leave_the_page(open_page: Any) -> None:
    page = open_page("/")
    rows = page.locator("#list [data-row]").count()
    page.locator("#new-pill").evaluate(
        "pill => { pill.textContent = '4 new'; pill.hidden = false; }"
    )
    page.evaluate("window.isOld = true")
    lose(page, "**/")
    page.locator("#new-pill").click()
    expect(page.locator("#toast")).to_contain_text("Not loaded")
    assert page.evaluate("window.isOld")
    expect(page.locator("#list [data-row]")).to_have_count(rows)
    page.unroute("**/")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#new-pill")).to_be_hidden()


def test_a_report_keeps_its_words_until_it_is_sent_and_is_undone(
    open_page: Any, product: Product
) -> None:
    page = open_page("/", viewport={"width": 360, "height": 740}, has_touch=True)
    page.goto(product.url + largest_story(product, page))
    page.get_by_role("link", name="Report a mistake").tap()
    expect(page.locator("h1")).to_have_text("What is wrong?")
    page.locator("[name=wrong]").first.check()
    page.locator("#note").fill("It was Tuesday.")
    lose(page, "**/report/")
    page.get_by_role("button", name="Send report").tap()
    expect(page.get_by_role("alert")).to_contain_text("Not sent")
    expect(page.locator("#note")).to_have_value("It was Tuesday.")
    expect(page.locator("[name=wrong]").first).to_be_checked()
    page.unroute("**/report/")
    page.get_by_role("button", name="Send report").tap()
    expect(page.get_by_text("Your report was sent")).to_be_visible()
    page.get_by_role("button", name="Undo").tap()
    expect(page.get_by_text("The report was withdrawn")).to_be_visible()


COUNT = ".mainnav [data-count=all]"
SAME_AS_FRESH = """async (count) => {
  const answer = await fetch("/river/");
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  window.counts = (window.counts ?? new Set()).add(fresh.querySelector(count).textContent);
  return window.counts.has(document.querySelector(count).textContent);
}"""
"""Whether the page has one of the counts that new pages had. News may come meanwhile."""


def test_counts_follow_what_is_read_in_another_tab(open_page: Any) -> None:
    page = open_page("/river/")
    other = page.context.new_page()
    other.goto(page.url.replace("/river/", "/"))
    other.locator("#list [data-row]:not(.is-read) [data-open]").last.click()
    expect(other.locator("article h1")).to_be_visible()
    wait_until(page, SAME_AS_FRESH)
    page.evaluate("window.counts = undefined")
    other.wait_for_load_state()
    with other.expect_response("**/state/"):
        other.keyboard.press("m")
    wait_until(page, SAME_AS_FRESH)
    other.close()


def wait_until(page: Page, state: str) -> None:
    for _ in range(40):
        if page.evaluate(state, COUNT):
            return
        page.wait_for_timeout(500)
    raise AssertionError("the count is old")


def test_an_open_page_is_connected_again_within_seconds_after_a_long_outage(
    open_page: Any,
) -> None:
    page = open_page("/river/")
    attempts: list[Any] = []

    def refuse(socket: Any) -> None:
        attempts.append(socket)
        socket.close()

    page.route_web_socket("**/ws/", refuse)
    page.clock.install()
    page.reload()
    for _ in range(60):  # a minute and more of an outage
        page.clock.run_for(2_000)
        page.wait_for_timeout(1)
    before = len(attempts)

    for _ in range(5):
        page.clock.run_for(2_000)
        page.wait_for_timeout(5)

    assert len(attempts) > before > 5
