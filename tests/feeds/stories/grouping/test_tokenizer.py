"""The faster ways of the tokenizer give what the general ones give."""

from collections import Counter
from collections.abc import Sequence
from math import isclose, log, sqrt

from hypothesis import given
from hypothesis import strategies as st

from feeds.stories.grouping.tokenizer import (
    _ASCII_WORD,
    _WORD,
    IDF_POWER,
    Document,
    TfIdf,
    _stem,
    _Stems,
    make_document,
    terms_of,
    versions_in,
)


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_text_has_the_same_words_by_the_faster_pattern(text: str) -> None:
    assert _ASCII_WORD.findall(text.lower()) == _WORD.findall(text.lower())


@given(st.text())
def test_terms_are_the_stems_without_stop_words(text: str) -> None:
    stems = [_stem(word) for word in _WORD.findall(text.lower())]
    assert terms_of(text) == [stem for stem in stems if stem]


def test_the_stems_in_memory_are_bounded() -> None:
    stems = _Stems()
    stems.MOST = 3
    assert [stems[word] for word in ("models", "the", "agents", "models")] == [
        "model",
        "",
        "agent",
        "model",
    ]
    assert stems["chips"] == "chip"
    assert len(stems) <= 3


def test_versions_are_found_in_digits_of_any_script() -> None:
    assert versions_in("No number") == {}
    assert versions_in("GPT-5 and GPT 4") == {"gpt": frozenset({"5", "4"})}


def test_weights_follow_what_was_added_and_what_is_above() -> None:
    texts = ["Nvidia sells chips", "Nvidia buys a lab", "A lab opens", "Chips are sold out"]
    documents = [make_document(n, 0.0, n, text) for n, text in enumerate(texts)]
    tfidf, above = TfIdf(documents[:2]), TfIdf(documents[2:])
    expect_vector(tfidf, documents[0], documents[:2])
    tfidf.add(documents[0])
    expect_vector(tfidf, documents[0], [*documents[:2], documents[0]])
    tfidf.above = (above,)
    tfidf.add_all([])
    expect_vector(tfidf, documents[0], [*documents[:2], documents[0], *documents[2:]])


def expect_vector(tfidf: TfIdf, document: Document, counted: Sequence[Document]) -> None:
    frequency = Counter(term for other in counted for term in other.terms)
    weights = {}
    for term, weight in document.terms.items():
        ratio = (len(counted) + 1) / (frequency[term] + 0.5)
        weights[term] = weight * log(ratio) ** IDF_POWER if ratio > 1 else 0.0
    length = sqrt(sum(weight**2 for weight in weights.values())) or 1.0
    vector = tfidf.vector(document)
    assert vector.keys() == {term for term, weight in weights.items() if weight}
    assert all(isclose(vector[term], weights[term] / length) for term in vector)
