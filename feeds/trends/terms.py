"""Extract the terms of a title: candidates for names and phrases of one to four words. Pure.

There is no model: every run of words between stop words and punctuation is a term. Counting shows
which of them mean something, see feeds.trends.burst. A term has one key for all its spellings.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from feeds.trends.stop import ALONE, STOP

LONGEST = 4
MAX_CHARACTERS = 60
MAX_WORDS = 40
"""Words of a title that are read. Some feeds have very long titles."""
MAX_TERMS = 60
"""Terms of a title that are returned."""
MAX_TEXT = 400
"""Characters of a text that are read. News articles name their subject at the start."""
TOPIC = "#"
"""Prefix of the keys of curated topics, which are followed by the slug."""

# Words joined by a hyphen, point or apostrophe are one word: GPT-4.1, o'reilly, node.js.
_WORD = re.compile(r"[^\W_]+(?:[-‐‑.'’+&][^\W_]+)*\+{0,2}")
_REST = r"(?:\w|[.'’-](?=\w))*"
_NAME = re.compile(rf"(?<=[\w,;] )[A-ZÀ-Þ]{_REST}(?: [A-ZÀ-Þ\d]{_REST}){{0,3}}")
_BREAK = re.compile(r"[^\w\s'’.&+‐‑-]|(?<=\w)[.]\s|\s[-&+]\s|\s[.]+")
_POSSESSIVE = re.compile(r"['’]s?$")
_NUMBER = re.compile(r"v?\d+(?:\.\d+)*[a-z]?")
_VERSIONED = re.compile(r"([^\W\d_]{2,})[-. ]?v?(\d+(?:\.\d+)*[a-z]?)")
_YEAR = re.compile(r"(?:19|20)\d\d")
_SHORT = {"ai", "ki", "ia", "eu", "uk", "un", "xr", "vr", "ar", "5g", "6g"}
_JOINING = frozenset("of for de la du des von van der di del da do".split())  # noqa: SIM905
_LONG_SCRIPT = 12
"""Longest term in scripts without spaces, such as Chinese or Thai, where longer runs are
sentences."""


def terms_of(title: str, boilerplate: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the keys of the terms in `title`, in their order, without duplicates.

    `boilerplate` are keys to leave out, such as those of the source's own name.
    """
    unwanted = set(boilerplate)
    keys: dict[str, None] = {}
    for span in _spans(title):
        for key in _runs(span):
            if key not in unwanted and len(key) <= MAX_CHARACTERS:
                keys[key] = None
    return tuple(keys)[:MAX_TERMS]


def names_in(text: str, boilerplate: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the keys of the names in running text: capitalised words that do not start a
    sentence. Only the first MAX_TEXT characters are read."""
    unwanted = set(boilerplate)
    keys: dict[str, None] = {}
    for match in _NAME.finditer(unicodedata.normalize("NFKC", text)[:MAX_TEXT]):
        tokens = _tokens(match[0])[:LONGEST]
        for key in (" ".join(tokens), *tokens):
            if key not in unwanted and len(key) <= MAX_CHARACTERS and key in set(_runs(tokens)):
                keys[key] = None
    return tuple(keys)[:MAX_TERMS]


def key_of(text: str) -> str:
    """Return the key of a term that a reader entered, or "" if it is not one term. "GPT 5",
    "gpt5" and "GPT-5" have the same key."""
    spans = list(_spans(text))
    if len(spans) != 1 or len(spans[0]) > LONGEST:
        return ""
    key = " ".join(spans[0])
    return key if key in set(_runs(spans[0])) and len(key) <= MAX_CHARACTERS else ""


def spellings(title: str) -> Iterator[tuple[str, str]]:
    """Yield (key, spelling in this title) of each run of words, to find the name of a trend."""
    for text in _BREAK.split(title):
        words = [match.span() for match in _WORD.finditer(text)][:MAX_WORDS]
        for start in range(len(words)):
            for end in range(start + 1, min(start + LONGEST + 1, len(words)) + 1):
                shown = text[words[start][0] : words[end - 1][1]]
                yield " ".join(_tokens(shown)), _POSSESSIVE.sub("", shown)


def _spans(title: str) -> Iterator[list[str]]:
    """Yield the tokens of each part between punctuation."""
    for text in _BREAK.split(unicodedata.normalize("NFKC", title)[:1000]):
        if tokens := _tokens(text):
            yield tokens[:MAX_WORDS]


def _tokens(text: str) -> list[str]:
    """Return the normalised words. A name and a version after it are joined by a hyphen."""
    tokens: list[str] = []
    for word in _WORD.findall(text):
        for token in _split(_POSSESSIVE.sub("", word).lower()):
            if tokens and _is_version(tokens[-1], token):
                tokens[-1] = f"{tokens[-1]}-{token.removeprefix('v')}"
            else:
                tokens.append(_singular(token))
    return tokens


def _is_version(name: str, number: str) -> bool:
    if not _NUMBER.fullmatch(number) or _YEAR.fullmatch(number) or len(number) > 5:
        return False
    return name.isalpha() and name not in STOP


@lru_cache(maxsize=100_000)
def _split(word: str) -> tuple[str, ...]:
    """Split a word at hyphens, and a name from its version: "open-source" is ("open", "source"),
    "gpt5" is ("gpt", "5")."""
    parts = tuple(re.split(r"[-‐‑]", word))
    if len(parts) == 1:
        match = _VERSIONED.fullmatch(word)
        if match and not _YEAR.fullmatch(match[2]) and match[1] not in STOP:
            return match[1], match[2]
    return tuple(part.strip(".'’") or part for part in parts)


@lru_cache(maxsize=100_000)
def _singular(word: str) -> str:
    """Remove the plural s, except from short words and words in -ss, -us and -is."""
    if len(word) < 5 or not word.isascii() or word.endswith(("ss", "us", "is", "ous")):
        return word
    if word.endswith("ies") and len(word) > 5:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "zes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") else word


def _runs(tokens: list[str]) -> Iterator[str]:
    for start, first in enumerate(tokens):
        if not _can_delimit(first):
            continue
        if "-" in first:
            yield first.partition("-")[0]  # GPT-5 and GPT-6 both count for GPT
        for end in range(start + 1, min(start + LONGEST, len(tokens)) + 1):
            if _can_delimit(tokens[end - 1]):
                yield from _phrase(tokens[start:end])


def _phrase(tokens: list[str]) -> Iterator[str]:
    """Yield the run as a term unless it contains a stop word. Prepositions inside names, such as
    "University of Toronto", are allowed."""
    if any(token in STOP and token not in _JOINING for token in tokens[1:-1]):
        return
    if len(tokens) > 1 or not _is_common(tokens[0]):
        yield " ".join(tokens)


def _can_delimit(token: str) -> bool:
    return token not in STOP and _singular(token) not in STOP and not token[:1].isdigit()


def _is_common(token: str) -> bool:
    is_short = len(token) < 3 and token.isascii() and token not in _SHORT
    is_sentence = not token.isascii() and len(token) > _LONG_SCRIPT and not _has_case(token)
    return is_short or is_sentence or token in ALONE


def _has_case(token: str) -> bool:
    return token.upper() != token
