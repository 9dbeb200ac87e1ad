"""Which subscriptions a filter means, read once for a request."""

from dataclasses import dataclass

from accounts.models import User
from feeds.models import Folder, Subscription


@dataclass(frozen=True, slots=True)
class Followed:
    """A subscription as reading needs it. `title` is the reader's own name for the source."""

    source_id: int
    title: str
    folder_id: int | None
    read_up_to: int
    is_public: bool = True


def followed_sources(
    user: User, *, folder_id: int | None = None, source_id: int | None = None
) -> dict[int, Followed]:
    """{source id: subscription}, of a folder with those below it, or of one source."""
    rows = Subscription.objects.filter(user=user)
    if source_id is not None:
        rows = rows.filter(source=source_id)
    if folder_id is not None:
        rows = rows.filter(folder__in=folders_below(user, folder_id))
    columns = ("source_id", "title", "source__title", "source__url", "folder_id", "read_up_to")
    found = rows.values_list(*columns, "source__is_public")
    return {
        source: Followed(source, own or title or url, folder, mark, is_public)
        for source, own, title, url, folder, mark, is_public in found
    }


def folders_below(user: User, folder_id: int) -> set[int]:
    """The folder and all within it; empty when it is not the reader's."""
    parents = dict(Folder.objects.filter(user=user).values_list("pk", "parent_id"))
    if folder_id not in parents:
        return set()
    found = {folder_id}
    while more := {pk for pk, parent in parents.items() if parent in found} - found:
        found |= more
    return found
