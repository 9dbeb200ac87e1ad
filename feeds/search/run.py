"""Search the items that a reader may see: ranked, with the matches marked."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from accounts.models import User
from feeds.ids import lowest_id
from feeds.models import Folder, Item, Source
from feeds.reading.river import attach_states
from feeds.reading.sources import folders_below
from feeds.search.query import Query, parse_query
from feeds.search.sqlite_index import WEIGHTS, excluded_expression, match_expression

CANDIDATES = 1_000
"""Ranked are the newest matches: a common word is in more than anybody reads."""
PAGE = 50
MANY_SOURCES = 20
"""From here on the newest of them are found by time (the `+` keeps SQLite from taking
the index of sources, all of whose items it would have to sort)."""
_START, _END = "\x02", "\x03"
_MARKED = re.compile("\x02([^\x02\x03]*)\x03")
_MARKS = re.compile("[\x02\x03]")
_SNIPPET_WORDS = 32


@dataclass(slots=True)
class SearchResults:
    """A page of results. `items` carry `marked_title` and `marked_snippet` (safe HTML with
    `<mark>` alone) and the reader's state. `problems` are sentences about the query."""

    items: list[Item] = field(default_factory=list)
    problems: tuple[str, ...] = ()
    found: int = 0
    is_capped: bool = False
    next_page: int | None = None
    milliseconds: int = 0


def search_items(user: User, text: str, limit: int = PAGE, page: int = 1) -> SearchResults:
    """The items that answer `text`, best first; without words, the newest first."""
    started = time.perf_counter()
    query = parse_query(text)
    results = SearchResults(problems=query.problems)
    if not query.is_empty:
        _search(user, query, results, max(1, min(limit, 200)), max(1, page))
    results.milliseconds = round((time.perf_counter() - started) * 1000)
    return results


def _search(user: User, query: Query, results: SearchResults, limit: int, page: int) -> None:
    problems, ids = _matches(user, query)
    results.problems += tuple(problems)
    results.found, results.is_capped = len(ids), len(ids) == CANDIDATES
    start = (page - 1) * limit
    wanted = ids[start : start + limit]
    if start + limit < len(ids):
        results.next_page = page + 1
    items = Item.objects.in_bulk(wanted)
    found = [items[pk] for pk in wanted if pk in items]
    sources = Source.objects.in_bulk({item.source_id for item in found})
    for item in found:
        item.source = sources[item.source_id]
    results.items = attach_states(user, found)
    _mark(results.items, query)


