"""Unfollowing a source, which the next page offers to undo."""

from datetime import datetime, timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.types import ReaderRequest
from feeds.core.errors import FeedError
from feeds.models import Source, Subscription
from feeds.sources.subscriptions import resubscribe, unsubscribe

FORMER = "former"
"""Key of the session, and field of the form, with the values of a subscription that has ended."""
SALT = "feeds.former"
MAX_AGE = timedelta(days=1)
FIELDS = ("user_id", "source_id", "folder_id", "title", "level", "read_up_to")


def unfollow(request: ReaderRequest, source: Source) -> HttpResponse:
    """Unsubscribe the reader, and show the list of sources, which offers to undo it."""
    subscription = unsubscribe(request.user, source)
    if subscription is not None:
        request.session[FORMER] = _signed(subscription)
    return redirect("sources")


def _signed(subscription: Subscription) -> str:
    """The values of a subscription for the form that restores it. They are signed, because only a
    reader who has followed a private source may follow it again."""
    values = {name: getattr(subscription, name) for name in FIELDS}
    values["created_at"] = subscription.created_at.isoformat()
    return signing.dumps(values, salt=SALT, compress=True)


def former_subscription(user: User, signed: str) -> Subscription | None:
    """The subscription that the reader has ended, unless they follow its source again."""
    try:
        values = signing.loads(signed, salt=SALT, max_age=MAX_AGE)
    except signing.BadSignature:
        return None
    if values["user_id"] != user.pk:
        return None
    source = Source.objects.filter(pk=values.pop("source_id")).first()
    if source is None or Subscription.objects.filter(user=user, source=source).exists():
        return None
    values["created_at"] = datetime.fromisoformat(values["created_at"])
    return Subscription(source=source, **values)


@login_required
@require_POST
def source_restore(request: ReaderRequest) -> HttpResponse:
    """Follow a source again, as it was before the reader unfollowed it."""
    former = former_subscription(request.user, request.POST.get(FORMER, ""))
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
