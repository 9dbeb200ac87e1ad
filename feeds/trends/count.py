"""Count, for each UTC day, which stories name which terms.

A day is counted from its items as they are grouped now, so later merges, splits and corrections
of stories are reflected. Each run recounts the days of new items, and the last three days,
because their stories may still be regrouped.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple, TypeVar

from django.db import transaction
from django.db.models import Max, Min, Sum

from feeds.coordination.revisions import latest_seq
from feeds.core.bulk import insert_rows, update_rows
from feeds.core.ids import id_time, lowest_id
from feeds.models import Item, Source, TermDay, TrendDay
from feeds.trends.boilerplate import own_terms, strip_boilerplate
from feeds.trends.terms import TOPIC, names_in, terms_of

DAYS = 63
"""Days that are counted: the week that is shown, and 8 weeks before it."""
RECOUNTED = 3
"""Last days that are always counted again."""
RARE, YOUNG = 2, 8
"""Terms that fewer than RARE stories mention are deleted after YOUNG days. Most terms are rare."""
BATCH = 2_000
T = TypeVar("T")


class Article(NamedTuple):
    source: int
    story: int
    title: str
    summary: str
    topics: Sequence[str]
    is_copy: bool


def count_days(now: datetime, keep: Callable[[], bool] = lambda: True) -> int:
    """Bring the counts up to date and return the number of days that were recounted.

    `keep` is called before each day. If it returns False, another process has taken over:
    counting stops, and the result is 0.
    """
    today = now.astimezone(UTC).date()
    first = today - timedelta(days=DAYS - 1)
    seq, before = _settled_seq(), _counted_seq()
    names = dict(Source.objects.values_list("pk", "title"))
    changed = _changed_days(first, today, before)
    for day in changed:
        if not keep():
            return 0
        _count_day(day, before, names)
    # Last, so that a run that is killed before this is repeated in full.
    TrendDay.objects.filter(day__in=changed).update(seq=seq)
    _delete_old(first, today)
    return len(changed)


def _settled_seq() -> int:
    """Return the ledger number up to which every item is grouped into a story."""
    waiting = Item.objects.filter(story=None).aggregate(seq=Min("seq"))["seq"]
    return latest_seq() if waiting is None else waiting - 1


def _counted_seq() -> int:
    """Return the ledger number up to which every item has been counted."""
    return TrendDay.objects.aggregate(seq=Max("seq"))["seq"] or 0


def _changed_days(first: date, today: date, seq: int) -> list[date]:
    last = today - timedelta(days=RECOUNTED - 1)
    new = Item.objects.filter(pk__gte=_lowest(first), seq__gt=seq).order_by()
    days = {id_time(pk).date() for pk in new.values_list("pk", flat=True).iterator()}
    days |= {last + timedelta(days=n) for n in range(RECOUNTED)}
    return sorted(day for day in days if first <= day <= today)


def _lowest(day: date) -> int:
    return lowest_id(datetime.combine(day, time(), UTC))


def _count_day(day: date, seq: int, names: Mapping[int, str]) -> None:
    articles = list(_articles(day))
    stories_by_term = {term: _to_text(stories) for term, stories in tally(articles, names).items()}
    _write_terms(day, stories_by_term)
    items = Counter(article.source for article in articles)
    sources = {str(source): number for source, number in sorted(items.items())}
    TrendDay.objects.update_or_create(day=day, defaults={"seq": seq, "sources": sources})


def _articles(day: date) -> Iterator[Article]:
    items = Item.objects.filter(pk__gte=_lowest(day), pk__lt=_lowest(day + timedelta(days=1)))
    rows = items.exclude(story=None).order_by()
    columns = ("source_id", "story_id", "title", "summary", "topics", "copy_of")
    for row in rows.values_list(*columns).iterator():
        yield Article._make((*row[:-1], row[-1] is not None))


def tally(articles: Iterable[Article], names: Mapping[int, str]) -> dict[str, dict[int, set[int]]]:
    """{term: {story: sources}} of titles, and of names in the first sentences; a source of a
    copy is negative."""
    tallies: defaultdict[str, defaultdict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    by_source: defaultdict[int, list[Article]] = defaultdict(list)
    for article in articles:
        by_source[article.source].append(article)
    for source, own in by_source.items():
        name = names.get(source, "")
        unwanted = own_terms(name)
        titles = strip_boilerplate([article.title for article in own], name)
        for article, title in zip(own, titles, strict=True):
            for term in _terms(title, article, unwanted):
                tallies[term][article.story].add(-source if article.is_copy else source)
    return {term: dict(stories) for term, stories in tallies.items()}


def _terms(title: str, article: Article, unwanted: Iterable[str]) -> set[str]:
    topics = {TOPIC + topic for topic in article.topics}
    return topics.union(terms_of(title, unwanted), names_in(article.summary, unwanted))


def _to_text(stories: Mapping[int, Iterable[int]]) -> tuple[int, str]:
    rows = [[story, *sorted(sources)] for story, sources in sorted(stories.items())]
    return len(rows), json.dumps(rows, separators=(",", ":"))


def _write_terms(day: date, stories_by_term: Mapping[str, tuple[int, str]]) -> None:
    """Write only the rows that changed, in short transactions: most rows of a day stay the same."""
    rows = TermDay.objects.filter(day=day).values_list("term", "pk", "stories").iterator()
    existing = {term: (pk, stories) for term, pk, stories in rows}
    # In the order of the index, which makes inserts faster.
    new = [
        (day, term, *row) for term, row in sorted(stories_by_term.items()) if term not in existing
    ]
    changed = [
        ({"count": count, "stories": text}, [existing[term][0]])
        for term, (count, text) in stories_by_term.items()
        if term in existing and existing[term][1] != text
    ]
    deleted = [pk for term, (pk, _) in existing.items() if term not in stories_by_term]
    for rows_new in _batches(new):
        with transaction.atomic():
            insert_rows(TermDay, ("day", "term", "count", "stories"), rows_new)
    for rows_other in _batches(changed):
        with transaction.atomic():
            update_rows(TermDay, ("id",), rows_other)
    for rows_gone in _batches(deleted):
        TermDay.objects.filter(pk__in=rows_gone).delete()


def _batches(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def _delete_old(first: date, today: date) -> None:
    """Delete the counts of old days, and of rare terms before the last days."""
    TrendDay.objects.filter(day__lt=first).delete()
    old = TermDay.objects.filter(day__lt=first)
    rare = TermDay.objects.values("term").annotate(total=Sum("count")).filter(total__lt=RARE)
    young = today - timedelta(days=YOUNG)
    rarely = TermDay.objects.filter(day__lt=young, term__in=rare.values("term"))
    for rows in (old, rarely):
        for some in _batches(list(rows.order_by().values_list("pk", flat=True))):
            TermDay.objects.filter(pk__in=some).delete()
