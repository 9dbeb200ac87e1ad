"""`manage.py add_source`: follows a feed, or the feed of a page."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ainews_site.infra.invocation import PROGRAM
from feeds.core.errors import FeedError
from feeds.management.readers import find_reader
from feeds.sources.discover import discover
from feeds.sources.subscriptions import add_source


class Command(BaseCommand):
    help = "Follows the feed at a URL, or the feed that the page at a URL links to."
    requires_system_checks = ("ainews",)  # the others load every page

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("url", help="URL of a feed or of a page that links to one")
        parser.add_argument("--user", help="the reader who follows it; default: the first")
        parser.add_argument("--title", default="", help="custom name of the source")

    def handle(self, *, url: str, user: str | None, title: str, **_: Any) -> None:
        reader = find_reader(user)
        try:
            candidates = discover(url).candidates
            best = candidates[0]
            source = add_source(best.url, user=reader, title=title or best.title)
        except FeedError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{reader} now follows {source} ({source.url}).")
        for other in candidates[1:]:
            self.stdout.write(f"  also there: {other.title or 'untitled'} ({other.url})")
        self.stdout.write(f"Its items arrive with the next poll. To poll now: {PROGRAM} poll")
