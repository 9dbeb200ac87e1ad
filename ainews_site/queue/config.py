"""The settings of django-q2: the broker, the two queues, and their time-outs. Pure.

The fast queue has tasks that poll and group; the slow one has long tasks, so that a digest or a
repair never delays the news. A worker that is not started for one queue takes tasks from both.
"""

import math
from collections.abc import Mapping
from typing import Any

from ainews_site.config.queue_url import broker_settings

FAST, SLOW = "ainews", "slow"
"""Names of the two queues, which django-q2 calls clusters.

FAST is its default cluster, which also runs the scheduler. Its name salts the signatures of
messages, so it must be the same on every machine.
"""
KILL_BUFFER = 3
"""Seconds after its time-out that django-q2 kills a task."""
MAX_VISIBILITY_TIMEOUT = 12 * 60 * 60
"""Longest visibility time-out of a message that SQS allows, in seconds."""


def cluster_settings(queue_url: str, workers: int, cache: str) -> dict[str, Any]:
    """Return the setting Q_CLUSTER.

    `queue_url` is "" for a queue in the database, else sqs://region/name or
    amqp://user:password@host/vhost. `cache` is the alias of the cache that holds heartbeats. Raises
    ValueError with the problem of any other URL.
    """
    return {
        "name": FAST,
        "workers": workers,
        "bulk": 1,
        # No other machine can take the tasks that a cluster has prefetched.
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
    } | broker_settings(queue_url, FAST)


def clusters(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the effective settings of each cluster, by its name."""
    common = {key: value for key, value in settings.items() if key != "ALT_CLUSTERS"}
    others = settings.get("ALT_CLUSTERS", {})
    return {settings["name"]: common} | {name: common | own for name, own in others.items()}


def longest_hold(cluster: Mapping[str, Any]) -> int:
    """Return the longest time between taking a message and finishing its task, in seconds.

    In the worst case every prefetched task, plus the one held by the pusher, runs until its
    time-out.
    """
    before = math.ceil((cluster["queue_limit"] + 1) / cluster["workers"])
    return int((before + 1) * (cluster["timeout"] + KILL_BUFFER))
