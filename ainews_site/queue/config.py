"""How the queue is set up: its broker, its two kinds of work, and their times. Pure.

The fast queue polls and groups; the slow one has what takes long, so that a digest or a
repair never delays the news. A worker without a queue's name takes both.
"""

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

FAST, SLOW = "ainews", "slow"
"""Names of django-q2's clusters. The first is its default one, whose scheduler works off the
schedules; it also salts the signatures of messages, so it is the same on every machine."""
KILL_BUFFER = 3
"""Seconds that django-q2 adds to a time-out before it kills."""
LONGEST_HIDDEN = 12 * 60 * 60
"""Seconds that SQS hides a message from other workers at most."""


def cluster_settings(queue_url: str, workers: int, cache: str) -> dict[str, Any]:
    """Q_CLUSTER. `queue_url` is empty for the database, else sqs://region/name."""
    return {
        "name": FAST,
        "workers": workers,
        "bulk": 1,
        # What a cluster holds back for itself no other machine can take.
        "queue_limit": 1,
        "timeout": 600,
        "retry": 3600,
        "max_attempts": 3,
        "save_limit": -1,
        "poll": 1,
        "catch_up": False,
        "cache": cache,
        "guard_cycle": 2,
        "recycle": 10_000,
        "label": "Queue",
        "ALT_CLUSTERS": {SLOW: {"timeout": 1800, "retry": 2 * 3600}},
    } | _broker(queue_url)


def _broker(queue_url: str) -> dict[str, Any]:
    if not queue_url:
        return {"broker_class": "ainews_site.queue.orm_broker.Database", "orm": "default"}
    url = urlsplit(queue_url)
    if url.scheme != "sqs" or not url.netloc:
        raise ValueError(queue_url)
    return {
        "broker_class": "ainews_site.queue.sqs_broker.Sqs",
        "sqs": {"aws_region": url.netloc},
        "queue_name": url.path.strip("/") or FAST,
    }


def clusters(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What each cluster goes by: {name: settings}."""
    common = {key: value for key, value in settings.items() if key != "ALT_CLUSTERS"}
    others = settings.get("ALT_CLUSTERS", {})
    return {settings["name"]: common} | {name: common | own for name, own in others.items()}


def longest_hold(cluster: Mapping[str, Any]) -> int:
    """Seconds from the taking of a message to its end at worst: tasks before it in the local
    queue, and one in the hand of who fills it, all run into their time-out."""
    before = math.ceil((cluster["queue_limit"] + 1) / cluster["workers"])
    return int((before + 1) * (cluster["timeout"] + KILL_BUFFER))
