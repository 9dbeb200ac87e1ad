"""Counts polls, with a series of its own for the sources that matter most."""

import time
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import Error
from django.db.models import F

from ainews_site.infra.metrics import (
    FETCH_ERRORS,
    FETCH_SECONDS,
    ITEMS_NEW,
    ITEMS_UPDATED,
    OTHER,
)
from ainews_site.infra.process_state import resets_process_state
from feeds.models import Source

if TYPE_CHECKING:
    from feeds.ingest.outcome import Outcome

FRESH = 600.0
"""Seconds for which a process uses the same selection of sources."""

_selected: frozenset[int] = frozenset()
_selected_until = 0.0


def count_outcome(outcome: "Outcome") -> None:
    """Count the poll of a source."""
    if not settings.METRICS:
        return
    label = source_label(outcome.source.pk)
    FETCH_SECONDS.observe(outcome.milliseconds / 1000, label)
    if outcome.error:
        FETCH_ERRORS.add(1, label)
    ITEMS_NEW.add(len(outcome.stored.new_ids))
    ITEMS_UPDATED.add(len(outcome.stored.updated_ids))


def source_label(pk: int | None) -> str:
    """Return the id of the source if it has a series of its own, else "other"."""
    global _selected, _selected_until
    if time.monotonic() > _selected_until:
        try:
            _selected = selected_sources()
        except Error:  # the poll itself reports what is wrong with the database
            _selected = frozenset()
        _selected_until = time.monotonic() + FRESH
    return str(pk) if pk in _selected else OTHER


def selected_sources() -> frozenset[int]:
    """Return the METRICS_SOURCES sources with a series of their own.

    Those that fail come first, and then those that are polled most often. A value is counted under
    the label that its source has at that time, so no series ever decreases.
    """
    active = Source.objects.filter(status=Source.Status.ACTIVE)
    ordered = active.order_by(F("failures").desc(), "interval", "pk")
    return frozenset(ordered.values_list("pk", flat=True)[: settings.METRICS_SOURCES])


@resets_process_state
def forget_selection() -> None:
    global _selected_until
    _selected_until = 0.0
