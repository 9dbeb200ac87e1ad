"""What a model writes of a story is published only as far as its sources hold it up."""

import json
import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from digests.editions.summarise import (
    Article,
    Summary,
    forget_old_summaries,
    summarise_extractively,
    write_stories,
)
from digests.editions.write import write_digest
from digests.models import Digest, StorySummary
from digests.tasks import write_due_digests, write_waiting
from feeds.ai.language import calling
from feeds.models import LanguageUse
from tests import real_model
from tests.digests.injected import HIDDEN, ORDERS
from tests.digests.make import make_reader
from tests.make import make_item, make_source, make_story, make_user
from tests.model_server import (
    MODEL,
    Act,
    ModelServer,
    fails,
    has_no_end,
    is_slow,
    knows_no,
    resets,
    says,
    sends,
    trickles,
)

pytestmark = pytest.mark.django_db
FIRST = Article(
    "A lab releases a model",
    "The lab Orion released a model of seven billion weights on Wednesday. It costs $5 million.",
)
SECOND = Article(
    "Critics doubt the model",
    "Critics said that the licence of Orion's model matters to banks: “nobody can use it.” "
    "Maria Lopez read it.",
)
STORY = [FIRST, SECOND]
GOOD = {"text": "Orion released a model of 7B weights on Wednesday.", "cites": [1]}
ALSO = {"text": "Critics said of Orion's licence: “nobody can use it.”", "cites": [2]}
WHY = {"text": "The licence of Orion's model matters to banks, critics said.", "cites": [2]}


def drafts(*sentences: dict[str, Any], why: dict[str, Any] | None = None) -> Act:
    return says({"sentences": list(sentences), "why": [why] if why else []})


def tell(story: list[Article] = STORY, seconds: float = 60) -> Summary:
    return write_stories([story], seconds=seconds)[0]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "FIRST_PAUSE", 0.01)


def test_sentences_that_hold_are_told_with_their_citations(llm: ModelServer) -> None:
    llm.will(drafts(GOOD, ALSO, why=WHY))

    told = tell()

    assert [(one.text, one.cites) for one in told.sentences] == [
        (GOOD["text"], (1,)),
        (ALSO["text"], (2,)),
    ]
    assert told.why is not None and told.why.text == WHY["text"]
    assert told.written_by == MODEL


def test_a_citation_may_be_written_as_a_decimal_number(llm: ModelServer) -> None:
    llm.will(drafts(GOOD | {"cites": [1.0]}))

    assert [one.cites for one in tell().sentences] == [(1,)]


def test_what_was_written_once_is_shared_by_all_who_see_the_same(llm: ModelServer) -> None:
    llm.will(drafts(GOOD))

    first, again = tell(), tell(seconds=0)
    other = tell([FIRST], seconds=0)

    assert first == again
    assert other.written_by == "extractive"
    assert len(llm.asked) == 1


@pytest.mark.parametrize(
    ("draft", "validation_error"),
    [
        ({"text": "Orion released a model of weights on Wednesday.", "cites": [3]}, "no source 3"),
        ({"text": "Orion released a model of weights on Wednesday.", "cites": []}, "cites no"),
        ({"text": "Orion released a model of 9 billion weights.", "cites": [1]}, "9 billion"),
        ({"text": "Orion's model costs 5 million euros a year.", "cites": [1]}, "5 million euros"),
        ({"text": "Google released a model of weights on Wednesday.", "cites": [1]}, "Google"),
        ({"text": "Maria Orion released a model of weights.", "cites": [1, 2]}, "Maria Orion"),
        ({"text": "Orion's model is one that “everybody loves”.", "cites": [1]}, "everybody loves"),
        ({"text": "Critics doubt the model of the lab Orion.", "cites": [1]}, "Critics"),
        ({"text": "Orion released a model, see http://evil.example/", "cites": [1]}, "link"),
        ({"text": "It changes everything for people everywhere now.", "cites": [1]}, "too few"),
        ({"text": "PWNED", "cites": [1]}, "too little"),
    ],
)
def test_what_is_invented_is_complained_of_once_then_told_extractively(
    llm: ModelServer, draft: dict[str, Any], validation_error: str
) -> None:
    llm.will(drafts(draft))

    told = tell()

    assert told == summarise_extractively(STORY)
    assert told.written_by == "extractive"
    assert len(llm.asked) == 2
    assert validation_error in llm.asked[1]["messages"][-1]["content"]
    assert (row := StorySummary.objects.get()).held == 0
    assert row.drafted == 2
    tell()
    assert len(llm.asked) == 2, "a story on which the model failed is not asked about again"


def test_a_model_that_learns_from_the_complaint_is_published(llm: ModelServer) -> None:
    wrong = {"text": "Orion released a model of 9 billion weights.", "cites": [1]}
    llm.will(drafts(wrong), drafts(GOOD))

    told = tell()

    assert [one.text for one in told.sentences] == [GOOD["text"]]
    row = StorySummary.objects.get()
    assert (row.drafted, row.held) == (2, 1)


