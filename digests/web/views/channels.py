"""The page on which readers manage their delivery channels."""

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
from digests.channels.confirmation import request_confirmation
from digests.channels.errors import AllowanceError, DeliveryError
from digests.channels.kind import ChannelKind
from digests.channels.links import absolute_for
from digests.channels.outbox import disable, last_deliveries
from digests.editions.read import todays_digest
from digests.models import Channel, Delivery, Digest, new_key
from digests.web.forms import ChannelForm

State = Channel.State
TOO_MANY_TESTS = "Too many tests. Try again in an hour."


@dataclass(frozen=True, slots=True)
class Row:
    """A channel as the page shows it. `url` and `secret` are "" if the kind has none."""

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
    """List the reader's channels. A POST adds a channel."""
    form = ChannelForm(request.user, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        channel = form.save()
        if channel.state == State.UNCONFIRMED:
            _request_confirmation(request, channel)
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
    return [_row(request, channel, last.get(channel.pk)) for channel in own]


def _row(request: HttpRequest, channel: Channel, last: Delivery | None) -> Row:
    kind = kind_of(channel)
    path = kind.path(channel)
    return Row(
        channel=channel,
        kind=kind,
        name=describe(channel),
        target=kind.shown_target(channel),
        url=absolute_for(request, path) if path else "",
        secret=kind.secret(channel),
        last=last,
    )


def _problems(request: ReaderRequest) -> list[str]:
    """Why kinds of channels cannot be used, without duplicates."""
    problems = (kind.problem(for_staff=request.user.is_staff) for kind in registry.KINDS)
    return list(dict.fromkeys(filter(None, problems)))


@login_required
@require_POST
def channel(request: ReaderRequest, pk: int) -> HttpResponse:
    """Run one of ACTIONS on a channel of the reader."""
    own = get_object_or_404(Channel, pk=pk, user=request.user)
    action = request.POST.get("action", "")
    run = ACTIONS.get(action)
    if run is None or (action == "test" and not kind_of(own).can_test):
        raise Http404("Unknown action.")
    run(request, own)
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


def _request_confirmation(request: ReaderRequest, channel: Channel) -> None:
    name = kind_of(channel).confirmation
    try:
        if request_confirmation(channel):
            messages.success(request, f"A {name} was sent to {channel.target}.")
    except AllowanceError as error:
        messages.error(request, str(error))
    except DeliveryError as error:
        messages.error(request, f"The {name} could not be sent. {error}")


def _disable(request: ReaderRequest, channel: Channel) -> None:
    disable(channel, "")


def _resume(request: ReaderRequest, channel: Channel) -> None:
    """Enable a disabled channel. The owner of its address may have disabled it, and must confirm
    again."""
    if channel.state != State.DISABLED:
        return
    needs_confirmation = kind_of(channel).confirmation
    channel.state = State.UNCONFIRMED if needs_confirmation else State.ACTIVE
    Channel.objects.filter(pk=channel.pk).update(state=channel.state, reason="")
    _request_confirmation(request, channel)


def _renew(request: ReaderRequest, channel: Channel) -> None:
    """Change the key of a channel, which revokes its feed address or secret.

    E-mail channels have no such action: their unsubscribe links must stay valid.
    """
    if kind_of(channel).renewal_label:
        Channel.objects.filter(pk=channel.pk).update(key=new_key())


def _remove(request: ReaderRequest, channel: Channel) -> None:
    channel.delete()


Action = Callable[[ReaderRequest, Channel], Any]
ACTIONS: dict[str, Action] = {
    "test": _test,
    "ask": _request_confirmation,
    "stop": _disable,
    "resume": _resume,
    "renew": _renew,
    "remove": _remove,
}
