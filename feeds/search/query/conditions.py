"""What a search asks of an item beside its words: who may see it, and the operators."""

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
"""From here on the newest of them are found by time (the `+` keeps a planner from taking
the index of sources, all of whose items it would have to sort)."""
HIGHEST = 1 << 62
SEEN = (
    "(SELECT id FROM feeds_source WHERE is_public UNION"
    " SELECT source_id FROM feeds_subscription WHERE user_id = %s)"
)
"""The sources that a reader may see."""


class Conditions:
    """The WHERE of a search for items `i`, with what was odd about its names.

    What is found lies in [`lowest`, `highest`). `columns` are those of an item, beside its id
    and source, that the conditions read.
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
            f"(+i.source_id IN {SEEN} OR i.id IN"  # noqa: S608 - our own
            " (SELECT item_id FROM feeds_itemstate WHERE user_id = %s AND is_saved))",
            user.pk,
            user.pk,
        )
        self._add_query(query)

    @property
    def sql(self) -> str:
        return " AND ".join(self._parts)

    def add(self, sql: str, *parameters: int | str) -> None:
        self._parts.append(sql)
        self.parameters += parameters

    def _add_query(self, query: Query) -> None:
        if query.before:
            self.highest = lowest_id(query.before)
        if query.after:
            self.lowest = lowest_id(query.after)
        for name in query.sources:
            self._one_of("i.source_id", self._sources(name), f"No source is named {name!r}.")
        for name in query.folders:
            self._one_of("i.source_id", self._folder(name), f"No folder is named {name!r}.")
        for topic in query.topics:
            self.columns.add("topics")
            escaped = topic.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
            self.add("CAST(i.topics AS text) LIKE %s ESCAPE '!'", f'%"{escaped}"%')
        for state in sorted(query.states):
            self._state(state)
        # Last, as a state may have raised it.
        if self.lowest:
            self.add("i.id >= %s", self.lowest)
        if self.highest < HIGHEST:
            self.add("i.id < %s", self.highest)

    def _one_of(self, column: str, ids: Sequence[int], problem: str) -> None:
        if not ids:
            self.problems.append(problem)
        if len(ids) > MANY_SOURCES:
            column = f"+{column}"
        else:
            self.is_of_few_sources = True
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
        self.columns.add("seq")
        border = lowest_id(timezone.now() - timedelta(days=settings.UNREAD_HORIZON_DAYS))
        touched = f"EXISTS ({mine} AND t.is_read = %s)"
        followed = (
            "EXISTS (SELECT 1 FROM feeds_subscription s WHERE s.user_id = %s"
            " AND s.source_id = i.source_id AND i.seq > s.read_up_to)"
        )
        if state == "unread":
            self.lowest = max(self.lowest, self._oldest_unread(border))
        unread = f"({touched} OR (NOT {touched} AND i.id >= %s AND {followed}))"
        pk = self.user.pk
        negated = "" if state == "unread" else "NOT "
        self.add(f"{negated}{unread}", pk, False, pk, True, border, pk)

    def _oldest_unread(self, border: int) -> int:
        """Beyond the horizon only what the reader marked unread is unread."""
        by_hand = ItemState.objects.filter(user=self.user, is_read=False)
        oldest = by_hand.order_by("item").values_list("item", flat=True).first()
        return min(border, oldest or border)
