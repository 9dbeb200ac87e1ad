"""Lists the sample outlets the way the catalogue lists real ones."""

from typing import Any
from urllib.parse import urlsplit

from feeds.demo.outlets import OUTLETS


def catalogue_entries(port: int) -> list[dict[str, Any]]:
    """One dict a feed of the newsroom on `port`: url, title, site_url, topics, language, weight,
    pack."""
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
    """The address that a feed of the newsroom had before outlets had hosts of their own."""
    parts = urlsplit(url)
    slug = (parts.hostname or "").removesuffix(".localhost")
    return f"http://127.0.0.1:{parts.port}/{slug}{parts.path}"
