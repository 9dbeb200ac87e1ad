"""A sentence is published only when the text that it cites holds it up."""

import pytest

from digests.text.check import Sentence, Source, content_words, validation_error
from digests.text.numbers import contains_number, numbers_in

LAB = (
    "OpenAI releases GPT-5.2\n"
    "OpenAI released GPT-5.2 on Tuesday, a model of seven billion weights. CEO Sam Altman said: "
    "“We are very proud of it.” It costs $1.25 million, down 40 percent, the lab's first in 2,000 "
    "days. The company will not release the weights to universities. Steve Jobson of Café Zürich "
    "tested it for 5 to 10 hours on 3 H100 cards in the third quarter of mid-2025."
)
OTHER = "Google Cloud opened a centre in Paris. Sam Bankman and Ada Altman were there on 20 May."


def wrong(text: str, *sources: str, cites: tuple[int, ...] = ()) -> str:
    given = sources or (LAB,)
    return validation_error(
        Sentence(text, cites or tuple(range(1, len(given) + 1))), [Source(one) for one in given]
    )


@pytest.mark.parametrize(
    "text",
    [
        "OpenAI released GPT-5.2, a model of 7B weights.",
        "OpenAI released GPT 5.2, a model of 7,000,000,000 weights.",
        "On Tuesday OpenAI's model of 7 billion weights was released.",
        "Sam Altman is very proud of the model that OpenAI released.",
        "OPENAI released a model on Tuesday, said CEO Sam Altman.",
        "Altman said “We are very proud of it” of OpenAI's model.",
        'Altman said "we are very proud of it" of OpenAI\'s model.',
        "Altman said 'we are very proud of it' of OpenAI's model.",
        "The lab's CEO is proud of OpenAI's and of the universities' weights.",
        "It costs 1.25 million dollars, down 40% in 2000 days.",
        "It costs $1,250,000, down 40 per cent.",
        "It costs US$1.25m, down forty percent.",
        "The company will not release the weights to universities.",
        "Steve Jobson of Cafe Zurich tested the model of OpenAI.",
        "It was tested for 5 hours to 10 hours on three H100 cards in Q3 of 2025.",
        "The lab's 1st model in 2 000 days was released Tuesday.",
    ],
)
def test_what_the_source_says_otherwise_holds(text: str) -> None:
    assert wrong(text) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("OpenAI released GPT-5, a model of seven billion weights.", "5"),
        ("OpenAI released GPT-5.3, a model of seven billion weights.", "5.3"),
        ("OpenAI released GPT-4 and a model of weights on Tuesday.", "4"),
        ("OpenAI released a model of 8 billion weights.", "8 billion"),
        ("OpenAI released a model of seven million weights.", "seven million"),
        ("OpenAI released a model of 7 weights on Tuesday.", "7"),
        ("OpenAI released a model of 100 cards on Tuesday.", "100"),
        ("It costs 1.25 million euros, down 40 percent.", "euros"),
        ("It costs $1.25 billion, down 40 percent.", "1.25 billion"),
        ("It costs $1.25 million, down 40 dollars.", "40 dollars"),
        ("It costs $125 million, down 40 percent.", "125 million"),
        ("The lab's second model in 2,000 days costs less.", "second"),
        ("The lab's first model in 2,000 weeks was released.", "2,000 weeks"),
        ("It doubled the number of weights of its model.", "doubled"),
        ("It was tested for half of the hours on H100 cards.", "half"),
        ("OpenAI's model was released at 9:30 on Tuesday.", "9:30"),
        ("OpenAI's model was released on 2025-05-20, a Tuesday.", "2025-05-20"),
    ],
)
def test_a_number_that_is_not_there_does_not_hold(text: str, words: str) -> None:
    assert f"the number {words} is not" in wrong(text) or f"{words} is not" in wrong(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Google released a model of weights on Tuesday.", "Google"),
        ("OpenAI released the model to Elon Musk on Tuesday.", "Elon Musk"),
        ("OpenAI released the model on Wednesday, the lab said.", "Wednesday"),
        ("Sam Jobson tested the model for the company.", "Sam Jobson"),
        ("The company released GPT-5.2 to Microsoft's universities.", "Microsoft"),
        ("OpenAI released iGPT on Tuesday, a model of weights.", "iGPT"),
        ("OpenАI released a model of weights on Tuesday.", "OpenАI"),
        ("Researchers of OpenAI released weights on Tuesday.", "Researchers"),
        ("OpenAI President Sam Altman is proud of the model.", "OpenAI President Sam Altman"),
        ("OpenAI released H200 cards of the model on Tuesday.", "H 200"),
    ],
)
def test_a_name_that_is_not_there_does_not_hold(text: str, name: str) -> None:
    assert "is not in the cited source" in wrong(text)
    assert name.split()[-1] in wrong(text)


