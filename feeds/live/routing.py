"""Addresses of the live socket."""

from typing import Any

websocket_urlpatterns: list[Any] = []
