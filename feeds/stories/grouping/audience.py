"""Who may read each private source, and which sources all of these readers may read as well.

Stories are grouped audience by audience: see docs/adr/0018-stories-by-audience.md.
"""

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import QuerySet

from feeds.models import Subscription

Audience = frozenset[int]
"""Ids of the users who follow a private source; empty where nobody does."""
MOST_ABOVE = 32
"""Wider audiences whose stories an audience may join, the widest first. Each one costs a look-up
per item."""


class Audiences:
    """The audiences of some private sources."""

    def __init__(self, sources: Iterable[int], followers: Iterable[tuple[int, int]] = ()) -> None:
        """`followers` are pairs of a source and a user."""
        readers: defaultdict[int, set[int]] = defaultdict(set)
        for source, user in followers:
            readers[source].add(user)
        self._of = {source: frozenset(readers[source]) for source in {*sources, *readers}}
        self.sources: defaultdict[Audience, set[int]] = defaultdict(set)
        for source, audience in self._of.items():
            self.sources[audience].add(source)
        self._of_user: defaultdict[int, list[Audience]] = defaultdict(list)
        for audience in self.sources:
            for user in audience:
                self._of_user[user].append(audience)

    def of(self, source: int) -> Audience:
        return self._of[source]

    def above(self, audience: Audience) -> list[Audience]:
        """The audiences that contain this one and others besides, the widest first."""
        if not audience:
            return []
        candidates = min((self._of_user[user] for user in audience), key=len)
        return self._in_order(one for one in candidates if audience < one)[:MOST_ABOVE]

    def widest_first(self) -> list[Audience]:
        """No audience comes before one that contains it."""
        return self._in_order(self.sources)

    def _in_order(self, audiences: Iterable[Audience]) -> list[Audience]:
        return sorted(audiences, key=lambda one: (-len(one), min(self.sources[one])))


def audiences_of(sources: Iterable[int]) -> Audiences:
    """The audiences of these private sources, and all that contain one of them. Two queries."""
    wanted = list(sources)
    own = list(followers_of(wanted))
    # An audience that contains another one contains each of its users.
    users = {min(audience) for audience in Audiences(wanted, own).sources if audience}
    if not users:
        return Audiences(wanted)
    followed = _followers().filter(user__in=users).values("source")
    rows = _followers().filter(source__in=followed)
    return Audiences(wanted, rows.values_list("source", "user"))


def all_audiences(sources: Iterable[int] = ()) -> Audiences:
    """The audiences of all private sources that anybody follows, and of these. One query."""
    return Audiences(sources, _followers().values_list("source", "user").iterator())


def followers_of(sources: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Pairs of one of these private sources and a user."""
    return _followers().filter(source__in=list(sources)).values_list("source", "user")


def _followers() -> QuerySet[Subscription]:
    return Subscription.objects.filter(source__is_public=False).order_by()
