"""Checks of this machine, for `doctor` and for the start. Each returns a problem, or ""."""

import shutil
import time

from django.conf import settings

from ainews_site.infra import db_clock
from ainews_site.infra.certificate import certificate_problem
from feeds.models import Source

MIN_FREE_BYTES = 500 * 1024 * 1024
EARLIEST_TIME = 1_735_689_600
"""The beginning of 2025 as a Unix time. A clock that shows less was never set."""
SLOW = "The clock of this machine is slow. Set it: timedatectl set-ntp true."


def disk() -> str:
    free = shutil.disk_usage(settings.DATA).free
    return "" if free > MIN_FREE_BYTES else f"only {free // 2**20} MB free in {settings.DATA}."


def clock_is_right() -> str:
    """Compare the clock with that of the database, and with the time of the latest fetch."""
    if problem := db_clock.problem():
        return problem
    if time.time() < EARLIEST_TIME:
        return SLOW
    latest = Source.objects.order_by("-last_fetched_at").exclude(last_fetched_at=None)
    fetched_at = latest.values_list("last_fetched_at", flat=True).first()
    return SLOW if fetched_at and fetched_at > db_clock.now() else ""


def certificate() -> str:
    return certificate_problem(settings.TLS_CERTIFICATE)
