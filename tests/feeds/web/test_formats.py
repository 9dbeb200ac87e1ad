"""What pages show of a summary."""

import pytest

from feeds.web.formats import cut, excerpt


@pytest.mark.parametrize(
    ("summary", "title", "shown"),
    [
        ("A lab opens. It has robots.", "A lab opens", "It has robots."),
        ("A LAB OPENS: it has robots.", "A lab opens", "it has robots."),
        ("“A lab” opens – it has robots.", "A Lab Opens!", "it has robots."),
        ("A lab opens…", "A lab opens", ""),
        ("A lab", "A lab opens", "A lab"),
        ("A lab closes.", "A lab opens", "A lab closes."),
        ("Straße gesperrt. Umleitung.", "STRASSE GESPERRT", "Umleitung."),
        ("ΟΔΟΣ. Νέα", "Οδος", "Νέα"),
        ("… and more", "", "… and more"),
        ("Text", "?!", "Text"),
        ("", "Title", ""),
        ("TIDEWICK - Opticians ask a court.", "A claim", "Opticians ask a court."),
        ("SAN JUAN, Nov 30 (Reuters) - It rains.", "Rain", "It rains."),
        ("BERLIN (AP) — A lab opens. It has robots.", "A lab opens", "It has robots."),
        (
            "NVIDIA - the maker of chips - grows.",
            "Nvidia grows",
            "NVIDIA - the maker of chips - grows.",
        ),
        ("BERLIN - It rains.", "Rain in Berlin", "It rains."),
        ("SANKT ORM - 96 robots.", "Robots for Sankt Orm", "96 robots."),
        ("IBM - It buys a lab.", "IBM buys a lab", "IBM - It buys a lab."),
        ("NVIDIA - The maker grows.", "NVIDIA grows", "NVIDIA - The maker grows."),
        ("AI - it is here.", "News", "AI - it is here."),
        ("A lab opens. CALDER - It has robots.", "A lab opens", "It has robots."),
    ],
)
def test_an_excerpt_does_not_repeat_the_title(summary: str, title: str, shown: str) -> None:
    assert excerpt(summary, title) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("It has robots.", "It has robots."),
        ("It has robots. They paint.", "It has robots…"),
        ("It has robots, and they paint.", "It has robots…"),
        ("It has robotsandtheypaint.", "It has…"),
        ("机器人会画画也会唱歌跳舞写诗做饭洗衣扫地看门", "机器人会画画也会唱歌跳舞写诗做…"),
    ],
)
def test_a_cut_text_ends_in_the_ellipsis_alone(text: str, shown: str) -> None:
    assert cut(text, 15) == shown
