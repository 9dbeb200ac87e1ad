"""Reads `.env.example`: groups, descriptions and defaults of all settings."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

ENV_EXAMPLE = Path(__file__).parents[2] / ".env.example"


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    default: str
    description: str
    group: str


@cache
def read_settings() -> tuple[Setting, ...]:
    """In the order of the file. A group begins with `## NAME`; each setting follows the lines
    that describe it."""
    found: list[Setting] = []
    group, said = "", list[str]()
    for line in ENV_EXAMPLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            group, said = line.removeprefix("## "), []
        elif line.startswith("#"):
            said.append(line.removeprefix("#").strip())
        elif line:
            name, _, default = line.partition("=")
            found.append(Setting(name, default, " ".join(said), group))
            said = []
        else:
            said = []
    return tuple(found)
