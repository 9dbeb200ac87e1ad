"""The front page and the page of one story."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from accounts.costly import costly
from accounts.models import User
from accounts.types import ReaderRequest
from ainews_site.infra.db_router import try_to_write, write_unseen
from feeds.coordination.revisions import News
from feeds.core.topics import LABELS
from feeds.models import Item, Source, Story
from feeds.models.narrow import fetch
from feeds.reading.feedback import LEVELS
from feeds.reading.filters import Filters
from feeds.reading.front_page import Section, front_page_sections, impression_of
from feeds.reading.marks import set_state
from feeds.reading.ranked import MAX_STORIES, RankedStory, read_items
from feeds.reading.sources import Followed, followed_sources
from feeds.stories.story_page import Selection, StoryPage, both_ends, story_page
from feeds.web.page_cache import cached_page, page_state
from feeds.web.rail import river_unread
from feeds.web.rows import story_row
from feeds.web.views.common import (
    Link,
    not_found,
    query_of,
    read_filters,
    read_number,
    reported_of,
    undo_of,
)
from feeds.web.views.start import is_newcomer, show_packs

MAX_TOPICS = 7
"""Topics among the filters."""
MAX_CHIPS = 8
"""Filters on the page. The others are under "More"."""
MAX_FOLDERS = 3
"""Folders among them, if there are topics too."""
CHIPS_WIDTH = 64
"""Characters of the filters on a line, CHIP_SPACE for the space of each included."""
CHIP_SPACE = 4
MAX_LABEL = 24
"""Characters of the label of a filter. The rest is cut."""
TOPICS = 1
"""Topics in a row."""
PAGE = 30
"""Stories on a page. More are a click away."""
_FOLDER_NAME = "SELECT name FROM feeds_folder WHERE user_id = %s AND id = %s"
_TOP_FOLDERS = (
    "SELECT id, name FROM feeds_folder WHERE user_id = %s AND parent_id IS NULL ORDER BY name"
)
ROWS = 200
"""Articles on a page with all the coverage of a story."""


@login_required
@require_safe
@costly
def stories(request: ReaderRequest) -> HttpResponse:
    filters = read_filters(request)
    seq, news = page_state(request.user)
    context: dict[str, Any] = {
        "filters": filters,
        "seq": seq,
        "undo": undo_of(request),
        "heading": _heading(request.user, filters),
        "query": query_of(filters, unread=0),
        "unread_total": river_unread(request.user, news),
    }
    context["list"], context["list_note"] = cached_page(
        request.user,
        f"stories-{query_of(filters)}-{_first(request)}",
        context["seq"],
        lambda: _list(request, context, news),
        news,
    )
    if not context["list"]:
        empty = _why_empty(request)
        if not (empty["follows_any"] or request.GET) and is_newcomer(request):
            return show_packs(request)
        text, _ = _render_list(request, context | empty, [], {})
        context["list"] = mark_safe(text)  # noqa: S308 - rendered by a template
    if filters.topic:
        context |= {"level": request.user.interests.get(filters.topic, "normal"), "levels": LEVELS}
    return render(request, "feeds/stories.html", context)


def _heading(user: User, filters: Filters) -> str:
    """The folder and the topic that are selected."""
    folders = fetch(_FOLDER_NAME, [user.pk, filters.folder_id]) if filters.folder_id else []
    selected = [name for (name,) in folders]
    if filters.topic:
        selected.append(LABELS[filters.topic])
    return " · ".join(selected) or "Stories"


def _first(request: ReaderRequest) -> int:
    """The number of stories on the pages before this one."""
    return min(read_number(request.GET.get("from")) or 0, MAX_STORIES)


def _list(request: ReaderRequest, context: dict[str, Any], news: News) -> list[str]:
    """Render the filters and stories of the page and the note beside its heading, and record that
    they were shown.

    Without stories both are "": why there are none changes with each fetch.
    """
    filters = context["filters"]
    followed = followed_sources(request.user)
    sections = front_page_sections(
        request.user, topic=filters.topic, folder_id=filters.folder_id, followed=followed, news=news
    )
    if filters.unread:
        sections = _only(sections, lambda story: story.unread)
    if filters.saved:
        sections = _only(sections, lambda story: story.is_saved)
    if not sections:
        return ["", ""]
    if request.method == "GET" and not request.GET:
        now = timezone.now()
        impression = impression_of(request.user, sections, now)
        write_unseen(impression, key=("shown", request.user.pk, now))
    return _render_list(request, context, sections, followed)


def _render_list(
    request: ReaderRequest,
    context: dict[str, Any],
    sections: list[Section],
    followed: Mapping[int, Followed],
) -> list[str]:
    """Render the list, and the note beside the heading."""
    filters, first = context["filters"], _first(request)
    all_stories = [story for section in sections for story in section.stories]
    first = first if first < len(all_stories) else 0
    following = first + PAGE
    chips, more_chips = _on_a_line(_folder_chips(request, filters), _topic_chips(sections, filters))
    context = context | {
        "sections": _rows(request.user, _page_of(sections, first), followed, not first),
        "more_of": first,
        "more": f"{query_of(filters)}&from={following}" if len(all_stories) > following else "",
        "unread_left": sum(story.unread for story in all_stories),
        "chips": chips,
        "more_chips": more_chips,
        "max_label": MAX_LABEL,
        "state_chips": _state_chips(filters),
        "followed": 0 if query_of(filters, unread=0) != "?" else len(followed),
    }
    note = "" if filters.saved else render_to_string("feeds/stories_note.html", context)
    return [render_to_string("feeds/stories_list.html", context), note]


def _rows(
    user: User, sections: list[Section], followed: Mapping[int, Followed], is_first: bool
) -> list[dict[str, Any]]:
    """Render the rows of the sections of a page. The first row of the first page leads."""
    names = {pk: source.title for pk, source in followed.items()}
    discussions = {pk for pk, source in followed.items() if source.is_discussion}
    shown = read_items([story for section in sections for story in section.stories])
    lead = shown[0] if shown and is_first else None
    readable = {story.story.pk for story in shown}
    return [
        {
            "title": section.title,
            "rows": [
                story_row(
                    story, names, discussions, TOPICS, density=user.density, is_lead=story is lead
                )
                for story in section.stories
                if story.story.pk in readable
            ],
        }
        for section in sections
    ]


def _page_of(sections: list[Section], first: int) -> list[Section]:
    """The sections of one page, which begins at the story with the number `first`."""
    page, place = [], 0
    for section in sections:
        low, high = max(first - place, 0), max(first + PAGE - place, 0)
        if stories := section.stories[low:high]:
            page.append(Section(section.title, stories))
        place += len(section.stories)
    return page


def _only(sections: list[Section], is_wanted: Callable[[RankedStory], bool]) -> list[Section]:
    """The sections with the stories that are wanted."""
    wanted = [Section(s.title, list(filter(is_wanted, s.stories))) for s in sections]
    return [section for section in wanted if section.stories]


def _on_a_line(folders: list[Link], topics: list[Link]) -> tuple[list[Link], list[Link]]:
    """The filters on the page, the selected ones first, and the others."""
    few = MAX_FOLDERS if topics else MAX_CHIPS
    ordered = folders[:few] + topics + folders[few:]
    ordered.sort(key=lambda link: not link.is_on)
    left, shown = CHIPS_WIDTH, 0
    for link in ordered[:MAX_CHIPS]:
        left -= min(len(link.label), MAX_LABEL) + CHIP_SPACE
        if left < 0 and not link.is_on:
            break
        shown += 1
    return ordered[:shown], ordered[shown:]


def _state_chips(filters: Filters) -> list[Link]:
    return [
        Link("Unread", query_of(filters, unread=int(not filters.unread)), filters.unread),
        Link("Saved", query_of(filters, saved=int(not filters.saved)), filters.saved),
    ]


def _topic_chips(sections: list[Section], filters: Filters) -> list[Link]:
    """Filter links for the most frequent topics of the page, and for the selected topic."""
    counts = Counter(t for section in sections for s in section.stories for t in s.topics)
    topics = [topic for topic, _ in counts.most_common(MAX_TOPICS) if topic in LABELS]
    if filters.topic and filters.topic not in topics:
        topics.insert(0, filters.topic)
    return [
        Link(
            LABELS[topic],
            query_of(filters, topic="" if topic == filters.topic else topic),
            topic == filters.topic,
        )
        for topic in topics
    ]


def _folder_chips(request: ReaderRequest, filters: Filters) -> list[Link]:
    folders = fetch(_TOP_FOLDERS, [request.user.pk])
    return [
        Link(
            name,
            query_of(filters, folder=None if pk == filters.folder_id else pk),
            pk == filters.folder_id,
        )
        for pk, name in folders
    ]


def _why_empty(request: ReaderRequest) -> dict[str, Any]:
    followed = Source.objects.subscribed_by(request.user)
    active = followed.filter(status=Source.Status.ACTIVE)
    return {
        "follows_any": followed.exists(),
        "next_poll": active.order_by("next_poll_at").first(),
        "unfetched": active.filter(last_fetched_at=None).count(),
    }


@login_required
@require_safe
def story(request: ReaderRequest, pk: int) -> HttpResponse:
    """Show a story and mark it as read. It is shown even if the mark cannot be written.

    `?all=1` shows all its coverage, ROWS articles on a page from number `from` on.
    """
    is_all = request.GET.get("all") == "1"
    start = (read_number(request.GET.get("from")) or 0) if is_all else 0
    try:
        page = story_page(request.user, pk, _rows_from(start) if is_all else both_ends)
    except Story.DoesNotExist:
        return not_found(request, pk)
    if isinstance(page, int):
        return redirect("story", pk=page)  # temporary, because a split may undo the merge
    was_unread = page.unread
    if request.method == "GET" and (page.unread or not page.is_opened):
        is_marked = try_to_write(
            lambda: set_state(request.user, [page.lead.pk], read=True, opened=True),
            key=("opened", request.user.pk, page.lead.pk),
        )
        page.unread = page.unread and not is_marked
    rows = _coverage_rows(page)
    talk = [item for item in rows if item.source.is_discussion] if not is_all else []
    context = {
        "page": page,
        "rows": [item for item in rows if item not in talk],
        "talk": talk,
        "names": page.names,
        "reported": reported_of(request),
        "was_unread": was_unread,
        "is_all": is_all,
        "start": start,
        "earlier": max(start - ROWS, 0),
        "later": start + ROWS if is_all and start + ROWS < page.original_count else 0,
    }
    return render(request, "feeds/story.html", context)


def _rows_from(start: int) -> Selection:
    return lambda members: members[start : start + ROWS]


def _coverage_rows(page: StoryPage) -> list[Item]:
    """The coverage without what stands under "New since your last visit"."""
    fresh = {item.pk for item in page.fresh}
    return [item for item in page.coverage if item.pk not in fresh]
