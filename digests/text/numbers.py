"""Parse the numbers in a text into quantities that can be compared. Pure.

"7B", "7 billion", "7,000,000,000" and "seven billion" are equal; "7 %" and "$7" are different.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from digests.text.units import (
    FACTORS,
    MAGNITUDES,
    MEASURES,
    MONEY,
    ORDINALS,
    SUFFIXES,
    UNITS,
    WORDS,
)

_LITERAL = re.compile(
    r"(?!\d{1,3}(?:\.\d{3})+(?![.\d]))\d+(?:\.\d+){2,}"
    r"|\d{1,4}(?:[:/]\d{1,2}){1,2}(?!\d)|\d{4}-\d{2}-\d{2}(?!\d)"
)
_NUMBER = re.compile(
    r"\d{1,3}(?: \d{3})+(?:[.,]\d+)?(?![\d.,]\d|\d)"
    r"|\d{1,3}(?:['’]\d{3})+(?:[.,]\d+)?(?!\d)"
    r"|\d+(?:[.,]\d+)*"
)
_TOKEN = re.compile(rf"{_LITERAL.pattern}|{_NUMBER.pattern}|[^\W\d_]+|[%$€£¥₹₽₩×]|°[cf]", re.I)
_BOUND = re.compile(r"(?:[^\W\d_]|[A-Z][^\W\d_]*-)$")
_FOLLOWS = re.compile(r"(?:\b[A-Z]+[A-Z0-9]\w*|[\w,;:'’)] [A-Z][^\W\d_]+) $")
_PERIOD = re.compile(r"\b(?:[Qq][1-4]|[Hh][12]|[Vv][\d.]+|FY\d+)$")
_AFTER = re.compile(r"[ \-]{0,2}$")


@dataclass(frozen=True, slots=True)
class Quantity:
    """One interpretation of a number: a value and its unit, "" if it has none."""

    value: float
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written in a text, with its possible interpretations.

    `is_bound`: it is part of a name, as in GPT-5. `follows_name`: it may be, as in GPT 5.
    """

    text: str
    readings: frozenset[Quantity]
    is_bound: bool = False
    follows_name: bool = False


def numbers_in(text: str) -> list[Number]:
    """Return all numbers of a text in their order."""
    text = unicodedata.normalize("NFKC", text)
    tokens = [(match.group(), match.start(), match.end()) for match in _TOKEN.finditer(text)]
    numbers: list[Number] = []
    at = 0
    while at < len(tokens):
        word = tokens[at][0]
        if word[0].isdigit():
            number, at = _in_digits(text, tokens, at)
            numbers.append(number)
        elif (read := _in_words(text, tokens, at)) is not None:
            number, at = read
            numbers.append(number)
        else:
            at += 1
    return _as_ranges(text, numbers)


def contains_number(claimed: Number, given: Iterable[Number]) -> bool:
    """Whether the claimed number is among the numbers of the sources."""
    return any(
        (claimed.is_bound or claimed.follows_name or not number.is_bound)
        and any(_agree(a, b) for a in claimed.readings for b in number.readings)
        for number in given
    )


def _agree(claimed: Quantity, given: Quantity) -> bool:
    if abs(claimed.value - given.value) > 1e-9 * max(abs(claimed.value), abs(given.value)):
        return False
    if claimed.kind == given.kind or {claimed.kind, given.kind} == {"", "th"}:
        return True
    # A claim may drop a plain unit ("5" for "5 days"), but not a currency or a percent sign.
    return claimed.kind == "" and given.kind in _PLAIN


_PLAIN = frozenset(UNITS.values()) - {"%", "x", "pp"}
Token = tuple[str, int, int]


def _in_digits(text: str, tokens: list[Token], at: int) -> tuple[Number, int]:
    """Parse a number that starts with a digit. Return it and the index of the next token."""
    word, start, end = tokens[at]
    before = text[:start]
    bound = bool(_BOUND.search(before[-30:])) and not _PERIOD.search(text[max(0, start - 4) : end])
    follows = bool(_FOLLOWS.search(before[-30:]))
    if _LITERAL.fullmatch(word):
        return Number(word, _literal(word), bound, follows), at + 1
    values, upto = _values(word), at + 1
    kinds: set[tuple[float, str]] = {(1.0, "")}
    if (following := _next(text, tokens, upto, end)) is not None:
        adheres = following[1] == end
        name = following[0]
        if adheres and name.lower() in ("st", "nd", "rd", "th"):
            return Number(text[start : following[2]], _quantities(values, {(1.0, "th")})), upto + 1
        if adheres and name in SUFFIXES:
            kinds, upto, end = {(SUFFIXES[name], "")}, upto + 1, following[2]
            if name in MEASURES:
                kinds.add((1.0, MEASURES[name]))
        elif name.lower() in MAGNITUDES and (not adheres or len(name) > 1 or not name.isascii()):
            kinds, upto, end = {(MAGNITUDES[name.lower()], "")}, upto + 1, following[2]
        elif not name[0].isdigit() and name.isalpha() and name[0] in MAGNITUDES:
            end = following[1] + 1  # a currency may follow without a space: 万円
            kinds = {(MAGNITUDES[name[0]], MONEY.get(text[end : end + 1], ""))}
    kind, upto, end = _kind(text, tokens, at, upto, end)
    if kind:
        kinds = {(factor, kind) for factor, own in kinds if not own} or kinds
    return Number(text[start:end], _quantities(values, kinds), bound, follows), upto


