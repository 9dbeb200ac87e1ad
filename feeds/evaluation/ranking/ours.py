"""The product's ranking of what simulated readers are offered: complete, and without each term."""

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
    """Scores trials. The terms of each trial are computed once."""

    def __init__(self) -> None:
        self._terms: dict[int, Row] = {}
        self._scored: dict[int, Scored] = {}

    def scorer(self, without: Term | None = None) -> Callable[[Trial], list[float]]:
        """Return a scorer by all terms except `without`, which gets its neutral value."""

        def scores(trial: Trial) -> list[float]:
            scored = self._score(trial)
            terms = dict(scored.terms)
            if without:
                terms[without.name] = terms[without.name] * 0 + without.neutral
            values = score(terms).tolist()
            by_story = dict(zip(scored.table.stories.tolist(), values, strict=True))
            return [by_story[offer[0].story] for offer in trial.offers]

        return scores

    def shown(self, trial: Trial) -> list[float]:
        """Score as the front page shows stories: ten diverse ones first, one of them to explore."""
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
            articles = [article for offer in trial.offers for article in offer]
            columns = [
                [int(article.time) << TAIL_BITS | article.id for article in articles],
                [article.story for article in articles],
                [article.source for article in articles],
                [0] * len(articles),
                range(len(articles)),
            ]
            arrays = tuple(np.array(column, np.int64) for column in columns)
            known = dict(zip(arrays[0].tolist(), articles, strict=True))
            acts = list(_acts(trial))
            known |= {-article.id: article for article, _ in (*acts, *trial.history.shown)}
            self._scored[id(trial)] = score_all(
                arrays,  # type: ignore[arg-type]
                [article.topics for article in articles],
                _reader(trial, acts),
                {},
                trial.now,
                learned=Learned(
                    examples=[(-article.id, weight) for article, weight in acts],
                    shown=[-article.id for article, _ in trial.history.shown],
                    traits=lambda items: [self._terms_of(known[pk]) for pk in items],
                ),
            )
        return self._scored[id(trial)]

    def _terms_of(self, article: Article) -> Row:
        if article.id not in self._terms:
            row = terms_in(article.title, article.summary, article.topics)
            self._terms[article.id] = row
        return self._terms[article.id]


def _acts(trial: Trial) -> Iterator[tuple[Article, float]]:
    """The articles that were opened, saved and hidden, with the weights that the product uses."""
    history = trial.history
    saved = {article.id for article, _ in history.saved}
    acts = chain(
        ((a, when, SAVED if a.id in saved else OPENED) for a, when in history.opened),
        ((a, when, -HIDDEN) for a, when in history.hidden),
    )
    for article, when, weight in acts:
        yield article, weight * 2 ** (-(trial.now - when) / HALF_LIFE.total_seconds())


def _reader(trial: Trial, acts: Sequence[tuple[Article, float]]) -> Reader:
    return Reader(
        trial.declared,
        shown=Counter(article.source for article, _ in trial.history.shown),
        opened=Counter(article.source for article, _ in trial.history.opened),
        learned=len(acts),
    )


def compare(readers: Sequence[Sequence[Trial]]) -> Iterator[tuple[str, float]]:
    """Yield (name, value) of the product's ranking, of other rules, and without each term."""
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
