"""The independent checker of editions finds what is invented, and nothing else."""

import pytest

from benchmarks.citations import missing_part

TEXT = (
    "OpenAI released GPT-5.2 on Tuesday, a model of seven billion weights. Sam Altman said: "
    "“We are very proud of it.” It costs $1.25 million, 2,000 times less."
)


@pytest.mark.parametrize(
    "sentence",
    [
        "OpenAI released GPT-5.2, a model of 7B weights.",
        "It costs $1,250,000, said Altman: “We are very proud of it.”",
        "It costs 2000 times less on Tuesday.",
    ],
)
def test_what_is_there_is_found(sentence: str) -> None:
    assert missing_part(sentence, TEXT) == ""


@pytest.mark.parametrize(
    ("sentence", "wrong"),
    [
        ("OpenAI released a model of 9 billion weights.", "number 9"),
        ("It costs 3,000 times less.", "number 3,000"),
        ("The model was praised by Google.", "name Google"),
        ("Altman said “We are proud”.", "quotation We are proud"),
    ],
)
def test_what_is_not_there_is_named(sentence: str, wrong: str) -> None:
    assert missing_part(sentence, TEXT) == wrong
