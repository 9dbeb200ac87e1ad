"""Turn an item into what grouping compares: weighted terms, versions, a title's key. Pure."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

TITLE_WEIGHT = 2
"""A word of the title counts as often as two of the text."""
MOST_WORDS = 60
"""Words of the text that are read: news say what happened at the start."""
IDF_POWER = 0.7
"""Below 1, as within a field the rarest words are often just odd: 0.6 to 0.85 differ little."""
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
_VERSION = re.compile(r"([^\W\d_]+)[ -]?v?(\d+(?:\.\d+)*)(?![\w.])")
_STOP = frozenset(
    """
    a about after all also amid an and are as at be been but by can could down for from get
    gets had has have he her his how i in into is it its may might more most new no not now
    of off on one or our out over said say says she so some than that the their them then
    there these they this those to too up us via vs was we were what when where which who
    why will with would you your
    """.split()  # noqa: SIM905 - prose is easier to read and to change
)
_MONTHS = frozenset(
    """
    jan january feb february mar march apr april june jul july aug august sep sept september oct
    october nov november dec december day week year
    """.split()  # noqa: SIM905 - as above
)
_ENDINGS = (("sses", "ss"), ("ies", "y"), ("ing", ""), ("ed", ""), ("es", "e"), ("s", ""))


@dataclass(frozen=True, slots=True)
class Document:
    """An item as grouping sees it. `time` is in seconds since 1970; `terms` are weighted by
    how often they stand in it, not yet by how rare they are."""

    id: int
    time: float
    source: int
    url: str
    title_key: str
    terms: Mapping[str, float]
    versions: Mapping[str, frozenset[str]]


def make_document(
    pk: int, time: float, source: int, title: str, text: str = "", url: str = ""
) -> Document:
    counts: Counter[str] = Counter()
    for term in terms_of(title):
        counts[term] += TITLE_WEIGHT
    counts.update(terms_of(text[: MOST_WORDS * 12])[:MOST_WORDS])
    weights = {term: 1 + math.log(count) for term, count in counts.items()}
    return Document(pk, time, source, url, title_key(title), weights, versions_in(title))


def terms_of(text: str) -> list[str]:
    """The stems of the words that carry meaning, in their order."""
    found = []
    for word in _WORD.findall(text.lower()):
        if stem := _stem(word):
            found.append(stem)
    return found


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    """A light stem: the endings of English, longer words only; "" for one without meaning."""
    word = word.replace("’", "'").partition("'")[0]
    if word in _STOP or (len(word) < 2 and not word.isdigit() and word.isascii()):
        return ""
    if len(word) > 4 and not word.endswith("ss"):
        for ending, instead in _ENDINGS:
            if word.endswith(ending) and len(word) - len(ending) >= 3:
                word = word[: -len(ending)] + instead
                break
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def title_key(title: str) -> str:
    """The same for titles that differ in case and signs alone; "" for one too short to tell."""
    words = _WORD.findall(title.lower())
    return " ".join(words) if len(words) >= 4 else ""


def versions_in(title: str) -> dict[str, frozenset[str]]:
    """The numbers that follow a name, dates apart: {"gpt": {"5"}} of "GPT-5"."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for name, number in _VERSION.findall(title.lower()):
        if name not in _STOP and name not in _MONTHS:
            found[name].add(number)
    return {name: frozenset(numbers) for name, numbers in found.items()}


def versions_conflict(
    one: Mapping[str, frozenset[str]], other: Mapping[str, frozenset[str]]
) -> bool:
    """Whether both name the same thing in different versions: GPT-4 here, GPT-5 there."""
    return any(name in other and not numbers & other[name] for name, numbers in one.items())


class Rarity:
    """How rare each term is among the documents seen: the weight of a term's match."""

    def __init__(self, documents: Iterable[Document] = ()) -> None:
        self.documents = 0
        self.above: tuple[Rarity, ...] = ()
        """Of other documents, disjoint from these, that count as well."""
        self._frequency: Counter[str] = Counter()
        self._weights: dict[str, float] = {}
        for document in documents:
            self.add(document)

    def add(self, document: Document) -> None:
        self.documents += 1
        self._frequency.update(document.terms.keys())
        self._weights.clear()

    def vector(self, document: Document) -> dict[str, float]:
        """The document's terms weighted by rarity, of unit length."""
        weights = self._weights
        for term in document.terms:  # the difference of two key views walks all of the second
            if term not in weights:
                weights[term] = self._weight(term)
        weighted = {
            term: often * weights[term] for term, often in document.terms.items() if weights[term]
        }
        length = math.sqrt(sum([weight * weight for weight in weighted.values()])) or 1.0
        return {term: weight / length for term, weight in weighted.items()}

    def _weight(self, term: str) -> float:
        documents, frequency = self.documents, self._frequency[term]
        for one in self.above:
            documents += one.documents
            frequency += one._frequency[term]
        ratio: float = (documents + 1) / (frequency + 0.5)
        return math.log(ratio) ** IDF_POWER if ratio > 1 else 0.0
