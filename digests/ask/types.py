"""An answer as plain values, which the page and the API render and the database stores."""

from dataclasses import dataclass, field
from typing import Any

EXTRACTIVE = "extractive"


@dataclass(frozen=True, slots=True)
class AnswerSentence:
    text: str
    cites: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AnswerSource:
    """A cited item. `number` is what the sentences of the answer cite."""

    number: int
    item_id: int
    title: str
    source: str
    url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. `sentences` is empty if no answer was found.

    `written_by` is "extractive" or the name of a model. `problems` are messages about the
    question.
    """

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
            AnswerSentence(row["text"], tuple(row["cites"])) for row in content["sentences"]
        )
        sources = tuple(AnswerSource(**row) for row in content["sources"])
        return cls(sentences, sources, written_by)
