"""What a chat or a program is told of an edition: values with absolute addresses. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoryFacts:
    headline: str
    text: str
    url: str
    """Of the story's page here, else of its first source; empty without either."""
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
