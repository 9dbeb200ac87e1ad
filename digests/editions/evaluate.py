"""How well published editions hold up: each sentence against what it cites, and each model's."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import Sum

from ainews_site.infra import db_clock
from digests.models import Digest, StorySummary
from digests.text.check import Sentence, Source, complaint
from digests.text.hygiene import visible
from feeds.models import Item, ItemBody


@dataclass(slots=True)
class Evaluation:
    """`gone` are sentences of which an item is no longer there; they are in no share."""

    editions: int = 0
    sentences: int = 0
    held: int = 0
    gone: int = 0
    stories: Counter[str] = field(default_factory=Counter)
    """By who wrote them."""
    survived: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By model: sentences that the check let pass, of those that it wrote."""
    complaints: list[str] = field(default_factory=list)

    @property
    def cited_share(self) -> float:
        checked = self.sentences - self.gone
        return self.held / checked if checked else 1.0


def evaluate_digests(days: int) -> Evaluation:
    """The editions that were written in the last `days`, and what models wrote since then."""
    since = db_clock.now() - timedelta(days=days)
    found = Evaluation()
    for edition in Digest.objects.filter(created_at__gte=since).order_by("pk").iterator(50):
        found.editions += 1
        _look_at(edition.content, found)
    rows = StorySummary.objects.filter(created_at__gte=since).order_by().values("model")
    for row in rows.annotate(passed=Sum("held"), wrote=Sum("drafted")):
        found.survived[row["model"]] = row["passed"], row["wrote"]
    return found


def _look_at(content: dict[str, Any], found: Evaluation) -> None:
    cited = [one for story in content["stories"] for one in story["citations"]]
    sources = _sources(one["item_id"] for one in cited)
    for story in content["stories"]:
        found.stories[story.get("written_by", "extractive")] += 1
        by_number = {one["number"]: one["item_id"] for one in story["citations"]}
        for sentence in (*story["sentences"], story.get("why")):
            if sentence is not None:
                _judge(sentence, by_number, sources, found)


def _judge(
    sentence: dict[str, Any], items: dict[int, int], sources: dict[int, Source], found: Evaluation
) -> None:
    found.sentences += 1
    cited = [sources.get(items.get(number, 0)) for number in sentence["cites"]]
    there = [source for source in cited if source is not None]
    if len(there) < len(cited):
        found.gone += 1
        return
    said = complaint(Sentence(sentence["text"], tuple(range(1, len(there) + 1))), there)
    if said:
        found.complaints.append(f"{sentence['text']} ({said})")
    else:
        found.held += 1


def _sources(item_ids: Iterable[int]) -> dict[int, Source]:
    ids = set(item_ids)
    bodies = dict(ItemBody.objects.filter(pk__in=ids).values_list("pk", "text"))
    rows = Item.objects.filter(pk__in=ids).values_list("pk", "title", "summary")
    return {
        pk: Source(f"{title}\n{visible(bodies.get(pk) or summary)}") for pk, title, summary in rows
    }
