"""Describe the terms that rose as trends: their names, leading stories and stages."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple

from feeds.core.ids import id_time, lowest_id
from feeds.core.topics import LABELS
from feeds.models import Item
from feeds.trends.collapse import Cluster, Rise, collapse
from feeds.trends.find import WEEK
from feeds.trends.tallies import Visible
from feeds.trends.terms import TOPIC, spellings
from feeds.trends.types import COOLING, DISPLAYED, SPARKLINE, Trend, stage_of

MAX_TRENDS = 30
MAX_ALIASES = 3
MAX_STORIES = 60
"""Stories of a trend whose titles are read to name it: those of the most sources."""


class _Title(NamedTuple):
    id: int
    story: int
    title: str
    is_copy: bool


def describe(visible: Visible, rises: Iterable[Rise]) -> list[Trend]:
    """Return the trends of an audience, best first."""
    clusters = collapse(rises)
    clusters = sorted(clusters, key=lambda cluster: -_score(visible, cluster))[:MAX_TRENDS]
    titles = _titles(visible, {story for c in clusters for story in _leading(visible, c)})
    trends = [_describe(visible, cluster, titles) for cluster in clusters]
    return [trend for trend in trends if trend]


def _score(visible: Visible, cluster: Cluster) -> float:
    """The excess of the week in standard deviations, times the logarithm of the number of
    sources. Halved for trends that are cooling."""
    lead = cluster.lead
    excess = (len(lead.stories) - lead.expected.mean) / math.sqrt(lead.expected.mean + 0.5)
    score = max(excess, 0.1) * math.log(1 + len(_sources(visible, lead)))
    return score / 2 if _stage(visible, cluster.named) == COOLING else score


def _stage(visible: Visible, rise: Rise) -> str:
    place = visible.tallies.place(rise.key)
    days = tuple(int(number) for number in visible.counts[place, -8:])
    return stage_of(days, sum(visible.past[place, : WEEK[0]]) / WEEK[0])


def _sources(visible: Visible, rise: Rise) -> set[int]:
    stories = visible.stories(visible.tallies.place(rise.key), WEEK[0])
    return set().union(*stories.values())


def _leading(visible: Visible, cluster: Cluster) -> list[int]:
    """The stories of a trend with the most sources."""
    stories = visible.stories(visible.tallies.place(cluster.named.key), WEEK[0])
    return sorted(stories, key=lambda story: (-len(stories[story]), -story))[:MAX_STORIES]


def _titles(visible: Visible, stories: Collection[int]) -> dict[int, list[_Title]]:
    """{story id: titles of its visible items of the week}, oldest first."""
    week = datetime.combine(visible.tallies.today - timedelta(days=DISPLAYED - 1), time(), UTC)
    visible_sources = {
        source
        for source, is_seen in zip(visible.tallies.sources, visible.visible, strict=True)
        if is_seen
    }
    items = Item.objects.filter(story__in=list(stories), pk__gte=lowest_id(week)).order_by("pk")
    titles: defaultdict[int, list[_Title]] = defaultdict(list)
    for pk, story, title, copy_of, source in items.values_list(
        "pk", "story_id", "title", "copy_of", "source_id"
    ):
        if source in visible_sources:
            titles[story].append(_Title(pk, story, title, copy_of is not None))
    return dict(titles)


def _describe(
    visible: Visible, cluster: Cluster, titles: Mapping[int, list[_Title]]
) -> Trend | None:
    named = cluster.named
    place = visible.tallies.place(named.key)
    sources_of = visible.stories(place, WEEK[0])
    stories = [story for story in sources_of if titles.get(story)]
    if not stories:
        return None  # the stories were deleted or regrouped meanwhile
    all_titles = [title.title for story in stories for title in titles[story]]
    days = [int(number) for number in visible.counts[place]]
    lead = max(stories, key=lambda story: (len(sources_of[story]), titles[story][-1].id))
    return Trend(
        key=named.key,
        label=label_of(named.key, all_titles),
        aliases=_aliases(cluster, all_titles, named.key),
        stories=len(sources_of),
        before=sum(days[WEEK[0] - DISPLAYED : WEEK[0]]),
        sources=len(set().union(*sources_of.values())),
        stage=_stage(visible, cluster.named),
        sparkline=tuple(days[-SPARKLINE:]),
        story_id=lead,
        story_title=next((t for t in titles[lead] if not t.is_copy), titles[lead][0]).title,
        score=round(_score(visible, cluster), 3),
        expected=round(named.expected.mean, 2),
        is_burst=cluster.is_burst,
        began=id_time(min(titles[story][0].id for story in stories)).date(),
    )


def _aliases(cluster: Cluster, titles: list[str], name: str) -> tuple[str, ...]:
    names = [label_of(key, titles) for key in cluster.aliases if key != name]
    return tuple(dict.fromkeys(names))[:MAX_ALIASES]


def label_of(key: str, titles: Iterable[str]) -> str:
    """The term as most of these titles write it. Of two frequent forms, the one with more
    capitals."""
    if key.startswith(TOPIC):
        slug = key.removeprefix(TOPIC)
        return LABELS.get(slug, slug)
    forms = Counter(
        form for title in titles for form_key, form in spellings(title) if form_key == key
    )
    best = max(forms, key=lambda f: (forms[f], sum(map(str.isupper, f)), f), default="")
    return best or key
