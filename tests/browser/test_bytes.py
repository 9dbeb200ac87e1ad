"""What Chromium gets over the wire: compressed pages, and files that it need not ask for again."""

from typing import Any

from playwright.sync_api import Response

from tests.browser.conftest import Product


def test_chromium_reads_compressed_pages_and_caches_files(product: Product, open_page: Any) -> None:
    page = open_page("/river/")
    responses: list[Response] = []
    page.on("response", lambda response: responses.append(response))
    page.goto(product.url + "/trends/")

    document = next(one for one in responses if one.url.endswith("/trends/"))
    assert document.header_value("content-encoding") == "br"
    assert page.get_by_role("heading", level=1).inner_text()
    files = [one for one in responses if "/static/" in one.url]
    assert files
    for file in files:
        assert "immutable" in (file.header_value("cache-control") or "")
