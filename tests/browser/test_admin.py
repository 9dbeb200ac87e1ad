"""The admin in Chromium: our colours in both themes, and narrow windows."""

from typing import Any

import pytest

PAPER = {"light": "rgb(251, 250, 247)", "dark": "rgb(19, 20, 22)"}


@pytest.mark.parametrize("scheme", PAPER)
@pytest.mark.parametrize("width", [360, 1280])
def test_the_overview_fits_and_has_our_colours(open_page: Any, scheme: str, width: int) -> None:
    page = open_page("/admin/", viewport={"width": width, "height": 800}, color_scheme=scheme)

    for title in ("Health", "Queue", "Sources", "Stories to review", "Language models"):
        assert page.get_by_role("heading", name=title, exact=True).is_visible()
    assert page.locator("#site-name img").evaluate("(image) => image.naturalWidth") > 0
    color = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(color) == PAPER[scheme]
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_overview_leads_to_what_fails(open_page: Any) -> None:
    page = open_page("/admin/")

    page.get_by_role("link", name="Silent Quay").click()
    error = page.get_by_text("The server reported an error (500).").first
    error.wait_for(state="attached")
