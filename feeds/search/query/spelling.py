"""Proposes words that are spelled like an unknown one. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from feeds.search.query.parser import OPERATORS, TOKEN

SHORTEST = 3
"""Minimum length of a word that is corrected, in letters."""
LONG = 6
"""From this length on, a word may have two errors."""
MOST_WORDS = 10_000
"""Maximum number of words of a vocabulary: the most frequent ones."""
_WORD = re.compile(r"\w+")


Known = tuple[str, int, int]
"""A word, the number of titles that have it, and the bits of its letters, by which words that
differ too much are left out cheaply."""


def vocabulary(titles: Iterable[str]) -> list[Known]:
    """Return the words of the titles, the most frequent first."""
    counts: Counter[str] = Counter()
    for title in titles:
        counts.update(set(_WORD.findall(title.casefold())))
    words = [pair for pair in counts.items() if _is_word(pair[0])]
    words.sort(key=lambda pair: (-pair[1], pair[0]))
    return [(word, count, _letters(word)) for word, count in words[:MOST_WORDS]]


def typed_words(text: str) -> list[str]:
    """Return the words that the items shall contain, without operators and excluded words."""
    tokens = [match[0] for match in TOKEN.finditer(text) if _has_words(match)]
    words = [word.casefold() for token in tokens for word in _WORD.findall(token)]
    return list(dict.fromkeys(filter(_is_word, words)))


def with_words(text: str, words: Mapping[str, str]) -> str:
    """Return the query with those of its words that `typed_words` returns replaced by others."""

    def replaced(match: re.Match[str]) -> str:
        if not _has_words(match):
            return match[0]
        return _WORD.sub(lambda word: words.get(word[0].casefold(), word[0]), match[0])

    return TOKEN.sub(replaced, text)


def close_words(word: str, known: Sequence[Known], most: int) -> list[str]:
    """Return at most `most` words that may have been meant, the likeliest first."""
    errors = 2 if len(word) >= LONG else 1
    letters = _letters(word)
    lengths = range(len(word) - errors, len(word) + errors + 1)
    close = []
    for other, count, its_letters in known:
        # An error changes at most two of the letters.
        if (its_letters ^ letters).bit_count() > 2 * errors or len(other) not in lengths:
            continue
        distance = _distance(word, other, errors)
        if 0 < distance <= errors:
            close.append((distance, other[0] != word[0], -count, other))
    return [likely for *_, likely in sorted(close)[:most]]


def _distance(one: str, other: str, most: int) -> int:
    """Return how many letters are missing, extra, wrong or swapped with the next; more than `most`
    if there are more."""
    before_last: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        current = [row]
        for column, its in enumerate(other, 1):
            cost = min(last[column] + 1, current[-1] + 1, last[column - 1] + (letter != its))
            is_swapped = (
                row > 1 and column > 1 and (letter, one[row - 2]) == (other[column - 2], its)
            )
            if is_swapped:
                cost = min(cost, before_last[column - 2] + 1)
            current.append(cost)
        if min(current) > most and min(last) > most:
            return most + 1
        before_last, last = last, current
    return last[-1]


def _has_words(match: re.Match[str]) -> bool:
    is_operator = match["name"] is not None and match["name"].lower() in OPERATORS
    is_left_out = match["minus"] or match[0] == "OR" or match[0].endswith("*")
    return not (is_operator or is_left_out)


def _is_word(word: str) -> bool:
    return SHORTEST <= len(word) <= 40 and any(map(str.isalpha, word))


def _letters(word: str) -> int:
    bits = 0
    for letter in word:
        bits |= 1 << ord(letter) % 61
    return bits
