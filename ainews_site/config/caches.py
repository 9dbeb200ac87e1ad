"""The Django settings of the caches and of the channel layer. Pure."""

from pathlib import Path
from typing import Any

TIMEOUTS = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}
"""Seconds. Redis is near. If it takes longer than this, working without a cache is faster."""


def caches(redis_url: str, data: Path) -> dict[str, dict[str, Any]]:
    """Return CACHES."""
    return {
        "default": _redis(redis_url) if redis_url else _memory(),
        # The heartbeats of the workers, for the supervisor on the same machine. Processes do not
        # share a cache in memory, rows would keep the disk busy, and Redis may be down.
        "queue": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": str(data / "queue"),
        },
    }


def channel_layers(redis_url: str, wait_seconds: int) -> dict[str, dict[str, Any]]:
    """Return CHANNEL_LAYERS."""
    if not redis_url:
        return {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
    hosts = [{"address": redis_url, **TIMEOUTS, "socket_timeout": wait_seconds + 1.0}]
    return {
        "default": {
            "BACKEND": "ainews_site.infra.channel_layer.PatientLayer",
            "CONFIG": {"hosts": hosts, "prefix": "ainews-live", "wait_seconds": wait_seconds},
        }
    }


def _memory() -> dict[str, Any]:
    return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


def _redis(url: str) -> dict[str, Any]:
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": url,
        "KEY_PREFIX": "ainews",
        "OPTIONS": {"CONNECTION_POOL_KWARGS": TIMEOUTS},
    }
