"""Alerts of bursts that are due for a reader."""

from datetime import datetime, timedelta

from feeds.models import TrendAlert

SHOWN_FOR = timedelta(days=7)
"""Alerts older than this are not shown any more, even if the reader has not seen them."""


def due_alerts(user_id: int, now: datetime) -> list[TrendAlert]:
    """The unseen alerts of a reader that are due, oldest first."""
    alerts = TrendAlert.objects.filter(user=user_id, seen_at=None, due_at__lte=now)
    return list(alerts.filter(made_at__gt=now - SHOWN_FOR).order_by("pk"))


def latest_alert() -> int:
    """The id of the newest alert of all readers, 0 if there is none."""
    return TrendAlert.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def as_event(alert: TrendAlert) -> dict[str, str]:
    """The message that the websocket sends."""
    return {
        "kind": "trend",
        "term": alert.term,
        "label": alert.label,
        "explanation": alert.explanation,
    }
