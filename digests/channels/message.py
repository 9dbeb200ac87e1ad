"""An edition as plain values with absolute URLs, for chats and webhooks. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoryFacts:
    headline: str
    text: str
    url: str
    """The story's page here, else its first source; "" if there is neither."""
    sources: tuple[str, ...]
    is_update: bool


@dataclass(frozen=True, slots=True)
class EditionFacts:
    title: str
    url: str
    stories: tuple[StoryFacts, ...]
    also: tuple[tuple[str, str], ...]
    """(title, url)"""
    quiet: str
    """A message that there is no news; "" if there are stories."""
