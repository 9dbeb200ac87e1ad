"""Whatever a model's server does, the caller gets what fits the form, or a sentence on why not."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from feeds.ai.language import calling
from feeds.ai.language.complete import complete, forget_old_replies
from feeds.ai.language.errors import (
    BadReplyError,
    BudgetExceededError,
    LanguageModelError,
    ModelBusyError,
    ModelNotConfiguredError,
    ModelRefusedError,
    ModelUnavailableError,
)
from feeds.ai.language.prices import Price
from feeds.models import (
    LanguageCall,
    LanguageMonth,
    LanguageReply,
    LanguageServer,
    LanguageUse,
)
from tests.model_server import (
    MODEL,
    ModelServer,
    breaks_off,
    complains_without_end,
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
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}},
    "required": ["answer"],
    "additionalProperties": False,
}
YES = {"answer": "yes"}


def ask(question: str = "Is it?", **more: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    return complete(messages, SCHEMA, "test", version="1", **more).data


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(calling, "POLL_INTERVAL", 0.01)


def test_an_answer_of_the_form_comes_back(llm: ModelServer) -> None:
    llm.will(says(YES))

    assert ask() == YES
    assert llm.asked[0]["model"] == MODEL
    assert llm.asked[0]["response_format"]["type"] == "json_schema"
    assert llm.keys == ["Bearer sk-secret"]


def test_without_a_model_nothing_is_asked(settings: Any) -> None:
    settings.LLM_MODEL = ""

    with pytest.raises(ModelNotConfiguredError, match="LLM_MODEL is empty"):
        ask()


@pytest.mark.parametrize(
    "written",
    [
        '```json\n{"answer": "yes"}\n```',
        'Here you are:\n```\n{"answer": "yes"}\n```\nAnything else?',
        'Sure! {"answer": "yes"} I hope this helps.',
        '<think>{"answer": "no"} is wrong</think>{"answer": "yes"}',
        '{"other": 1} {"answer": "yes"}',
        '\ufeff {"answer": "yes"}',
    ],
)
def test_json_is_found_however_it_is_wrapped(llm: ModelServer, written: str) -> None:
    llm.will(says(written))

    assert ask() == YES


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (says(""), "is empty"),
        (says("I cannot help with that."), "is not JSON"),
        (says('{"answer": "ye'), "is not JSON"),
        (says('{"answer": "ye', finish="length"), "was cut off"),
        (says({"answer": 7}), "the wrong form"),
        (says({"answer": "yes", "more": 1}), "the wrong form"),
        (says('{"answer": NaN}'), "is not JSON"),
        (says("[" * 100_000), "is not JSON"),
        (says("{" * 100_000), "is not JSON"),
        (says("", refusal="I will not."), "declined: I will not"),
        (sends(b"<html>hello"), "with a JSON object"),
        (sends(b'{"choices": []}'), "with a chat completion"),
        (sends(b'{"choices": [{"message": null}]}'), "with a chat completion"),
        (sends(b"[]"), "with a JSON object"),
        (has_no_end, "without an end"),
    ],
)
def test_what_is_no_answer_is_said_in_words(llm: ModelServer, act: Any, words: str) -> None:
    llm.will(act)

    with pytest.raises(BadReplyError, match=words):
        ask()

    assert len(llm.asked) <= 2
    assert not LanguageReply.objects.exists()


@pytest.mark.parametrize("act", [is_slow(4, says(YES)), trickles], ids=["silent", "trickling"])
def test_a_slow_server_is_left_in_time_and_not_asked_twice(
    llm: ModelServer, settings: Any, act: Any
) -> None:
    settings.LLM_TIMEOUT = 1.5
    llm.will(act)
    started = time.monotonic()

    with pytest.raises(ModelUnavailableError, match=r"did not answer in 1\.5 s"):
        ask()

    assert time.monotonic() - started < 3.5
    assert len(llm.asked) == 1


@pytest.mark.parametrize(
    "act",
    [fails(500), fails(502), fails(429), fails(408), resets, breaks_off],
    ids=["500", "502", "429", "408", "reset", "broken off"],
)
def test_what_passes_is_tried_again(llm: ModelServer, act: Any) -> None:
    llm.will(act, act, says(YES))

    assert ask() == YES
    assert len(llm.asked) == 3


@pytest.mark.parametrize("act", [fails(503, "out of order"), complains_without_end, resets])
def test_what_does_not_pass_is_given_up_in_words(llm: ModelServer, act: Any) -> None:
    llm.will(act)

    with pytest.raises(ModelUnavailableError, match=llm.url):
        ask()

    assert len(llm.asked) == calling.ATTEMPTS


def test_a_server_that_names_a_time_is_asked_again_then(llm: ModelServer) -> None:
    llm.will(fails(429, retry_after="1"), says(YES))
    started = time.monotonic()

    assert ask() == YES
    assert time.monotonic() - started >= 1


def test_a_server_that_names_a_long_time_is_left_alone_for_it(llm: ModelServer) -> None:
    llm.will(fails(429, retry_after="300"), says(YES))

    with pytest.raises(ModelBusyError, match="is overloaded"):
        ask()
    with pytest.raises(ModelUnavailableError, match=r"paused for (300|299) s"):
        ask()

    assert len(llm.asked) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "rejected the key.*OPENAI_API_KEY"),
        (403, "denied access"),
        (404, "was not found.*the model's name"),
    ],
)
def test_what_cannot_succeed_is_not_repeated(llm: ModelServer, status: int, words: str) -> None:
    llm.will(fails(status))

    for _ in range(3):
        with pytest.raises(LanguageModelError, match=words) as caught:
            ask()
        assert "sk-secret" not in str(caught.value)

    assert len(llm.asked) == 1


@pytest.mark.parametrize("status", [400, 403, 500])
def test_a_server_that_tells_the_key_does_not_get_it_into_messages(
    llm: ModelServer, status: int
) -> None:
    llm.will(fails(status, "Received sk-secret, expected another"))

    with pytest.raises(LanguageModelError, match="Received …, expected") as caught:
        ask()

    assert "sk-secret" not in str(caught.value)


def test_a_quota_that_is_spent_is_not_asked_for_again(llm: ModelServer) -> None:
    llm.will(fails(429, "You exceeded your current quota"))

    with pytest.raises(ModelRefusedError, match="has no quota left for this account"):
        ask()

    assert len(llm.asked) == 1


def test_a_request_that_is_too_long_is_not_repeated(llm: ModelServer) -> None:
    llm.will(fails(400, "This model's maximum context length is 2048 tokens"))

    with pytest.raises(ModelRefusedError, match="maximum context length"):
        ask()

    assert len(llm.asked) == 1


def test_a_server_without_an_address_is_said_to_be_away(settings: Any) -> None:
    settings.LLM_MODEL, settings.OPENAI_BASE_URL = MODEL, "http://user:pw@127.0.0.1:9/v1"

    with pytest.raises(
        ModelUnavailableError, match=r"http://127\.0\.0\.1:9/v1 cannot be reached"
    ) as caught:
        ask()

    assert "pw@" not in str(caught.value)


def test_a_server_without_structured_output_is_told_the_form_in_words(llm: ModelServer) -> None:
    llm.will(knows_no("json_schema", knows_no("json_object", says(YES))))

    assert ask() == YES
    assert "response_format" not in llm.asked[-1]
    assert "JSON schema" in llm.asked[-1]["messages"][0]["content"]


def test_what_a_server_cannot_do_is_remembered_and_tried_again_a_week_later(
    llm: ModelServer,
) -> None:
    llm.will(knows_no("json_schema", knows_no("max_tokens", knows_no("temperature", says(YES)))))
    ask("one")
    llm.asked.clear()

    ask("two")
    known = list(llm.asked)
    LanguageServer.objects.update(lacks_since=timezone.now() - timedelta(days=8))
    ask("three")

    assert len(known) == 1
    assert known[0]["response_format"] == {"type": "json_object"}
    assert "max_completion_tokens" in known[0]
    assert len(llm.asked) == 5


def test_a_server_that_knows_no_bounds_is_asked_without_them(llm: ModelServer) -> None:
    bounded = {"type": "object", "properties": {"answer": {"type": "string", "maxLength": 9}}}

    def knows_no_bounds(handler: Any, body: dict[str, Any]) -> None:
        if "maxLength" in str(body.get("response_format")):
            fails(400, "Invalid schema: 'maxLength' is not permitted.")(handler, body)
        else:
            says({"answer": "longer than nine"})(handler, body)

    llm.will(knows_no_bounds)

    for question in ("one", "two"):
        found = complete([{"role": "user", "content": question}], bounded, "test", version="1")
        assert found.data == {"answer": "longer than nine"}

    assert LanguageServer.objects.get().lacks == ["bounds"]
    assert [body["response_format"]["type"] for body in llm.asked] == ["json_schema"] * 3


def test_a_server_that_ignores_the_form_is_told_it_in_words(llm: ModelServer) -> None:
    llm.will(says("Yes, it is."), says(YES))

    assert ask() == YES
    assert LanguageServer.objects.get().lacks == ["json_schema"]


def test_a_server_that_refuses_whatever_is_asked_is_not_held_to_lack_anything(
    llm: ModelServer,
) -> None:
    llm.will(fails(400, "bad request"))

    with pytest.raises(ModelRefusedError, match="bad request"):
        ask()

    assert LanguageServer.objects.get().lacks == []


@pytest.mark.parametrize("sign", ["\\u0000", "\\ud800"])
def test_what_no_database_stores_is_left_out(llm: ModelServer, sign: str) -> None:
    llm.will(says(f'{{"answer": "yes{sign}"}}'))

    assert ask() == {"answer": "yes "}
    assert LanguageReply.objects.get().data == {"answer": "yes "}


def test_after_three_failures_it_is_left_alone_then_tried_by_one(
    llm: ModelServer, settings: Any
) -> None:
    settings.LLM_TIMEOUT = 0.5
    llm.will(is_slow(4, says(YES)))
    for n in range(3):
        with pytest.raises(ModelUnavailableError, match="did not answer"):
            ask(str(n))

    with pytest.raises(ModelUnavailableError, match="paused for"):
        ask()
    asked = len(llm.asked)
    LanguageServer.objects.update(open_until=timezone.now() - timedelta(seconds=1))
    settings.LLM_TIMEOUT = 20
    llm.will(says(YES))

    assert asked == 3
    assert ask() == YES
    assert LanguageServer.objects.get().open_until is None


def is_left_alone(llm: ModelServer) -> None:
    llm.will(fails(503))
    for n in range(3):
        with pytest.raises(ModelUnavailableError, match="failed"):
            ask(str(n))
    LanguageServer.objects.update(open_until=timezone.now() - timedelta(seconds=1))


def test_each_failed_trial_doubles_the_pause(llm: ModelServer) -> None:
    is_left_alone(llm)

    with pytest.raises(ModelUnavailableError, match="failed"):
        ask()

    server = LanguageServer.objects.get()
    assert server.failures == 4
    assert server.open_until is not None
    assert server.open_until > timezone.now() + timedelta(seconds=50)


def test_a_server_that_comes_back_is_asked_in_a_simpler_way_at_once(llm: ModelServer) -> None:
    is_left_alone(llm)
    llm.will(knows_no("json_schema", says(YES)))

    assert ask() == YES


def test_the_same_question_is_answered_from_what_is_kept_until_it_is_old(llm: ModelServer) -> None:
    llm.will(says(YES), says({"answer": "no"}))

    first, again, other = ask(), ask(), ask("Is it not?")
    LanguageReply.objects.update(created_at=timezone.now() - timedelta(days=31))
    anew = ask()

    assert (first, again, other, anew) == (YES, YES, {"answer": "no"}, {"answer": "no"})
    assert len(llm.asked) == 3
    assert forget_old_replies() == 1


def test_nothing_is_kept_when_so_configured(llm: ModelServer, settings: Any) -> None:
    settings.LLM_CACHE_DAYS = 0
    llm.will(says(YES))

    ask()
    ask()

    assert len(llm.asked) == 2


def test_the_ledger_has_a_row_for_each_day_model_and_purpose(
    llm: ModelServer, settings: Any
) -> None:
    settings.LLM_PRICES = {MODEL: Price(0.15, 0.60)}
    llm.will(says(YES), says({"answer": "no"}, usage=None), fails(400, "context too long"))

    ask("one")
    ask("two")
    with pytest.raises(ModelRefusedError):
        ask("three")

    row = LanguageUse.objects.get()
    assert (row.model, row.purpose) == (MODEL, "test")
    assert (row.calls, row.failed, row.estimated) == (3, 1, 1)
    assert row.tokens_in > 100
    assert row.cost == LanguageMonth.objects.get().cost
    assert row.cost == row.tokens_in * 150 + row.tokens_out * 600
    assert not LanguageCall.objects.exists()


def test_a_call_whose_process_died_counts_as_made(llm: ModelServer, settings: Any) -> None:
    settings.LLM_PRICES = {MODEL: Price(1, 1)}
    llm.will(says(YES))
    ask("one")
    hour_ago = timezone.now() - timedelta(seconds=1)
    LanguageCall.objects.create(
        server=LanguageServer.objects.get(),
        model=MODEL,
        purpose="lost",
        started_at=hour_ago,
        until=hour_ago,
        tokens_in=1000,
        tokens_out=1000,
        cost=2_000_000,
    )

    ask("two")

    lost = LanguageUse.objects.get(purpose="lost")
    assert (lost.calls, lost.failed, lost.estimated, lost.cost) == (1, 1, 1, 2_000_000)
    assert not LanguageCall.objects.exists()


def test_money_that_is_spent_stops_the_calls_and_is_warned_of_once(
    llm: ModelServer, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.LLM_PRICES = {MODEL: Price(1, 1)}
    settings.LLM_MONTHLY_BUDGET = 0.002
    llm.will(says(YES, usage=(850, 0)))
    ask("one", max_tokens=100)
    assert "budget_nearly_spent" not in caplog.text

    ask("two", max_tokens=100)
    with pytest.raises(BudgetExceededError, match=r"budget of \$0\.00 is used up"):
        ask("three", max_tokens=400)

    assert len(llm.asked) == 2
    assert caplog.text.count("language_budget_nearly_spent") == 1
    assert LanguageMonth.objects.get().warned_at


def test_who_finds_no_place_is_told_so(llm: ModelServer, settings: Any) -> None:
    settings.LLM_CONCURRENCY = 1
    llm.will(says(YES))
    ask("one")
    now = timezone.now()
    LanguageCall.objects.create(
        server=LanguageServer.objects.get(),
        model=MODEL,
        purpose="test",
        started_at=now,
        until=now + timedelta(minutes=1),
        tokens_in=1,
        tokens_out=1,
        cost=0,
    )

    with pytest.raises(ModelBusyError, match="1 calls to"):
        ask("two", patience=0.1)
