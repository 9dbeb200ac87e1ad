"""Derives the dependencies of the wheel from the requirements, when hatchling builds it.

A package of `base.in` is a dependency, one that only `server.in` or `intelligence.in` adds belongs
to the extra of that name. Its lower bound is the version that the tests use, which is locked.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

FOLDER = Path(__file__).parent
EXTRAS = ("server", "intelligence")
"""The models of `models.in` are in no extra: they ask for packages that AI News does not use."""


class Dependencies(MetadataHookInterface):
    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        metadata["dependencies"] = dependencies("base")
        metadata["optional-dependencies"] = {name: dependencies(name) for name in EXTRAS}


def dependencies(name: str) -> list[str]:
    """Return the requirements of `NAME.in`, without those of files that it includes."""
    lines = (FOLDER / f"{name}.in").read_text().split()
    locked = versions(name)
    return [
        line if re.search(r"[<>=]", line) else f"{line}>={locked[_plain(line)]}"
        for line in lines
        if not line.endswith(".in") and line != "-r"
    ]


def versions(name: str) -> dict[str, str]:
    """Return the locked version of each package."""
    text = (FOLDER / f"{name}.txt").read_text()
    return dict(re.findall(r"^([\w.-]+)==(\S+)", _without_extras(text), re.MULTILINE))


def _plain(line: str) -> str:
    return _without_extras(line).lower()


def _without_extras(text: str) -> str:
    return re.sub(r"\[[^\]]*\]", "", text)
