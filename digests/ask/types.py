"""What an answer consists of, as plain values that page, API and row all hold."""

from dataclasses import dataclass, field
from typing import Any

EXTRACTIVE = "extractive"


@dataclass(frozen=True, slots=True)
class AnswerSentence:
    text: str
    cites: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AnswerSource:
    """An item that is cited, by its number in the answer."""

    number: int
    item_id: int
    title: str
    source: str
    url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """`written_by` is "extractive" or the name of a model. Without sentences, the news does not
    say. `problems` are sentences about the question."""

    sentences: tuple[AnswerSentence, ...] = ()
    sources: tuple[AnswerSource, ...] = ()
    written_by: str = EXTRACTIVE
    problems: tuple[str, ...] = field(default=())

    @property
    def is_by_model(self) -> bool:
        return self.written_by != EXTRACTIVE

    @classmethod
    def from_json(cls, content: dict[str, Any], written_by: str) -> "Answer":
        sentences = tuple(
            AnswerSentence(one["text"], tuple(one["cites"])) for one in content["sentences"]
        )
        sources = tuple(AnswerSource(**one) for one in content["sources"])
        return cls(sentences, sources, written_by)
