"""Makes the pictures of README.md and docs/tour.md from the sample newsroom: `make screenshots`.

Reduce their colours before a commit: `pngquant --nofs -f --ext .png 96 docs/pictures/*.png`.
"""

import re
import sys
import tempfile
from pathlib import Path

import django

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
PICTURES = [
    ("stories-light", "/", 1280, 900, "light"),
    ("stories-dark", "/", 1280, 900, "dark"),
    ("stories-phone", "/", 360, 740, "light"),
    ("story", "story", 1280, 900, "light"),
    ("river", "/river/", 1280, 900, "light"),
    ("digest", "/digest/", 1280, 900, "light"),
    ("trends", "/trends/", 1280, 900, "light"),
    ("sources", "/sources/", 1280, 900, "light"),
    ("search", "/search/?q=model", 1280, 900, "light"),
]
"""(name, path, width, height, colour scheme). The path "story" is the page of the first story."""


def main() -> None:
    """Start the sample newsroom, and write a picture of each page to docs/pictures."""
    django.setup()
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import CHROMIUM, Product

    if CHROMIUM is None:
        sys.exit("Chromium is not installed; on Debian: apt-get install chromium")
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        product = Product(data)
        try:
            product.wait_for(r"Running\.", 120)
            link = product.wait_for(r"http://127\.0\.0\.1:\d+/signin/\S+")
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            context = browser.new_context()
            context.new_page().goto(link)
            state = context.storage_state()
            first = context.pages[0].locator("#list [data-open]").first.get_attribute("href") or "/"
            for name, path, width, height, scheme in PICTURES:
                size = {"width": width, "height": height}
                shown = browser.new_context(
                    viewport=size,
                    color_scheme=scheme,
                    storage_state=state,
                    device_scale_factor=2 if width < 500 else 1,
                    is_mobile=width < 500,
                )
                page = shown.new_page()
                page.goto(product.url + (first if path == "story" else path))
                page.wait_for_timeout(500)
                page.screenshot(path=FOLDER / f"{name}.png")
                shown.close()
                print(re.sub(r"^.*/docs/", "docs/", str(FOLDER / f"{name}.png")))
            browser.close()
        finally:
            product.stop()


if __name__ == "__main__":
    main()
