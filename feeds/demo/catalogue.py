"""Lists the sample outlets in the format of the catalogue."""

from typing import Any
from urllib.parse import urlsplit

from feeds.demo.outlets import OUTLETS


def catalogue_entries(port: int) -> list[dict[str, Any]]:
    """Return a dict for each feed of the newsroom on `port`, with the keys url, title, site_url, topics,
    language, weight and pack."""
    return [
        {
            "url": outlet.site(port) + outlet.listed_path,
            "title": outlet.name,
            "site_url": outlet.site(port) + outlet.site_path,
            "topics": list(outlet.topics),
            "language": outlet.language,
            "weight": outlet.weight,
            "pack": outlet.pack,
        }
        for outlet in OUTLETS
    ]


def former_url(url: str) -> str:
    """Return the URL that a feed had in earlier releases, before each outlet had a host."""
    parts = urlsplit(url)
    slug = (parts.hostname or "").removesuffix(".localhost")
    return f"http://127.0.0.1:{parts.port}/{slug}{parts.path}"
