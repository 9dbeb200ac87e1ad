"""The version of the program. pyproject.toml states it; a package has it in its metadata."""

import re
import tomllib
from functools import cache
from importlib.metadata import version as version_of

from ainews_site.infra.places import BASE, IS_INSTALLED

_FORM = re.compile(r"(\d+)\.(\d+)\.(\d+)(\.dev\d+)?")


@cache
def program_version() -> str:
    """Return the version, such as 0.2.0, or 0.2.0.dev0 between two releases."""
    if IS_INSTALLED:
        return version_of("ainews")
    with (BASE / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])


def sort_key(version: str) -> tuple[int, int, int, bool]:
    """Return a key that sorts versions. Raises ValueError for text that is not a version."""
    parts = _FORM.fullmatch(version)
    if parts is None:
        raise ValueError(version)
    return int(parts[1]), int(parts[2]), int(parts[3]), not parts[4]
