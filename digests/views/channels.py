"""The page on which a reader says by which ways editions reach them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from accounts.types import ReaderRequest
from digests.allowance import spend
from digests.channels.mail import confirmation_letter, edition_letter, send_letter
from digests.channels.outbox import last_deliveries, stop
from digests.channels.posting import shown_secret
from digests.channels.send import mail_problem, prepare_test
from digests.errors import DeliveryError
from digests.forms import ChannelForm
from digests.links import FEED, token_for, whole
from digests.models import Channel, Delivery, new_key
from digests.read import todays_digest
from feeds import clock

State = Channel.State
TOO_MANY_LETTERS = "Too many e-mails today. Try again tomorrow."
TOO_MANY_TESTS = "Too many tests. Try again in an hour."


@dataclass(frozen=True, slots=True)
class Row:
    """A channel as the page shows it."""

    channel: Channel
    last: Delivery | None
    feed_url: str
    secret: str


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def channels(request: ReaderRequest) -> HttpResponse:
    """All of the reader's ways; a POST adds one."""
    form = ChannelForm(request.user, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        channel = form.save()
        if channel.state == State.UNCONFIRMED:
            _ask(request, channel)
        return redirect("digest_channels")
    context = {
        "form": form,
        "rows": _rows(request),
        "mail_problem": mail_problem(for_staff=request.user.is_staff),
    }
    return render(request, "digests/channels.html", context, status=422 if form.errors else 200)


def _rows(request: ReaderRequest) -> list[Row]:
    own = list(request.user.channels.all())
    last = last_deliveries(own)
    return [Row(one, last.get(one.pk), _feed_url(request, one), _secret(one)) for one in own]


def _feed_url(request: HttpRequest, channel: Channel) -> str:
    if channel.kind != Channel.Kind.FEED:
        return ""
    path = reverse("digest_feed", kwargs={"token": token_for(channel, FEED)})
    return whole(request, path)


def _secret(channel: Channel) -> str:
    return shown_secret(channel.key) if channel.kind == Channel.Kind.WEBHOOK else ""


@login_required
@require_POST
def channel(request: ReaderRequest, pk: int) -> HttpResponse:
    """One of ACTIONS on one of the reader's own."""
    own = get_object_or_404(Channel, pk=pk, user=request.user)
    act = ACTIONS.get(request.POST.get("action", ""))
    if act is None:
        raise Http404("Unknown action.")
    act(request, own)
    return redirect("digest_channels")


def _test(request: ReaderRequest, channel: Channel) -> None:
    if not spend(request.user, "test"):
        messages.error(request, TOO_MANY_TESTS)
        return
    try:
        _send_test(channel)
    except DeliveryError as error:
        messages.error(request, f"The test failed. {error}")
    else:
        messages.success(request, "The test was sent. Check whether it arrived.")


def _send_test(channel: Channel) -> None:
    if channel.kind != Channel.Kind.EMAIL:
        prepare_test(channel)()
        return
    if problem := mail_problem():
        raise DeliveryError(problem)
    if channel.state != State.ACTIVE:
        raise DeliveryError("This address has not been confirmed yet.")
    digest = todays_digest(None if channel.is_global else channel.user)
    send_letter(edition_letter(channel, digest, f"test-{channel.pk}-{clock.now().timestamp():.0f}"))


def _ask(request: ReaderRequest, channel: Channel) -> None:
    """Whether the address wants letters; the link in it holds for three days."""
    if channel.state != State.UNCONFIRMED:
        return
    if not spend(request.user, "confirm"):
        messages.error(request, TOO_MANY_LETTERS)
        return
    Channel.objects.filter(pk=channel.pk).update(created_at=clock.now())
    try:
        send_letter(confirmation_letter(channel))
    except DeliveryError as error:
        messages.error(request, f"The confirmation e-mail could not be sent. {error}")
    else:
        messages.success(request, f"A confirmation e-mail was sent to {channel.target}.")


def _stop(request: ReaderRequest, channel: Channel) -> None:
    stop(channel, "")


def _resume(request: ReaderRequest, channel: Channel) -> None:
    """Whose mailbox it is may have stopped it, and is asked again."""
    if channel.state != State.STOPPED:
        return
    is_mail = channel.kind == Channel.Kind.EMAIL
    channel.state = State.UNCONFIRMED if is_mail else State.ACTIVE
    Channel.objects.filter(pk=channel.pk).update(state=channel.state, reason="")
    _ask(request, channel)


def _renew(request: ReaderRequest, channel: Channel) -> None:
    """Addresses and secrets that carry the old key hold no longer. Those in letters do: whoever
    reads them may end them, whatever the reader does who had them sent."""
    Channel.objects.filter(pk=channel.pk).exclude(kind=Channel.Kind.EMAIL).update(key=new_key())


def _remove(request: ReaderRequest, channel: Channel) -> None:
    channel.delete()


Act = Callable[[ReaderRequest, Channel], Any]
ACTIONS: dict[str, Act] = {
    "test": _test,
    "ask": _ask,
    "stop": _stop,
    "resume": _resume,
    "renew": _renew,
    "remove": _remove,
}
