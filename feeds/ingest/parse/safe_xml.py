"""The one way in which this app reads XML of strangers: no entities, no network. Pure."""

from typing import Any

from lxml import etree


def safe_parser(*, recover: bool = False) -> Any:
    """A parser of UTF-8; with `recover` one that makes what it can of broken XML."""
    return etree.XMLParser(
        encoding="utf-8",
        recover=recover,
        resolve_entities=False,
        no_network=True,
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
    )
