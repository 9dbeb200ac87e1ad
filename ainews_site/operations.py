"""The page at /ops/: how this machine is doing, for operators without Grafana."""

import time
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

SHORTEST = 60.0
"""Seconds since the last sample below which no rate is computed."""


@require_safe
@login_required
def operations(request: HttpRequest) -> HttpResponse:
    """Show the key figures of the past day. Only staff may see them."""
    if not request.user.is_staff:
        raise PermissionDenied("Only staff can open this page.")
    return render(request, "operations.html", context(request))


def context(request: HttpRequest) -> dict[str, Any]:
    # Only this page needs these modules.
    from ainews_site.infra import metric_files as files
    from ainews_site.metrics.exposition import processes_by_role
    from ainews_site.metrics.history import sample_if_due, samples_of_day, take_sample
    from ainews_site.ops_charts import cards_of
    from ainews_site.overview import parts_for

    sample_if_due()
    samples = samples_of_day()
    newest = [] if samples and time.time() - samples[-1].at < SHORTEST else [take_sample()]
    return {
        "cards": cards_of([*samples, *newest]),
        "since": samples[0].at if samples else None,
        "processes": processes_by_role(files.read_all().processes),
        "problems": [part for part in parts_for(request) if part.is_bad],
    }
