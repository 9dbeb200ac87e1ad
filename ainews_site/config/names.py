"""Finds names of environment variables that are misspelt or deprecated. Pure."""

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from difflib import get_close_matches

PREFIXES = ("AINEWS_", "AI_NEWS_", "DJANGO_")
SIMILAR_IN_FILE, SIMILAR_ELSEWHERE = 0.75, 0.9
"""How similar a name must be to a setting to be a misspelling of it, from 0 to 1. The environment
has variables of many programs, `.env` is ours."""
SHORTEST = 8
"""A shorter name in the environment is similar to too many others."""
OTHERS = frozenset({"HOSTNAME", "LOGNAME", "DJANGO_SETTINGS_MODULE"})
"""Names of other programs that resemble a setting."""


@dataclass(frozen=True)
class Deprecated:
    """A setting that is still read, but will not be from the major version `until` on.

    `instead` is the name of the setting that replaces it and takes its value, or "" without one.
    """

    since: str
    until: str
    instead: str = ""
    advice: str = ""


DEPRECATED: dict[str, Deprecated] = {}
"""See docs/reference/releases.md for how long a setting stays here. None is deprecated now."""


def misspelt_names(
    known: Iterable[str], file: Iterable[str], environment: Iterable[str]
) -> list[str]:
    """Return a sentence for each name in `file` or `environment` that resembles a setting."""
    names = set(known)
    pairs = [(name, _meant_in_file(name, names)) for name in file]
    pairs += [(name, _meant(name, names)) for name in environment]
    unique = dict(sorted(pair for pair in pairs if pair[1]))
    return [f"{name} is not a setting. Did you mean {meant}?" for name, meant in unique.items()]


def _meant_in_file(name: str, known: set[str]) -> str:
    return _closest(_without_prefix(name.upper()), known, SIMILAR_IN_FILE, name)


def _meant(name: str, known: set[str]) -> str:
    plain = _without_prefix(name)
    if plain != name:
        return plain if plain in known and name not in OTHERS else ""
    return _closest(name, known, SIMILAR_ELSEWHERE, name) if len(name) >= SHORTEST else ""


def _closest(plain: str, known: set[str], similarity: float, name: str) -> str:
    if name in known or name in OTHERS:
        return ""
    return next(iter(get_close_matches(plain, sorted(known), 1, similarity)), "")


def _without_prefix(name: str) -> str:
    prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), "")
    return name.removeprefix(prefix)


def adopt_deprecated(
    environment: MutableMapping[str, str], deprecated: Mapping[str, Deprecated] = DEPRECATED
) -> list[str]:
    """Give the values of deprecated settings to those that replace them.

    Returns a sentence for each deprecated setting that is set. A replacement that is set as well
    keeps its own value.
    """
    sentences = []
    for name, rule in sorted(deprecated.items()):
        if not environment.get(name):
            continue
        if rule.instead and not environment.get(rule.instead):
            environment[rule.instead] = environment[name]
        advice = rule.advice or (f"Use {rule.instead} instead." if rule.instead else "Remove it.")
        sentences.append(
            f"{name} is deprecated since {rule.since} and has no effect from {rule.until} on."
            f" {advice}"
        )
    return sentences
