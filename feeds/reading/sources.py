"""The subscriptions that a filter selects."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from accounts.models import User
from feeds.core.discussions import is_discussion
from feeds.models import Folder
from feeds.models.narrow import fetch

_FOLLOWED = (
    "SELECT s.source_id, s.title, c.title, c.url, s.folder_id, s.read_up_to, c.is_public, c.weight,"
    " s.level FROM feeds_subscription s JOIN feeds_source c ON c.id = s.source_id"
    " WHERE s.user_id = %s"
)
"""The subscriptions of a reader. It is not a queryset, because every page needs it."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A subscription. `title` is the reader's own name for the source, `read_up_to` the seq up to
    which its items are read, `weight` the curator's trust in it, `level` how much of it the reader
    wants."""

    source_id: int
    title: str
    folder_id: int | None
    read_up_to: int
    is_public: bool = True
    weight: float = 1.0
    level: str = "normal"
    is_discussion: bool = False


def followed_sources(
    user: User, *, folder_id: int | None = None, source_id: int | None = None
) -> dict[int, Followed]:
    """{source id: subscription} of all sources, of a folder with its subfolders, or of one
    source."""
    query, values = _FOLLOWED, [user.pk]
    if source_id is not None:
        query, values = f"{query} AND s.source_id = %s", [user.pk, source_id]
    followed = {
        source: Followed(
            source,
            own or title or url,
            folder,
            read_up_to,
            bool(is_public),
            weight,
            level,
            is_discussion(url),
        )
        for source, own, title, url, folder, read_up_to, is_public, weight, level in fetch(
            query, values
        )
    }
    return followed if folder_id is None else within(user, followed, folder_id)


def within(user: User, followed: Mapping[int, Followed], folder_id: int) -> dict[int, Followed]:
    """Those of a folder with its subfolders."""
    folders = folders_below(user, folder_id)
    return {pk: source for pk, source in followed.items() if source.folder_id in folders}


def own_names(user: User, source_ids: Collection[int]) -> dict[int, str]:
    """{source: the reader's own name for it}, of those among `source_ids` that have one."""
    renamed = user.subscriptions.filter(source__in=source_ids).exclude(title="")
    return dict(renamed.values_list("source", "title"))


def folders_below(user: User, folder_id: int) -> set[int]:
    """Ids of the folder and its subfolders; empty if it is not the reader's folder."""
    parents = dict(Folder.objects.filter(user=user).values_list("pk", "parent_id"))
    if folder_id not in parents:
        return set()
    folders = {folder_id}
    while more := {pk for pk, parent in parents.items() if parent in folders} - folders:
        folders |= more
    return folders
