"""`evaluate digest` counts what is published, what holds, and what models wrote that held."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from digests.editions.write import write_digest
from digests.models import Digest
from feeds.models import Item
from tests.make import make_item, make_source, make_story, make_user
from tests.model_server import ModelServer, says

pytestmark = pytest.mark.django_db
TEXT = "The lab published a model of seven billion weights on Wednesday. More follows."


def evaluate(*more: str) -> dict[str, str]:
    out = StringIO()
    call_command("evaluate", "digest", *more, stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[-1].startswith("digest_cited_share ")
    return dict(line.rsplit(" ", 1) for line in lines if line.startswith("digest_"))


def edition(seconds: float = 0) -> Digest:
    reader = make_user()
    make_story(make_item(make_source("one", reader=reader), text=TEXT))
    return write_digest(reader, seconds_for_model=seconds)


def test_an_extractive_edition_holds() -> None:
    edition()

    assert evaluate() == {
        "digest_editions": "1",
        "digest_stories_extractive": "1",
        "digest_gone": "0",
        "digest_sentences": "1",
        "digest_cited_share": "1.0000",
    }


def test_a_sentence_that_was_changed_afterwards_does_not_hold() -> None:
    digest = edition()
    digest.content["stories"][0]["sentences"][0]["text"] = "The lab published nine models."
    digest.save()

    assert evaluate()["digest_cited_share"] == "0.0000"


def test_a_sentence_whose_item_is_gone_is_in_no_share() -> None:
    edition()
    Item.objects.all().delete()

    found = evaluate()

    assert (found["digest_gone"], found["digest_cited_share"]) == ("1", "1.0000")


def test_what_models_wrote_is_counted_by_model(llm: ModelServer) -> None:
    good = {"text": "The lab published a model of 7B weights.", "cites": [1]}
    bad = {"text": "Google published a model of weights.", "cites": [1]}
    llm.will(says({"sentences": [good, bad], "why": []}))
    edition(seconds=30)

    found = evaluate("--days", "1")

    assert found["digest_drafted_small-model"] == "4"
    assert found["digest_survived_share_small-model"] == "0.5000"
    assert found["digest_stories_small-model"] == "1"
    assert found["digest_cited_share"] == "1.0000"


def test_without_editions_there_is_nothing_to_count() -> None:
    assert evaluate()["digest_sentences"] == "0"


def test_days_that_are_none_are_refused() -> None:
    with pytest.raises(CommandError, match="--days must be 1 or more"):
        evaluate("--days", "0")
