"""Leaves out datelines: where and when an agency's report was written. Pure."""

import re

_PLACE = r"[A-ZÀ-Þ][A-ZÀ-Þ.'’-]"
_DATELINE = re.compile(
    rf"({_PLACE}{{3,}}|{_PLACE}+(?: {_PLACE}+){{1,3}})"
    r"(?:, (?:\d{1,2} )?[A-Z][A-Za-z.]+(?: \d{1,2})?|, \d{4}){0,3}"
    r" ?(?:\([A-Za-z ]{2,20}\)|/[A-Za-z ]{2,20}/)? ?(?:--?|–|—) (?=\S)"
)
"""Such as "BERLIN, Nov 30 (Reuters) - "."""
_FEWEST_WORDS = 5
"""A line with fewer words is a heading or names the author, and a dateline may follow it."""


def without_dateline(text: str, title: str) -> str:
    """The text without a dateline at its beginning."""
    match = _DATELINE.match(text) if text[1:2].isupper() else None
    if match is None or _is_name(match[1], title, text[match.end() :]):
        return text
    return text[match.end() :]


def without_leading_dateline(text: str, title: str) -> str:
    """The text without a dateline of its first paragraph, which may follow headings and the
    title."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        lines[number] = without_dateline(line, title)
        if lines[number] != line or not _may_precede_report(line, title):
            break
    return "\n".join(lines)


def _may_precede_report(line: str, title: str) -> bool:
    return len(line.split()) < _FEWEST_WORDS or line.strip(" .") == title.strip(" .")


def _is_name(place: str, title: str, rest: str) -> bool:
    """Whether what looks like a dateline is a name of the title, as in "NVIDIA - the maker of
    chips". A place of the title is not in capitals there, and a sentence follows its dateline."""
    is_in_title = place.casefold() in title.casefold()
    return is_in_title and (place in title or rest[:1].islower())
