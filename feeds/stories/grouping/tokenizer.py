"""Turn items into documents: weighted terms, versions and a key of the title. Pure."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from operator import mul
from weakref import ref

TITLE_WEIGHT = 2
"""A word of the title counts as often as two of the text."""
MAX_WORDS = 60
"""Words of the text that are read. News articles state the facts first."""
IDF_POWER = 0.7
"""Exponent of the inverse document frequency. Below 1, because in texts on one field the rarest
words are often noise. Results are similar from 0.6 to 0.85."""
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
_ASCII_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?|[0-9]+(?:[.,][0-9]+)*")
"""The same for ASCII text in lower case, which takes two thirds of the time."""
_DIGIT = re.compile(r"\d")
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

    def without_terms(self) -> "Document":
        return Document(
            self.id, self.time, self.source, self.url, self.title_key, {}, self.versions
        )


def make_document(
    pk: int, time: float, source: int, title: str, text: str = "", url: str = ""
) -> Document:
    words = _words_of(title)
    terms = _stems_of(words) * TITLE_WEIGHT + terms_of(text[: MAX_WORDS * 12])[:MAX_WORDS]
    counts = Counter(terms)
    weights = dict(zip(counts, map(_frequency_weight, counts.values()), strict=True))
    return Document(pk, time, source, url, _key_of(words), weights, versions_in(title))


@cache
def _frequency_weight(count: int) -> float:
    return 1 + math.log(count)


def terms_of(text: str) -> list[str]:
    """The stems of the words without stop words, in their order."""
    return _stems_of(_words_of(text))


def _words_of(text: str) -> list[str]:
    lower = text.lower()
    pattern = _ASCII_WORD if lower.isascii() else _WORD
    return pattern.findall(lower)


def _stems_of(words: Iterable[str]) -> list[str]:
    return list(filter(None, map(_stems.__getitem__, words)))


class _Stems(dict[str, str]):
    """{word: its stem}, which remembers the words of recent documents.

    A dictionary is faster than `lru_cache`, and grouping stems millions of words.
    """

    MOST = 100_000

    def __missing__(self, word: str) -> str:
        if len(self) >= self.MOST:
            self.clear()
        stem = self[word] = _stem(word)
        return stem


_stems = _Stems()


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
    return _key_of(_words_of(title))


def _key_of(words: Sequence[str]) -> str:
    return " ".join(words) if len(words) >= 4 else ""


def versions_in(title: str) -> dict[str, frozenset[str]]:
    """The numbers that follow a name, without dates: {"gpt": {"5"}} for "GPT-5"."""
    if not _DIGIT.search(title):
        return {}
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
        self.frequency: Counter[str] = Counter()
        self._weights = _TermWeights(self)
        self.add_all(documents)

    def add(self, document: Document) -> None:
        self.add_all([document])

    def add_all(self, documents: Iterable[Document]) -> None:
        terms = [document.terms for document in documents]
        self.documents += len(terms)
        self.frequency.update(chain.from_iterable(terms))
        self._weights.clear()

    def vector(self, document: Document) -> dict[str, float]:
        """The document's TF-IDF vector, {term: weight}, of unit length."""
        terms = document.terms
        weights = list(map(mul, terms.values(), map(self._weights.__getitem__, terms)))
        length = math.sqrt(sum(map(mul, weights, weights))) or 1.0
        pairs = zip(terms, weights, strict=True)
        return {term: weight / length for term, weight in pairs if weight}


class _TermWeights(dict[str, float]):
    """{term: its weight}, computed when it is first needed."""

    def __init__(self, tfidf: TfIdf) -> None:
        self._tfidf = ref(tfidf)  # without a cycle, memory is freed at once
        self._by_counts: dict[tuple[int, int], float] = {}

    def __missing__(self, term: str) -> float:
        tfidf = self._tfidf()
        assert tfidf is not None
        documents, frequency = tfidf.documents, tfidf.frequency.get(term, 0)
        for other in tfidf.above:
            documents += other.documents
            # A Counter's own look-up is slow for a term that it lacks.
            frequency += other.frequency.get(term, 0)
        counts = (documents, frequency)
        weight = self._by_counts.get(counts)
        if weight is None:
            weight = self._by_counts[counts] = _idf(documents, frequency)
        self[term] = weight
        return weight

    def clear(self) -> None:
        super().clear()
        self._by_counts.clear()


def _idf(documents: int, frequency: int) -> float:
    ratio: float = (documents + 1) / (frequency + 0.5)
    return math.log(ratio) ** IDF_POWER if ratio > 1 else 0.0