def test_a_name_made_of_two_others_does_not_hold() -> None:
    assert "Sam Altman" in wrong("Sam Altman opened a centre there in Paris.", OTHER)
    assert wrong("Ada Altman was there on May 20 in Paris.", OTHER) == ""


@pytest.mark.parametrize(
    "text",
    [
        "Altman said “We are proud of it” of OpenAI's model.",
        'Altman said "very proud of the model" of OpenAI.',
        "Altman said of OpenAI's model: “We love it",
        "OpenAI's model is «the best of all», said the company.",
        "OpenAI's model is ‘the best’, said the company.",
        "OpenAI's model 'isn't cheap', said the company on Tuesday.",
        "OpenAI's model ‘isn’t cheap’, said the company on Tuesday.",
    ],
)
def test_a_quotation_that_is_not_there_word_for_word_does_not_hold(text: str) -> None:
    assert "the quotation" in wrong(text)


def test_a_quotation_that_a_sentence_only_begins_holds_as_far_as_it_goes() -> None:
    assert wrong("CEO Sam Altman of OpenAI said: “We are very proud") == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The company will release the weights to universities.", "says “not” of releas"),
        ("Nobody at OpenAI is proud of the weights.", ""),
        ("Critics doubt that weights help anybody with anything.", "Critics"),
        ("the model is a bad copy of what rivals sell to banks", "too few of its words"),
        ("PWNED", "too little"),
        ("OpenAI.", "too little"),
        ("OpenAI released weights, see https://evil.example/x", "link"),
        ("OpenAI released [weights](http://evil.example) on Tuesday", "link"),
        ("OpenAI released weights on Tuesday <b>now</b>", "link or markup"),
        ("model " * 61, "more than 60 words"),
    ],
)
def test_what_is_not_supported_does_not_hold(text: str, words: str) -> None:
    assert words in wrong(text)


def test_a_denial_that_no_source_has_does_not_hold() -> None:
    said = wrong("Google Cloud did not open a centre in Paris.", OTHER)

    assert "denies something" in said


CHIP = (
    "Acme released the Heron chip without telemetry on Monday. The company did not disclose the "
    "price of 42 dollars per unit for its customers in Europe."
)


@pytest.mark.parametrize(
    "text",
    [
        "Acme released no Heron chip.",
        "It never released the Heron chip on Monday.",
        "Acme has not released the Heron chip, without telemetry.",
    ],
)
def test_a_denial_of_something_else_does_not_hold(text: str) -> None:
    assert "denies something" in wrong(text, CHIP)


@pytest.mark.parametrize(
    "text",
    [
        "Acme released the Heron chip without telemetry.",
        "Acme did not disclose the price of 42 dollars per unit.",
        "The price of 42 dollars per unit was never disclosed to customers by the company.",
        "Acme disclosed no price of 42 dollars per unit.",
    ],
)
def test_a_denial_that_the_source_has_holds(text: str) -> None:
    assert wrong(text, CHIP) == ""


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("No weights of Heron are released.", "Acme says weights of Heron are not released."),
        ("Weights of Heron are not released.", "No weights of its Heron chip are released."),
        ("Acme opened Heron, Google Cloud did not.", "Acme opened Heron. Google Cloud did not."),
    ],
)
def test_a_denial_holds_in_another_order_or_without_a_verb(text: str, source: str) -> None:
    assert wrong(text, source) == ""


def test_a_denial_of_nothing_allows_no_other() -> None:
    text = "Acme did not open Heron for Google Cloud."

    assert "denies something" in wrong(text, "Acme opened Heron. Google Cloud did not.")


def test_a_dropped_without_is_noticed() -> None:
    assert "says “without” of telemetry" in wrong("Acme released the chip with telemetry.", CHIP)


