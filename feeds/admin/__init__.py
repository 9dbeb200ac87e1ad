"""The admin site of feeds: each module registers its pages."""

from feeds.admin import curation, records

__all__ = ["curation", "records"]
