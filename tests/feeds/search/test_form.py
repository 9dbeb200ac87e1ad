"""The form of the search: its fields become a query, and a query fills them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.search.query.form import Fields, fields_of, text_of
from feeds.search.query.parser import Query, parse_query

ODD = "ab\"*-:OR is'xé漢 1"


def parsed(text: str) -> tuple[Query, set[object], set[str]]:
    """The query without its problems, and what may come in another order. Spaces in phrases do not
    matter."""
    query = parse_query(text)
    groups = {
        tuple((" ".join(term.text.split()), term.is_prefix, term.is_quoted) for term in group)
        for group in [*query.groups, *((term,) for term in query.excluded)]
    }
    rest = replace(query, problems=(), groups=(), excluded=(), sources=())
    return rest, set(groups), set(query.sources)


def test_each_field_writes_its_operator() -> None:
    fields = Fields(
        words="open weights",
        phrase="large model",
        exclude='sports "press release"',
        source="The Lab",
        folder="labs",
        topic="agents",
        state="unread",
        after="2026-03-01",
        before="2026-04-01",
    )
    text = (
        'open weights "large model" -sports -"press release" source:"The Lab" folder:labs'
        " topic:agents is:unread after:2026-03-01 before:2026-04-01"
    )
    assert text_of(fields) == text
    assert fields_of(parse_query(text)) == fields


def test_empty_fields_write_nothing() -> None:
    assert text_of(Fields()) == ""
    assert text_of(Fields(source=' " ', phrase='""', words="  ")) == ""


def test_a_phrase_that_is_not_closed_does_not_swallow_the_other_fields() -> None:
    query = parse_query(text_of(Fields(words='"open weights', exclude='"x', source="lab")))
    assert query.sources == ("lab",)
    assert [term.text for term in query.excluded] == ["x"]


def assert_kept(text: str) -> None:
    assert parsed(text_of(fields_of(parse_query(text)))) == parsed(text)


@pytest.mark.parametrize(
    "text",
    [
        'gemini OR "claude code" quant* source:a source:"b c" is:saved is:unread',
        'foo:bar foo:"a b" -foo:bar after:2026 before:2026-02 -"a b" -c topic:x folder:"y z"',
        '"one two" "three four" souce:"x',
    ],
)
def test_the_form_keeps_what_it_has_no_field_for(text: str) -> None:
    assert_kept(text)


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from(ODD), max_size=30))
def test_the_form_keeps_every_query(text: str) -> None:
    assert_kept(text)
