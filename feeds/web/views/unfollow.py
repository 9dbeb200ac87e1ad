"""Unfollowing a source, which the list of sources then offers to undo for some minutes."""

import time
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.types import ReaderRequest
from feeds.core.errors import FeedError
from feeds.models import Source, Subscription
from feeds.sources.subscriptions import resubscribe, unsubscribe

FORMER = "former"
"""Key of the session with the values of the subscription that ended last. The page must not have
them: the ledger number tells of private items of other readers."""
MAX_AGE = 600
"""Seconds for which it is offered to undo."""
FIELDS = ("source_id", "folder_id", "title", "level", "read_up_to")


def unfollow(request: ReaderRequest, source: Source) -> HttpResponse:
    """Unsubscribe the reader, and show the list of sources, which offers to undo it."""
    subscription = unsubscribe(request.user, source)
    if subscription is not None:
        values = {name: getattr(subscription, name) for name in FIELDS}
        values["created_at"] = subscription.created_at.isoformat()
        request.session[FORMER] = [time.time(), values]
    return redirect("sources")


def former_subscription(request: ReaderRequest) -> Subscription | None:
    """The subscription that the reader has just ended, unless they follow its source again."""
    ended_at, values = request.session.get(FORMER, (0, {}))
    if time.time() - ended_at > MAX_AGE:
        return None
    source = Source.objects.filter(pk=values["source_id"]).first()
    if source is None or Subscription.objects.filter(user=request.user, source=source).exists():
        return None
    created_at = datetime.fromisoformat(values["created_at"])
    return Subscription(user=request.user, **values | {"created_at": created_at})


@login_required
@require_POST
def source_restore(request: ReaderRequest) -> HttpResponse:
    """Follow a source again, as it was before the reader unfollowed it."""
    former = former_subscription(request)
    request.session.pop(FORMER, None)
    if former is None:
        messages.error(request, "This can't be undone any more. Add the source again.")
        return redirect("sources")
    try:
        resubscribe(request.user, former)
    except FeedError as error:
        messages.error(request, str(error))
        return redirect("sources")
    messages.success(request, f"You're following {former} again.")
    return redirect("source", pk=former.source_id)
