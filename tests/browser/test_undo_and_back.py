"""What keys do twice, what "z" undoes, and what "Back" and "Esc" come to."""

import re
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Product
from tests.browser.test_triage import has, rows


def press(page: Page, key: str, address: str = "**/state/") -> None:
    with page.expect_response(address):
        page.keyboard.press(key)


def row_of(page: Page, name: str) -> Any:
    return page.locator(f"#list [data-row={name}]")


def test_a_held_key_acts_once_and_each_act_is_undone_in_order(open_page: Any) -> None:
    page = open_page("/river/")
    toast = page.locator("#toast")
    page.keyboard.press("z")
    expect(toast).to_have_text("There is nothing to undo.")
    names = [str(row.get_attribute("data-row")) for row in rows(page).all()[:6]]
    for _ in range(3):  # the second and third are repeats
        page.keyboard.down("j")
    page.keyboard.up("j")
    expect(row_of(page, names[2])).to_have_class(has("is-current"))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.method))
    with page.expect_response("**/state/"):
        for _ in range(4):
            page.keyboard.down("x")
    page.keyboard.up("x")
    expect(toast).to_contain_text("Hidden.")
    assert requests.count("POST") == 1
    was_saved = "is-saved" in str(row_of(page, names[3]).get_attribute("class")).split()
    press(page, "s")
    press(page, "z")
    expect(toast).to_contain_text("Saved:" if was_saved else "No longer saved:")
    expect(row_of(page, names[2])).to_be_hidden()
    press(page, "z")
    expect(row_of(page, names[2])).to_be_visible()

    row_of(page, names[2]).locator("[data-open]").focus()
    press(page, "x")
    page.goto(page.url.replace("/river/", "/trends/"))
    press(page, "z")
    expect(toast).to_contain_text("Shown again: ")
    page.goto(page.url.replace("/trends/", "/river/"))
    expect(row_of(page, names[2])).to_be_visible()

    # Another tab hides the current row, which keys leave alone then.
    row_of(page, names[4]).locator("[data-open]").focus()
    row_of(page, names[4]).evaluate("row => { row.hidden = true; }")
    requests.clear()
    for key in "smxv":
        page.keyboard.press(key)
    page.wait_for_timeout(200)
    assert "POST" not in requests


def test_what_is_hidden_has_a_list_where_it_is_shown_again(open_page: Any) -> None:
    page = open_page("/river/?unread=1")
    page.route_web_socket("**/ws/", lambda socket: None)  # the server would correct the count
    name = str(rows(page).nth(2).get_attribute("data-row"))
    row_of(page, name).locator("[data-open]").focus()
    press(page, "x")
    page.get_by_role("link", name="Hidden", exact=True).click()
    expect(page.locator("h1")).to_have_text("Hidden")
    count = page.locator("[data-count=all]").first
    unread = int(re.sub(r"\D", "", count.inner_text()))
    row_of(page, name).locator("[data-open]").focus()
    for _ in range(2):  # what is hidden counts as read
        press(page, "m")
        expect(count).to_have_text(str(unread))
    row_of(page, name).hover()
    with page.expect_response("**/state/"):
        row_of(page, name).get_by_role("button", name="Show again").click()
    expect(row_of(page, name)).to_be_hidden()
    expect(count).to_have_text(str(unread + 1))
    page.get_by_role("link", name="All", exact=True).click()
    expect(row_of(page, name)).to_be_visible()


def test_back_shows_what_was_done_elsewhere(open_page: Any, product: Product) -> None:
    page, device = open_page("/river/"), open_page("/river/")
    names = [str(row.get_attribute("data-row")) for row in rows(page).all()[:5]]
    saved = page.locator("#list [data-row]:not(.is-saved)").nth(4).get_attribute("data-row")
    row_of(page, names[1]).locator("[data-open]").click()
    expect(page.locator("article h1")).to_be_visible()
    for name, key in ((names[0], "x"), (saved, "s")):
        row_of(device, name).locator("[data-open]").focus()
        press(device, key)
    page.wait_for_load_state()
    press(page, "x")
    expect(page.locator("#toast")).to_contain_text("Hidden.")
    page.go_back()
    expect(row_of(page, saved)).to_have_class(has("is-saved"))
    expect(row_of(page, names[0])).to_be_hidden()
    expect(row_of(page, names[1])).to_be_hidden()
    press(page, "z")
    expect(row_of(page, names[1])).to_be_visible()
    for _ in range(2):
        press(device, "z")


def open_row(page: Page, place: int) -> float:
    """Open the row at this place of the list. Return where the page was."""
    row = rows(page).nth(place)
    row.evaluate("row => row.scrollIntoView({ block: 'center' })")
    top = float(page.evaluate("scrollY"))
    row.locator("[data-open]").click()
    expect(page.locator("article h1")).to_be_visible()
    page.wait_for_load_state()
    return top


