"""Alerts of bursts that are due for readers."""

from collections.abc import Collection
from datetime import datetime, timedelta

from feeds.models import TrendAlert

SHOWN_FOR = timedelta(days=7)
"""Alerts older than this are not shown any more, even if the reader has not seen them."""


def due_alerts(user_ids: Collection[int], now: datetime) -> dict[int, list[TrendAlert]]:
    """The unseen alerts of these readers that are due, oldest first, by one query."""
    alerts = TrendAlert.objects.filter(seen_at=None, due_at__lte=now, made_at__gt=now - SHOWN_FOR)
    by_reader: dict[int, list[TrendAlert]] = {}
    for alert in alerts.filter(user__in=user_ids).order_by("pk"):
        by_reader.setdefault(alert.user_id, []).append(alert)
    return by_reader


def latest_alert() -> int:
    """The id of the newest alert of all readers, 0 if there is none."""
    return TrendAlert.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def as_event(alert: TrendAlert) -> dict[str, object]:
    """The message that the websocket sends."""
    return {
        "kind": "trend",
        "id": f"{alert.term} {alert.began}",
        "term": alert.term,
        "label": alert.label,
        "explanation": alert.explanation,
    }
