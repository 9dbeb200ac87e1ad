"""What a browser loads for a page: its styles, scripts with what they import, and pictures."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

STYLES = frozenset({"stylesheet", "icon", "modulepreload", "preload", "manifest"})
IMPORT = re.compile(
    r"""^\s*(?:import|export)\b(?:[^"'();]*?\bfrom)?\s*["']([^"']+)["']|@import\s*(?:url\()?["']?([^"')]+)""",
    re.MULTILINE,
)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "link" and STYLES.intersection(values.get("rel", "").split()):
            self.addresses.append(values.get("href", ""))
        elif tag == "script" or (tag == "img" and values.get("loading") != "lazy"):
            self.addresses.append(values.get("src", ""))


def load_all(path: str, html: bytes, get: Callable[[str], tuple[int, bytes]]) -> dict[str, int]:
    """Load what the page needs from its own server. Return {path: bytes sent}."""
    links = _Links()
    links.feed(html.decode())
    waiting = [urljoin(path, link) for link in links.addresses if link]
    sent: dict[str, int] = {}
    while waiting:
        address = waiting.pop(0)
        if urlsplit(address).scheme or address in sent:
            continue
        sent[address], body = get(address)
        if urlsplit(address).path.endswith((".js", ".css")):
            imported = [a or b for a, b in IMPORT.findall(body.decode())]
            waiting += [urljoin(address, name) for name in imported]
    return sent


def is_script(address: str) -> bool:
    return urlsplit(address).path.endswith((".js", ".mjs"))
