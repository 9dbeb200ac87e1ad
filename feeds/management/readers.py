"""Which reader a command speaks for."""

from django.core.management.base import CommandError

from accounts.models import User


def find_reader(username: str | None) -> User:
    """The named account; else the only one, or the first administrator."""
    users = User.objects.filter(is_active=True)
    if username:
        found = users.filter(username=username).first()
    else:
        found = users.order_by("-is_superuser", "pk").first()
    if found is None:
        missing = f"No account is named {username}." if username else "There are no accounts yet."
        raise CommandError(f"{missing} Create one with createsuperuser or make run.")
    return found
