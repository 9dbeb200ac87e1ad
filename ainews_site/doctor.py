"""Checks of everything that must work. Each returns what is wrong and how to fix it, or ""."""

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from smtplib import SMTPException

from django.conf import settings
from django.core.checks import run_checks
from django.core.mail import get_connection
from django.db import Error, connection
from django.utils import timezone
from django_q.brokers import get_broker

from ainews_site.config.env_urls import redis_place
from ainews_site.infra import db_clock
from ainews_site.infra.cache import ADVICE, circuit
from ainews_site.infra.db_errors import in_words
from ainews_site.infra.invocation import PROGRAM, RUN
from ainews_site.infra.schema import explain, schema_problem
from ainews_site.machine_checks import certificate, clock_is_right, disk
from ainews_site.process.supervisor import heartbeats
from ainews_site.queue.config import SLOW
from digests.channels.mail import KIND as MAIL
from digests.channels.mail import connection_error, mail_problem
from digests.channels.outbox import count_overdue
from digests.models import Channel, Writing
from feeds.ai.embed.errors import EmbeddingError
from feeds.ai.embed.provider import chosen_provider, is_chosen
from feeds.ai.language.probe import problem as language_problem
from feeds.archive.files import lines_path, manifest_path
from feeds.core.ids import lowest_id
from feeds.core.partitions import missing_partitions, rows_in_default, spans
from feeds.models import ArchivePart, FetchLog, Source

LATELY = timedelta(minutes=15)
MAX_WAITING = 20
SLOWLY = "of the slow queue"


def configuration() -> str:
    return " ".join(str(message.msg) for message in run_checks())


def database() -> str:
    try:
        if problem := schema_problem():
            return problem
        return _sqlite_problem() if connection.vendor == "sqlite" else _partition_problem()
    except Error as error:
        reason = in_words(error, settings.DATABASES["default"])
        return reason or f"no connection ({error}); check DATABASE_URL."


def _partition_problem() -> str:
    """Return a problem of the partitions: rows in the default partition, or missing ones."""
    if count := rows_in_default():
        return (
            f"{count} items are in the default partition, where they are slow to find; run"
            f" {PROGRAM} migrate, which moves them."
        )
    if missing := missing_partitions():
        return (
            f"partitions for {missing[0].name} are missing; run {PROGRAM} migrate, which creates"
            " them and their search index."
        )
    ahead = lowest_id(timezone.now() + timedelta(days=28))
    if not any(ahead in span for span in spans()):
        return f"next month has no partition; run {PROGRAM} migrate, and keep a worker running."
    return ""


def _sqlite_problem() -> str:
    """Return a problem that the integrity checks of SQLite and its search tables find."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA quick_check")
        if (result := cursor.fetchone()[0]) != "ok":
            return f"damaged ({result}); restore a backup."
        cursor.execute("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%fts5%'")
        for (table,) in cursor.fetchall():
            name = connection.ops.quote_name(table)
            try:
                cursor.execute(f"INSERT INTO {name}({name}) VALUES ('integrity-check')")  # noqa: S608
            except Error:
                return f"the search table {table} is out of sync; run {PROGRAM} migrate."
    return ""


def cache_works() -> str:
    problem = circuit.probe()
    if not problem:
        return ""
    where = redis_place(settings.REDIS_URL) if settings.REDIS_URL else "this process"
    return f"Redis at {where} {problem}. {ADVICE[problem]} Pages and ingest continue without it."


def queue() -> str:
    """Check for workers of this machine by heartbeats, and of others by recent fetches."""
    if "rabbit" in settings.Q_CLUSTER and (
        problem := import_module("ainews_site.queue.rabbit_broker").connection_problem()
    ):
        return str(problem)
    fetched = FetchLog.objects.filter(at__gte=timezone.now() - LATELY)
    if not heartbeats() and not fetched.exists():
        return f"no worker is running; start one with `{RUN}` or `{PROGRAM} worker`."
    waiting = get_broker(SLOW).queue_size()
    if waiting > MAX_WAITING:
        return f"{waiting} slow tasks are waiting; start `{PROGRAM} worker --queue slow`."
    return ""


def language_model() -> str:
    """Check that the configured model is available and that its budget is not spent."""
    return language_problem() if settings.LLM_MODEL else ""


def embeddings() -> str:
    """Encode a short text, because a model that is present may still fail to load."""
    if not is_chosen():
        return ""
    try:
        chosen_provider().encode(["news"])
    except EmbeddingError as error:
        return f"{error} Until then stories are grouped by words only."
    return ""


def archive() -> str:
    """Check that the files of archived months exist. Whether they are intact is checked by
    `restore_archive`, because reading them all takes long."""
    names = ArchivePart.objects.filter(state=ArchivePart.State.ARCHIVED).order_by("low", "name")
    folder = settings.ARCHIVE_DIR
    missing = [
        name
        for name in names.values_list("name", flat=True)
        if not (lines_path(folder, name).is_file() and manifest_path(folder, name).is_file())
    ]
    if not missing:
        return ""
    months = f"{missing[0]} and {len(missing) - 1} more" if missing[1:] else missing[0]
    return f"the archive {months} is not in {folder}; copy the folder back from a backup."


def mail() -> str:
    """Connect to the mail server, if it is configured, and check that readers need it."""
    wanted = Channel.objects.filter(kind=MAIL.name, state=Channel.State.ACTIVE).count()
    if not settings.EMAIL_URL:
        who = "1 reader expects" if wanted == 1 else f"{wanted} readers expect"
        return f"{who} e-mail, but EMAIL_URL is not set." if wanted else ""
    if problem := mail_problem(for_staff=True):
        return problem
    try:
        with get_connection():
            return ""
    except (OSError, SMTPException) as error:
        return connection_error(error)


def digests() -> str:
    """Check for editions that are not written, and for deliveries that are not sent."""
    late = db_clock.now() - LATELY
    if unwritten := Writing.objects.filter(until=None, next_try_at__lt=late).count():
        return f"{_some(unwritten, 'edition is', 'editions are')} waiting for a worker {SLOWLY}."
    if unsent := count_overdue(late):
        return f"{_some(unsent, 'delivery is', 'deliveries are')} waiting for a worker {SLOWLY}."
    if failed := Writing.objects.exclude(error="").count():
        some = _some(failed, "edition", "editions")
        return f"{some} could not be written; see the worker's log."
    return ""


def _some(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"


def feed() -> str:
    source = Source.objects.filter(status=Source.Status.ACTIVE, failures=0).first()
    if source is None:
        return "no source works; add one on the Sources page."
    result = import_module("feeds.ingest.fetch.client").fetch_one(source.url)
    return f"{source.url}: {result.error} Check the network." if result.error else ""


CHECKS: dict[str, Callable[[], str]] = {
    "configuration": configuration,
    "database": database,
    "cache": cache_works,
    "queue": queue,
    "language model": language_model,
    "embeddings": embeddings,
    "disk": disk,
    "archive": archive,
    "clock": clock_is_right,
    "certificate": certificate,
    "mail": mail,
    "digests": digests,
    "a feed": feed,
}
CHEAP = ("cache", "queue", "disk", "clock", "certificate", "digests")
"""Those that take milliseconds, for the first page of the admin."""


def run_check(name: str) -> str:
    """Return the problem that a check finds. Its own failure is one too."""
    try:
        return CHECKS[name]()
    except Exception as error:  # noqa: BLE001 - any error is the result of the check
        if explain(error):
            return f"not checked, because the database needs {PROGRAM} migrate."
        return f"the check failed ({error})."
