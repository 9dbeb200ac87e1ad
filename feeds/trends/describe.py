"""Turn the terms that rose into trends: names as they are written, leading stories, stages."""

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
from feeds.trends.tallies import Seen
from feeds.trends.terms import TOPIC, surfaces
from feeds.trends.types import COOLING, DISPLAYED, SPARKLINE, Trend, stage_of

MOST = 30
MAX_ALIASES = 3
MAX_STORIES = 60
"""Stories of a trend, those of the most sources, whose titles are read to name it."""


class _Title(NamedTuple):
    id: int
    story: int
    title: str
    is_copy: bool


def describe(seen: Seen, rises: Iterable[Rise]) -> list[Trend]:
    """The trends, best first."""
    clusters = collapse(rises)
    clusters = sorted(clusters, key=lambda one: -_score(seen, one))[:MOST]
    titles = _titles(seen, {story for one in clusters for story in _leading(seen, one)})
    trends = [_describe(seen, cluster, titles) for cluster in clusters]
    return [trend for trend in trends if trend]


def _score(seen: Seen, cluster: Cluster) -> float:
    """Standard deviations above what was expected of the week, times the logarithm of sources;
    half of it where it is past its height."""
    lead = cluster.lead
    excess = (len(lead.stories) - lead.expected.mean) / math.sqrt(lead.expected.mean + 0.5)
    score = max(excess, 0.1) * math.log(1 + len(_sources(seen, lead)))
    return score / 2 if _stage(seen, cluster.named) == COOLING else score


def _stage(seen: Seen, rise: Rise) -> str:
    place = seen.tallies.place(rise.key)
    days = tuple(int(number) for number in seen.counts[place, -8:])
    return stage_of(days, sum(seen.past[place, : WEEK[0]]) / WEEK[0])


def _sources(seen: Seen, rise: Rise) -> set[int]:
    told = seen.stories(seen.tallies.place(rise.key), WEEK[0])
    return set().union(*told.values())


def _leading(seen: Seen, cluster: Cluster) -> list[int]:
    told = seen.stories(seen.tallies.place(cluster.named.key), WEEK[0])
    return sorted(told, key=lambda story: (-len(told[story]), -story))[:MAX_STORIES]


def _titles(seen: Seen, stories: Collection[int]) -> dict[int, list[_Title]]:
    """{story: titles of the items of the week that can be seen}, the oldest first."""
    week = datetime.combine(seen.tallies.today - timedelta(days=DISPLAYED - 1), time(), UTC)
    visible = {
        source
        for source, is_seen in zip(seen.tallies.sources, seen.visible, strict=True)
        if is_seen
    }
    items = Item.objects.filter(story__in=list(stories), pk__gte=lowest_id(week)).order_by("pk")
    found: defaultdict[int, list[_Title]] = defaultdict(list)
    for pk, story, title, copy_of, source in items.values_list(
        "pk", "story_id", "title", "copy_of", "source_id"
    ):
        if source in visible:
            found[story].append(_Title(pk, story, title, copy_of is not None))
    return dict(found)


def _describe(seen: Seen, cluster: Cluster, titles: Mapping[int, list[_Title]]) -> Trend | None:
    named = cluster.named
    place = seen.tallies.place(named.key)
    told = seen.stories(place, WEEK[0])
    stories = [story for story in told if titles.get(story)]
    if not stories:
        return None  # they were deleted, or grouped anew, while this was counted
    written = [one.title for story in stories for one in titles[story]]
    days = [int(number) for number in seen.counts[place]]
    lead = max(stories, key=lambda story: (len(told[story]), titles[story][-1].id))
    return Trend(
        key=named.key,
        label=label_of(named.key, written),
        aliases=_aliases(cluster, written, named.key),
        stories=len(told),
        before=sum(days[WEEK[0] - DISPLAYED : WEEK[0]]),
        sources=len(set().union(*told.values())),
        stage=_stage(seen, cluster.named),
        sparkline=tuple(days[-SPARKLINE:]),
        story_id=lead,
        story_title=next((one for one in titles[lead] if not one.is_copy), titles[lead][0]).title,
        score=round(_score(seen, cluster), 3),
        expected=round(named.expected.mean, 2),
        is_burst=cluster.is_burst,
        began=id_time(min(titles[story][0].id for story in stories)).date(),
    )


def _aliases(cluster: Cluster, titles: list[str], name: str) -> tuple[str, ...]:
    names = [label_of(key, titles) for key in cluster.aliases if key != name]
    return tuple(dict.fromkeys(names))[:MAX_ALIASES]


def label_of(key: str, titles: Iterable[str]) -> str:
    """The term as most of these titles write it; of two, the one with more capitals."""
    if key.startswith(TOPIC):
        slug = key.removeprefix(TOPIC)
        return LABELS.get(slug, slug)
    written = Counter(shown for title in titles for found, shown in surfaces(title) if found == key)
    best = max(written, key=lambda one: (written[one], sum(map(str.isupper, one)), one), default="")
    return best or key
