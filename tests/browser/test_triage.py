"""Triage in a real browser: by keyboard, mouse and touch; Back; two tabs."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.browser.conftest import Product

LISTS = ("/", "/river/")
GUEST = """
from accounts.models import SigninToken, User
print(SigninToken.issue(User.objects.get_or_create(username="guest")[0]))
"""


def rows(page: Page) -> Any:
    return page.locator("#list [data-row]:visible")


def has(name: str) -> re.Pattern[str]:
    return re.compile(rf"(^|\s){name}(\s|$)")


@pytest.mark.parametrize("path", LISTS)
def test_every_key_of_the_dialog_works_on_lists(open_page: Any, path: str) -> None:
    page = open_page(path)
    page.keyboard.press("?")
    expect(page.locator("#keys-help")).to_be_visible()
    keys = set(page.locator("#keys-help kbd").all_inner_texts())
    page.keyboard.press("Escape")
    pressed = set()

    def press(key: str) -> None:
        page.keyboard.press({"Esc": "Escape"}.get(key, key))
        pressed.add(key)

    pressed.add("?")
    press("j")
    press("j")
    press("k")
    row = page.locator("[data-row].is-current")
    expect(row).to_have_attribute("data-row", rows(page).first.get_attribute("data-row"))
    for key, name in (("m", "is-read"), ("s", "is-saved")):
        before = name in row.get_attribute("class").split()
        for expected in (not before, before):
            with page.expect_response("**/state/"):
                press(key)
            if expected:
                expect(row).to_have_class(has(name))
            else:
                expect(row).not_to_have_class(has(name))
    hidden = row.get_attribute("data-row")
    press("x")
    expect(page.locator(f"[data-row={hidden}]")).to_be_hidden()
    expect(page.locator("[data-row].is-current")).to_have_count(1)
    expect(page.locator("#toast")).to_contain_text("Hidden")
    press("z")
    expect(page.locator(f"[data-row={hidden}]")).to_be_visible()
    with page.expect_response("**/river/read/**") as marked:
        press("A")
    assert marked.value.ok
    expect(page.locator("#toast")).to_contain_text("as read")
    with page.expect_response("**/undo/**"):
        press("z")
    with page.expect_popup() as opened, page.expect_response("**/opened/"):
        press("v")
    opened.value.close()
    press("/")
    expect(page.locator("#top-q")).to_be_focused()
    press("Esc")
    expect(page.locator("#top-q")).not_to_be_focused()
    page.locator("#new-pill").evaluate("pill => pill.remove()")  # "r" would insert what is new
    with page.expect_navigation():
        press("r")
    page.wait_for_load_state()
    for key in ("o", "Enter"):
        page.keyboard.press("j")
        title = page.locator("[data-row].is-current [data-open]").inner_text()
        press(key)
        expect(page.locator("h1")).to_have_text(title)
        page.wait_for_load_state()  # the script that handles keys
        press("Esc")
        expect(page.locator("#list")).to_be_visible()
    for key, heading in zip("rdtsh", ("River", None, "Trends", "Sources", "Stories"), strict=True):
        page.wait_for_load_state()
        press("g")
        with page.expect_navigation():
            press(key)
        if heading:
            expect(page.locator("h1")).to_have_text(heading)
    assert pressed >= keys, keys - pressed


@pytest.mark.parametrize("path", LISTS)
def test_j_and_k_go_on_from_a_story_in_the_order_of_the_list(open_page: Any, path: str) -> None:
    page = open_page(path)
    titles = page.locator("#list [data-open]").all_inner_texts()[:3]
    page.locator("#list [data-open]").first.click()
    for key, title in (("j", titles[1]), ("j", titles[2]), ("k", titles[1])):
        page.wait_for_load_state()
        page.keyboard.press(key)
        expect(page.locator("h1")).to_have_text(title)


def test_back_comes_to_the_rows_and_the_place_that_were_left(open_page: Any) -> None:
    page = open_page("/river/")
    while rows(page).count() < 120:
        page.mouse.wheel(0, 100_000)
        page.wait_for_timeout(200)
    row = rows(page).nth(110)
    row.scroll_into_view_if_needed()
    left, name = page.evaluate("scrollY"), row.get_attribute("data-row")
    row.locator("[data-open]").click()
    expect(page.locator("h1")).to_be_visible()
    page.wait_for_load_state()  # its script notes that the item was read
    page.go_back()
    expect(rows(page).nth(110)).to_have_attribute("data-row", name or "")
    page.wait_for_function("y => Math.abs(scrollY - y) < 3", arg=left)
    expect(page.locator(f"[data-row={name}]")).to_have_class(has("is-read"))


def test_back_shows_that_a_story_was_followed(open_page: Any) -> None:
    page = open_page("/")
    name = page.locator("#list [data-row]:not(:has(.sign-followed))").nth(2)
    row = page.locator(f"[data-row={name.get_attribute('data-row')}]")
    sign = row.locator(".sign-followed")
    for button, is_followed in (("Follow story", True), ("Following", False)):
        row.locator("[data-open]").click()
        page.wait_for_load_state()
        with page.expect_response("**/follow/"):
            page.get_by_role("button", name=button).click()
        page.wait_for_timeout(100)  # the script notes it after the answer
        page.go_back()
        expect(sign).to_be_visible(visible=is_followed)


def test_a_mark_shows_in_the_other_tab(open_page: Any) -> None:
    page = open_page("/river/")
    other = page.context.new_page()
    other.goto(page.url)
    row = page.locator("#list [data-row]:not(.is-read)").nth(2)
    name = row.get_attribute("data-row")
    count = other.locator(".mainnav [data-count=all]")
    before = int(count.inner_text())
    row = page.locator(f"[data-row={name}]")
    row.hover()
    row.locator("[data-key=m]").click()
    expect(other.locator(f"[data-row={name}]")).to_have_class(has("is-read"))
    expect(count).to_have_text(str(before - 1))
    other.close()


def test_what_cannot_be_sent_is_taken_back_and_said(open_page: Any) -> None:
    page = open_page("/river/")
    name = page.locator("#list [data-row]:not(.is-saved)").nth(1).get_attribute("data-row")
    row = page.locator(f"[data-row={name}]")
    page.context.set_offline(True)
    row.hover()
    row.locator("[data-key=s]").click()
    expect(page.locator("#toast")).to_contain_text("no connection")
    expect(row).not_to_have_class(has("is-saved"))
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(row).to_have_class(has("is-saved"))


def test_a_swipe_marks_and_the_menu_opens_at_the_bottom(open_page: Any) -> None:
    page = open_page("/river/", viewport={"width": 360, "height": 740}, has_touch=True)
    fresh = page.locator("#list [data-row]:not(.is-read, .is-saved)").nth(1)
    row = page.locator(f"[data-row={fresh.get_attribute('data-row')}]")
    row.evaluate("row => row.scrollIntoView({ block: 'center' })")
    box = row.bounding_box()
    client = page.context.new_cdp_session(page)

    def touch(kind: str, x: float) -> None:
        points = [] if kind == "touchEnd" else [{"x": x, "y": box["y"] + 20}]
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 250)
    for x in (230, 200, 150, 100):
        touch("touchMove", x)
    touch("touchEnd", 100)
    expect(row).to_have_class(has("is-read"))
    row.locator(".menu > summary").click()
    button = row.locator(".acts > [data-key=s]")
    expect(button).to_be_visible()
    assert button.bounding_box()["height"] >= 44
    box = button.bounding_box()
    touch("touchStart", 300)
    for x in (280, 220, 150):
        touch("touchMove", x)
        assert not row.evaluate("row => row.style.translate")
    touch("touchEnd", 150)
    expect(row).to_have_class(has("is-read"))
    expect(row).not_to_have_class(has("is-saved"))
    button.click()
    expect(row).to_have_class(has("is-saved"))


@pytest.mark.parametrize("width", [360, 900, 1280, 1920])
def test_every_filter_of_stories_is_within_reach(open_page: Any, width: int) -> None:
    page = open_page("/", viewport={"width": width, "height": 900})
    filters = page.locator(".chips > li")
    tops = {round(filter.bounding_box()["y"]) for filter in filters.all()}
    assert len(tops) == 1
    chosen = page.locator(".chips .sheet > a").last
    expect(chosen).to_be_hidden()
    page.locator(".chips summary").click()
    expect(chosen).to_be_in_viewport()
    label = chosen.inner_text()
    with page.expect_navigation():
        chosen.click()
    expect(page.locator("h1")).to_have_text(label)
    selected = page.locator(".chips [aria-current]")
    expect(selected).to_have_text(label)
    expect(selected).to_be_in_viewport()


@pytest.mark.parametrize("width", [360, 820])
def test_the_menu_of_a_row_is_there_for_touch_and_a_tap_beside_it_closes_it(
    open_page: Any, width: int
) -> None:
    window = {"width": width, "height": 1000}
    page = open_page("/river/", viewport=window, has_touch=True, is_mobile=True)
    address = page.url
    row = page.locator("#list [data-row]").nth(3)
    summary = row.locator(".menu > summary")
    row.evaluate("row => row.scrollIntoView({ block: 'center' })")
    assert row.locator(".acts").evaluate("acts => getComputedStyle(acts).opacity") == "1"
    summary.tap()
    button = row.locator(".acts > [data-key=s]")
    expect(button).to_be_visible()
    sheet = row.locator(".acts").bounding_box()
    assert round(sheet["y"] + sheet["height"]) == window["height"]
    title = page.locator("#list [data-open]:visible").first.bounding_box()
    page.touchscreen.tap(title["x"] + 20, title["y"] + 8)
    expect(button).to_be_hidden()
    page.wait_for_timeout(300)  # a link that was hit would have been opened
    assert page.url == address


@pytest.mark.parametrize(
    ("path", "density", "most", "at_least"),
    [("/", "cosy", 76, 7), ("/", "compact", 48, 15), ("/river/", "compact", 48, 16)],
)
def test_rows_are_equally_high_and_dense(
    look_at: Any, path: str, density: str, most: int, at_least: int
) -> None:
    page = look_at(path, 1280)
    page.evaluate("density => { document.documentElement.dataset.density = density; }", density)
    boxes = page.locator("#list .row:not(.row-lead)").evaluate_all(
        "rows => rows.map(row => row.getBoundingClientRect().toJSON())"
    )
    assert len({round(box["height"]) for box in boxes}) == 1
    assert boxes[0]["height"] <= most
    # The heading of another day, which a page has around midnight, takes the place of a row.
    fitting = int((900 - boxes[0]["top"]) // boxes[0]["height"])
    assert fitting + page.locator(".row-lead").count() >= at_least


def test_a_row_without_a_text_has_no_hole_in_it(open_page: Any) -> None:
    page = open_page("/", viewport={"width": 1280, "height": 900})
    row = page.locator("#list .row:not(.row-lead)").first
    before = row.bounding_box()["height"]
    row.locator(".row-text").evaluate("text => text.remove()")
    head, meta = row.locator(".row-head").bounding_box(), row.locator(".row-meta").bounding_box()
    assert meta["y"] - head["y"] - head["height"] <= 2
    assert row.bounding_box()["height"] == before


def test_a_phone_shows_five_rows_below_a_lead_without_a_picture(open_page: Any) -> None:
    page = open_page("/", viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page.locator(".row-lead .row-image").evaluate_all("all => all.forEach(one => one.remove())")
    navigation = page.locator(".mainnav").bounding_box()["y"]
    rows = page.locator("#list .row:not(.row-lead)")
    assert rows.nth(3).bounding_box()["y"] + rows.nth(3).bounding_box()["height"] <= navigation
    fifth = rows.nth(4).locator(".row-title").bounding_box()
    assert fifth["y"] + fifth["height"] <= navigation


def test_back_shows_nothing_that_another_reader_left(open_page: Any, product: Product) -> None:
    page = open_page("/river/")
    rows(page).first.locator("[data-open]").click()
    expect(page.locator("h1")).to_be_visible()
    page.wait_for_load_state()
    page.context.clear_cookies()
    token = product.run(GUEST).strip()
    other = page.context.new_page()
    other.goto(f"{product.url}/signin/{token}")
    other.close()

    page.go_back()
    page.wait_for_load_state()

    expect(page.locator("h1")).to_have_text("River")
    expect(rows(page)).to_have_count(0)


def hide(page: Page) -> str:
    """Hide the current row by its key. Return its name."""
    name = str(page.locator("[data-row].is-current").get_attribute("data-row"))
    with page.expect_response("**/state/"):
        page.keyboard.press("x")
    expect(page.locator("#toast")).to_contain_text("Hidden")
    return name


@pytest.mark.parametrize("path", LISTS)
def test_keys_act_on_the_row_that_has_the_focus(open_page: Any, path: str) -> None:
    page = open_page(path)
    current = page.locator("[data-row].is-current")
    for _ in range(2):
        page.keyboard.press("j")
    hidden = hide(page)
    with page.expect_response("**/state/"):
        page.keyboard.press("z")
    expect(page.locator(f"[data-row={hidden}] [data-open]")).to_be_focused()
    expect(current).to_have_count(1)
    expect(current).to_have_attribute("data-row", hidden)

    after = str(rows(page).nth(2).get_attribute("data-row"))
    while not page.locator(f"[data-row={after}]:focus-within").count():
        page.keyboard.press("Tab")
    expect(current).to_have_count(1)
    expect(current).to_have_attribute("data-row", after)
    with page.expect_response("**/state/") as saved:
        page.keyboard.press("s")
    assert f"/{after.split('-')[1]}/" in saved.value.url
    page.keyboard.press("s")


@pytest.mark.parametrize("path", LISTS)
def test_a_row_that_was_hidden_on_its_own_page_gives_its_place_to_the_next(
    open_page: Any, path: str
) -> None:
    page = open_page(path)
    names = [row.get_attribute("data-row") for row in rows(page).all()[:5]]
    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("o")
    expect(page.locator("article h1")).to_be_visible()
    page.wait_for_load_state()
    with page.expect_response("**/state/"):
        page.keyboard.press("x")
    expect(page.locator("#toast")).to_contain_text("Hidden")
    page.keyboard.press("Escape")
    current = page.locator("#list [data-row].is-current")
    expect(current).to_have_attribute("data-row", str(names[3]))
    page.keyboard.press("j")
    expect(current).to_have_attribute("data-row", str(names[4]))
    current.evaluate("row => { row.hidden = true; }")
    page.keyboard.press("k")
    expect(current).to_have_attribute("data-row", str(names[3]))


def say_what_is_new(page: Page, **counts: int) -> None:
    """Load the page again, and let its socket report new items."""

    def connected(route: WebSocketRoute) -> None:
        route.send(json.dumps({"kind": "hello", "seq": 1}))
        route.send(json.dumps({"kind": "new", "seq": 2, **counts}))

    page.route_web_socket("**/ws/", connected)
    page.reload()


def test_a_page_that_connects_again_asks_for_what_it_missed(open_page: Any) -> None:
    page = open_page("/river/")
    asked: list[Any] = []

    def connected(route: WebSocketRoute) -> None:
        def answer(message: str | bytes) -> None:
            asked.append(json.loads(message))
            if len(asked) < 2:
                route.close(code=1012)
                return
            alert = {
                "kind": "trend",
                "term": "velloria",
                "label": "Velloria",
                "explanation": "Many.",
            }
            route.send(json.dumps({**alert, "id": 7}))
            route.send(json.dumps({**alert, "id": 7}))
            route.send(json.dumps({"kind": "counts", "unread": 4321, "state": "b"}))

        route.on_message(answer)
        state = "b" if asked else "a"
        route.send(json.dumps({"kind": "hello", "seq": 1, "state": state, "at": 1700000000}))

    page.route_web_socket("**/ws/", connected)
    page.reload()
    expect(page.locator("[data-count=all]").first).to_have_text("4321")
    assert set(asked[0]) == {"seq"}
    assert asked[1] == {"seq": asked[0]["seq"], "since": 1700000000, "counts": True}
    expect(page.locator("p.message", has_text="Velloria")).to_have_count(1)


@pytest.mark.parametrize("path", ["/river/?saved=1", "/?from=30"])
def test_a_page_that_takes_no_new_rows_offers_none(open_page: Any, path: str) -> None:
    page = open_page(path)
    with page.expect_websocket():
        say_what_is_new(page, items=1, stories=1)
    page.wait_for_timeout(300)
    expect(page.locator("#new-pill")).to_be_hidden()


@pytest.mark.parametrize(
    ("path", "counts"), [("/river/?source=7", "items"), ("/?topic=education", "stories")]
)
def test_a_filtered_list_says_that_nothing_new_matches(
    open_page: Any, path: str, counts: str
) -> None:
    page = open_page(path)
    say_what_is_new(page, items=1, stories=1)
    page.locator("#new-pill", has_text=f"Check for new {counts}").click()
    expect(page.locator("#toast")).to_have_text(f"No new {counts} match this filter.")
    expect(page.locator("#new-pill")).to_be_hidden()
    expect(page.locator(".is-newest")).to_have_count(0)


def test_what_is_new_updates_the_states_of_rows_without_an_empty_section(open_page: Any) -> None:
    page = open_page("/")
    say_what_is_new(page, items=1, stories=1)
    shown = page.content()  # nothing newer may come with the answer
    page.route(page.url, lambda route: route.fulfill(body=shown, content_type="text/html"))
    row = page.locator("#list [data-row]:not(.is-read)").nth(1)
    name = row.get_attribute("data-row")
    row.evaluate("row => row.classList.add('is-read')")
    page.locator("#new-pill", has_text="1 new").click()
    expect(page.locator("#toast")).to_have_text("The list is up to date.")
    expect(page.locator(f"[data-row={name}]")).not_to_have_class(has("is-read"))
    expect(page.locator(".is-newest")).to_have_count(0)


def test_each_undo_takes_back_one_act_more(open_page: Any) -> None:
    page = open_page("/river/")
    page.keyboard.press("j")
    hidden = [hide(page), hide(page)]
    for name in reversed(hidden):
        with page.expect_response("**/state/"):
            page.keyboard.press("z")
        expect(page.locator(f"[data-row={name}]")).to_be_visible()


COUNTS_ARE = """counts => [...document.querySelectorAll("[data-count]")].every(
  (place) => place.textContent === String(counts[place.dataset.count] ?? ""))"""


@contextmanager
def copies_the_counts(page: Page) -> Iterator[None]:
    """Expect that the page asks for the present states, and shows the counts that it got."""
    with page.expect_response(re.compile("/states/.*counts=1")) as answer:
        yield
    page.wait_for_function(COUNTS_ARE, arg=answer.value.json()["counts"])


def mark_all(page: Page) -> None:
    with page.expect_response(re.compile("/river/read/")):
        page.keyboard.press("A")
    expect(page.locator("#toast")).to_contain_text("as read")


def unmark_all(page: Page) -> None:
    with page.expect_response(re.compile("/undo/")):
        page.keyboard.press("z")
    expect(page.locator("#toast")).to_contain_text("unread again")


def test_counts_follow_what_is_marked_of_a_source(open_page: Any) -> None:
    page = open_page("/river/?unread=1")
    source = rows(page).first.get_attribute("data-source")
    page.goto(page.url.split("?")[0] + f"?source={source}")
    place = page.locator(f".rail-list [data-count='{source}']")
    before = place.text_content()
    assert before
    # Only the counts that the page knows by itself, while the server cannot be asked.
    page.route("**/states/**", lambda route: route.abort("internetdisconnected"))
    mark_all(page)
    expect(place).to_have_text("")
    assert page.locator("[data-count]", has_text=re.compile("[1-9]")).count() > 1
    page.unroute("**/states/**")
    with copies_the_counts(page):
        unmark_all(page)
    expect(place).to_have_text(re.compile("[1-9]"))


def test_all_that_is_marked_shows_in_other_tabs_and_after_back(open_page: Any) -> None:
    page = open_page("/river/")
    unread = "#list [data-row]:not(.is-read)"
    left, other = page.context.new_page(), page.context.new_page()
    left.goto(page.url)
    left.locator("#list [data-open]").first.click()
    expect(left.locator("article h1")).to_be_visible()
    left.wait_for_load_state()
    other.goto(page.url)
    while rows(other).count() < 90:
        other.mouse.wheel(0, 100_000)
        other.wait_for_timeout(200)
    assert other.locator(unread).count() > 50
    page.bring_to_front()
    page.reload()  # the first page may have got rows that are not in the others
    with copies_the_counts(other):
        mark_all(page)
    expect(other.locator(unread)).to_have_count(0)
    left.go_back()
    expect(left.locator(unread)).to_have_count(0)
    expect(rows(left).first).to_be_visible()
    with copies_the_counts(other):
        unmark_all(page)
    expect(other.locator(unread).nth(50)).to_be_attached()
    expect(left.locator(unread).nth(5)).to_be_attached()
