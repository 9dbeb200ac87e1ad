"""`manage.py load_catalogue`: creates the sources of the starter catalogue."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from feeds.sources.catalogue import catalogue_entries, load_catalogue, subscribe_to_packs


class Command(BaseCommand):
    help = "Creates the sources of the starter catalogue. Changes made by a curator are kept."
    requires_system_checks = ("ainews",)  # the others load every page

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--subscribe", metavar="USER", help="a new reader who will follow them all"
        )

    def handle(self, *, subscribe: str | None, **_: Any) -> None:
        new = load_catalogue()
        self.stdout.write(f"Created {new} of {len(catalogue_entries())} sources.")
        if subscribe:
            try:
                user = User.objects.get(username=subscribe)
            except User.DoesNotExist:
                raise CommandError(f"No account is named {subscribe}.") from None
            if user.subscriptions.exists():
                self.stdout.write(f"{subscribe} already follows sources; nothing was changed.")
            else:
                self.stdout.write(f"{subscribe} follows {subscribe_to_packs(user)} sources.")
