"""The live socket."""

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from accounts.models import User
from feeds.models import TrendAlert
from feeds.reading.marks import set_state
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
    new = await sync_to_async(make_item)(mine, "New")
    await sync_to_async(make_item)(other, "Not mine")
    socket = socket_of(user)

    await socket.connect()
    hello = await socket.receive_json_from()
    await socket.send_to(text_data="nonsense")
    await socket.send_json_to({"seq": first.seq})
    event = await socket.receive_json_from()
    await socket.disconnect()

    assert hello["kind"] == "hello" and hello["seq"] == new.seq
    assert event == {"kind": "new", "seq": new.seq, "items": 1, "stories": 1}


def make_alert(user: User, term: str, due: timedelta = timedelta(0)) -> TrendAlert:
    now = timezone.now()
    fields = {"began": now, "until": now, "made_at": now, "due_at": now + due}
    return TrendAlert.objects.create(
        user=user, term=term, label=term.title(), explanation="Many.", story_id=1, **fields
    )


def told(event: dict[str, object]) -> object:
    return event["term"] if event["kind"] == "trend" else event["kind"]


async def test_a_burst_of_a_followed_term_is_told_when_it_is_due() -> None:
    user = await sync_to_async(make_user)()
    socket = socket_of(user)
    await socket.connect()
    await socket.receive_json_from()
    await by_another_process(lambda: make_alert(user, "tonight", timedelta(hours=8)))
    alert = await by_another_process(lambda: make_alert(user, "velloria"))

    event = await socket.receive_json_from(timeout=10)
    is_quiet = await socket.receive_nothing(timeout=2.5)
    await socket.disconnect()

    assert event == {
        "kind": "trend",
        "id": f"velloria {alert.began:%Y-%m-%d}",
        "term": "velloria",
        "label": "Velloria",
        "explanation": "Many.",
    }
    assert is_quiet


async def test_an_alert_is_sent_once_however_often_the_socket_looks() -> None:
    user = await sync_to_async(make_user)()
    source = await sync_to_async(make_source)(reader=user)
    await sync_to_async(make_alert)(user, "before")
    socket = socket_of(user)
    await socket.connect()
    events = [await socket.receive_json_from()]

    await by_another_process(lambda: make_alert(user, "velloria"))
    events.append(await socket.receive_json_from(timeout=10))
    await by_another_process(lambda: make_item(source))
    events.append(await socket.receive_json_from(timeout=10))
    await by_another_process(lambda: make_alert(user, "gristmill"))
    while told(events[-1]) != "gristmill":
        events.append(await socket.receive_json_from(timeout=10))
    await socket.send_json_to({"seq": 0})
    events.append(await socket.receive_json_from(timeout=10))
    assert await socket.receive_nothing(timeout=1.5)
    await socket.disconnect()

    alerts = [told(event) for event in events if event["kind"] == "trend"]
    assert alerts == ["velloria", "gristmill"]


async def test_a_socket_that_opens_again_repeats_no_alert() -> None:
    user = await sync_to_async(make_user)()
    first, second = socket_of(user), socket_of(user)
    await first.connect()
    await first.receive_json_from()
    await by_another_process(lambda: make_alert(user, "velloria"))
    assert told(await first.receive_json_from(timeout=10)) == "velloria"
    await first.disconnect()

    await second.connect()
    await second.receive_json_from()
    await second.send_json_to({"seq": 0})

    assert await second.receive_nothing(timeout=2)
    await second.disconnect()


async def test_a_page_that_connects_again_misses_no_alert_and_no_count() -> None:
    user = await sync_to_async(make_user)()
    source = await sync_to_async(make_source)(reader=user)
    items = [await sync_to_async(make_item)(source) for _ in range(3)]
    first, second = socket_of(user), socket_of(user)
    await sync_to_async(make_alert)(user, "long ago", -timedelta(hours=1))
    await first.connect()
    hello = await first.receive_json_from(5)
    await first.disconnect()
    await by_another_process(lambda: make_alert(user, "velloria"))
    await by_another_process(lambda: set_state(user, [items[0].pk], read=True))
    await sync_to_async(user.refresh_from_db)()

    await second.connect()
    again = await second.receive_json_from(5)
    assert again["state"] != hello["state"]
    await second.send_json_to({"seq": hello["seq"], "since": hello["at"], "counts": True})
    events = [await second.receive_json_from(5) for _ in range(2)]

    assert {told(event) for event in events} == {"velloria", "counts"}
    (counts,) = (event for event in events if event["kind"] == "counts")
    assert (counts["unread"], counts["state"]) == (2, again["state"])
    assert await second.receive_nothing(timeout=1.5)
    await second.disconnect()
