"""Alerts of bursts that a reader may be told of now."""

from datetime import datetime, timedelta

from feeds.models import TrendAlert

SHOWN = timedelta(days=7)
"""An alert that nobody looked at for so long tells of nothing new."""


def due_alerts(user_id: int, now: datetime) -> list[TrendAlert]:
    """Those that may be told now, the oldest first: what the socket and a digest tell."""
    alerts = TrendAlert.objects.filter(user=user_id, seen_at=None, due_at__lte=now)
    return list(alerts.filter(made_at__gt=now - SHOWN).order_by("pk"))


def latest_alert() -> int:
    """The newest alert's id, 0 when there is none."""
    return TrendAlert.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def as_event(alert: TrendAlert) -> dict[str, str]:
    return {
        "kind": "trend",
        "term": alert.term,
        "label": alert.label,
        "explanation": alert.explanation,
    }
