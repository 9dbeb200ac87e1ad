"""`manage.py start`, which `make run` calls: sets up everything and starts all processes."""

import logging
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error, connection

import digests.editions.write
from accounts.models import SigninToken, User
from accounts.signin import signin_address
from ainews_site.infra.console import report
from ainews_site.infra.invocation import DEMO, child_command, manage_command
from ainews_site.infra.places import BASE
from ainews_site.infra.schema import problem_in_words
from ainews_site.process import fast_start
from ainews_site.process.fast_start import mark_ready, port_problem
from ainews_site.process.lifeline import for_child
from ainews_site.process.only_one import warned_of_another
from ainews_site.process.supervisor import Child, run
from ainews_site.queue.schedules import ensure_schedules
from ainews_site.start_checks import check_command
from digests.models import Digest
from feeds.demo.catalogue import catalogue_entries, former_url
from feeds.ingest.fetch.guard import Guard
from feeds.ingest.move import adopt_address
from feeds.ingest.pipeline import ingest_sources
from feeds.models import Item, Source, TrendBoard
from feeds.sources.catalogue import load_catalogue, subscribe_to_packs
from feeds.sources.subscriptions import subscribe
from feeds.stories.grouping.repair import repair_backfill
from feeds.trends.update import update_trends

DEMO_PAUSE = 20.0
"""Seconds between two polls of the sample newsroom."""
POLL_GRACE = 10.0
"""Seconds between asking the first poll to stop and killing it."""
MAX_ITEMS = 20_000
"""With no more items than this, finding trends takes a few seconds."""

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Prepares the database, runs the web server and the worker, and prints a sign-in link."
    requires_system_checks = ()  # check_command runs those that matter

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--demo", action="store_true", help="use the sample newsroom instead of real feeds"
        )
        parser.add_argument(
            "--newsroom-port",
            type=int,
            default=8765,
            help="port of the sample newsroom; default: 8765",
        )

    def handle(self, *, demo: bool, newsroom_port: int, **_: Any) -> None:
        ports = [settings.PORT] if fast_start.started is None else []
        for port in [*ports, newsroom_port] if demo else ports:
            host = "127.0.0.1" if port != settings.PORT else settings.HOST
            if problem := port_problem(host, port):
                raise CommandError(problem)
        check_command(is_migrated=False)
        call_command("migrate", verbosity=0)
        mark_ready(settings.DATA)
        user = first_reader()
        newsroom = [newsroom_child(newsroom_port)] if demo else []
        self.last_poll = time.monotonic()
        self.polling = threading.Thread()
        with warned_of_another():
            run(
                lambda: self.ready(user, demo),
                self.tick_demo if demo else lambda: None,
                newsroom,
                prepare=lambda: self.prepare(user, newsroom_port if demo else None),
            )

    def prepare(self, user: User, newsroom_port: int | None) -> None:
        """Prepare the database while the web server starts."""
        load_sources(user, newsroom_port)
        ensure_schedules()

    def ready(self, user: User, demo: bool) -> None:
        """Run the first tasks when the page answers.

        An error of the database ends only its task.
        """
        attempt(lambda: print_link(user))
        attempt(lambda: first_poll(demo))
        if demo:
            attempt(group_backfill)
        attempt(find_trends)
        attempt(lambda: write_digest(user))
        report(f"Running. Press Ctrl-C to stop. Other commands: {manage_command()} COMMAND")

    def tick_demo(self) -> None:
        """Poll the sample newsroom, which publishes often.

        It runs in a thread, so that a slow outlet does not block the supervisor.
        """
        if time.monotonic() - self.last_poll < DEMO_PAUSE or self.polling.is_alive():
            return
        self.polling = threading.Thread(target=ingest_all, daemon=True)
        self.polling.start()
        self.last_poll = time.monotonic()


def ingest_all() -> None:
    sources = Source.objects.exclude(status=Source.Status.GONE)
    try:
        ingest_sources(sources.values_list("pk", flat=True))
    except Error as error:  # the next poll comes soon
        logger.warning("The sample newsroom was not read: %s", " ".join(str(error).split()))
    finally:
        connection.close()


