"""Whether REDIS_URL can be an address of Redis. Pure."""

from urllib.parse import urlsplit

FORM = "redis://:password@host:6379/0"
DEFAULT_PORT = 6379


def address_problem(url: str) -> str:
    """What is wrong with it, after its name; "" for nothing. It is not shown, as it has a
    password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"has no port between 1 and 65535 in it: write it like {FORM}"
    if parts.scheme == "unix":
        return "" if parts.path else "has no path: write it like unix:///run/redis.sock?db=0"
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        return f"is no {FORM}"
    if port == 0:
        return f"has no port between 1 and 65535 in it: write it like {FORM}"
    number = parts.path.strip("/")
    return "" if not number or number.isdecimal() else f"ends in no number: write it like {FORM}"


def place(url: str) -> str:
    """Where it is, without the password."""
    parts = urlsplit(url)
    return (
        parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or DEFAULT_PORT}"
    )
