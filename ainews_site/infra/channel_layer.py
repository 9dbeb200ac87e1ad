"""The channel layer in Redis, with a wait of its own length for each event."""

from typing import Any

from channels_redis.core import RedisChannelLayer

WAIT_SECONDS = 5


class PatientLayer(RedisChannelLayer):  # type: ignore[misc]
    """A layer that waits for `wait_seconds` before it asks Redis again.

    Each time costs three commands, which some services count.
    """

    def __init__(self, *arguments: Any, wait_seconds: int = WAIT_SECONDS, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.brpop_timeout = wait_seconds
