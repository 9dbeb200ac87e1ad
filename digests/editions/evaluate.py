"""Measure published editions: whether each sentence is supported by the items that it cites, and
how many sentences of each model passed the check."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import Sum

from ainews_site.infra import db_clock
from digests.models import Digest, StorySummary
from digests.text.check import Sentence, Source, validation_error
from digests.text.hygiene import visible
from feeds.models import Item, ItemBody


@dataclass(slots=True)
class Evaluation:
    """`held` counts the supported sentences; `gone` those that cite a deleted item, which are
    left out of the share."""

    editions: int = 0
    sentences: int = 0
    held: int = 0
    gone: int = 0
    stories: Counter[str] = field(default_factory=Counter)
    """Number of stories by writer: "extractive" or a model's name."""
    survived: dict[str, tuple[int, int]] = field(default_factory=dict)
    """{model: (sentences that passed the check, sentences written)}"""
    complaints: list[str] = field(default_factory=list)

    @property
    def cited_share(self) -> float:
        checked = self.sentences - self.gone
        return self.held / checked if checked else 1.0


def evaluate_digests(days: int) -> Evaluation:
    """Measure the editions and the summaries that were written in the last `days`."""
    since = db_clock.now() - timedelta(days=days)
    evaluation = Evaluation()
    for edition in Digest.objects.filter(created_at__gte=since).order_by("pk").iterator(50):
        evaluation.editions += 1
        _evaluate_edition(edition.content, evaluation)
    rows = StorySummary.objects.filter(created_at__gte=since).order_by().values("model")
    for row in rows.annotate(passed=Sum("held"), wrote=Sum("drafted")):
        evaluation.survived[row["model"]] = row["passed"], row["wrote"]
    return evaluation


def _evaluate_edition(content: dict[str, Any], evaluation: Evaluation) -> None:
    cited = [citation for story in content["stories"] for citation in story["citations"]]
    sources = _load_sources(citation["item_id"] for citation in cited)
    for story in content["stories"]:
        evaluation.stories[story.get("written_by", "extractive")] += 1
        by_number = {c["number"]: c["item_id"] for c in story["citations"]}
        for sentence in (*story["sentences"], story.get("why")):
            if sentence is not None:
                _evaluate_sentence(sentence, by_number, sources, evaluation)


def _evaluate_sentence(
    sentence: dict[str, Any],
    items: dict[int, int],
    sources: dict[int, Source],
    evaluation: Evaluation,
) -> None:
    evaluation.sentences += 1
    cited = [sources.get(items.get(number, 0)) for number in sentence["cites"]]
    available = [source for source in cited if source is not None]
    if len(available) < len(cited):
        evaluation.gone += 1
        return
    error = validation_error(
        Sentence(sentence["text"], tuple(range(1, len(available) + 1))), available
    )
    if error:
        evaluation.complaints.append(f"{sentence['text']} ({error})")
    else:
        evaluation.held += 1


def _load_sources(item_ids: Iterable[int]) -> dict[int, Source]:
    """Load the texts of the items that still exist, in two queries."""
    ids = set(item_ids)
    bodies = dict(ItemBody.objects.filter(pk__in=ids).values_list("pk", "text"))
    rows = Item.objects.filter(pk__in=ids).values_list("pk", "title", "summary")
    return {
        pk: Source(f"{title}\n{visible(bodies.get(pk) or summary)}") for pk, title, summary in rows
    }