def test_letters_of_full_width_hide_no_link() -> None:
    address = "".join(chr(ord(letter) + 0xFEE0) for letter in "https://evil.example/x")

    assert wrong(f"OpenAI released weights, see {address}") == "it has a link or markup"


def test_a_word_again_says_no_more() -> None:
    assert wrong("Acme, Acme, Acme!", CHIP) == "it says too little"


def test_only_the_cited_source_counts() -> None:
    text = "OpenAI released a model of seven billion weights."

    assert wrong(text, OTHER, LAB, cites=(2,)) == ""
    assert "not in the cited source" in wrong(text, OTHER, LAB, cites=(1,))
    assert wrong(text, OTHER, LAB, cites=(3,)) == "there is no source 3"
    assert wrong(text, OTHER, LAB, cites=(0,)) == "there is no source 0"
    assert validation_error(Sentence(text, ()), [Source(LAB)]) == "it cites no source"


@pytest.mark.parametrize(
    ("text", "source", "holds"),
    [
        ("研究チームは新しい言語モデルを公開した。", "研究チームは水曜日、新しい言語モデルを公開した。", True),  # noqa: E501
        ("グーグルは新しい言語モデルを公開した。", "研究チームは水曜日、新しい言語モデルを公開した。", False),  # noqa: E501
        ("公司发布了三百万参数的模型。", "公司周三发布了五百万参数的模型。", False),
        ("公司发布了500万参数的模型。", "公司周三发布了五百万参数的模型。", False),
        ("公司周三发布了500万参数的模型。", "公司周三发布了500万参数的新模型。", True),
        ("회사는 새로운 언어 모델을 공개했다.", "회사는 수요일에 새로운 언어 모델을 공개했다.", True),  # noqa: E501
        ("Die Firma zahlt 1,5 Milliarden Euro.", "Die Firma zahlt 1.500.000.000 €.", True),
        ("Die Firma zahlt 2,5 Milliarden Euro.", "Die Firma zahlt 1.500.000.000 €.", False),
        ("Компания выпустила модель на 7 млрд параметров.",
         "Компания выпустила новую модель на 7 миллиардов параметров.", True),
        ("Компания Яндекс выпустила модель на 7 млрд параметров.",
         "Компания выпустила новую модель на 7 миллиардов параметров.", False),
    ],
)  # fmt: skip
def test_other_languages_are_held_to_the_same(text: str, source: str, holds: bool) -> None:
    assert (wrong(text, source) == "") is holds


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("7B", "seven billion", True),
        ("7bn", "7,000 million", True),
        ("twenty-five", "25", True),
        ("two hundred and fifty thousand", "250k", True),
        ("€1.234,50", "1,234.5 euros", True),
        ("1'500'000", "1.5 million", True),
        ("1,00,000", "one lakh", True),
        ("a dozen", "12", True),
        ("3rd", "third", True),
        ("500万円", "5 million yen", True),
        ("5-day", "five days", True),
        ("5 %", "5 percentage points", False),
        ("5 %", "5", False),
        ("$5", "5", False),
        ("$5", "£5", False),
        ("5 days", "5 weeks", False),
        ("1.5", "15", False),
        ("2.5", "2.5.1", False),
        ("9:30", "9.30", False),
        ("2 GB", "2 TB", False),
    ],
)
def test_numbers_are_one_however_they_are_written(one: str, other: str, are_one: bool) -> None:
    (claimed,) = numbers_in(one)

    assert contains_number(claimed, numbers_in(other)) is are_one


def test_three_of_five_words_are_enough_and_fewer_are_not() -> None:
    source = "the cheap model with open weights runs on a phone"

    assert wrong("cheap model weights surprise bankers", source) == ""
    assert wrong("cheap model surprise bankers today", source) != ""


def test_the_words_that_are_missing_are_named_up_to_four() -> None:
    said = wrong("apples bananas cherries damsons elderberries", "nothing of the kind stands here")

    assert said == (
        "too few of its words are in the cited source (appl, banana, cherry, damson are not)"
    )


def test_words_are_stems_or_pairs_of_signs() -> None:
    assert content_words("The models, released!") == ["model", "releas"]
    assert content_words("研究チーム") == ["研究", "究チ", "チー", "ーム"]
    assert content_words("漢") == ["漢"]
    assert content_words("7 seven billion percent 7B") == []