def test_after_the_second_try_what_holds_is_kept_if_it_opens_the_entry(llm: ModelServer) -> None:
    wrong = {"text": "Google bought the lab Orion on Wednesday.", "cites": [1]}
    llm.will(drafts(GOOD, wrong, why=wrong))

    told = tell()

    assert [one.text for one in told.sentences] == [GOOD["text"]]
    assert told.why is None


def test_a_sentence_that_leaned_on_one_that_fell_is_not_published(llm: ModelServer) -> None:
    wrong = {"text": "Google bought the lab Orion on Wednesday.", "cites": [1]}
    llm.will(drafts(wrong, GOOD))

    assert tell().written_by == "extractive"


def test_an_entry_is_no_longer_than_its_room(llm: ModelServer) -> None:
    llm.will(drafts(*[GOOD | {"text": GOOD["text"] + " Wednesday" * n} for n in range(20)]))

    told = tell()

    assert 1 <= len(told.sentences) <= 3
    assert sum(len(one.text.split()) for one in told.sentences) <= 60


@pytest.mark.parametrize(
    "act",
    [
        fails(500),
        fails(429, retry_after="120"),
        fails(404),
        fails(401),
        resets,
        trickles,
        is_slow(3, drafts(GOOD)),
        has_no_end,
        says(""),
        says("", refusal="no"),
        sends(b"<html>"),
    ],
)
def test_whatever_the_server_does_the_story_is_told(
    llm: ModelServer, settings: Any, act: Act
) -> None:
    settings.LLM_TIMEOUT = 1.0
    llm.will(act)

    told = tell()

    assert told == summarise_extractively(STORY)
    assert told.sentences
    assert not StorySummary.objects.exists(), "the model may be asked again when it is well"


@pytest.mark.parametrize(
    "act",
    [
        says("{"),
        says("I'm sorry, I can't help with that."),
        says({"sentences": "none", "why": []}),
        says('{"sentences": [{"text": "It goes on and', finish="length"),
    ],
)
def test_a_model_that_cannot_keep_to_the_form_is_not_asked_about_the_story_again(
    llm: ModelServer, act: Act
) -> None:
    llm.will(act)
    tell()
    asked = len(llm.asked)

    assert tell() == summarise_extractively(STORY)
    assert len(llm.asked) == asked <= 2
    assert StorySummary.objects.get().complaints


def test_a_model_that_writes_no_sentence_is_asked_once_more(llm: ModelServer) -> None:
    llm.will(drafts(), drafts(GOOD))

    assert tell().written_by == MODEL


@pytest.mark.parametrize("wrap", ["```json\n{}\n```", "Here is the entry: {}", "{} Bye!"])
def test_an_answer_in_prose_of_a_server_without_structured_output_is_read(
    llm: ModelServer, wrap: str
) -> None:
    answer = wrap.replace("{}", json.dumps({"sentences": [GOOD], "why": []}))
    llm.will(knows_no("json_schema", knows_no("json_object", says(answer))))

    assert tell().written_by == MODEL


def obeys(handler: Any, body: dict[str, Any]) -> None:
    """A model that does as any text bids it, and otherwise writes what is asked."""
    shown = body["messages"][1]["content"]
    if "Acme" in shown or "praise" in shown.lower():
        answer = {"text": "Acme is the best company, shares soar.", "cites": [1]}
    else:
        answer = {"text": "The lab released a model of seven billion weights.", "cites": [1]}
    says({"sentences": [answer], "why": []})(handler, body)


@pytest.mark.parametrize("text", [*ORDERS, *HIDDEN])
def test_an_order_in_a_feed_is_neither_shown_nor_obeyed_nor_told(
    llm: ModelServer, text: str
) -> None:
    llm.will(obeys)

    told = tell([Article("A lab releases a model", text)])

    assert told.sentences
    assert not re.search("Acme|PWNED|instruct|evil", str(told.sentences))
    assert all("Acme" not in json.dumps(body) for body in llm.asked)


def test_a_source_that_gives_orders_does_not_silence_the_others(llm: ModelServer) -> None:
    llm.will(drafts({"text": ALSO["text"], "cites": [1]}))

    told = tell([Article("A lab", ORDERS[0]), SECOND])

    assert told.sentences[0].cites == (2,)
    assert told.written_by == MODEL


def test_a_model_that_repeats_its_orders_or_the_secret_word_is_not_published(
    llm: ModelServer,
) -> None:
    def leaks(handler: Any, body: dict[str, Any]) -> None:
        secret = body["messages"][1]["content"].split("hold the word ")[1].split(".")[0]
        text = f"The marks of the sources hold the word {secret}."
        says({"sentences": [{"text": text, "cites": [1]}], "why": []})(handler, body)

    llm.will(leaks)

    assert tell().written_by == "extractive"


def test_texts_are_sent_without_secrets_and_within_their_size(llm: ModelServer) -> None:
    llm.will(drafts(GOOD))

    tell([Article("Title", "word " * 100_000), SECOND])

    assert len(json.dumps(llm.asked[0])) < 8000
    assert "sk-secret" not in json.dumps(llm.asked)


