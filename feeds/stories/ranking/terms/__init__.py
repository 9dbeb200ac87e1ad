"""The terms of a story's score, in the order in which the API and the documentation list them."""

from feeds.stories.ranking.terms import freshness, interest, likeness, popularity, source
from feeds.stories.ranking.terms.term import Term

TERMS: tuple[Term, ...] = (
    popularity.TERM,
    freshness.TERM,
    interest.TERM,
    likeness.TERM,
    source.TERM,
)
