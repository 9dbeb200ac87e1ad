"""Choose the sentences that answer a question best, from texts that were found. Pure.

Sentences are weighed by BM25 with their title's help, and picked by maximal marginal relevance
(Carbonell and Goldstein 1998). One that has little of the question is none of its answers.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from digests.text.extract import BOILERPLATE, split_sentences
from feeds.search.query.function_words import without_function_words
from feeds.stories.grouping.tokenizer import terms_of, versions_conflict, versions_in

MOST, MOST_A_SOURCE = 5, 2
RELEVANCE = 0.7
NEAR_DUPLICATE = 0.6
SHARE = 0.5
"""Of the question's words that a sentence with its title must have, and of its names that the
text must have."""
TITLE_HELPS = 0.3
K1, B = 1.2, 0.75
READ = 12_000
"""Characters of a text in which an answer is looked for."""
LONGEST, SHORTEST = 420, 12
"""Characters of a sentence; in Chinese or Japanese a short one says as much."""
_IRREGULAR = {
    past: present
    for present, *forms in (
        line.split()
        for line in """
        buy bought
        sell sold
        pay paid
        build built
        make made
        win won
        lose lost
        lead led
        grow grew grown
        begin began begun
        leave left
        find found
        give gave given
        take took taken
        choose chose chosen
        write wrote written
        speak spoke spoken
        fall fell fallen
        rise rose risen
        """.strip().splitlines()
    )
    for past in forms
}
"""Of verbs of news in English, whose questions are in the past and whose headlines are not."""
_HAN = re.compile(r"[぀-ヿ㐀-鿿가-힣]+")
_NAME = re.compile(r"(?<!^)(?<![.!?¿¡] )\b(?:[A-ZÀ-ÞА-Я][\w-]*|\w*\d\w*)")


@dataclass(frozen=True, slots=True)
class Text:
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence as it stands in text number `source`, an index into the texts given."""

    text: str
    source: int
    score: float


@dataclass(frozen=True, slots=True)
class _Candidate:
    text: str
    source: int
    terms: Counter[str]
    title: frozenset[str]


def question_terms(question: str) -> frozenset[str]:
    """The stems of the words that say what it is about; none of a question like "what is it?"."""
    return frozenset(_terms(" ".join(without_function_words(question.split()))))


def choose_passages(
    question: str,
    texts: Sequence[Text],
    most: int = MOST,
    is_news: Callable[[str], bool] = lambda text: True,
) -> list[Passage]:
    """The best first, at most two of a text; none where nothing is relevant, and none that
    `is_news` refuses."""
    wanted = question_terms(question)
    if not wanted:
        return []
    named = [number for number, text in enumerate(texts) if _has_names(question, text)]
    candidates = [one for number in named for one in _candidates(number, texts[number])]
    candidates = [one for one in candidates if _is_of_version(question, one, texts)]
    rarity, average = _rarity(wanted, candidates)
    relevant = _told_best([one for one in candidates if _is_relevant(one, wanted)], texts)
    scored = [(_score(one, rarity, average), one) for one in relevant]
    return _diverse(scored, wanted, most, is_news)


def _has_names(question: str, text: Text) -> bool:
    """Who asks about Kestrel wants no news of others."""
    names = {term for name in _NAME.findall(question) for term in _terms(name)}
    if not names:
        return True
    said = set(_terms(f"{text.title} {text.body[:READ]}"))
    return len(names & said) >= SHARE * len(names)


def _is_of_version(question: str, one: _Candidate, texts: Sequence[Text]) -> bool:
    """GPT-4 is no answer about GPT-5."""
    said = versions_in(f"{texts[one.source].title}\n{one.text}")
    return not versions_conflict(versions_in(question), said)


def _candidates(number: int, text: Text) -> list[_Candidate]:
    title = frozenset(_terms(text.title))
    sentences = [one for one in split_sentences(text.body[:READ]) if _tells(one)]
    return [
        _Candidate(sentence, number, Counter(_terms(sentence)), title)
        for sentence in dict.fromkeys([*sentences, text.title])
    ]


