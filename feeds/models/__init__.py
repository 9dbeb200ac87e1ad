"""The tables of feeds, items and stories, and of what readers did with them."""

from feeds.models.archive import ArchivePart
from feeds.models.embedding import Embedding
from feeds.models.item import Item, ItemBody, ItemKey
from feeds.models.language import (
    LanguageCall,
    LanguageMonth,
    LanguageReply,
    LanguageServer,
    LanguageUse,
)
from feeds.models.reading import Folder, ItemState, MarkUndo, Subscription
from feeds.models.report import Report
from feeds.models.revision import Revision
from feeds.models.source import FetchLog, Source
from feeds.models.story import Lease, Story, StoryRedirect, StorySplit
from feeds.models.taste import FollowedStory, Impression
from feeds.models.trend import TermDay, TrendAlert, TrendBoard, TrendDay, TrendFollow

__all__ = [
    "ArchivePart",
    "Embedding",
    "FetchLog",
    "Folder",
    "FollowedStory",
    "Impression",
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
    "Report",
    "Revision",
    "Source",
    "Story",
    "StoryRedirect",
    "StorySplit",
    "Subscription",
    "TermDay",
    "TrendAlert",
    "TrendBoard",
    "TrendDay",
    "TrendFollow",
]
