"""Find the reader that a command acts for."""

from django.core.management.base import CommandError

from accounts.models import User
from ainews_site.infra.invocation import PROGRAM, RUN


def find_reader(username: str | None) -> User:
    """Return the reader with this name, or by default the first administrator, or else the first
    account. Raises CommandError."""
    users = User.objects.filter(is_active=True)
    if username:
        reader = users.filter(username=username).first()
    else:
        reader = users.order_by("-is_superuser", "pk").first()
    if reader is None:
        missing = f"No account is named {username}." if username else "There are no accounts yet."
        raise CommandError(f"{missing} Create one with `{RUN}` or `{PROGRAM} createsuperuser`.")
    return reader
