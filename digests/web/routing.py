"""The websocket routes of digests."""

from typing import Any

from django.urls import path

from digests.web.live import WritingConsumer

websocket_urlpatterns: list[Any] = [
    path("ws/digest/", WritingConsumer.as_asgi()),
    path("ws/digest/global/", WritingConsumer.as_asgi(is_global=True)),
]
