"""Sentences are taken whole from the sources, one a source, without repeating each other."""

from digests.extract import choose_sentences, split_sentences


def test_an_abbreviation_does_not_end_a_sentence() -> None:
    found = split_sentences("Dr. Ada Marsh leads the lab. It opened in May. Version 2.5 is out.")

    assert found == ["Dr. Ada Marsh leads the lab.", "It opened in May.", "Version 2.5 is out."]


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