def _kind(text: str, tokens: list[Token], first: int, upto: int, end: int) -> tuple[str, int, int]:
    """Find the unit before or after a number.

    Return the unit ("" if there is none), the index of the next token, and where the number ends.
    """
    if first and _AFTER.fullmatch(text[tokens[first - 1][2] : tokens[first][1]]):
        before = tokens[first - 1][0].lower()
        if before == "$" and first > 1 and tokens[first - 2][2] == tokens[first - 1][1]:
            before = f"{tokens[first - 2][0].lower()}$"
        if before in MONEY:
            return MONEY[before], upto, end
        if before.endswith("$"):
            return "$", upto, end
    following = _next(text, tokens, upto, end)
    if following is None:
        return "", upto, end
    name = following[0].lower()
    if name == "per" and text[following[2] :].lstrip().lower().startswith("cent"):
        return "%", upto + 2, tokens[upto + 1][2]
    if name in ("percentage", "prozentpunkte"):
        return "pp", upto + 1, following[2]
    kind = MONEY.get(name) or UNITS.get(name, "")
    if name in ("us", "u.s") and upto + 1 < len(tokens):
        kind = MONEY.get(tokens[upto + 1][0].lower(), "")
    return (kind, upto + 1, following[2]) if kind else ("", upto, end)


def _next(text: str, tokens: list[Token], at: int, end: int) -> Token | None:
    """Return the token at index `at` if at most a space or hyphen separates it from `end`."""
    if at >= len(tokens) or not _AFTER.fullmatch(text[end : tokens[at][1]]):
        return None
    return tokens[at]


def _quantities(values: Iterable[float], kinds: Iterable[tuple[float, str]]) -> frozenset[Quantity]:
    return frozenset(Quantity(value * factor, kind) for value in values for factor, kind in kinds)


def _literal(word: str) -> frozenset[Quantity]:
    """A version, time or date equals only the same characters."""
    return frozenset({Quantity(0.0, word)})


def _values(word: str) -> set[float]:
    """Parse digits with separators, by the English and by the continental convention."""
    plain = re.sub(r"[ '’]", "", word)
    values = set()
    if re.fullmatch(r"\d+(?:\.\d+)?|\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d+)?", plain):
        values.add(float(plain.replace(",", "")))
    is_thousands = re.fullmatch(r"\d{1,3}(?:\.\d{3})+(?:,\d+)?", plain)
    if is_thousands or re.fullmatch(r"\d+,(?:\d{1,2}|\d{4,})", plain):
        values.add(float(plain.replace(".", "").replace(",", ".")))
    return values or {float(re.sub(r"\D", "", plain)[:300])}


def _in_words(text: str, tokens: list[Token], at: int) -> tuple[Number, int] | None:
    """Parse a number written in words, such as "two hundred" or "twice". None if there is none."""
    word = tokens[at][0].lower()
    if word in FACTORS:
        readings = frozenset(Quantity(value, kind) for value, kind in FACTORS[word])
        return Number(word, readings), at + 1
    if word in ORDINALS:
        return Number(word, frozenset({Quantity(float(ORDINALS.index(word)), "th")})), at + 1
    first = at
    starts_with_a = word in ("a", "an") and at + 1 < len(tokens)
    if starts_with_a and tokens[at + 1][0].lower() in ("hundred", "thousand", "million", "billion",
                                                       "trillion", "dozen"):  # fmt: skip
        total, at = _spelt(text, tokens, at + 1, 1.0)
    elif word in WORDS:
        total, at = _spelt(text, tokens, at, 0.0)
    else:
        return None
    end = tokens[at - 1][2]
    kind, upto, end = _kind(text, tokens, first, at, end)
    if word == "one" and at == first + 1 and not kind:
        return None  # a pronoun, as in "one of them"
    written = text[tokens[first][1] : end]
    return Number(written, frozenset({Quantity(total, kind)})), upto


def _spelt(text: str, tokens: list[Token], at: int, part: float) -> tuple[float, int]:
    """Add up words such as "two hundred and fifty thousand", from token `at` on. `part` is the
    value before it. Return the value and the index of the next token."""
    total = 0.0
    while at < len(tokens):
        word = tokens[at][0].lower()
        if word in WORDS:
            part += WORDS[word]
        elif word in MAGNITUDES and len(word) > 2:
            factor = MAGNITUDES[word]
            if factor < 1e3:
                part *= factor
            else:
                total, part = total + part * factor, 0.0
        elif not (word == "and" and part and at + 1 < len(tokens)
                  and tokens[at + 1][0].lower() in WORDS and part % 100 == 0):  # fmt: skip
            break
        at += 1
        if at < len(tokens) and not _AFTER.fullmatch(text[tokens[at - 1][2] : tokens[at][1]]):
            break
    return total + part, at


def _as_ranges(text: str, numbers: list[Number]) -> list[Number]:
    """Give both numbers of a range its unit: "5 to 10 %" is 5 % to 10 %."""
    for n, (low, high) in enumerate(pairwise(numbers)):
        between = rf"{re.escape(low.text)} ?(?:to|and|or|-|–|bis|à) ?[$€£]?{re.escape(high.text)}"
        kinds = {reading.kind for reading in high.readings} - {""}
        bare = {reading.value for reading in low.readings if not reading.kind}
        if kinds and bare and re.search(between, text):
            more = {Quantity(value, kind) for value in bare for kind in kinds}
            numbers[n] = replace(low, readings=low.readings | more)
    return numbers
