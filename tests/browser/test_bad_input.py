"""Titles and pictures that feeds may have: too long, right to left, emoji, none, or failing."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Product

TITLES = {
    "long": "w" * 500,
    "arabic": "وكيل ذكاء اصطناعي يشتري ألفا وأربعمائة تمثال من تماثيل الحدائق",
    "emoji": "🤖🚀 An agent bought gnomes " + "🎉" * 60,
    "none": "Untitled",
}
MAKE = """
import json, sys
from datetime import timedelta
from django.utils import timezone
from accounts.models import User
from tests.make import make_item, make_source, make_story

reader, now, ids = User.objects.order_by("pk")[0], timezone.now(), {}
for number, (name, title) in enumerate(json.loads(titles).items()):
    source = make_source(f"bad{number}", reader=reader, title=title[:300])
    items = [
        make_item(source, title, published=now - timedelta(minutes=9 - n), topics=["agents"],
                  text="A sentence that is long enough to be shown as an excerpt.",
                  html="<p>" + "w" * 400 + "</p><p><img src='http://127.0.0.1:9/x.png'></p>",
                  image_url="http://127.0.0.1:9/x.png")
        for n in range(2)
    ]
    ids[name] = [make_story(*items).pk, items[0].pk]
reader.bump_cache_version()
print(json.dumps(ids))
"""
ADD_PICTURE = """row => {
    for (const other of row.querySelectorAll(".row-image")) other.remove();
    const image = Object.assign(new Image(), { className: "row-image", alt: "" });
    image.src = "http://127.0.0.1:9/x.png";
    row.prepend(image);
}"""
REMOVE = """
from feeds.models import Source, Story
bad = Source.objects.filter(url__contains="://bad")
Story.objects.filter(items__source__in=bad).delete()
bad.delete()
"""


@pytest.fixture(scope="module")
def ids(product: Product, signed_in: Any) -> Iterator[dict[str, list[int]]]:
    """{name of a title: [id of its story, id of an item]}"""
    code = f"titles = {json.dumps(json.dumps(TITLES))}\n" + MAKE
    made: dict[str, list[int]] = json.loads(product.run(code))
    yield made
    product.run(REMOVE)


def look(page: Page, address: str) -> None:
    """The page is not wider than the window, and no picture is a broken box."""
    page.goto(address)
    expect(page.locator("h1").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
    page.wait_for_function(
        "![...document.images].some(i => i.complete && !i.naturalWidth && i.offsetParent)"
    )


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_pages_hold_every_title_and_no_broken_picture(
    product: Product, browser: Any, signed_in: Any, ids: dict[str, Any], scheme: str, width: int
) -> None:
    # Pictures fail, which the browser reports as errors, so that `open_page` is of no use.
    context = browser.new_context(
        storage_state=signed_in, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    page = context.new_page()
    for path in ("/", "/river/", "/?topic=agents"):
        look(page, product.url + path)
        for link in page.locator("#list [data-open]").all()[:60]:
            assert link.inner_text().strip()
    page.goto(product.url + "/")
    boxes = page.locator("#list .row:not(.row-lead)").evaluate_all(
        "rows => rows.map(row => Math.round(row.getBoundingClientRect().height))"
    )
    assert len(set(boxes)) == 1
    for name, (story, item) in ids.items():
        for path in (f"/story/{story}/", f"/item/{item}/", f"/story/{story}/report/"):
            look(page, product.url + path)
        page.goto(f"{product.url}/item/{item}/")
        heading = page.locator("h1")
        expect(heading).to_have_text(TITLES[name])
        expected = "rtl" if name == "arabic" else "ltr"
        assert heading.evaluate("h => getComputedStyle(h).direction") == expected
        box = heading.bounding_box()
        assert box is not None
        assert box["height"] < 330
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_failed_picture_leaves_no_box_without_javascript(
    product: Product, browser: Any, signed_in: Any, scheme: Any
) -> None:
    context = browser.new_context(
        storage_state=signed_in, java_script_enabled=False, color_scheme=scheme
    )
    context.route(lambda address: product.url not in address, lambda route: route.abort())
    page = context.new_page()
    page.goto(product.url + "/")
    picture = page.locator(".row-lead").first
    with page.expect_event("requestfailed"):
        picture.evaluate(ADD_PICTURE)
    page.wait_for_timeout(200)
    before = picture.screenshot()
    picture.locator(".row-image").first.evaluate("image => { image.style.visibility = 'hidden'; }")
    assert picture.screenshot() == before
    context.close()
