"""The product's own ranking of what simulated readers are offered; whole, and without a term."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from feeds.core.ids import TAIL_BITS
from feeds.evaluation.ranking.measure import Quality, measure, popularity, recency, seed_rule
from feeds.evaluation.ranking.readers import Trial
from feeds.evaluation.ranking.world import Article
from feeds.stories.ranking import terms as registry
from feeds.stories.ranking.data.batch import Learned
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.data.similarity import Row, terms_in
from feeds.stories.ranking.diversify import Candidate, diversify, exploration_item
from feeds.stories.ranking.rank import score
from feeds.stories.ranking.scoring import Scored, score_all
from feeds.stories.ranking.taste import HALF_LIFE, HIDDEN, OPENED, SAVED
from feeds.stories.ranking.terms.term import Term

FIRST = 10


class Ours:
    """Scores trials; a trial's terms are computed once for all that is asked of it."""

    def __init__(self) -> None:
        self._terms: dict[int, Row] = {}
        self._scored: dict[int, Scored] = {}

    def scorer(self, without: Term | None = None) -> Callable[[Trial], list[float]]:
        """Score by all terms but `without`, which is held at its neutral value."""

        def scores(trial: Trial) -> list[float]:
            scored = self._score(trial)
            terms = dict(scored.terms)
            if without:
                terms[without.name] = terms[without.name] * 0 + without.neutral
            found = score(terms).tolist()
            by_story = dict(zip(scored.table.stories.tolist(), found, strict=True))
            return [by_story[offer[0].story] for offer in trial.offers]

        return scores

    def shown(self, trial: Trial) -> list[float]:
        """As the page has it: the first ten mixed, with one that is different."""
        scores = self.scorer()(trial)
        candidates = [
            Candidate(n, value, offer[-1].topics[:4], offer[-1].source)
            for n, (value, offer) in enumerate(zip(scores, trial.offers, strict=True))
        ]
        chosen = diversify(candidates, FIRST)
        odd, _ = exploration_item(candidates, chosen[:-1], 1, int(trial.now))
        first = [*chosen[: FIRST - 1], *([odd] if odd is not None else chosen[FIRST - 1 :])]
        places = {key: FIRST - n for n, key in enumerate(first)}
        return [places.get(n, 0) + value for n, value in enumerate(scores)]

    def _score(self, trial: Trial) -> Scored:
        import numpy as np

        if id(trial) not in self._scored:
            told = [one for offer in trial.offers for one in offer]
            columns = [
                [int(one.time) << TAIL_BITS | one.id for one in told],
                [one.story for one in told],
                [one.source for one in told],
                [0] * len(told),
                range(len(told)),
            ]
            arrays = tuple(np.array(column, np.int64) for column in columns)
            known = dict(zip(arrays[0].tolist(), told, strict=True))
            acts = list(_acts(trial))
            known |= {-one.id: one for one, _ in (*acts, *trial.history.shown)}
            self._scored[id(trial)] = score_all(
                arrays,  # type: ignore[arg-type]
                [one.topics for one in told],
                _reader(trial, acts),
                {},
                trial.now,
                learned=Learned(
                    examples=[(-one.id, weight) for one, weight in acts],
                    shown=[-one.id for one, _ in trial.history.shown],
                    traits=lambda items: [self._terms_of(known[pk]) for pk in items],
                ),
            )
        return self._scored[id(trial)]

    def _terms_of(self, one: Article) -> Row:
        if one.id not in self._terms:
            self._terms[one.id] = terms_in(one.title, one.summary, one.topics)
        return self._terms[one.id]


def _acts(trial: Trial) -> Iterator[tuple[Article, float]]:
    """What was opened and hidden, with its weight by then, as the product keeps it."""
    saved = {one.id for one, _ in trial.history.saved}
    told = chain(
        ((one, when, SAVED if one.id in saved else OPENED) for one, when in trial.history.opened),
        ((one, when, -HIDDEN) for one, when in trial.history.hidden),
    )
    for one, when, weight in told:
        yield one, weight * 2 ** (-(trial.now - when) / HALF_LIFE.total_seconds())


def _reader(trial: Trial, acts: Sequence[tuple[Article, float]]) -> Reader:
    return Reader(
        trial.declared,
        shown=Counter(one.source for one, _ in trial.history.shown),
        opened=Counter(one.source for one, _ in trial.history.opened),
        learned=len(acts),
    )


def compare(readers: Sequence[Sequence[Trial]]) -> Iterator[tuple[str, float]]:
    """(name, value) of the product's ranking, of the rules beside it, and without each term."""
    ours = Ours()
    yield "ranking_ndcg10_recency", measure(readers, recency).ndcg
    yield "ranking_ndcg10_popularity", measure(readers, popularity).ndcg
    yield "ranking_ndcg10_seed_rule", measure(readers, seed_rule).ndcg
    for term in sorted(registry.TERMS, key=lambda term: term.weight is None):
        yield f"ranking_without_{term.name}_ndcg10", measure(readers, ours.scorer(term)).ndcg
    yield "ranking_shown_ndcg10", measure(readers, ours.shown).ndcg
    whole: Quality = measure(readers, ours.scorer())
    yield "ranking_auc", whole.auc
    yield "ranking_mrr", whole.mrr
    yield "ranking_ndcg10", whole.ndcg
