"""Limits of how many objects of each kind one reader may own, from the setting QUOTAS."""

from dataclasses import dataclass

from django.conf import settings

from accounts.models import User

UNLIMITED = 10**9


@dataclass(frozen=True, slots=True)
class Quota:
    """The limit for one kind. `name` is the key in QUOTAS, where 0 means that there is no limit.

    `one` and `several` are nouns for messages.
    """

    name: str
    one: str
    several: str

    @property
    def most(self) -> int:
        most: int = settings.QUOTAS[self.name]
        return most or UNLIMITED

    def room(self, used: int) -> int:
        """Return how many more objects the reader may add, who has `used` of them."""
        return max(0, self.most - used)

    def problem(self, used: int, more: int = 1) -> str:
        """Return a sentence that says why `more` cannot be added, or "" if they can."""
        if more <= self.room(used):
            return ""
        return f"You already have {self.in_words(used)}, the maximum. Remove one first."

    def in_words(self, count: int) -> str:
        return f"{count:,} {self.one if count == 1 else self.several}"


SOURCES = Quota("sources", "source", "sources")
FOLDERS = Quota("folders", "folder", "folders")
TOKENS = Quota("tokens", "API token", "API tokens")
CHANNELS = Quota("channels", "channel", "channels")


def lock_user(user: User) -> None:
    """Lock the user's row until the end of the transaction.

    Call it before counting the user's objects, so that parallel requests cannot exceed a quota.
    """
    list(User.objects.select_for_update().filter(pk=user.pk).values_list("pk"))
