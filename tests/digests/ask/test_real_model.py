"""Asking with a real model: it invents, and nothing of that is shown."""

from typing import Any

import pytest

from digests.ask.answers import answer_of
from digests.ask.questions import answer_question, open_question
from digests.text.check import Sentence, Source, validation_error
from feeds.models import Item
from tests import real_model
from tests.make import make_item, make_source, make_user

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db,
    pytest.mark.skipif(
        bool(real_model.missing()), reason=f"not installed: {', '.join(real_model.missing())}"
    ),
]
NEWS = {
    "Kestrel buys Falcon": "Kestrel paid 2 billion dollars for Falcon in cash on Monday.",
    "Osprey opens its weights": "Osprey released a model of 7 billion weights under MIT.",
    "A court fines Heron": "A court in Oslo fined Heron 30 million for its adverts.",
}
QUESTIONS = (
    "How much did Kestrel pay for Falcon?",
    "What did Osprey release?",
    "Why did a court in Oslo fine Heron?",
)


def test_what_is_shown_of_its_answers_holds(settings: Any) -> None:
    reader = make_user()
    source = make_source(reader=reader)
    for title, text in NEWS.items():
        make_item(source, title, text=text)
    written = []
    with real_model.RealModel() as server:
        settings.OPENAI_BASE_URL, settings.LLM_MODEL = server.url, "smollm2"
        settings.LLM_TIMEOUT = 120
        for question in QUESTIONS:
            row, is_new = open_question(reader, question)
            assert is_new
            answer_question(row.pk)
            row.refresh_from_db()
            assert row.state != row.WAITING
            written.append(answer_of(reader, question))

    for asked in written:
        cited = [_cited(one.item_id) for one in asked.answer.sources]
        assert asked.answer.sentences
        for sentence in asked.answer.sentences:
            assert not validation_error(Sentence(sentence.text, sentence.cites), cited)
        assert asked.answer.is_by_model or asked.message


def _cited(item_id: int) -> Source:
    item = Item.objects.select_related("body").get(pk=item_id)
    return Source(f"{item.title}\n{item.body.text}")
