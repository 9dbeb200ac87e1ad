"""`python -m tests.icons` draws the icons in static/icons from static/icon.svg, by Chromium."""

import shutil
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

STATIC = Path(__file__).resolve().parents[1] / "static"
SIZES = {"icon-192": 192, "icon-512": 512, "maskable-512": 512, "touch-180": 180}
FULL = 'rx="7"', 'rx="0"'
"""Systems that cut an icon into a shape of theirs, or round it, want a tile that fills it."""
SAFE = 'id="mark"', 'transform="translate(16 16) scale(.78) translate(-16 -16)"'
"""What is outside of the inner 80 % of a maskable icon may be cut off."""


def drawing(name: str) -> str:
    """Return the SVG of an icon."""
    svg = (STATIC / "icon.svg").read_text()
    if not name.startswith("icon"):
        svg = svg.replace(*FULL)
    return svg.replace(*SAFE) if name.startswith("maskable") else svg


def draw(browser: Browser, name: str) -> bytes:
    """Return the PNG of an icon."""
    side = SIZES[name]
    page = browser.new_page(viewport={"width": side, "height": side})
    page.set_content(f"<style>body {{ margin: 0 }} svg {{ display: block }}</style>{drawing(name)}")
    picture = page.screenshot(omit_background=True)
    page.close()
    return picture


def main() -> None:
    with sync_playwright() as playwright:
        program = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name in SIZES:
            (STATIC / "icons" / f"{name}.png").write_bytes(draw(browser, name))
        browser.close()


if __name__ == "__main__":
    main()
