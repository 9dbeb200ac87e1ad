"""Patterns become text."""

from random import Random

import pytest

from feeds.demo.grammar import Facts, expand, sentences, with_article

RNG = Random(1)


def facts(key: str = "1", **definitions: str) -> Facts:
    return Facts(key, {"co": "Marrowgate"}, definitions, lambda rng: f"Ada Lovell{rng.random()}")


def test_a_fact_is_the_same_in_all_texts_of_an_event() -> None:
    one, other = (facts(amount="20..480/10", use="a | b | c | d") for _ in range(2))

    assert expand("{use} {amount}", one, RNG) == expand("{use} {amount}", other, RNG)
    assert other["amount"] == one["amount"]  # in whatever order they are asked for
    assert int(one["amount"]) % 10 == 0


def test_a_definition_may_use_other_facts() -> None:
    assert facts(house="the bank of {place}", place="Tarn")["house"] == "the bank of Tarn"


def test_names_of_people_have_surnames_and_capitals() -> None:
    known = facts()

    assert known["person"].endswith(known["person_last"])
    assert " " not in known["person_last"]
    assert known["CO"] == "MARROWGATE"


def test_numbers_are_written_as_in_newspapers() -> None:
    assert facts(n="12000..12000")["n"] == "12,000"
    assert facts(n="4.1..4.1")["n"] == "4.1"


def test_another_value_of_a_fact_differs() -> None:
    known = facts(amount="1..9")

    assert known.other("amount") != known["amount"]
    assert known.but(amount="99")["amount"] == "99"


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("{things} fall. {things} rise", "Shares fall. Shares rise"),
        ('"{things} fall"', '"Shares fall"'),
        ("TARN - {things} fall", "TARN - Shares fall"),
        ('Ada said: "{things} fall."', 'Ada said: "Shares fall."'),
        ("Two reasons: {things} fall", "Two reasons: shares fall"),
        ("{co}s's way", "Marrowgates' way"),
        ("[yes|yes] {a kind}", "Yes an old"),
        ("[{things} fall|{things} fall]", "Shares fall"),
    ],
)
def test_sentences_begin_with_a_capital(pattern: str, text: str) -> None:
    assert sentences(pattern, facts(things="shares", kind="old"), RNG) == text


@pytest.mark.parametrize(
    ("noun", "text"),
    [
        ("egg", "an egg"),
        ("union", "a union"),
        ("8", "an 8"),
        ("university", "a university"),
        ("umbrella", "an umbrella"),
        ("18", "an 18"),
    ],
)
def test_articles_follow_the_first_letter(noun: str, text: str) -> None:
    assert with_article(noun) == text
