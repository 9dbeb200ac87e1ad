"""The folders of a reader by their paths, such as "Labs / Europe"."""

from django.db import transaction

from accounts.models import User
from accounts.quotas import FOLDERS, lock_user
from feeds.core.errors import FeedError
from feeds.models import Folder

PATH = " / "


def nested_names(user: User) -> dict[int, tuple[str, ...]]:
    """{folder id: its name after those of the folders around it}, in one query."""
    folders = {folder.pk: folder for folder in Folder.objects.filter(user=user)}
    return {pk: _names(folder, folders) for pk, folder in folders.items()}


def _names(folder: Folder, folders: dict[int, Folder]) -> tuple[str, ...]:
    names, seen = [folder.name], {folder.pk}
    while folder.parent_id and folder.parent_id not in seen:
        folder = folders[folder.parent_id]
        seen.add(folder.pk)
        names.append(folder.name)
    return tuple(reversed(names))


def folder_paths(user: User) -> dict[int, str]:
    """{folder id: path such as "Labs / Europe"} of the reader's folders, in one query."""
    return {pk: PATH.join(names) for pk, names in nested_names(user).items()}


def folder_names(user: User) -> list[str]:
    return sorted(folder_paths(user).values(), key=str.lower)


def folder_at(user: User, path: str) -> Folder | None:
    """Return the folder at `path`, which is created if needed; None for an empty path.

    Folder names may contain slashes, so existing folders are compared by their shown path.
    """
    for pk, shown in folder_paths(user).items():
        if shown == path.strip():
            return Folder.objects.get(pk=pk)
    names = [name.strip() for name in path.split(PATH.strip()) if name.strip()]
    if any(len(name) > 100 for name in names) or len(names) > 10:
        raise FeedError(
            "A folder name can have 100 characters at most, and folders can be nested ten deep."
        )
    folder = None
    with transaction.atomic():
        for name in names:
            folder = _folder_in(user, folder, name)
    return folder


def _folder_in(user: User, parent: Folder | None, name: str) -> Folder:
    """Get or create a folder. Raises FeedError if the quota is exceeded."""
    folder = Folder.objects.filter(user=user, parent=parent, name=name).first()
    if folder is not None:
        return folder
    lock_user(user)
    if problem := FOLDERS.problem(Folder.objects.filter(user=user).count()):
        raise FeedError(problem)
    return Folder.objects.get_or_create(user=user, parent=parent, name=name)[0]
