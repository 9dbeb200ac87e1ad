"""Lists the sample outlets the way the catalogue lists real ones."""

from typing import Any

from feeds.demo.outlets import OUTLETS


def catalogue_entries(base_url: str) -> list[dict[str, Any]]:
    """One dict a feed: url, title, site_url, topics, language, weight, pack."""
    base = base_url.rstrip("/")
    return [
        {
            "url": base + outlet.listed_path,
            "title": outlet.name,
            "site_url": base + outlet.site_path,
            "topics": list(outlet.topics),
            "language": outlet.language,
            "weight": outlet.weight,
            "pack": outlet.pack,
        }
        for outlet in OUTLETS
    ]
