"""Template helpers of the digest."""

from typing import Any

from django import template
from django.utils import timezone

from digests.models import Digest
from digests.window import reader_today

register = template.Library()


@register.filter
def writer(written_by: str) -> str:
    """As in "by extraction from the sources", or by which model, or by both."""
    return f"by {written_by}".replace("extractive", "extraction from the sources")


@register.simple_tag(takes_context=True)
def todays_stories(context: dict[str, Any]) -> list[dict[str, Any]]:
    """The first five stories of today's edition, if it has been written: one query."""
    user = context["request"].user
    day = reader_today(user.time_zone, timezone.now())
    digest = Digest.objects.filter(user=user, date=day).first()
    return list(digest.content["stories"][:5]) if digest else []
