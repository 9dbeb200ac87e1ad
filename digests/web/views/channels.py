"""The page on which a reader says by which ways editions reach them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.types import ReaderRequest
from digests import channels as registry
from digests.channels import describe, kind_of
from digests.channels.allowance import spend
from digests.channels.confirmation import ask_owner
from digests.channels.errors import AllowanceError, DeliveryError
from digests.channels.kind import ChannelKind
from digests.channels.links import whole
from digests.channels.outbox import last_deliveries, stop
from digests.editions.read import todays_digest
from digests.models import Channel, Delivery, Digest, new_key
from digests.web.forms import ChannelForm

State = Channel.State
TOO_MANY_TESTS = "Too many tests. Try again in an hour."


@dataclass(frozen=True, slots=True)
class Row:
    """A channel as the page shows it."""

    channel: Channel
    kind: ChannelKind
    name: str
    target: str
    url: str
    secret: str
    last: Delivery | None


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
        "problems": _problems(request),
    }
    return render(request, "digests/channels.html", context, status=422 if form.errors else 200)


def _rows(request: ReaderRequest) -> list[Row]:
    own = list(request.user.channels.all())
    last = last_deliveries(own)
    return [_row(request, one, last.get(one.pk)) for one in own]


def _row(request: HttpRequest, channel: Channel, last: Delivery | None) -> Row:
    kind = kind_of(channel)
    path = kind.path(channel)
    return Row(
        channel=channel,
        kind=kind,
        name=describe(channel),
        target=kind.shown_target(channel),
        url=whole(request, path) if path else "",
        secret=kind.secret(channel),
        last=last,
    )


def _problems(request: ReaderRequest) -> list[str]:
    """Why kinds of channels cannot be used, each reason once."""
    found = (kind.problem(for_staff=request.user.is_staff) for kind in registry.KINDS)
    return list(dict.fromkeys(filter(None, found)))


@login_required
@require_POST
def channel(request: ReaderRequest, pk: int) -> HttpResponse:
    """One of ACTIONS on one of the reader's own."""
    own = get_object_or_404(Channel, pk=pk, user=request.user)
    action = request.POST.get("action", "")
    act = ACTIONS.get(action)
    if act is None or (action == "test" and not kind_of(own).can_test):
        raise Http404("Unknown action.")
    act(request, own)
    return redirect("digest_channels")


def _test(request: ReaderRequest, channel: Channel) -> None:
    if not spend(request.user, "test"):
        messages.error(request, TOO_MANY_TESTS)
        return
    try:
        kind_of(channel).prepare_test(channel, lambda: _newest(channel))()
    except DeliveryError as error:
        messages.error(request, f"The test failed. {error}")
    else:
        messages.success(request, "The test was sent. Check whether it arrived.")


def _newest(channel: Channel) -> Digest:
    return todays_digest(None if channel.is_global else channel.user)


def _ask(request: ReaderRequest, channel: Channel) -> None:
    name = kind_of(channel).confirmation
    try:
        if ask_owner(channel):
            messages.success(request, f"A {name} was sent to {channel.target}.")
    except AllowanceError as error:
        messages.error(request, str(error))
    except DeliveryError as error:
        messages.error(request, f"The {name} could not be sent. {error}")


def _stop(request: ReaderRequest, channel: Channel) -> None:
    stop(channel, "")


def _resume(request: ReaderRequest, channel: Channel) -> None:
    """The owner of the address may have stopped it, and is asked again."""
    if channel.state != State.STOPPED:
        return
    is_asked = kind_of(channel).confirmation
    channel.state = State.UNCONFIRMED if is_asked else State.ACTIVE
    Channel.objects.filter(pk=channel.pk).update(state=channel.state, reason="")
    _ask(request, channel)


def _renew(request: ReaderRequest, channel: Channel) -> None:
    """Revoke addresses and secrets that carry the old key. Links in e-mails stay valid: whoever
    receives them may unsubscribe, whatever the reader does who had them sent."""
    if kind_of(channel).renews:
        Channel.objects.filter(pk=channel.pk).update(key=new_key())


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
