"""Pages that need a token instead of a session: Atom feeds, and the links in e-mails."""

from datetime import timedelta
from functools import partial
from hashlib import blake2b

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from ainews_site.infra import db_clock
from digests.channels.atom import KIND, MAX_ENTRIES, atom
from digests.channels.links import CONFIRM, FEED, UNSUBSCRIBE, absolute_for, channel_by_token
from digests.channels.outbox import disable
from digests.models import Channel, Digest

State = Channel.State
CONFIRMATION_AGE = timedelta(days=3)
"""How long the confirmation link is valid."""
UNSUBSCRIBED = "You unsubscribed through a link in an e-mail."


@require_safe
def feed(request: HttpRequest, token: str) -> HttpResponse:
    """Return the editions of a channel as an Atom feed. Its URL is secret."""
    channel = channel_by_token(token, FEED)
    if channel is None or channel.kind != KIND.name or channel.state != State.ACTIVE:
        raise Http404("This feed does not exist or its address was changed.")
    owner = None if channel.is_global else channel.user
    editions = Digest.objects.of(owner).select_related("user")
    versions = list(editions.values_list("pk", "created_at")[:MAX_ENTRIES])
    identity = repr((token, request.build_absolute_uri(), versions)).encode()
    tag = quote_etag(blake2b(identity, digest_size=12).hexdigest())
    response = get_conditional_response(request, etag=tag)
    if response is None:
        document = atom(list(editions[:MAX_ENTRIES]), channel, partial(absolute_for, request))
        response = HttpResponse(document, content_type="application/atom+xml; charset=utf-8")
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Disable an e-mail channel on POST, by one-click unsubscription (RFC 8058) or the button.

    A GET only asks, because mail scanners open links. The token authorises the request, so there
    is no CSRF check.
    """
    channel = channel_by_token(token, UNSUBSCRIBE)
    if channel is None:
        return _render_result(request, "unknown", status=404)
    if request.method == "POST":
        if channel.state != State.DISABLED:
            disable(channel, UNSUBSCRIBED)
        return _render_result(request, "unsubscribed", channel)
    return _render_result(request, "ask_unsubscribe", channel)


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Activate an unconfirmed e-mail channel on POST: the owner of the address agrees."""
    channel = channel_by_token(token, CONFIRM)
    if channel is None or channel.created_at < db_clock.now() - CONFIRMATION_AGE:
        return _render_result(request, "unknown", status=404)
    if request.method == "POST" and channel.state == State.UNCONFIRMED:
        own = Channel.objects.filter(pk=channel.pk, state=State.UNCONFIRMED)
        own.update(state=State.ACTIVE, reason="")
        channel.state = State.ACTIVE
    is_open = channel.state == State.UNCONFIRMED
    return _render_result(request, "ask_confirm" if is_open else "confirmed", channel)


def _render_result(
    request: HttpRequest, result: str, channel: Channel | None = None, status: int = 200
) -> HttpResponse:
    context = {"result": result, "channel": channel}
    response = render(request, "digests/email_link.html", context, status=status)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
