"""The edition: what a digest holds, as plain values that page, mail, feed and API all render."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

WORDS_PER_MINUTE = 220


@dataclass(frozen=True, slots=True)
class Citation:
    """A source of a story. Keeps title and address, so that it outlives the item."""

    number: int
    item_id: int
    title: str
    url: str
    source: str
    published: str
    """ISO 8601, UTC."""


@dataclass(frozen=True, slots=True)
class CitedSentence:
    text: str
    cites: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Before:
    """What an earlier edition told of a story."""

    headline: str
    date: str
    """ISO 8601: the day of that edition."""


@dataclass(frozen=True, slots=True)
class EditionStory:
    story_id: int
    headline: str
    sentences: tuple[CitedSentence, ...]
    citations: tuple[Citation, ...]
    source_count: int
    topics: tuple[str, ...]
    is_update: bool
    last_seq: int
    """Newest arrival that this edition knew: what comes after it is an update."""
    why: CitedSentence | None = None
    """Why it matters, where a source says so."""
    written_by: str = "extractive"
    """A model's name, or "extractive"."""
    reasons: str = ""
    """Why it is told to this reader: "4 sources · topic you follow: Agents"."""
    before: Before | None = None
    """Of an update: what was told before. Its own sentences tell what is new."""


@dataclass(frozen=True, slots=True)
class AlsoNoted:
    story_id: int
    title: str
    source: str
    topic: str = ""
    """A label such as "Agents"; those of one topic follow each other."""
    last_seq: int = 0


@dataclass(frozen=True, slots=True)
class EditionTrend:
    """A term that is told of more than before."""

    label: str
    stories: int
    before: int
    """Stories in the period before, of the same length."""
    stage: str
    """new, climbing, peak or cooling."""
    story_id: int
    title: str
    """Of the story that leads it."""


@dataclass(frozen=True, slots=True)
class Edition:
    stories: tuple[EditionStory, ...]
    also: tuple[AlsoNoted, ...]
    item_count: int
    source_count: int
    trends: tuple[EditionTrend, ...] = ()
    unchanged: int = 0
    """Stories of the edition before of which nothing new is known."""
    since: str = ""
    """ISO 8601: the day of the edition before, empty without one."""
    days: int = 1
    """How many it covers."""

    @property
    def minutes(self) -> int:
        words = sum(
            len(sentence.text.split()) for story in self.stories for sentence in story.sentences
        )
        headlines = sum(len(story.headline.split()) for story in self.stories)
        return max(1, math.ceil((words + headlines) / WORDS_PER_MINUTE))

    @property
    def written_by(self) -> str:
        """Who wrote it: a model, the sources themselves, or both."""
        writers = {story.written_by for story in self.stories} or {"extractive"}
        models = sorted(writers - {"extractive"})
        return " and ".join([*models, "extractive"] if "extractive" in writers else models)[:100]

    def as_json(self) -> dict[str, Any]:
        """Plain lists and dictionaries, as kept in `Digest.content`."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # tuples become lists
        return {**plain, "minutes": self.minutes}
