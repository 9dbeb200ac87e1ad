"""Measures how long new items take until open pages are informed."""

from django.utils import timezone

from ainews_site.infra.metrics import EVENT_SECONDS
from feeds.models import Item


class EventDelay:
    """The delay of the newest item, once for each. The first one that a process sees is older than
    the process, so it does not count."""

    def __init__(self) -> None:
        self._seq: int | None = None

    def observe(self) -> None:
        newest = Item.objects.order_by("-seq").values_list("seq", "fetched_at").first()
        if newest is None:
            return
        before, self._seq = self._seq, newest[0]
        if before is not None and newest[0] > before:
            EVENT_SECONDS.observe(max((timezone.now() - newest[1]).total_seconds(), 0.0))