def _matches(user: User, query: Query) -> tuple[list[str], list[int]]:
    """(what was odd, ids best first)."""
    conditions = _Conditions(user)
    conditions.add_query(query)
    expression = match_expression(query)
    if expression:
        table = "feeds_search f CROSS JOIN feeds_item i ON i.id = f.rowid"
        score, order = f"bm25(feeds_search, {WEIGHTS})", "f.rowid"
        conditions.add("feeds_search MATCH %s", expression)
    else:
        table, score, order = "feeds_item i", "0", "i.id"
        if query.excluded:
            unwanted = "i.id NOT IN (SELECT rowid FROM feeds_search WHERE feeds_search MATCH %s)"
            conditions.add(unwanted, excluded_expression(query))
    statement = (
        f"SELECT i.id, {score} FROM {table} WHERE {conditions.sql}"  # noqa: S608 - no input
        f" ORDER BY {order} DESC LIMIT {CANDIDATES}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, conditions.parameters)
        rows = cursor.fetchall()
    rows.sort(key=lambda row: (row[1], -row[0]))
    return conditions.problems, [row[0] for row in rows]


class _Conditions:
    """The WHERE of a search, with what was odd about its names."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.problems: list[str] = []
        self.parameters: list[int | str] = []
        self._parts: list[str] = []
        self.add(
            "(+i.source_id IN (SELECT id FROM feeds_source WHERE is_public UNION"
            " SELECT source_id FROM feeds_subscription WHERE user_id = %s) OR i.id IN"
            " (SELECT item_id FROM feeds_itemstate WHERE user_id = %s AND is_saved))",
            user.pk,
            user.pk,
        )

    @property
    def sql(self) -> str:
        return " AND ".join(self._parts)

    def add(self, sql: str, *parameters: int | str) -> None:
        self._parts.append(sql)
        self.parameters += parameters

    def add_query(self, query: Query) -> None:
        if query.before:
            self.add("i.id < %s", lowest_id(query.before))
        if query.after:
            self.add("i.id >= %s", lowest_id(query.after))
        for name in query.sources:
            self._one_of("i.source_id", self._sources(name), f"No source is called {name!r}.")
        for name in query.folders:
            self._one_of("i.source_id", self._folder(name), f"No folder is called {name!r}.")
        for topic in query.topics:
            escaped = topic.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            self.add("i.topics LIKE %s ESCAPE '\\'", f'%"{escaped}"%')
        for state in sorted(query.states):
            self._state(state)

    def _one_of(self, column: str, ids: Sequence[int], problem: str) -> None:
        if not ids:
            self.problems.append(problem)
        if len(ids) > MANY_SOURCES:
            column = f"+{column}"
        marks = ", ".join(["%s"] * len(ids)) or "NULL"
        self.add(f"{column} IN ({marks})", *ids)

    def _sources(self, name: str) -> list[int]:
        visible = Source.objects.visible_to(self.user)
        named = visible.filter(title__icontains=name) | visible.filter(url__icontains=name)
        return list(named.values_list("pk", flat=True)[:500])

    def _folder(self, name: str) -> list[int]:
        folders = Folder.objects.filter(user=self.user, name__iexact=name)
        below = {pk for folder in folders for pk in folders_below(self.user, folder.pk)}
        rows = self.user.subscriptions.filter(folder__in=below)
        return list(rows.values_list("source", flat=True))

    def _state(self, state: str) -> None:
        mine = "SELECT 1 FROM feeds_itemstate t WHERE t.user_id = %s AND t.item_id = i.id"
        if state == "saved":
            saved = "SELECT item_id FROM feeds_itemstate WHERE user_id = %s AND is_saved"
            self.add(f"i.id IN ({saved})", self.user.pk)
            return
        border = lowest_id(timezone.now() - timedelta(days=settings.UNREAD_HORIZON_DAYS))
        touched = f"EXISTS ({mine} AND t.is_read = %s)"
        followed = (
            "EXISTS (SELECT 1 FROM feeds_subscription s WHERE s.user_id = %s"
            " AND s.source_id = i.source_id AND i.seq > s.read_up_to)"
        )
        unread = f"({touched} OR (NOT {touched} AND i.id >= %s AND {followed}))"
        pk = self.user.pk
        negated = "" if state == "unread" else "NOT "
        self.add(f"{negated}{unread}", pk, False, pk, True, border, pk)


def _mark(items: Sequence[Item], query: Query) -> None:
    """Set `marked_title` and `marked_snippet` of each."""
    marked = _marked_by_index([item.pk for item in items], match_expression(query))
    for item in items:
        title, snippet = marked.get(item.pk, (item.title, item.summary))
        item.marked_title = _safe(title)  # type: ignore[attr-defined]
        item.marked_snippet = _safe(snippet)  # type: ignore[attr-defined]


def _marked_by_index(ids: Sequence[int], expression: str) -> dict[int, tuple[str, str]]:
    """{id: (title, snippet)}; the snippet is of the summary where the text has no match."""
    if not ids or not expression:
        return {}
    snippet = f"snippet(feeds_search, {{}}, %s, %s, '…', {_SNIPPET_WORDS})"
    statement = (
        "SELECT rowid, highlight(feeds_search, 0, %s, %s),"  # noqa: S608 - no input
        f" {snippet.format(2)}, {snippet.format(1)} FROM feeds_search"
        f" WHERE feeds_search MATCH %s AND rowid IN ({', '.join(['%s'] * len(ids))})"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*(_START, _END) * 3, expression, *ids])
        return {
            pk: (title, summary if _START in summary and _START not in text else text)
            for pk, title, text, summary in cursor.fetchall()
        }


def _safe(text: str) -> SafeString:
    """Everything escaped but our own marks, and those only in pairs."""
    shown = _MARKED.sub(r"<mark>\1</mark>", escape(text))
    return mark_safe(_MARKS.sub("", shown))  # noqa: S308 - escaped the line before
