"""Find the items of a reader that may answer a question."""

from dataclasses import dataclass

from accounts.models import User
from digests.ask.passages import READ, Text
from digests.ask.types import AnswerSource
from digests.text.hygiene import visible
from feeds.models import Item, ItemBody
from feeds.search.run import search_items

MOST_ITEMS = 12


@dataclass(frozen=True, slots=True)
class Found:
    """Items, the best first, with what a person would read of them."""

    items: tuple[Item, ...]
    texts: tuple[Text, ...]
    problems: tuple[str, ...]

    def source(self, index: int, number: int) -> AnswerSource:
        item = self.items[index]
        return AnswerSource(number, item.pk, item.title, str(item.source), item.url)


def find_texts(user: User, question: str) -> Found:
    """By the product's own search: what it finds, this reader may see."""
    results = search_items(user, question, MOST_ITEMS)
    rows = ItemBody.objects.filter(pk__in=[item.pk for item in results.items])
    bodies = dict(rows.values_list("pk", "text"))
    texts = tuple(
        Text(visible(item.title), visible(bodies.get(item.pk, item.summary)[:READ]))
        for item in results.items
    )
    return Found(tuple(results.items), texts, results.problems)
