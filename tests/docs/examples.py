"""The examples in the documents: fenced blocks with their language and what is said before them."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.docs.blocks import ROOT, documents

_FENCE = re.compile(
    r"(?:^[ ]*<!-- not run: (?P<reason>[^\n]+?) -->\n)?"
    r"^(?P<indent>[ ]*)```(?P<language>\w*)\n(?P<body>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
LANGUAGES = ("sh", "console", "python", "ini", "text")


@dataclass(frozen=True, slots=True)
class Example:
    path: Path
    language: str
    body: str
    reason: str
    """Why it can't be run by a test; empty where it can."""

    @property
    def commands(self) -> list[str]:
        """The commands of a shell example, each on one line, without comments and output."""
        text = self.body.replace("\\\n", " ")
        lines = [line.strip() for line in text.splitlines()]
        if self.language == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        return [" ".join(line.split("    #")[0].split()) for line in lines if line]

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}: {self.body.strip().splitlines()[0][:50]}"


def examples() -> list[Example]:
    return [
        Example(path, found["language"], found["body"], found["reason"] or "")
        for path in documents()
        for found in _FENCE.finditer(path.read_text(encoding="utf-8"))
    ]


def words_of(command: str) -> list[str]:
    """The words of a command without the variables that are set before it."""
    words = shlex.split(command, comments=True)
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    return words
