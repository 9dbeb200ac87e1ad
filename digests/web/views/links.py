"""What opens without a session, by an address that carries a key: feeds, and answers to letters."""

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
from digests.channels.links import CONFIRM, FEED, UNSUBSCRIBE, channel_for, whole
from digests.channels.outbox import stop
from digests.models import Channel, Digest

State = Channel.State
CONFIRMABLE = timedelta(days=3)
UNSUBSCRIBED = "You unsubscribed through a link in an e-mail."


@require_safe
def feed(request: HttpRequest, token: str) -> HttpResponse:
    """The editions of a channel as Atom, under an address that nobody can guess."""
    channel = channel_for(token, FEED)
    if channel is None or channel.kind != KIND.name or channel.state != State.ACTIVE:
        raise Http404("This feed does not exist or its address was changed.")
    owner = None if channel.is_global else channel.user
    editions = Digest.objects.of(owner)
    known = list(editions.values_list("pk", "created_at")[:MAX_ENTRIES])
    what = repr((token, request.build_absolute_uri(), known)).encode()
    tag = quote_etag(blake2b(what, digest_size=12).hexdigest())
    answer = get_conditional_response(request, etag=tag)
    if answer is None:
        document = atom(list(editions[:MAX_ENTRIES]), channel, partial(whole, request))
        answer = HttpResponse(document, content_type="application/atom+xml; charset=utf-8")
    answer.headers["ETag"] = tag
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """A POST, by a mail program's one click (RFC 8058) or the button, ends the letters; a GET,
    which mail scanners make as well, only asks. The token is the right to do so."""
    channel = channel_for(token, UNSUBSCRIBE)
    if channel is None:
        return _answer(request, "unknown", status=404)
    if request.method == "POST":
        if channel.state != State.STOPPED:
            stop(channel, UNSUBSCRIBED)
        return _answer(request, "unsubscribed", channel)
    return _answer(request, "ask_unsubscribe", channel)


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Whoever reads the mail of an address says that they want letters there."""
    channel = channel_for(token, CONFIRM)
    if channel is None or channel.created_at < db_clock.now() - CONFIRMABLE:
        return _answer(request, "unknown", status=404)
    if request.method == "POST" and channel.state == State.UNCONFIRMED:
        own = Channel.objects.filter(pk=channel.pk, state=State.UNCONFIRMED)
        own.update(state=State.ACTIVE, reason="")
        channel.state = State.ACTIVE
    is_open = channel.state == State.UNCONFIRMED
    return _answer(request, "ask_confirm" if is_open else "confirmed", channel)


def _answer(
    request: HttpRequest, said: str, channel: Channel | None = None, status: int = 200
) -> HttpResponse:
    context = {"said": said, "channel": channel}
    answer = render(request, "digests/letter_answer.html", context, status=status)
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer
