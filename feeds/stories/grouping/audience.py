"""Audiences of private sources: the users who follow a source.

Private items are grouped audience by audience, so that they never change public stories: see
docs/security.md.
"""

from collections import defaultdict
from collections.abc import Iterable

from django.db.models import QuerySet

from feeds.models import Subscription

Audience = frozenset[int]
"""Ids of the users who follow a private source. Empty if nobody does."""
MAX_ABOVE = 32
"""Number of wider audiences, the widest first, whose stories an audience's items may join. Each
costs a look-up per item."""


class Audiences:
    """The audiences of some private sources, and the sources of each audience."""

    def __init__(self, sources: Iterable[int], followers: Iterable[tuple[int, int]] = ()) -> None:
        """`followers` are pairs (source id, user id)."""
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
        """The audiences that are proper supersets of this one, the widest first."""
        if not audience:
            return []
        candidates = min((self._of_user[user] for user in audience), key=len)
        wider = (candidate for candidate in candidates if audience < candidate)
        return self._in_order(wider)[:MAX_ABOVE]

    def widest_first(self) -> list[Audience]:
        """All audiences; supersets come before their subsets."""
        return self._in_order(self.sources)

    def _in_order(self, audiences: Iterable[Audience]) -> list[Audience]:
        return sorted(audiences, key=lambda users: (-len(users), min(self.sources[users])))


def audiences_of(sources: Iterable[int]) -> Audiences:
    """The audiences of these private sources, and others that share a reader with them, among
    them all supersets. Makes two queries."""
    wanted = list(sources)
    own = list(followers_of(wanted))
    # A superset of an audience contains each of its users, so one user finds all supersets.
    users = {min(audience) for audience in Audiences(wanted, own).sources if audience}
    if not users:
        return Audiences(wanted)
    followed = _followers().filter(user__in=users).values("source")
    rows = _followers().filter(source__in=followed)
    return Audiences(wanted, rows.values_list("source", "user"))


def all_audiences(sources: Iterable[int] = ()) -> Audiences:
    """The audiences of `sources` and of all private sources with followers. Makes one query."""
    return Audiences(sources, _followers().values_list("source", "user").iterator())


def followers_of(sources: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Pairs (source id, user id) of these private sources and their followers."""
    return _followers().filter(source__in=list(sources)).values_list("source", "user")


def _followers() -> QuerySet[Subscription]:
    return Subscription.objects.filter(source__is_public=False).order_by()
