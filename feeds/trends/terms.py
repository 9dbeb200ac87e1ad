"""The terms of a title: names and noun phrases of one to four words, each under one key. Pure.

No model: spans between stop words and signs, and every run of their words. What of it means
something is found out by counting; see burst.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from feeds.trends.stop import ALONE, STOP

LONGEST = 4
MAX_CHARACTERS = 60
MAX_WORDS = 40
"""Words of a title that are read, and terms of one that are kept: a feed may put a book there."""
MAX_TERMS = 60
MAX_TEXT = 400
"""Characters of a text that are read: news say at the start whom they are about."""
TOPIC = "#"
"""A key that begins with it is the slug of a curated topic."""

# Joined by a hyphen, a point or an apostrophe, they are one: GPT-4.1, o'reilly, node.js.
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
"""Characters of a word that is not of letters with spaces between: Chinese or Thai has whole
sentences without one, and what stands in them is no word."""


def terms_of(title: str, boilerplate: Iterable[str] = ()) -> tuple[str, ...]:
    """The keys of the terms that stand in `title`, each once, in their order.

    `boilerplate` are keys that mean nothing here: the source's own name, above all.
    """
    unwanted = set(boilerplate)
    found: dict[str, None] = {}
    for span in _spans(title):
        for key in _runs(span):
            if key not in unwanted and len(key) <= MAX_CHARACTERS:
                found[key] = None
    return tuple(found)[:MAX_TERMS]


def names_in(text: str, boilerplate: Iterable[str] = ()) -> tuple[str, ...]:
    """The keys of the names in running text: words that begin with a capital or have one or a
    figure within, other than at the beginning of a sentence; only the first words are read."""
    unwanted = set(boilerplate)
    found: dict[str, None] = {}
    for match in _NAME.finditer(unicodedata.normalize("NFKC", text)[:MAX_TEXT]):
        tokens = _tokens(match[0])[:LONGEST]
        for key in (" ".join(tokens), *tokens):
            if key not in unwanted and len(key) <= MAX_CHARACTERS and key in set(_runs(tokens)):
                found[key] = None
    return tuple(found)[:MAX_TERMS]


def key_of(text: str) -> str:
    """The key under which a reader's own words are counted: "GPT 5", "gpt5" and "GPT-5" have
    the same; "" where nothing is left that could be counted."""
    spans = list(_spans(text))
    if len(spans) != 1 or len(spans[0]) > LONGEST:
        return ""
    key = " ".join(spans[0])
    return key if key in set(_runs(spans[0])) and len(key) <= MAX_CHARACTERS else ""


def surfaces(title: str) -> Iterator[tuple[str, str]]:
    """(key, as it is written here) of each run of words in a title: to name a trend."""
    for text in _BREAK.split(title):
        words = [match.span() for match in _WORD.finditer(text)][:MAX_WORDS]
        for start in range(len(words)):
            for end in range(start + 1, min(start + LONGEST + 1, len(words)) + 1):
                shown = text[words[start][0] : words[end - 1][1]]
                yield " ".join(_tokens(shown)), _POSSESSIVE.sub("", shown)


def _spans(title: str) -> Iterator[list[str]]:
    """The runs of words between signs."""
    for text in _BREAK.split(unicodedata.normalize("NFKC", title)[:1000]):
        if tokens := _tokens(text):
            yield tokens[:MAX_WORDS]


def _tokens(text: str) -> list[str]:
    """The keys of its words; a name and the number after it are one word."""
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
    """A name with its version stays whole, other parts that hyphens join are words:
    "open-source" is "open source", "gpt5" is "gpt-5"."""
    parts = tuple(re.split(r"[-‐‑]", word))
    if len(parts) == 1:
        match = _VERSIONED.fullmatch(word)
        if match and not _YEAR.fullmatch(match[2]) and match[1] not in STOP:
            return match[1], match[2]
    return tuple(part.strip(".'’") or part for part in parts)


@lru_cache(maxsize=100_000)
def _singular(word: str) -> str:
    """ "agents" is "agent"; short words, and those in -ss, -us and -is, are left alone."""
    if len(word) < 5 or not word.isascii() or word.endswith(("ss", "us", "is", "ous")):
        return word
    if word.endswith("ies") and len(word) > 5:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "xes", "sses", "zes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") else word


def _runs(tokens: list[str]) -> Iterator[str]:
    for start, first in enumerate(tokens):
        if not _may_end(first):
            continue
        if "-" in first:
            yield first.partition("-")[0]  # GPT-5 and GPT-6 are both news of GPT
        for end in range(start + 1, min(start + LONGEST, len(tokens)) + 1):
            if _may_end(tokens[end - 1]):
                yield from _phrase(tokens[start:end])


def _phrase(tokens: list[str]) -> Iterator[str]:
    """A run is a term unless a word without meaning stands within it, small ones apart that
    join a name: "University of Toronto"."""
    if any(token in STOP and token not in _JOINING for token in tokens[1:-1]):
        return
    if len(tokens) > 1 or not _is_common(tokens[0]):
        yield " ".join(tokens)


def _may_end(token: str) -> bool:
    return token not in STOP and _singular(token) not in STOP and not token[:1].isdigit()


def _is_common(token: str) -> bool:
    is_short = len(token) < 3 and token.isascii() and token not in _SHORT
    is_sentence = not token.isascii() and len(token) > _LONG_SCRIPT and not _has_case(token)
    return is_short or is_sentence or token in ALONE


def _has_case(token: str) -> bool:
    return token.upper() != token
