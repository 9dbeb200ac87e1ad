"""The sample newsroom: invented outlets behind a real local server, to try the product with."""

from feeds.demo.catalogue import catalogue_entries
from feeds.demo.outlets import Outlet, outlets

__all__ = ["Outlet", "catalogue_entries", "outlets"]
