"""`manage.py create_token USER --name N` prints a new API token."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import ApiToken, User


class Command(BaseCommand):
    help = "Creates an API token for USER and prints it. The token cannot be shown again."
    requires_system_checks = ("ainews",)  # the others load every page

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="username")
        parser.add_argument("--name", required=True, help="name of the token")

    def handle(self, *, user: str, name: str, **_: Any) -> None:
        account = User.objects.filter(username=user, is_active=True).first()
        if account is None:
            raise CommandError(f"No active account is named {user}.")
        self.stdout.write(ApiToken.issue(account, name[:100]))
