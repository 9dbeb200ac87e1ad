"""The doctor checks the mail server and the state of digests."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.utils import timezone

from ainews_site.doctor import archive, digests, mail
from digests.channels.outbox import plan_deliveries
from digests.editions.writing import request_writing, today_of
from digests.models import Delivery, Writing
from feeds.models import ArchivePart
from tests.digests.make import make_channel, make_edition
from tests.digests.receivers import Mailbox, mail_server
from tests.make import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailbox(settings: LazySettings) -> Iterator[Mailbox]:
    with mail_server() as box:
        settings.EMAIL_URL, settings.EMAIL_FROM = box.url, "news@news.example"
        settings.SITE_URL = "https://news.example"
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
        yield box


def test_the_doctor_needs_no_mail_server_if_nobody_wants_e_mail() -> None:
    assert (mail(), digests()) == ("", "")


def test_the_doctor_reports_e_mail_without_a_mail_server() -> None:
    make_channel(make_user(), "email", "reader@example.org")

    assert mail() == "1 reader expects e-mail, but EMAIL_URL is not set."


def test_the_doctor_connects_to_the_mail_server(mailbox: Mailbox, settings: LazySettings) -> None:
    assert mail() == ""

    settings.EMAIL_PORT = 9
    assert "cannot be reached" in mail()

    settings.EMAIL_PORT, settings.SITE_URL = mailbox.port, ""
    assert mail() == "E-mail isn't set up on this server. Set SITE_URL."


def test_the_doctor_reports_overdue_editions_and_deliveries() -> None:
    reader = make_user()
    make_channel(reader, "slack", "https://hooks.example/x")
    plan_deliveries(make_edition(reader))
    long_ago = timezone.now() - timedelta(hours=1)
    Delivery.objects.update(next_try_at=long_ago)
    assert digests() == "1 delivery is waiting for a worker of the slow queue."

    request_writing(reader, today_of(reader))
    Writing.objects.update(next_try_at=long_ago)
    assert digests() == "1 edition is waiting for a worker of the slow queue."

    Delivery.objects.all().delete()
    Writing.objects.update(next_try_at=timezone.now(), error="It failed.")
    assert digests() == "1 edition could not be written; see the worker's log."


def test_the_doctor_reports_a_lost_archive(settings: LazySettings, tmp_path: Path) -> None:
    settings.ARCHIVE_DIR = tmp_path
    for name in ("2025-01", "2025-02", "2025-03"):
        state = ArchivePart.State.RESTORED if name == "2025-03" else ArchivePart.State.ARCHIVED
        ArchivePart.objects.create(
            name=name, low=1, high=2, items=1, size=1, state=state, made_at=timezone.now()
        )

    assert archive() == (
        f"the archive 2025-01 and 1 more is not in {tmp_path}; copy the folder back from a backup."
    )

    for name in ("2025-01", "2025-02"):
        for suffix in (".json", ".jsonl.gz"):
            (tmp_path / f"{name}{suffix}").touch()
    assert archive() == ""
