"""Check that a sentence is supported by the texts that it cites, without a language model. Pure.

Every number, name and quotation must occur in a cited text, as must most of the other words. The
sentence must not negate what no cited sentence negates, or drop the negation of the cited sentence
that is most similar to it. The check is strict: a sentence that fails is not
published, even if it may be true.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from digests.text.names import Text, contains_name, names_in
from digests.text.numbers import Number, contains_number, numbers_in
from digests.text.units import MAGNITUDES, MONEY, WORDS
from feeds.stories.grouping.tokenizer import terms_of

MIN_SUPPORT = 0.6
"""Least share of the sentence's content words that the cited texts must contain."""
MIN_TERMS = 3
MAX_WORDS = 60
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
"""Words of numbers. They are left out of content words, because numbers are checked apart."""
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence to check, with the numbers (from 1) of the texts that it cites."""

    text: str
    cites: tuple[int, ...]


class Source:
    """A text that may be cited, with its title. What the checks extract from it is cached."""

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


def validation_error(sentence: Sentence, sources: Sequence[Source]) -> str:
    """Return why a sentence is not supported by its sources, or "" if it is.

    The message is written for the language model, which gets a second attempt. `sources` are
    numbered from 1 in the order given.
    """
    if not sentence.cites:
        return "it cites no source"
    unknown = [n for n in sentence.cites if not 1 <= n <= len(sources)]
    if unknown:
        return f"there is no source {unknown[0]}"
    text = unicodedata.normalize("NFKC", sentence.text)
    cited = [sources[n - 1] for n in dict.fromkeys(sentence.cites)]
    for check in (
        check_form,
        check_numbers,
        check_quotations,
        check_names,
        check_content_words,
        check_negation,
    ):
        if error := check(text, cited):
            return error
    return ""


def check_form(text: str, cited: Sequence[Source]) -> str:
    if _LINK.search(text):
        return "it has a link or markup"
    if len(text.split()) > MAX_WORDS:
        return f"it has more than {MAX_WORDS} words"
    if len(set(content_words(text))) + len(numbers_in(text)) < MIN_TERMS:
        return "it says too little"
    return ""


def check_numbers(text: str, cited: Sequence[Source]) -> str:
    given = [number for source in cited for number in source.numbers]
    for number in numbers_in(text):
        if not contains_number(number, given):
            return f"the number {number.text} is not in the cited source"
    for run in _NUMERALS.findall(text):
        if not any(run in source.text for source in cited):
            return f"the number {run} is not in the cited source"
    return ""


def check_quotations(text: str, cited: Sequence[Source]) -> str:
    """Find quotations that the sources do not contain word for word. A quotation whose other
    quotation mark is missing reaches to the edge of the sentence."""
    quotations = ["".join(match.groups("")) for match in _QUOTED.finditer(text)]
    rest = _QUOTED.sub(" ", text)
    quotations += _OPEN_QUOTE.findall(rest) + _SHUT_QUOTE.findall(rest)
    for quotation in quotations:
        if not any(source.words.quotes(quotation) for source in cited):
            return f"the quotation “{quotation[:80]}” is not in the cited source"
    return ""


def check_names(text: str, cited: Sequence[Source]) -> str:
    terms = frozenset[str]().union(*(source.terms for source in cited))
    for name in names_in(Text(text), terms, stem):
        if not any(contains_name(name, source.words) for source in cited):
            written = " ".join(word.written for word in name)
            return f"the name {written} is not in the cited source"
    return ""


def check_content_words(text: str, cited: Sequence[Source]) -> str:
    terms = set(content_words(text))
    given = frozenset[str]().union(*(source.terms for source in cited))
    if len(terms & given) < MIN_SUPPORT * len(terms):
        lacking = ", ".join(sorted(terms - given)[:4])
        return f"too few of its words are in the cited source ({lacking} are not)"
    return ""


def check_negation(text: str, cited: Sequence[Source]) -> str:
    """Find a negation of the sentence that its sources do not have, or one that it drops.

    What the sentence negates, a sentence of the sources must negate too: the first word after one
    of the negations must follow the other. A sentence without negation must not use a word that
    the most similar sentence of the sources negates.
    """
    sentences = [pair for source in cited for pair in source.sentences]
    if parts := _negated(text):
        known = [words for other, _ in sentences for words in _negated(other)]
        supported = [any(_negate_the_same(words, other) for other in known) for words in parts]
        return "" if all(supported) else "it denies something that the cited source does not deny"
    terms = set(content_words(text))
    nearest, _ = max(sentences, key=lambda pair: len(terms & pair[1]), default=("", frozenset()))
    for match in _NEGATION.finditer(nearest):
        negated = _word_after(nearest, match)
        is_elsewhere = negated in content_words(nearest[: match.start()])
        if negated and negated in terms and not is_elsewhere:
            return f"the cited source says “{match.group()}” of {negated}"
    return ""


def _negated(text: str) -> list[list[str]]:
    """The content words after each negation of a sentence, up to the next one."""
    parts = _NEGATION.split(text)
    return [content_words(part) for part in parts[1:]]


def _negate_the_same(words: Sequence[str], other: Sequence[str]) -> bool:
    return not words or (bool(other) and (words[0] in other or other[0] in words))


def _word_after(text: str, match: re.Match[str]) -> str:
    """The stem of the first content word after a negation, "" if there is none nearby."""
    return next(iter(content_words(text[match.end() : match.end() + 60])), "")


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The stem of a word in lower case, or "" for a stop word."""
    return next(iter(terms_of(word)), "")


def content_words(text: str) -> list[str]:
    """Return the stems of the words without numbers, and the character bigrams of scripts that
    are written without spaces."""
    words = []
    for word in _WORD.findall(text):
        runs = _UNSPACED.findall(word)
        for run in runs:
            words += [run[n : n + 2] for n in range(max(1, len(run) - 1))]
        is_number = word[0].isdigit() or word.lower() in _QUANTITIES
        if not runs and not is_number and (stemmed := stem(word.lower())):
            words.append(stemmed)
    return words
