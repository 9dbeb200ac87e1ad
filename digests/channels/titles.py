"""The title of an edition, and its message for a day without news."""

from digests.models import Digest


def title_of(digest: Digest) -> str:
    name = "Site digest" if digest.is_global else "Digest"
    return f"{name} for {digest.date:%A, %-d %B %Y}"


def quiet_day_message(digest: Digest) -> str:
    where = "in the public sources" if digest.is_global else "in your sources"
    return f"A quiet day: nothing new {where}."
