"""The websocket route of live updates."""

from typing import Any

from django.urls import path

from feeds.web.live.consumer import LiveConsumer

websocket_urlpatterns: list[Any] = [path("ws/", LiveConsumer.as_asgi())]
