"""The subscriptions that a filter selects."""

from collections.abc import Collection
from dataclasses import dataclass

from accounts.models import User
from feeds.core.discussions import is_discussion
from feeds.models import Folder, Subscription


@dataclass(frozen=True, slots=True)
class Followed:
    """A subscription. `title` is the reader's own name for the source, `read_up_to` the seq up to
    which its items are read."""

    source_id: int
    title: str
    folder_id: int | None
    read_up_to: int
    is_public: bool = True
    is_discussion: bool = False


def followed_sources(
    user: User, *, folder_id: int | None = None, source_id: int | None = None
) -> dict[int, Followed]:
    """{source id: subscription} of all sources, of a folder with its subfolders, or of one
    source."""
    rows = Subscription.objects.filter(user=user)
    if source_id is not None:
        rows = rows.filter(source=source_id)
    if folder_id is not None:
        rows = rows.filter(folder__in=folders_below(user, folder_id))
    columns = ("source_id", "title", "source__title", "source__url", "folder_id", "read_up_to")
    subscriptions = rows.values_list(*columns, "source__is_public")
    return {
        source: Followed(
            source, own or title or url, folder, read_up_to, is_public, is_discussion(url)
        )
        for source, own, title, url, folder, read_up_to, is_public in subscriptions
    }


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
