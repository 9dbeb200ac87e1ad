"""`manage.py signin_link USER` prints a new sign-in link."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import SigninToken, User
from accounts.signin import signin_address


class Command(BaseCommand):
    help = "Prints a link that signs USER in once, within 15 minutes, here or over HTTPS."
    requires_system_checks = ("ainews",)  # the others load every page

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="username")

    def handle(self, *, user: str, **_: Any) -> None:
        account = User.objects.filter(username=user, is_active=True).first()
        if account is None:
            raise CommandError(f"No active account is named {user}.")
        self.stdout.write(signin_address(SigninToken.issue(account)))
