"""The terms of titles: names and phrases, folded; what names nothing is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.trends.boilerplate import own_terms, strip_boilerplate
from feeds.trends.terms import MAX_CHARACTERS, MAX_TERMS, key_of, names_in, spellings, terms_of


@pytest.mark.parametrize("written", ["GPT-5", "gpt5", "GPT 5", "gpt-5", "Gpt 5", "GPT v5"])
def test_one_version_has_one_key_however_it_is_written(written: str) -> None:
    assert key_of(written) == "gpt-5"
    assert {"gpt", "gpt-5"} <= set(terms_of(f"OpenAI shows {written}"))


def test_a_version_is_news_of_its_family_and_not_of_another_version() -> None:
    terms = set(terms_of("Anthropic compares Claude 4.5 with the rest"))

    assert {"claude", "claude-4.5", "anthropic"} <= terms
    assert "claude-4" not in terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("AI agents", "ai agent"),
        ("context-window", "Context Windows"),
        ("Microsoft's", "microsoft"),
        ("Data  Centers", "data center"),
        ("Ｍｉｓｔｒａｌ", "Mistral"),
    ],
)
def test_case_plural_hyphen_and_possessive_make_no_difference(one: str, other: str) -> None:
    assert key_of(one) == key_of(other) != ""


@pytest.mark.parametrize(
    "title",
    [
        "Read more",
        "What we know so far",
        "Newsletter: this week, today and tomorrow",
        "Monday, 3 March 2026",
        "The best of the year",
        "Breaking news",
        "Top 10 of 2025",
        "Weekly digest",
        "",
        "!!! ???",
        "42",
    ],
)
def test_stop_words_dates_and_boilerplate_are_no_terms(title: str) -> None:
    assert terms_of(title) == ()


def test_a_phrase_does_not_reach_over_signs_or_words_without_meaning() -> None:
    terms = terms_of("Quillmark, Velloria and Tarn launch the University of Toronto lab")

    assert "university of toronto" in terms
    assert not [term for term in terms if "quillmark velloria" in term or "launch" in term]


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("OpenAI 推出 GPT-5 模型，性能大幅提升", "gpt-5"),
        ("Die neue KI von Mistral ist da", "mistral"),
        ("NVIDIA представила Blackwell", "blackwell"),
        ("أعلنت OpenAI عن نموذج", "openai"),
        ("エヌビディアがBlackwellを発表、NVIDIA の株価", "nvidia"),
        ("חדש: Gemini בעברית", "gemini"),
        ("¿Qué es Claude? Señales", "claude"),
        ("ओपनएआई ने ChatGPT जारी किया", "chatgpt"),
    ],
)
def test_names_are_found_in_other_languages(title: str, name: str) -> None:
    assert name in terms_of(title)


def test_a_sentence_without_spaces_is_no_word() -> None:
    assert terms_of("这是一个没有空格的很长的中文句子用来测试") == ()


def test_names_stand_in_texts_and_first_words_of_sentences_do_not() -> None:
    names = names_in("Nobody knew. Today the lab of Ilse Varnholt showed Heron 3. Prices fell.")

    assert {"ilse varnholt", "heron-3"} <= set(names)
    assert not {"nobody", "price"} & set(names)


@given(st.text(max_size=3_000))
def test_whatever_a_feed_writes_gives_few_short_terms(text: str) -> None:
    for terms in (terms_of(text), names_in(text)):
        assert len(terms) <= MAX_TERMS
        assert all(0 < len(term) <= MAX_CHARACTERS and "/" not in term for term in terms)
    list(spellings(text))


def test_each_term_of_a_title_can_be_asked_for_by_its_key() -> None:
    for term in terms_of("OpenAI ships GPT-5.1 and Model Context Protocol servers for Windows 11"):
        assert key_of(term) == term


def test_what_a_source_begins_or_ends_all_titles_with_is_dropped() -> None:
    titles = [f"Tortoise Daily | Story {n} of many - Tortoise Review" for n in range(10)]

    assert strip_boilerplate(titles, "Tortoise Review")[3] == "Story 3 of many"
    assert own_terms("The Tortoise Courier") == {"tortoise", "tortoise courier", "courier"}


def test_what_a_source_says_now_and_then_stays() -> None:
    titles = [f"Claude: part {n}" if n < 1 else f"Story {n}: end {n}" for n in range(10)]

    assert strip_boilerplate(titles) == titles
