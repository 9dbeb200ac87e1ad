"""The live socket."""

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from accounts.models import User
from feeds.models import TrendAlert
from feeds.web.live.consumer import LiveConsumer
from tests.feeds.web.live.sockets import by_another_process
from tests.make import make_item, make_source, make_user

pytestmark = pytest.mark.django_db(transaction=True)


def socket_of(user: User | AnonymousUser) -> WebsocketCommunicator:
    socket = WebsocketCommunicator(LiveConsumer.as_asgi(), "/ws/")
    socket.scope["user"] = user
    return socket


async def test_nobody_listens_without_signing_in() -> None:
    connected, code = await socket_of(AnonymousUser()).connect()

    assert (connected, code) == (False, 4401)


async def test_a_reader_who_comes_again_is_caught_up_on_own_sources() -> None:
    user = await sync_to_async(make_user)()
    mine = await sync_to_async(make_source)("mine", reader=user)
    other = await sync_to_async(make_source)("other")
    first = await sync_to_async(make_item)(mine, "Seen")
    await sync_to_async(make_item)(mine, "New")
    foreign = await sync_to_async(make_item)(other, "Not mine")
    socket = socket_of(user)

    await socket.connect()
    hello = await socket.receive_json_from()
    await socket.send_to(text_data="nonsense")
    await socket.send_json_to({"seq": first.seq})
    event = await socket.receive_json_from()
    await socket.disconnect()

    assert hello == {"kind": "hello", "seq": foreign.seq}
    assert event == {"kind": "new", "seq": foreign.seq, "items": 1, "stories": 0}


async def test_a_burst_of_a_followed_term_is_told_once_and_when_it_is_due() -> None:
    user = await sync_to_async(make_user)()
    now = timezone.now()

    def alert(term: str, due: timedelta) -> TrendAlert:
        fields = {"began": now, "until": now, "made_at": now, "due_at": now + due}
        return TrendAlert.objects.create(
            user=user, term=term, label=term.title(), explanation="Many.", story_id=1, **fields
        )

    await sync_to_async(alert)("before", timedelta(0))
    socket = socket_of(user)
    await socket.connect()
    await socket.receive_json_from()
    await by_another_process(lambda: alert("tonight", timedelta(hours=8)))
    await by_another_process(lambda: alert("velloria", timedelta(0)))

    event = await socket.receive_json_from(timeout=10)
    is_quiet = await socket.receive_nothing(timeout=2.5)
    await socket.disconnect()

    assert event == {
        "kind": "trend",
        "term": "velloria",
        "label": "Velloria",
        "explanation": "Many.",
    }
    assert is_quiet
