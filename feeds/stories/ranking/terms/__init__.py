"""The terms of a story's score, in the order in which the API and the documentation list them."""

from feeds.stories.ranking.terms import freshness, heat, interest, likeness, source
from feeds.stories.ranking.terms.term import Term

TERMS: tuple[Term, ...] = (
    heat.TERM,
    freshness.TERM,
    interest.TERM,
    likeness.TERM,
    source.TERM,
)
