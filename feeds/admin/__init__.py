"""The admin pages of feeds. Importing the modules registers them."""

from feeds.admin import curation, records, reports

__all__ = ["curation", "records", "reports"]
