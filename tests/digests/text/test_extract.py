"""Sentences are taken whole from the sources, one a source, without repeating each other."""

import time

import pytest

from digests.text.extract import choose_sentences, length, split_sentences


def test_an_abbreviation_does_not_end_a_sentence() -> None:
    found = split_sentences("Dr. Ada Marsh leads the lab. It opened in May. Version 2.5 is out.")

    assert found == ["Dr. Ada Marsh leads the lab.", "It opened in May.", "Version 2.5 is out."]


@pytest.mark.parametrize("sign", [".", "A. "])
def test_a_feed_of_full_stops_takes_no_longer_than_others(sign: str) -> None:
    started = time.process_time()

    split_sentences((sign * 12_000)[:12_000])

    assert time.process_time() - started < 0.4


def test_sentences_stand_in_their_sources() -> None:
    texts = [
        "The lab published a model of seven billion weights. It runs on one card.",
        "Analysts doubt that the seven billion weights are enough for the task.",
    ]

    chosen = choose_sentences(texts)

    assert {s.source for s in chosen} == {0, 1}
    assert all(s.text in texts[s.source] for s in chosen)


def test_a_syndicated_sentence_is_told_once() -> None:
    wire = "The lab published a model of seven billion weights on Monday."

    assert len(choose_sentences([wire, wire])) == 1


def test_boilerplate_is_not_news() -> None:
    assert choose_sentences(["Subscribe to our newsletter to read more about this."]) == []


def test_no_text_gives_no_sentence() -> None:
    assert choose_sentences(["", "   "]) == []


def test_an_edition_s_story_stays_within_sixty_words() -> None:
    long = "The laboratory said " + "very " * 35 + "much about its model."
    other = "Reporters found " + "quite " * 35 + "little behind the claims."

    words = sum(len(s.text.split()) for s in choose_sentences([long, other]))

    assert 0 < words <= 60


def test_a_quotation_keeps_its_marks_and_is_not_torn() -> None:
    text = "“We are proud. We are glad,” said Ada Marsh. It costs “nothing.” More follows."

    found = split_sentences(text)

    assert found == [
        "“We are proud. We are glad,” said Ada Marsh.",
        "It costs “nothing.”",
        "More follows.",
    ]


def test_scripts_without_spaces_are_split_and_measured() -> None:
    text = "研究チームは新しい言語モデルを公開した。費用は五百万円である。「安い」と述べた。"

    assert split_sentences(text) == [
        "研究チームは新しい言語モデルを公開した。",
        "費用は五百万円である。",
        "「安い」と述べた。",
    ]
    assert 8 <= length("研究チームは新しい言語モデルを公開した。") <= 12
    assert choose_sentences([text])[0].text in text


def test_a_sentence_of_another_script_ends_with_its_own_mark() -> None:
    assert len(split_sentences("هل هذا صحيح؟ نعم هو كذلك. انتهى الأمر.")) == 3
    assert len(split_sentences("यह एक वाक्य है। यह दूसरा है।")) == 2


def test_what_does_not_hold_gives_way_to_the_next_best() -> None:
    text = "The lab released a model of seven billion weights. It runs on one small card at home."

    (chosen,) = choose_sentences([text], is_supported=lambda sentence, source: "card" in sentence)

    assert chosen.text == "It runs on one small card at home."


def test_a_long_sentence_is_told_where_it_is_all_there_is() -> None:
    assert choose_sentences(["The laboratory said " + "very " * 50 + "much about it."])
