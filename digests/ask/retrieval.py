"""Retrieve the items that may answer a question, with the full-text search."""

from dataclasses import dataclass

from accounts.models import User
from digests.ask.passages import MAX_CHARACTERS, Text
from digests.ask.types import AnswerSource
from digests.text.hygiene import visible
from feeds.models import Item, ItemBody
from feeds.search.run import search_items

MAX_ITEMS = 12


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Items, best first. `texts` has the visible text of each item, in the same order, and
    `problems` has messages about the query."""

    items: tuple[Item, ...]
    texts: tuple[Text, ...]
    problems: tuple[str, ...]

    def source(self, index: int, number: int) -> AnswerSource:
        """Describe item `index` as source `number` of an answer."""
        item = self.items[index]
        return AnswerSource(number, item.pk, item.title, str(item.source), item.url)


def retrieve(user: User, question: str) -> Retrieved:
    """Search among the items that this reader can see."""
    results = search_items(user, question, MAX_ITEMS)
    rows = ItemBody.objects.filter(pk__in=[item.pk for item in results.items])
    bodies = dict(rows.values_list("pk", "text"))
    texts = tuple(
        Text(visible(item.title), visible(bodies.get(item.pk, item.summary)[:MAX_CHARACTERS]))
        for item in results.items
    )
    return Retrieved(tuple(results.items), texts, results.problems)
