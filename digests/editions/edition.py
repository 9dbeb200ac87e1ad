"""The content of an edition as plain values, which pages, e-mails, feeds and the API render."""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

WORDS_PER_MINUTE = 220


@dataclass(frozen=True, slots=True)
class Citation:
    """A cited item. It stores title and URL, so that it stays valid if the item is deleted."""

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
class EarlierCoverage:
    """The earlier edition that covered a story."""

    headline: str
    date: str
    """ISO 8601: the day of that edition."""


@dataclass(frozen=True, slots=True)
class CoverageMark:
    """An article on the coverage strip of a story. `kind` is article, copy or discussion."""

    published: str
    """ISO 8601, UTC."""
    source: str
    kind: str


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
    """The highest seq of the story's items in this edition. Later items make an update."""
    why: CitedSentence | None = None
    """Why the story matters, if a source says so."""
    written_by: str = "extractive"
    """A model's name, or "extractive"."""
    reasons: str = ""
    """Why it was chosen for this reader: "4 sources · topic you follow: Agents"."""
    before: EarlierCoverage | None = None
    """For an update: the earlier coverage. The sentences of an update cover what is new."""
    article_count: int = 1
    """Articles with copies; of an update the new ones."""
    coverage: tuple[CoverageMark, ...] = ()
    """Some of these articles, from the first to the latest."""


@dataclass(frozen=True, slots=True)
class AlsoNoted:
    story_id: int
    title: str
    source: str
    topic: str = ""
    """A label such as "Agents". Entries are sorted by topic."""
    last_seq: int = 0


@dataclass(frozen=True, slots=True)
class EditionTrend:
    """A term that more stories mention than before."""

    label: str
    stories: int
    before: int
    """Stories in the period of the same length before."""
    stage: str
    """new, climbing, peak or cooling."""
    story_id: int
    title: str
    """The title of its leading story."""


@dataclass(frozen=True, slots=True)
class Edition:
    stories: tuple[EditionStory, ...]
    also: tuple[AlsoNoted, ...]
    item_count: int
    source_count: int
    trends: tuple[EditionTrend, ...] = ()
    unchanged: int = 0
    """The number of stories of the previous edition without news."""
    since: str = ""
    """ISO 8601: the day of the previous edition; "" if there is none."""
    days: int = 1
    """The number of days that it covers."""

    @property
    def minutes(self) -> int:
        """The reading time."""
        words = sum(
            len(sentence.text.split()) for story in self.stories for sentence in story.sentences
        )
        headlines = sum(len(story.headline.split()) for story in self.stories)
        return max(1, math.ceil((words + headlines) / WORDS_PER_MINUTE))

    @property
    def written_by(self) -> str:
        """The names of the models that wrote stories and "extractive", joined by "and"."""
        writers = {story.written_by for story in self.stories} or {"extractive"}
        models = sorted(writers - {"extractive"})
        return " and ".join([*models, "extractive"] if "extractive" in writers else models)[:100]

    def as_json(self) -> dict[str, Any]:
        """Convert to lists and dictionaries, as stored in `Digest.content`."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # tuples become lists
        return {**plain, "minutes": self.minutes}
