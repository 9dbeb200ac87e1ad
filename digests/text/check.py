"""Whether a sentence is held up by the texts that it cites, decided without any model. Pure.

Every number, name and quotation must stand in a cited text, most of its words too, and it must
not deny what is said there or leave a denial out. Strict rather than clever: what does not pass
is not published.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from digests.text.names import Text, names_in, stands_in
from digests.text.numbers import Number, numbers_in, stand_in
from digests.text.units import MAGNITUDES, MONEY, WORDS
from feeds.stories.grouping.tokenizer import terms_of

LEAST_SUPPORT = 0.6
"""Of the words that carry meaning, or of pairs of signs in scripts without spaces."""
LEAST_TERMS = 3
MOST_WORDS = 60
_LINK = re.compile(
    r"https?:|www\.|\bmailto:|\]\(|<[a-z/!]|\b[a-z0-9-]+\.(?:com|net|org|io|ai|dev|example)/", re.I
)
_QUOTED = re.compile(
    r"“([^“”]*)”|„([^„“”]*)[“”]|«([^«»]*)»|「([^「」]*)」|『([^『』]*)』|\"([^\"]*)\""
    r"|‘((?:[^‘’]|(?<=\w)’(?=\w)){3,})’(?!\w)|(?<!\w)'((?:[^']|(?<=\w)'(?=\w)){3,})'(?!\w)"
)
_OPEN_QUOTE = re.compile(r"[“„«「『\"]([^“”„«»「」『』\"]*)$")
_SHUT_QUOTE = re.compile(r"^([^“”„«»「」『』\"]*)[”»」』\"]")
_SENTENCE = re.compile(r"(?<=[.!?。！？])\s*|\n+")
_NEGATION = re.compile(
    r"\b(?:not|no|never|nor|neither|without|cannot|none|nobody|nothing)\b|\b\w+n['’]t\b", re.I
)
_UNSPACED = re.compile(r"[぀-ヿ㐀-鿿가-힣ー々]+")
_NUMERALS = re.compile(r"[〇一二三四五六七八九十百千万億亿兆]{2,}")
_QUANTITIES = MAGNITUDES.keys() | MONEY.keys() | WORDS.keys() | {"percent", "per", "cent"}
"""Numbers have a rule of their own."""
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")


@dataclass(frozen=True, slots=True)
class Sentence:
    """What somebody wrote, with the numbers (from 1) of the texts that it cites."""

    text: str
    cites: tuple[int, ...]


class Source:
    """A text that may be cited, title and all, read once however many sentences cite it."""

    def __init__(self, text: str) -> None:
        self.text = unicodedata.normalize("NFKC", text)

    @cached_property
    def words(self) -> Text:
        return Text(self.text)

    @cached_property
    def numbers(self) -> list[Number]:
        return numbers_in(self.text)

    @cached_property
    def terms(self) -> frozenset[str]:
        return frozenset(content_words(self.text))

    @cached_property
    def sentences(self) -> list[tuple[str, frozenset[str]]]:
        parts = [part for part in _SENTENCE.split(self.text) if part.strip()]
        return [(part, frozenset(content_words(part))) for part in parts]


def complaint(sentence: Sentence, sources: Sequence[Source]) -> str:
    """What is wrong with a sentence, in words that its writer may learn from; "" when it holds."""
    if not sentence.cites:
        return "it cites no source"
    unknown = [n for n in sentence.cites if not 1 <= n <= len(sources)]
    if unknown:
        return f"there is no source {unknown[0]}"
    text = unicodedata.normalize("NFKC", sentence.text)
    cited = [sources[n - 1] for n in dict.fromkeys(sentence.cites)]
    for look in (_form, _numbers, _quotations, _names, _support, _denial):
        if said := look(text, cited):
            return said
    return ""


def _form(text: str, cited: Sequence[Source]) -> str:
    if _LINK.search(text):
        return "it has a link or markup"
    if len(text.split()) > MOST_WORDS:
        return f"it has more than {MOST_WORDS} words"
    if len(set(content_words(text))) + len(numbers_in(text)) < LEAST_TERMS:
        return "it says too little"
    return ""


def _numbers(text: str, cited: Sequence[Source]) -> str:
    given = [number for source in cited for number in source.numbers]
    for number in numbers_in(text):
        if not stand_in(number, given):
            return f"the number {number.text} is not in the cited source"
    for run in _NUMERALS.findall(text):
        if not any(run in source.text for source in cited):
            return f"the number {run} is not in the cited source"
    return ""


def _quotations(text: str, cited: Sequence[Source]) -> str:
    """Those that begin or end outside of the sentence go to its edge."""
    found = ["".join(match.groups("")) for match in _QUOTED.finditer(text)]
    rest = _QUOTED.sub(" ", text)
    found += _OPEN_QUOTE.findall(rest) + _SHUT_QUOTE.findall(rest)
    for quotation in found:
        if not any(source.words.quotes(quotation) for source in cited):
            return f"the quotation “{quotation[:80]}” is not in the cited source"
    return ""


def _names(text: str, cited: Sequence[Source]) -> str:
    terms = frozenset[str]().union(*(source.terms for source in cited))
    for name in names_in(Text(text), terms, stem):
        if not any(stands_in(name, source.words) for source in cited):
            written = " ".join(word.written for word in name)
            return f"the name {written} is not in the cited source"
    return ""


def _support(text: str, cited: Sequence[Source]) -> str:
    terms = set(content_words(text))
    given = frozenset[str]().union(*(source.terms for source in cited))
    if len(terms & given) < LEAST_SUPPORT * len(terms):
        lacking = ", ".join(sorted(terms - given)[:4])
        return f"too few of its words are in the cited source ({lacking} are not)"
    return ""


def _denial(text: str, cited: Sequence[Source]) -> str:
    """A denial that no source has, or one that the nearest sentence has of a word used here."""
    if _NEGATION.search(text):
        held = any(_NEGATION.search(source.text) for source in cited)
        return "" if held else "it denies something that the cited source does not deny"
    terms = set(content_words(text))
    nearest, _ = max(
        (pair for source in cited for pair in source.sentences),
        key=lambda pair: len(terms & pair[1]),
        default=("", frozenset()),
    )
    for match in _NEGATION.finditer(nearest):
        denied = next(iter(content_words(nearest[match.end() : match.end() + 60])), "")
        is_elsewhere = denied in content_words(nearest[: match.start()])
        if denied and denied in terms and not is_elsewhere:
            return f"the cited source says “{match.group()}” of {denied}"
    return ""


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    return next(iter(terms_of(word)), "")


def content_words(text: str) -> list[str]:
    """The stems of its words, numbers left out; the pairs of signs where no spaces are written."""
    found = []
    for word in _WORD.findall(text):
        runs = _UNSPACED.findall(word)
        for run in runs:
            found += [run[n : n + 2] for n in range(max(1, len(run) - 1))]
        is_counted = word[0].isdigit() or word.lower() in _QUANTITIES
        if not runs and not is_counted and (own := stem(word.lower())):
            found.append(own)
    return found
