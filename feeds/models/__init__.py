"""What the platform remembers about feeds and what readers did with them."""

from feeds.models.archive import ArchivePart
from feeds.models.item import Item, ItemBody, ItemKey
from feeds.models.language import (
    LanguageCall,
    LanguageMonth,
    LanguageReply,
    LanguageServer,
    LanguageUse,
)
from feeds.models.reading import Folder, ItemState, MarkUndo, Subscription
from feeds.models.revision import Revision
from feeds.models.source import FetchLog, Source
from feeds.models.story import Lease, Story, StoryRedirect

__all__ = [
    "ArchivePart",
    "FetchLog",
    "Folder",
    "Item",
    "ItemBody",
    "ItemKey",
    "ItemState",
    "LanguageCall",
    "LanguageMonth",
    "LanguageReply",
    "LanguageServer",
    "LanguageUse",
    "Lease",
    "MarkUndo",
    "Revision",
    "Source",
    "Story",
    "StoryRedirect",
    "Subscription",
]
