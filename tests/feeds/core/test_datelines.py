"""A dateline is left out, and nothing that a text says."""

import pytest

from feeds.core.datelines import without_dateline, without_leading_dateline


@pytest.mark.parametrize(
    "dateline",
    [
        "ALDERMERE - ",
        "OSTER BAY — ",
        "SAN JUAN, Nov 30 (Reuters) - ",
        "LONDON, 30 November (dpa) – ",
        "WASHINGTON, D.C. -- ",
        "SAN FRANCISCO, Calif., Nov. 30, 2026 /PRNewswire/ -- ",
    ],
)
def test_a_dateline_is_left_out(dateline: str) -> None:
    text = "The lab opened on Monday."
    assert without_dateline(dateline + text, "A lab opens in Aldermere") == text


@pytest.mark.parametrize(
    "text",
    [
        "NVIDIA - the maker of chips - grows.",
        "IBM - It buys a lab.",
        "AI - it is here.",
        "GPT-5 - The model is here.",
        "COVID-19 cases rise - and fall.",
        "ALDERMERE-BASED lab opens.",
        "ALDERMERE - ",
        "Aldermere - The lab opened.",
        "The lab opened. ALDERMERE - It has robots.",
        "",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert without_dateline(text, "Nvidia grows") == text
    assert without_leading_dateline(text, "Nvidia grows") == text


def test_a_dateline_may_follow_the_title_and_the_author() -> None:
    text = "A lab opens today in a town\nBy Ada Marsh\nCALDER - It has 96 robots.\nThey paint."

    left = without_leading_dateline(text, "A lab opens today in a town")

    assert left == text.replace("CALDER - ", "")


def test_a_later_paragraph_is_no_dateline() -> None:
    text = "The lab has three new customers now.\nFERROWICK - The maker of chips pays most."

    assert without_leading_dateline(text, "A lab opens") == text