def attempt(step: Callable[[], None]) -> None:
    """Run `step`, and report an error of the database."""
    try:
        step()
    except Error as error:
        report(problem_in_words(error) or f"The database failed: {error}")


def print_link(user: User) -> None:
    report("AI News is ready. Open this link to sign in (works once, within 15 minutes):")
    try:
        report(signin_address(SigninToken.issue(user)))
    except Error:
        report(f"(for another link: {manage_command()} signin_link {user.get_username()})")
        raise


def first_poll(demo: bool) -> None:
    if demo or is_online():
        poll()
        return
    report(f"No feed can be reached. Check the network; `{DEMO}` works without one.")
    if local := local_sources():
        poll(*local)


def first_reader() -> User:
    """Return the first administrator. A new one has no password until they set one."""
    if existing := User.objects.filter(is_active=True, is_superuser=True).order_by("pk").first():
        return existing
    user = User(username="reader", is_staff=True, is_superuser=True)
    user.set_unusable_password()
    user.save()
    return user


def newsroom_child(port: int) -> Child:
    return Child("newsroom", child_command("demo_newsroom", "--port", str(port)))


def load_sources(user: User, newsroom_port: int | None) -> None:
    """Load the starter catalogue or the sample outlets. `user` is subscribed on the first start."""
    if newsroom_port is not None:
        return _load_sample(user, newsroom_port)
    load_catalogue()
    if not user.subscriptions.exists():
        subscribe_to_packs(user)


def _load_sample(user: User, newsroom_port: int) -> None:
    for entry in catalogue_entries(newsroom_port):
        _follow_to_host(entry["url"], former_url(entry["url"]))
        source, _ = Source.objects.get_or_create(
            url=entry["url"], defaults=entry | {"is_public": True}
        )
        subscribe(user, source)


def _follow_to_host(url: str, former: str) -> None:
    """Give a sample source of an earlier release the address of its own host."""
    source = Source.objects.filter(url=former).exclude(status=Source.Status.GONE).first()
    if source and not Source.objects.filter(url=url).exists():
        adopt_address(source, url)


def is_online() -> bool:
    """Return True if a host of any of a few sources can be reached."""
    urls = Source.objects.filter(status=Source.Status.ACTIVE).values_list("url", flat=True)
    local = set(local_sources())
    hosts = sorted({urlsplit(url).hostname or "" for url in urls if url not in local})[::7][:8]
    if not hosts:
        return bool(local)
    with ThreadPoolExecutor(len(hosts)) as pool:
        return any(pool.map(_connects, hosts))


def local_sources() -> list[str]:
    """Return the sources on this machine or in the operator's own network."""
    guard = Guard.of(settings.FETCH_ALLOW_PRIVATE, settings.FETCH_PORTS)
    urls = Source.objects.filter(status=Source.Status.ACTIVE).values_list("url", flat=True)
    return [url for url in urls if guard.is_allowed(urlsplit(url).hostname or "", 0)]


def _connects(host: str) -> bool:
    try:
        socket.create_connection((host, 443), timeout=3).close()
    except (OSError, UnicodeError):
        return False
    return True


def poll(*urls: str) -> None:
    """Poll all due sources, or `urls`, by the poll command, which has a progress bar."""
    env = os.environ | for_child()
    with subprocess.Popen(child_command("poll", *urls), env=env, cwd=BASE) as process:  # noqa: S603 - our own
        try:
            process.wait()
        except BaseException:  # it gives back the sources that it has not read
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(POLL_GRACE)
            process.kill()
            raise


def group_backfill() -> None:
    """The sample newsroom has two weeks of news when it is read first."""
    if not TrendBoard.objects.exists():
        repair_backfill()


def find_trends() -> None:
    """Find the first trends, unless there are so many items that the worker should do it."""
    if not TrendBoard.objects.exists() and Item.objects.count() <= MAX_ITEMS:
        update_trends()


def write_digest(user: User) -> None:
    """Write the first digest at once, so that a new user need not wait for its hour."""
    has_news = Item.objects.subscribed_by(user).exists()
    if has_news and not Digest.objects.filter(user=user).exists():
        digests.editions.write.write_digest(user)
