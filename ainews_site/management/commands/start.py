"""`manage.py start`: from nothing to a page that answers; what `make run` calls."""

import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import SigninToken, User
from accounts.signin import signin_address
from ainews_site.progress import say
from ainews_site.serve import Child, port_problem, run
from feeds.models import Source, Subscription

DEMO_PAUSE = 20.0


class Command(BaseCommand):
    help = "Prepares the database and runs web and worker; prints a sign-in link."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="read the sample newsroom")
        parser.add_argument("--newsroom-port", type=int, default=8765)

    def handle(self, *, demo: bool, newsroom_port: int, **_: Any) -> None:
        for port in (settings.PORT, newsroom_port) if demo else (settings.PORT,):
            host = "127.0.0.1" if port != settings.PORT else settings.HOST
            if problem := port_problem(host, port):
                raise CommandError(problem)
        call_command("migrate", verbosity=0)
        user = first_reader()
        newsroom = [newsroom_child(newsroom_port)] if demo else []
        load_sources(user, f"http://127.0.0.1:{newsroom_port}" if demo else "")
        _ensure_schedules()
        self.last_poll = time.monotonic()
        run(lambda: self.ready(user, demo), self.tick_demo if demo else lambda: None, newsroom)

    def ready(self, user: User, demo: bool) -> None:
        say("AI News is ready. Open this link to sign in; it works once, for 15 minutes:")
        say(signin_address(SigninToken.issue(user), settings.HOST, settings.PORT))
        if demo or is_online():
            poll()
        else:
            say("No feed can be reached: is there a network? `make demo` works without one.")
        say("Running. Ctrl-C stops everything.")

    def tick_demo(self) -> None:
        """The sample newsroom publishes every 20 s; one should see it arrive."""
        if time.monotonic() - self.last_poll < DEMO_PAUSE:
            return
        import_module("feeds.ingest.poll").poll_sources(
            list(Source.objects.values_list("pk", flat=True))
        )
        import_module("feeds.stories.group").group_new_items()
        self.last_poll = time.monotonic()


def first_reader() -> User:
    """The first account; it has no password until its owner sets one."""
    if existing := User.objects.filter(is_active=True, is_superuser=True).order_by("pk").first():
        return existing
    user = User(username="reader", is_staff=True, is_superuser=True)
    user.set_unusable_password()
    user.save()
    return user


def newsroom_child(port: int) -> Child:
    manage = str(settings.BASE_DIR / "manage.py")
    return Child("newsroom", [sys.executable, manage, "demo_newsroom", "--port", str(port)])


def load_sources(user: User, newsroom: str) -> None:
    """The starter catalogue, or the sample outlets; subscribed to on the first start alone."""
    if newsroom:
        return _load_sample(user, newsroom)
    catalogue = import_module("feeds.catalogue")
    catalogue.load_catalogue()
    if not user.subscriptions.exists():
        catalogue.subscribe_to_packs(user)


def _load_sample(user: User, newsroom: str) -> None:
    entries = import_module("feeds.demo.catalogue").catalogue_entries(newsroom)
    for entry in entries:
        source, _ = Source.objects.get_or_create(
            url=entry["url"], defaults=entry | {"is_public": True}
        )
        Subscription.objects.get_or_create(user=user, source=source)


def _ensure_schedules() -> None:
    import_module("feeds.tasks").ensure_schedules()


def is_online() -> bool:
    """Whether any of a few sources' hosts can be reached; sources nearby count as reachable."""
    if settings.FETCH_ALLOW_PRIVATE:
        return True
    urls = Source.objects.filter(status=Source.Status.ACTIVE).values_list("url", flat=True)
    hosts = sorted({urlsplit(url).hostname or "" for url in urls})[::7][:8] or ["example.org"]
    with ThreadPoolExecutor(len(hosts)) as pool:
        return any(pool.map(_connects, hosts))


def _connects(host: str) -> bool:
    try:
        socket.create_connection((host, 443), timeout=3).close()
    except (OSError, UnicodeError):
        return False
    return True


def poll() -> None:
    """All sources at once, with the progress bar of the poll command."""
    manage = str(settings.BASE_DIR / "manage.py")
    subprocess.run([sys.executable, manage, "poll"], check=False)  # noqa: S603 - our own
