"""Turn items into documents: weighted terms, versions and a key of the title. Pure."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

TITLE_WEIGHT = 2
"""A word of the title counts as often as two of the text."""
MAX_WORDS = 60
"""Words of the text that are read. News articles state the facts first."""
IDF_POWER = 0.7
"""Exponent of the inverse document frequency. Below 1, because in texts on one field the rarest
words are often noise. Results are similar from 0.6 to 0.85."""
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
    """An item as grouping sees it.

    `time` is in seconds since 1970. `title_key` is equal for equal titles, see `title_key`.
    `terms` are {stem: weight by term frequency}, `versions` are those of `versions_in`.
    """

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
    counts.update(terms_of(text[: MAX_WORDS * 12])[:MAX_WORDS])
    weights = {term: 1 + math.log(count) for term, count in counts.items()}
    return Document(pk, time, source, url, title_key(title), weights, versions_in(title))


def terms_of(text: str) -> list[str]:
    """The stems of the words without stop words, in their order."""
    stems = []
    for word in _WORD.findall(text.lower()):
        if stem := _stem(word):
            stems.append(stem)
    return stems


@lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    """Remove English endings from longer words. Returns "" for a stop word."""
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
    """The title without case and punctuation; "" if it has fewer than four words."""
    words = _WORD.findall(title.lower())
    return " ".join(words) if len(words) >= 4 else ""


def versions_in(title: str) -> dict[str, frozenset[str]]:
    """The numbers that follow a name, without dates: {"gpt": {"5"}} for "GPT-5"."""
    versions: defaultdict[str, set[str]] = defaultdict(set)
    for name, number in _VERSION.findall(title.lower()):
        if name not in _STOP and name not in _MONTHS:
            versions[name].add(number)
    return {name: frozenset(numbers) for name, numbers in versions.items()}


def versions_conflict(
    left: Mapping[str, frozenset[str]], right: Mapping[str, frozenset[str]]
) -> bool:
    """Whether both name the same thing in different versions, such as GPT-4 and GPT-5."""
    return any(name in right and not numbers & right[name] for name, numbers in left.items())


class TfIdf:
    """TF-IDF weights: counts documents by term, and weights the terms of a document."""

    def __init__(self, documents: Iterable[Document] = ()) -> None:
        self.documents = 0
        self.above: tuple[TfIdf, ...] = ()
        """Weights of other, disjoint sets of documents that are counted as well."""
        self._frequency: Counter[str] = Counter()
        self._weights: dict[str, float] = {}
        for document in documents:
            self.add(document)

    def add(self, document: Document) -> None:
        self.documents += 1
        self._frequency.update(document.terms.keys())
        self._weights.clear()

    def vector(self, document: Document) -> dict[str, float]:
        """The document's TF-IDF vector, {term: weight}, of unit length."""
        weights = self._weights
        for term in document.terms:  # faster than a difference of key views
            if term not in weights:
                weights[term] = self._weight(term)
        weighted = {
            term: frequency * weights[term]
            for term, frequency in document.terms.items()
            if weights[term]
        }
        length = math.sqrt(sum([weight * weight for weight in weighted.values()])) or 1.0
        return {term: weight / length for term, weight in weighted.items()}

    def _weight(self, term: str) -> float:
        documents, frequency = self.documents, self._frequency[term]
        for other in self.above:
            documents += other.documents
            # A Counter's own look-up is slow for a term that it lacks.
            frequency += other._frequency.get(term, 0)
        ratio: float = (documents + 1) / (frequency + 0.5)
        return math.log(ratio) ** IDF_POWER if ratio > 1 else 0.0
