"""The address that Prometheus reads: /metrics."""

import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound
from django.views.decorators.http import require_safe

from ainews_site.health import current_status
from ainews_site.metrics.guard import may_read
from ainews_site.proxies import BY_TRUSTED_PROXY

FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")
"""Headers that a proxy adds."""
LOCK_WAIT = 0.05
"""Seconds for which a scrape waits for SQLite's write lock, to see whether it is free."""

logger = logging.getLogger(__name__)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the metrics. Those who may not read them get 404, as if there were none."""
    if not settings.METRICS or not is_allowed(request):
        return HttpResponseNotFound("Not found.\n", content_type="text/plain")
    # A web server that nobody scrapes does not need these modules.
    from ainews_site.metrics.exposition import DEGRADED, exposition
    from ainews_site.metrics.history import sample_if_due

    try:
        sample_if_due()
        is_degraded = current_status(LOCK_WAIT)["status"] != "ok"
        extra = [(DEGRADED.name, (), float(is_degraded))]
        body, content_type = exposition(request.headers.get("Accept", ""), extra=extra)
    except Exception:
        logger.exception("metrics_failed")
        return HttpResponse("The metrics could not be read; the log says why.\n", status=503)
    return HttpResponse(body, content_type=content_type, headers={"Cache-Control": "no-store"})


def is_allowed(request: HttpRequest) -> bool:
    meta = request.META
    is_forwarded = any(name in meta for name in FORWARDED) and not meta.get(BY_TRUSTED_PROXY)
    return may_read(
        meta.get("HTTP_AUTHORIZATION", ""), meta.get("REMOTE_ADDR", ""), is_forwarded=is_forwarded
    )
