"""Choosing sentences that answer a question."""

import pytest

from digests.ask.passages import MAX_PASSAGES, MAX_PER_SOURCE, Text, choose_passages, question_terms

KESTREL = Text(
    "Kestrel buys Falcon",
    "The board met on Monday. Kestrel paid two billion dollars for Falcon in cash."
    " Subscribe to our newsletter for the price Kestrel paid. Shares rose after the news.",
)
WEATHER = Text("Rain again", "It will rain in the north for a week. Take a coat with you.")


def said(question: str, *texts: Text) -> list[str]:
    return [passage.text for passage in choose_passages(question, texts)]


def test_the_sentence_that_answers_comes_first() -> None:
    found = said("How much did Kestrel pay for Falcon?", WEATHER, KESTREL)

    assert found[0] == "Kestrel paid two billion dollars for Falcon in cash."
    assert not any("newsletter" in sentence or "rain" in sentence for sentence in found)


@pytest.mark.parametrize(
    "question",
    [
        "Who is the king of Atlantis?",
        "What did Osprey pay?",
        "volcano eruption damage",
        "what is it?",
        "",
        "???",
    ],
)
def test_nothing_is_said_where_nothing_is_relevant(question: str) -> None:
    assert said(question, WEATHER, KESTREL) == []


def test_who_asks_about_a_version_gets_no_other() -> None:
    old = Text("GPT-4 is released", "The model GPT-4 was released with a large context.")

    assert said("When was the model GPT-5 released?", old) == []


def test_at_most_five_sentences_and_two_of_a_source() -> None:
    body = " ".join(
        f"Kestrel opened its office number {n} in the city of {city}."
        for n, city in enumerate(("Oslo", "Lima", "Rome", "Bern", "Cairo"))
    )
    texts = [
        Text(f"Kestrel in {number}", body.replace("city", word))
        for number, word in enumerate(("town", "port", "village", "valley"))
    ]

    passages = choose_passages("Where did Kestrel open an office?", texts)

    assert len(passages) <= MAX_PASSAGES
    for number in range(4):
        assert sum(passage.source == number for passage in passages) <= MAX_PER_SOURCE


def test_the_same_said_twice_is_quoted_once() -> None:
    assert len(said("How much did Kestrel pay for Falcon?", KESTREL, KESTREL, KESTREL)) <= 2


def test_a_headline_answers_where_there_is_no_text() -> None:
    headline = "Kestrel paid two billion for Falcon"

    assert said("What did Kestrel pay for Falcon?", Text(headline, "")) == [headline]


def test_chinese_and_japanese_are_read_by_pairs_of_signs() -> None:
    text = Text("人工智能公司", "红隼公司收购了猎鹰公司。天气很好，适合散步。")

    assert said("谁收购了猎鹰公司？", text) == ["红隼公司收购了猎鹰公司。"]


def test_what_is_no_news_is_left_out() -> None:
    found = choose_passages("What did Kestrel pay?", [KESTREL], is_news=lambda text: False)

    assert found == []


@pytest.mark.parametrize("question", ["Who bought Falcon?", "Who buys Falcon?"])
def test_a_headline_of_now_answers_a_question_about_the_past(question: str) -> None:
    assert said(question, Text("Kestrel buys Falcon", "")) == ["Kestrel buys Falcon"]


def test_the_words_that_ask_are_none_of_what_is_asked_for() -> None:
    assert question_terms("What is the price of Kestrel?") == question_terms("price Kestrel")
    assert question_terms("what is it?") == frozenset()


def test_a_quoted_sentence_has_no_dateline() -> None:
    text = Text(KESTREL.title, f"OSTER BAY - {KESTREL.body.partition('. ')[2]}")

    found = said("How much did Kestrel pay for Falcon?", text)

    assert found[0] == "Kestrel paid two billion dollars for Falcon in cash."