def test_back_comes_to_the_visit_that_was_left_and_esc_to_the_list(open_page: Any) -> None:
    page = open_page("/river/")
    address = page.url
    first = open_row(page, 40)
    page.goto(address)
    open_row(page, 1)
    for _ in range(3):
        page.go_back()
    assert page.url == address
    page.wait_for_function("y => Math.abs(scrollY - y) < 3", arg=first)

    open_row(page, 3)
    for _ in range(2):
        with page.expect_navigation():
            page.keyboard.press("j")
        page.wait_for_load_state()
    page.keyboard.press("Escape")
    page.wait_for_url(address)
    assert page.evaluate("navigation.currentEntry.index === navigation.entries().length - 2")

    # A list of thousands of rows is stored around the row that was opened.
    page.evaluate(
        """() => {
          const rows = [...document.querySelectorAll("#list [data-row]")];
          for (let number = 1; number < 1500; number += 1) {
            const row = rows[number % 10].cloneNode(true);
            row.dataset.row = `item-${number}`;
            row.id = `i${number}`;
            rows.at(-1).before(row);
          }
        }"""
    )
    row = page.locator("#i700")
    row.evaluate("row => row.scrollIntoView({ block: 'center' })")
    top = row.evaluate("row => row.getBoundingClientRect().top")
    row.locator("[data-open]").click()
    expect(page.locator("article h1")).to_be_visible()
    page.go_back()
    expect(row).to_be_visible()
    page.wait_for_function(
        "top => Math.abs(document.querySelector('#i700').getBoundingClientRect().top - top) < 3",
        arg=top,
    )
    assert rows(page).count() == 400
    expect(page.get_by_role("link", name="Newest items")).to_be_attached()
    expect(page.locator("#list > .more").last).to_have_attribute("hx-get", re.compile("before="))

    # New rows above the row of the newest items would leave a gap.
    page.locator("#new-pill").evaluate("pill => { pill.hidden = false; }")
    with page.expect_navigation():
        page.locator("#new-pill").click()
    assert page.url == address
    expect(page.get_by_role("link", name="Newest items")).to_have_count(0)
    expect(rows(page).first).to_be_visible()


def test_the_undo_of_a_story_saves_what_was_saved(open_page: Any) -> None:
    page = open_page("/")
    address = page.url
    story = page.locator("#list [data-row]:not(.is-saved):has(.row-more)").nth(1)
    name = str(story.get_attribute("data-row"))
    article = address + str(story.locator(".row-more a").first.get_attribute("href"))[1:]
    page.goto(article)
    press(page, "s")
    page.goto(address)
    expect(row_of(page, name)).to_have_class(has("is-saved"))
    row_of(page, name).locator("[data-open]").focus()
    press(page, "s")
    expect(row_of(page, name)).not_to_have_class(has("is-saved"))
    with page.expect_request("**/state/") as undo:
        page.keyboard.press("z")
    pk = article.rstrip("/").rsplit("/", 1)[1]
    assert f"only_saved={pk}" in str(undo.value.post_data).split("&")
    expect(row_of(page, name)).to_have_class(has("is-saved"))
    page.goto(article)
    saved = page.locator("article button[name=saved]")
    expect(saved).to_have_text("Saved")
    press(page, "s")
    expect(saved).to_have_text("Save")
    page.goto(address)
    expect(row_of(page, name)).not_to_have_class(has("is-saved"))


def test_keys_work_in_a_digest_and_the_dialog_has_those_of_the_page(open_page: Any) -> None:
    page = open_page("/digest/")
    titles = page.locator(".edition-story [data-open]").all_inner_texts()
    page.keyboard.press("?")
    keys = page.locator("#keys-help kbd:visible").all_inner_texts()
    assert "j" in keys
    assert not {"m", "x", "A"} & set(keys)
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(".edition-story [data-open]").nth(1)).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("o")
    expect(page.locator("article[data-row]")).to_be_visible()
    page.wait_for_load_state()
    path = page.locator("article[data-row]").get_attribute("data-row").replace("-", "/")
    with page.expect_navigation():
        page.keyboard.press("j")
    assert len(titles) > 1
    assert path not in page.url
    page.wait_for_load_state()
    page.keyboard.press("Escape")
    page.wait_for_url("**/digest/**")

    page.goto(page.url.split("/digest/")[0] + f"/{path}/?all=1")
    for _ in range(2):
        press(page, "s")
    page.goto(page.url.split("?")[0])
    hide = page.locator("article button[name=hidden]")
    page.get_by_label("More for this story").click()
    with page.expect_response("**/state/"):
        page.get_by_role("button", name="Less like this").click()
    expect(hide).to_have_text("Hidden")
    press(page, "z")
    expect(hide).to_have_text("Hide")


def test_the_end_and_the_headings_of_stories_follow_what_is_read(new_reader: Any) -> None:
    page = new_reader("finisher", 12)
    end = page.locator(".list-end")
    while page.get_by_role("link", name="More stories").count():
        page.get_by_role("link", name="More stories").click()
    expect(end).to_contain_text("That's all")
    page.goto(page.url.split("?")[0])
    page.locator("#list").evaluate(
        """list => {
          list.querySelector(".more, .list-end").outerHTML = '<p class="list-end">' +
            '<span class="end-read">Done</span><span class="end-unread">More</span></p>';
        }"""
    )
    head = page.locator("#list > section").last
    press(page, "A", "**/river/read/**")
    expect(page.locator(".end-read")).to_be_visible()
    expect(page.locator(".end-unread")).to_be_hidden()
    expect(page.locator("[data-count=stories]")).to_have_text("")
    press(page, "z", "**/undo/**")
    expect(page.locator(".end-read")).to_be_hidden()
    expect(page.locator(".end-unread")).to_be_visible()
    expect(page.locator("[data-count=stories]")).to_have_text(re.compile("[1-9]"))
    head.evaluate("head => head.querySelectorAll('li').forEach(row => { row.hidden = true; })")
    expect(head).to_be_hidden()
