"""The XML parser for all untrusted documents, without entities and network access. Pure."""

from typing import Any

from lxml import etree


def safe_parser(*, recover: bool = False) -> Any:
    """Return a parser for UTF-8. With `recover` it continues after errors."""
    return etree.XMLParser(
        encoding="utf-8",
        recover=recover,
        resolve_entities=False,
        no_network=True,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
    )
