"""How many things of a kind one reader may have, from the setting QUOTAS."""

from dataclasses import dataclass

from django.conf import settings

from accounts.models import User

NO_LIMIT = 10**9


@dataclass(frozen=True, slots=True)
class Quota:
    """`name` is the key in QUOTAS. A quota of 0 is none."""

    name: str
    one: str
    several: str

    @property
    def most(self) -> int:
        most: int = settings.QUOTAS[self.name]
        return most or NO_LIMIT

    def room(self, used: int) -> int:
        """How many more there may be."""
        return max(0, self.most - used)

    def problem(self, used: int, more: int = 1) -> str:
        """Why there may not be `more`; empty where there may."""
        if more <= self.room(used):
            return ""
        return f"You already have {self.in_words(used)}, the maximum. Remove one first."

    def in_words(self, count: int) -> str:
        return f"{count:,} {self.one if count == 1 else self.several}"


SOURCES = Quota("sources", "source", "sources")
FOLDERS = Quota("folders", "folder", "folders")
TOKENS = Quota("tokens", "API token", "API tokens")
CHANNELS = Quota("channels", "channel", "channels")


def hold(user: User) -> None:
    """Lock the user's row until the end of the transaction, so that parallel requests count one
    after the other what is there."""
    list(User.objects.select_for_update().filter(pk=user.pk).values_list("pk"))
