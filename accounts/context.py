"""A context processor that adds the reader's preferences, or the defaults, to every template."""

from typing import Any

from django.http import HttpRequest

from accounts.models import User


def preferences(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {
            "prefs": {"theme": "system", "density": "cosy", "text_size": "medium", "keys": False}
        }
    return {
        "prefs": {
            "theme": user.theme,
            "density": user.density,
            "text_size": user.text_size,
            "keys": user.keys_enabled,
        }
    }
