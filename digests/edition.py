"""The edition: what a digest holds, as plain values that page, mail and API all render."""

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
    written_by: str = "extractive"
    """A model's name, or "extractive"."""


@dataclass(frozen=True, slots=True)
class AlsoNoted:
    story_id: int
    title: str
    source: str


@dataclass(frozen=True, slots=True)
class Edition:
    stories: tuple[EditionStory, ...]
    also: tuple[AlsoNoted, ...]
    item_count: int
    source_count: int

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