def test_sixty_words_are_not_too_many() -> None:
    words = "The model of the lab is open now. " * 8

    assert wrong(words[:-1].removesuffix(" The model of the lab is open now."), words) == ""
    assert wrong(" ".join(["model weights open lab"] * 15), words + "weights") == ""
    assert "more than 60 words" in wrong(" ".join(["model"] * 61), words)


def test_numerals_in_signs_hold_where_the_source_has_them() -> None:
    source = "公司周三发布了五百万参数的新模型。"

    assert wrong("公司发布了五百万参数的新模型。", source) == ""
    assert "五百万" in wrong("公司发布了五百万参数的新模型。", "公司周三发布了三百万参数的新模型。")


def test_a_long_quotation_is_named_by_its_beginning() -> None:
    quoted = "a" * 60 + " " + "b" * 60

    said = wrong(f"Altman said “{quoted}” of the model.")

    assert said == f"the quotation “{quoted[:80]}” is not in the cited source"


@pytest.mark.parametrize(
    "source",
    [
        "OpenAI released the model on Tuesday but will not sell cards.",
        "OpenAI released the model on Tuesday; no rival released it before.",
        "OpenAI released the model on Tuesday, said nobody",
    ],
)
def test_a_denial_of_something_else_is_no_objection(source: str) -> None:
    assert wrong("OpenAI released the model on Tuesday.", source) == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("OpenAI released weights, see www.evil.example now", "it has a link or markup"),
        ("model " * 61, "it has more than 60 words"),
        ("OpenAI released.", "it says too little"),
        (
            "OpenAI released a model of 8 billion weights.",
            "the number 8 billion is not in the cited source",
        ),
        ("公司发布了五百万参数的新模型。", "the number 五百万 is not in the cited source"),
        ("OpenAI gave the model to Elon Musk.", "the name Elon Musk is not in the cited source"),
        (
            "The company will release the weights to universities.",
            "the cited source says “not” of releas",
        ),
    ],
)
def test_a_writer_learns_what_is_wrong(text: str, message: str) -> None:
    assert wrong(text) == message


def test_a_writer_learns_of_a_denial() -> None:
    message = "it denies something that the cited source does not deny"

    assert wrong("Google Cloud did not open a centre in Paris.", OTHER) == message


def test_three_words_say_enough() -> None:
    assert wrong("OpenAI released weights.") == ""


def test_the_first_source_that_is_not_there_is_named() -> None:
    assert wrong("OpenAI released weights.", LAB, cites=(1, 7, 5)) == "there is no source 7"


@pytest.mark.parametrize(
    ("text", "sources"),
    [
        ("OpenAI released a model; Google Cloud opened a centre in Paris.", (LAB, OTHER)),
        ("Weights of OpenAI's model and a centre in Paris cost $1.25 million.", (OTHER, LAB)),
        ("Altman said “We are very proud of it” of a centre in Paris.", (OTHER, LAB)),
        ("The company will not release the weights in Paris.", (OTHER, LAB)),
        (
            "公司发布了五百万参数的新模型。",
            ("公司周三发布了新模型。", "公司发布了五百万参数的模型。"),
        ),
    ],
)
def test_each_part_may_stand_in_another_of_the_cited_sources(
    text: str, sources: tuple[str, ...]
) -> None:
    assert wrong(text, *sources) == ""


def test_a_quotation_that_a_sentence_only_ends_is_held_to_the_source() -> None:
    assert wrong("We are very proud of it”, said CEO Sam Altman of OpenAI.") == ""
    assert "the quotation" in wrong("We are not proud of it”, said CEO Sam Altman of OpenAI.")


def test_a_denial_of_what_the_source_also_says_is_no_objection() -> None:
    source = "OpenAI released the model on Tuesday, not released earlier by anybody."

    assert wrong("OpenAI released the model on Tuesday.", source) == ""


def test_a_denial_concerns_words_close_behind_it() -> None:
    far = "and so on and so forth, " * 3

    assert wrong("The lab sold the cards on Tuesday.", "The lab sold not the cards on Tuesday.")
    assert not wrong("The lab sold cards on Tuesday.", f"The lab sold, not {far}cards on Tuesday.")


def test_words_are_stems_in_any_case_and_beside_signs() -> None:
    assert content_words("MODELS Released") == ["model", "releas"]
    assert content_words("Seven BILLION models") == ["model"]
    assert content_words("models 研究 公司 cards") == ["model", "研究", "公司", "card"]
