"""axe finds nothing on any page: WCAG 2.2 AA and its best practices, in both themes and widths."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Product
from tests.browser.test_pages import PAGES
from tests.browser.test_story import largest_story

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OTHERS = [
    "/search/",
    "/search/?q=modle",
    "/search/?q=model&options=1",
    "/sources/?sort=items&name=a",
    "/ask/",
    "/ask/?q=what+is+new",
    "/sources/add/",
    "/admin/",
    "/ops/",
    "/nothing/",
    "/digest/2020-02-03/",
    "/offline/",
    "/?q=%00",
]
OF_ONE = {"/": "/story/", "/river/": "/item/", "/sources/": "/sources/1", "/trends/": "/trends/"}
"""Pages with a link to the page of a story, an item, a source and a topic."""
WINDOWS = [("light", 1280), ("dark", 360)]
WIDE = """
from feeds.models import ItemBody
long = "<pre>" + 99 * "long " + "</pre>"
wide = "<table><tr>" + 60 * "<td>wide</td>" + "</tr></table>"
short = "<pre>short</pre><table><tr><td>narrow</td></tr></table>"
ItemBody.objects.filter(pk=PK).update(html=long + wide + short)
"""
RUN = """(tags) => axe.run(document, {
  runOnly: {type: "tag", values: tags},
  rules: {"target-size": {enabled: true}},
}).then(({violations}) => violations.map(({id, nodes}) =>
  [id, nodes.slice(0, 5).map((node) => node.html.slice(0, 200))]))"""


@pytest.fixture(scope="session")
def axe() -> str:
    package = find_spec("axe_playwright_python")
    if package is None or package.origin is None:
        pytest.skip("requirements/dev.txt is not installed")
    return (Path(package.origin).parent / "axe.min.js").read_text()


def problems(page: Page, axe: str) -> dict[str, list[str]]:
    if page.evaluate("!window.axe"):
        page.evaluate(axe)
    return dict(page.evaluate(RUN, TAGS))


@pytest.mark.parametrize(("scheme", "width"), WINDOWS)
@pytest.mark.parametrize("path", [*PAGES, *OTHERS])
def test_axe_finds_nothing(
    product: Product, tab: Any, axe: str, path: str, scheme: str, width: int
) -> None:
    page = tab(width, scheme)
    page.goto(product.url + path)

    assert not problems(page, axe)


@pytest.mark.parametrize(("scheme", "width"), WINDOWS)
def test_axe_finds_nothing_where_one_signs_in(
    product: Product, browser: Any, axe: str, scheme: str, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto(product.url + "/signin/")
    found = problems(page, axe)
    context.close()

    assert not found


@pytest.mark.parametrize(("scheme", "width"), WINDOWS)
def test_axe_finds_nothing_where_a_mistake_is_reported(
    open_page: Any, product: Product, axe: str, scheme: str, width: int
) -> None:
    page = open_page("/", viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto(product.url + largest_story(product, page))
    page.get_by_role("link", name="Report a mistake").click()
    page.locator("[name=wrong]").first.check()
    found = problems(page, axe)
    page.get_by_role("button", name="Send report").click()
    page.get_by_text("Your report was sent").wait_for()
    found |= problems(page, axe)
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("withdrawn").wait_for()

    assert not found


@pytest.mark.parametrize(("scheme", "width"), WINDOWS)
@pytest.mark.parametrize("path", ["/", "/river/"])
def test_axe_finds_nothing_in_compact_rows_and_in_an_open_menu(
    open_page: Any, axe: str, path: str, scheme: str, width: int
) -> None:
    page = open_page(path, viewport={"width": width, "height": 800}, color_scheme=scheme)
    rows = page.locator("#list [data-row]")
    found = {}
    for density in ("cosy", "compact"):
        page.evaluate("density => { document.documentElement.dataset.density = density; }", density)
        found |= problems(page, axe)
        rows.nth(2).hover()
        rows.nth(2).locator(".menu > summary").click()
        found |= problems(page, axe)
        rows.nth(2).locator(".menu > summary").click()

    assert not found


@pytest.mark.parametrize(("scheme", "width"), WINDOWS)
def test_axe_finds_nothing_on_a_story_and_in_its_open_menu(
    open_page: Any, product: Product, axe: str, scheme: str, width: int
) -> None:
    page = open_page("/", viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto(product.url + largest_story(product, page))
    found = problems(page, axe)
    page.locator(".reader-actions .menu > summary").click()
    found |= problems(page, axe)

    assert not found


@pytest.mark.parametrize(("scheme", "width"), WINDOWS)
def test_wide_tables_and_code_scroll_by_keyboard(
    open_page: Any, product: Product, axe: str, scheme: str, width: int
) -> None:
    page = open_page("/river/", viewport={"width": width, "height": 800}, color_scheme=scheme)
    row = page.locator("#list [data-row]").nth(4)
    pk = (row.get_attribute("data-row") or "").removeprefix("item-")
    address = row.locator("[data-open]").get_attribute("href") or ""
    product.run(WIDE.replace("PK", pk))
    page.goto(product.url + address)
    found = problems(page, axe)

    assert page.locator(".prose [tabindex='0']").count() == 2
    assert not found


@pytest.mark.parametrize("path", OF_ONE)
def test_axe_finds_nothing_on_the_page_behind_a_row(open_page: Any, axe: str, path: str) -> None:
    page = open_page(path, viewport={"width": 360, "height": 800}, color_scheme="dark")
    page.locator(f'main a[href^="{OF_ONE[path]}"]').first.click()
    page.wait_for_url(f"**{OF_ONE[path]}*/**")
    found = problems(page, axe)

    assert not found