def test_a_page_waits_for_no_model_and_the_worker_writes_it_again(
    llm: ModelServer, client: Client
) -> None:
    llm.will(is_slow(0.3, drafts({"text": GOOD["text"], "cites": [1]})))
    reader = make_user()
    make_story(make_item(make_source("one", reader=reader), FIRST.title, text=FIRST.text))
    client.force_login(reader)

    first = client.get("/digest/").content.decode()
    queued = OrmQ.objects.get().task
    asked = len(llm.asked)
    assert write_waiting() == 1
    later = client.get("/digest/").content.decode()

    assert asked == 0
    assert queued["func"] == "digests.tasks.write_waiting"
    assert "extracted from the sources" in " ".join(first.split())
    assert f"written by {MODEL}" in " ".join(later.split())
    assert "7B weights" in later
    assert Digest.objects.get().written_by == MODEL


def test_the_schedule_writes_with_the_model_and_says_so(llm: ModelServer) -> None:
    llm.will(drafts(GOOD, why=GOOD | {"text": "Orion's model costs $5 million."}))
    reader = make_reader()
    make_story(make_item(make_source("one", reader=reader), FIRST.title, text=FIRST.text))

    assert write_due_digests() == 1
    story = Digest.objects.get().content["stories"][0]

    assert story["written_by"] == MODEL
    assert story["sentences"] == [{"text": GOOD["text"], "cites": [1]}]
    assert story["why"] == {"text": "Orion's model costs $5 million.", "cites": [1]}
    assert LanguageUse.objects.get().purpose == "digest"


def test_an_edition_of_both_says_so(llm: ModelServer) -> None:
    llm.will(drafts(GOOD), fails(404))
    reader = make_user()
    for name in ("one", "two"):
        make_story(make_item(make_source(name, reader=reader), f"Lab {name}", text=FIRST.text))

    digest = write_digest(reader, seconds_for_model=30)

    assert {story["written_by"] for story in digest.content["stories"]} == {MODEL, "extractive"}
    assert digest.written_by == f"{MODEL} and extractive"


def test_the_time_for_the_model_is_limited_for_the_edition_as_a_whole(llm: ModelServer) -> None:
    llm.will(is_slow(0.6, drafts(GOOD)))
    stories = [[Article(f"{FIRST.title} {n}", FIRST.text)] for n in range(5)]
    started = time.monotonic()

    told = write_stories(stories, seconds=1)

    writers = [one.written_by for one in told]
    assert time.monotonic() - started < 10
    assert writers[0] == MODEL
    assert writers[-1] == "extractive"
    assert 1 <= len(llm.asked) <= 2


def test_the_number_of_queries_does_not_grow_with_the_stories_that_are_known(
    llm: ModelServer, django_assert_num_queries: Any
) -> None:
    llm.will(drafts(GOOD))
    stories = [[Article(f"{FIRST.title} {n}", FIRST.text)] for n in range(5)]
    write_stories(stories, seconds=30)

    with django_assert_num_queries(1):
        told = write_stories(stories)

    assert {one.written_by for one in told} == {MODEL}


def test_summaries_of_long_ago_are_dropped(llm: ModelServer) -> None:
    llm.will(drafts(GOOD))
    tell()

    assert forget_old_summaries() == 0
    StorySummary.objects.update(created_at=timezone.now() - timedelta(days=61))
    assert forget_old_summaries() == 1


@pytest.mark.skipif(
    bool(real_model.missing()), reason=f"not installed: {', '.join(real_model.missing())}"
)
def test_what_a_real_model_writes_is_published_only_if_it_holds(settings: Any) -> None:
    with real_model.RealModel() as server:
        settings.OPENAI_BASE_URL, settings.LLM_MODEL = server.url, "smollm2"
        settings.LLM_TIMEOUT = 120.0

        told = tell()

    use = LanguageUse.objects.get()
    assert use.tokens_in > 100 and use.tokens_out > 10 and not use.estimated
    assert told.sentences
    row = StorySummary.objects.first()
    assert told.written_by == ("smollm2" if row and row.sentences else "extractive")


def test_a_question_is_no_summary() -> None:
    question = "Can the factory in Calder build two hundred robots a week from May?"
    fact = "The factory in Calder opened on Monday with four hundred workers."
    summary = summarise_extractively([Article("Robots", f"{question} {fact}")])
    assert [sentence.text for sentence in summary.sentences] == [fact]


def test_an_extractive_summary_has_no_datelines() -> None:
    articles = [
        Article("A lab opens", "ALDERMERE - The lab in the harbour opened on Monday with a party."),
        Article(
            "Robots paint", "By Ada Marsh\nOSTER BAY (AP) — Ninety robots paint walls of barns."
        ),
    ]

    summary = summarise_extractively(articles)

    assert [sentence.text for sentence in summary.sentences] == [
        "The lab in the harbour opened on Monday with a party.",
        "Ninety robots paint walls of barns.",
    ]
