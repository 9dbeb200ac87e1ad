"""Warns if two supervisors use the same DATA."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from ainews_site.infra.console import report
from ainews_site.infra.machine_lock import machine_lock


@contextmanager
def warned_of_another() -> Iterator[None]:
    """Print a warning if another `start` or `serve` uses DATA, and be the one that others find.

    Two of them do no harm: each schedule and each message is taken by one of the workers.
    """
    with machine_lock("supervisor") as is_only:
        if not is_only:
            report(
                f"Warning: AI News already runs with DATA={settings.DATA}. Two at once do no harm,"
                " but one is enough. Set DATA to another folder for a separate one."
            )
        yield
