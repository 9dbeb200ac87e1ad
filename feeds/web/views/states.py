"""The present states of rows, for a page that a browser shows again."""

from collections import Counter
from collections.abc import Mapping

from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.costly import costly
from accounts.models import User
from accounts.types import ReaderRequest
from feeds.reading.front_page import front_page_sections
from feeds.reading.sources import followed_sources
from feeds.reading.states import State, item_states, story_states
from feeds.reading.unread import unread_counts
from feeds.web.views.common import read_filters, read_number

MOST = 200
"""Rows of a request. An address must be shorter than 4 kB."""
LETTERS = "rshf"
"""What the letters of an answer mean, in the order of `State`."""


@login_required
@never_cache
@require_safe
@costly
def states(request: ReaderRequest) -> JsonResponse:
    """Answer `?rows=i1,s2` with the states of item 1 and story 2, as letters: read, saved, hidden,
    followed. With `&counts=1`, the unread items of sources and folders too; with `&stories=1`, the
    unread stories that the filters of the address select."""
    names = request.GET.get("rows", "").split(",")[:MOST]
    rows = {
        **_rows("item", item_states(request.user, _ids(names, "i"))),
        **_rows("story", story_states(request.user, _ids(names, "s"))),
    }
    counts = _counts(request.user) if request.GET.get("counts") == "1" else {}
    if request.GET.get("stories") == "1":
        counts["stories"] = _unread_stories(request)
    return JsonResponse({"rows": rows, "counts": counts})


def _ids(names: list[str], kind: str) -> list[int]:
    numbers = [read_number(name[1:]) for name in names if name.startswith(kind)]
    return [number for number in numbers if number is not None]


def _rows(kind: str, states: Mapping[int, State]) -> dict[str, str]:
    return {
        f"{kind}-{pk}": "".join(
            letter for letter, is_on in zip(LETTERS, state, strict=True) if is_on
        )
        for pk, state in states.items()
    }


def _unread_stories(request: ReaderRequest) -> int:
    filters = read_filters(request)
    sections = front_page_sections(request.user, topic=filters.topic, folder_id=filters.folder_id)
    return sum(
        story.unread and (story.is_saved or not filters.saved)
        for section in sections
        for story in section.stories
    )


def _counts(user: User) -> dict[str, int]:
    """The counts of the sidebar of River by the names that it gives them."""
    unread = unread_counts(user)
    counts: Counter[str] = Counter()
    for pk, source in followed_sources(user).items():
        counts["all"] += unread.get(pk, 0)
        counts[str(pk)] += unread.get(pk, 0)
        counts[f"folder-{source.folder_id}"] += unread.get(pk, 0)
    return {name: count for name, count in counts.items() if count}
