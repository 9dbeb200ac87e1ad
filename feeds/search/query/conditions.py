"""Builds the WHERE clause of a search: the items that the reader may see, and the operators."""

from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from feeds.core.ids import lowest_id
from feeds.models import Folder, ItemState, Source
from feeds.reading.sources import folders_below
from feeds.search.query.parser import Query

MANY_SOURCES = 20
"""A query for more sources than this reads the items by id from the newest. A `+` before the column
keeps the planner from the index of sources, as it would have to sort all of their items."""
HIGHEST = 1 << 62
"""Higher than every id of an item."""
VISIBLE_SOURCES = (
    "(SELECT id FROM feeds_source WHERE is_public UNION"
    " SELECT source_id FROM feeds_subscription WHERE user_id = %s)"
)
"""SQL of the ids of the sources that a reader may see. Its parameter is the reader's id."""


class Conditions:
    """The WHERE clause `sql` of a search for items `i`, and its `parameters`.

    Ids of matches are in [`lowest`, `highest`). `columns` are the columns of an item, beside its id
    and source, that the clause reads. `is_of_few_sources` is set if it names at most MANY_SOURCES
    sources. `problems` are sentences for the reader about unknown sources and folders.
    """

    def __init__(self, user: User, query: Query) -> None:
        self.user = user
        self.lowest, self.highest = 0, HIGHEST
        self.columns: set[str] = set()
        self.is_of_few_sources = False
        self.problems: list[str] = []
        self.parameters: list[int | str] = []
        self._parts: list[str] = []
        self.add(
            f"(+i.source_id IN {VISIBLE_SOURCES} OR i.id IN"  # noqa: S608 - our own
            " (SELECT item_id FROM feeds_itemstate WHERE user_id = %s AND is_saved))",
            user.pk,
            user.pk,
        )
        self._add_query(query)

    @property
    def sql(self) -> str:
        return " AND ".join(self._parts)

    def add(self, sql: str, *parameters: int | str) -> None:
        """Add a condition that must hold as well."""
        self._parts.append(sql)
        self.parameters += parameters

    def _add_query(self, query: Query) -> None:
        if query.before:
            self.highest = lowest_id(query.before)
        if query.after:
            self.lowest = lowest_id(query.after)
        for name in query.sources:
            self._add_ids("i.source_id", self._sources(name), f"No source is named {name!r}.")
        for name in query.folders:
            self._add_ids("i.source_id", self._folder(name), f"No folder is named {name!r}.")
        for topic in query.topics:
            self.columns.add("topics")
            escaped = topic.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
            self.add("CAST(i.topics AS text) LIKE %s ESCAPE '!'", f'%"{escaped}"%')
        for state in sorted(query.states):
            self._add_state(state)
        # After the states, as one of them may raise `lowest`.
        if self.lowest:
            self.add("i.id >= %s", self.lowest)
        if self.highest < HIGHEST:
            self.add("i.id < %s", self.highest)

    def _add_ids(self, column: str, ids: Sequence[int], problem: str) -> None:
        if not ids:
            self.problems.append(problem)
        if len(ids) > MANY_SOURCES:
            column = f"+{column}"
        else:
            self.is_of_few_sources = True
        placeholders = ", ".join(["%s"] * len(ids)) or "NULL"
        self.add(f"{column} IN ({placeholders})", *ids)

    def _sources(self, name: str) -> list[int]:
        visible = Source.objects.visible_to(self.user)
        matches = visible.filter(title__icontains=name) | visible.filter(url__icontains=name)
        return list(matches.values_list("pk", flat=True)[:500])

    def _folder(self, name: str) -> list[int]:
        folders = Folder.objects.filter(user=self.user, name__iexact=name)
        below = {pk for folder in folders for pk in folders_below(self.user, folder.pk)}
        rows = self.user.subscriptions.filter(folder__in=below)
        return list(rows.values_list("source", flat=True))

    def _add_state(self, state: str) -> None:
        of_reader = "SELECT 1 FROM feeds_itemstate t WHERE t.user_id = %s AND t.item_id = i.id"
        if state == "saved":
            saved = "SELECT item_id FROM feeds_itemstate WHERE user_id = %s AND is_saved"
            self.add(f"i.id IN ({saved})", self.user.pk)
            return
        self.columns.add("seq")
        horizon = lowest_id(timezone.now() - timedelta(days=settings.UNREAD_HORIZON_DAYS))
        has_state = f"EXISTS ({of_reader} AND t.is_read = %s)"
        above_watermark = (
            "EXISTS (SELECT 1 FROM feeds_subscription s WHERE s.user_id = %s"
            " AND s.source_id = i.source_id AND i.seq > s.read_up_to)"
        )
        if state == "unread":
            self.lowest = max(self.lowest, self._oldest_unread(horizon))
        unread = f"({has_state} OR (NOT {has_state} AND i.id >= %s AND {above_watermark}))"
        pk = self.user.pk
        negated = "" if state == "unread" else "NOT "
        self.add(f"{negated}{unread}", pk, False, pk, True, horizon, pk)

    def _oldest_unread(self, horizon: int) -> int:
        """Return the lowest id that can be unread. An item before the horizon is unread only if the
        reader marked it unread."""
        marked_unread = ItemState.objects.filter(user=self.user, is_read=False)
        oldest = marked_unread.order_by("item").values_list("item", flat=True).first()
        return min(horizon, oldest or horizon)