def _told_best(relevant: Sequence[_Candidate], texts: Sequence[Text]) -> list[_Candidate]:
    """A headline speaks where no sentence of its text does: it says less than they do."""
    told = {one.source for one in relevant if one.text != texts[one.source].title}
    return [
        one for one in relevant if one.source not in told or one.text != texts[one.source].title
    ]


def _tells(sentence: str) -> bool:
    is_long = SHORTEST <= len(sentence) <= LONGEST
    is_said = len(sentence.split()) >= 4 or bool(_HAN.search(sentence))
    return is_long and is_said and not BOILERPLATE.search(sentence)


def _is_relevant(one: _Candidate, wanted: frozenset[str]) -> bool:
    said = wanted & one.terms.keys()
    return bool(said) and len(said | (wanted & one.title)) >= SHARE * len(wanted)


def _rarity(
    wanted: frozenset[str], candidates: Sequence[_Candidate]
) -> tuple[dict[str, float], float]:
    total = len(candidates)
    counts = Counter(term for one in candidates for term in wanted & one.terms.keys())
    rarity = {
        term: math.log(1 + (total - counts[term] + 0.5) / (counts[term] + 0.5)) for term in wanted
    }
    return rarity, sum(one.terms.total() for one in candidates) / max(1, total) or 1.0


def _score(one: _Candidate, rarity: dict[str, float], average: float) -> float:
    length = K1 * (1 - B + B * one.terms.total() / average)
    said = sum(
        weight * one.terms[term] * (K1 + 1) / (one.terms[term] + length)
        for term, weight in rarity.items()
    )
    helped = sum(weight for term, weight in rarity.items() if term in one.title)
    # The search has put the best texts first.
    return (said + TITLE_HELPS * helped) / (1 + 0.05 * one.source)


def _diverse(
    scored: list[tuple[float, _Candidate]],
    wanted: frozenset[str],
    most: int,
    is_news: Callable[[str], bool],
) -> list[Passage]:
    left = sorted(scored, key=lambda pair: (-pair[0], pair[1].source))
    best = left[0][0] if left else 1.0
    chosen: list[tuple[float, _Candidate]] = []

    def overlap(one: _Candidate) -> float:
        return max((_likeness(one, other, wanted) for _, other in chosen), default=0.0)

    def gain(pair: tuple[float, _Candidate]) -> float:
        return RELEVANCE * pair[0] / best - (1 - RELEVANCE) * overlap(pair[1])

    while left and len(chosen) < most:
        pair = max(left, key=gain)
        left.remove(pair)
        from_it = sum(one.source == pair[1].source for _, one in chosen)
        is_new = from_it < MOST_A_SOURCE and overlap(pair[1]) < NEAR_DUPLICATE
        if is_new and is_news(pair[1].text):
            chosen.append(pair)
    chosen.sort(key=lambda one: -one[0])
    return [Passage(one.text, one.source, round(score, 3)) for score, one in chosen]


def _likeness(one: _Candidate, other: _Candidate, wanted: frozenset[str]) -> float:
    """The cosine of what they say beside the question's words, which all answers share."""
    ours, theirs = one.terms.keys() - wanted, other.terms.keys() - wanted
    return _cosine(ours, theirs) if ours or theirs else 1.0


def _cosine(one: Set[str], other: Set[str]) -> float:
    return len(one & other) / math.sqrt(len(one) * len(other)) if one and other else 0.0


def _terms(text: str) -> list[str]:
    """Stems; of scripts without spaces each pair of signs."""
    pairs = [run[at : at + 2] for run in _HAN.findall(text) for at in range(max(1, len(run) - 1))]
    return [_IRREGULAR.get(term, _singular(term)) for term in terms_of(_HAN.sub(" ", text))] + pairs


def _singular(term: str) -> str:
    """Of the short words that the stemmer of stories leaves alone: "pays" is "pay"."""
    is_short = 3 < len(term) <= 4 and term.endswith("s") and not term.endswith(("ss", "us", "is"))
    return term[:-1] if is_short else term
