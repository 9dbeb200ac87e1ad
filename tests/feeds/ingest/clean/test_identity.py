"""The keys of entries, and guids and links that stand for several articles."""

import pytest

from feeds.ingest.clean.identity import guids_are_trustworthy, hash64, shared_links

LINK, OTHER = "https://news.example/1", "https://news.example/2"


def test_keys_do_not_change_between_releases() -> None:
    # Every ledger contains these keys. If they changed, entries would be stored again.
    assert hash64("https://a.example/1") == 4154222270657463321
    assert hash64("https://a.example/1", "Title") == 7848515096565474889


def test_a_key_depends_on_the_boundaries_of_its_parts() -> None:
    assert len({hash64("ab", "c"), hash64("a", "bc"), hash64("abc"), hash64("abc", "")}) == 4


def test_keys_fit_a_signed_column_and_use_all_of_it() -> None:
    keys = [hash64(str(number)) for number in range(500)]

    assert all(-(1 << 63) <= key < 1 << 63 for key in keys)
    assert min(keys) < -(1 << 62) and max(keys) > 1 << 62


def test_text_that_utf_8_cannot_encode_has_a_key() -> None:
    assert hash64("\ud800") != hash64("\ud801")


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ([], True),
        ([("1", LINK, "A"), ("2", OTHER, "B")], True),
        # An entry that occurs twice, and one that has a version without a link.
        ([("1", LINK, "A"), ("1", LINK, "A")], True),
        ([("1", LINK, "A"), ("1", "", "A")], True),
        # A headline and its correction, but not three headlines.
        ([("1", LINK, "A"), ("1", LINK, "A, corrected")], True),
        ([("1", LINK, "A"), ("1", LINK, "B"), ("1", LINK, "C")], False),
        ([("1", LINK, "A"), ("1", OTHER, "A")], False),
        # One bad guid is enough, at any place.
        ([("1", LINK, "A"), ("1", OTHER, "A"), ("2", OTHER, "B")], False),
        ([("2", OTHER, "B"), ("1", LINK, "A"), ("1", LINK, "B"), ("1", LINK, "C")], False),
        # Without a guid there is nothing to trust.
        ([("", LINK, "A"), ("", OTHER, "B"), ("", OTHER, "C"), ("", OTHER, "D")], True),
    ],
)
def test_guids_are_trusted_unless_one_stands_for_several_articles(
    named: list[tuple[str, str, str]], expected: bool
) -> None:
    assert guids_are_trustworthy(named) is expected


def test_links_are_shared_when_they_have_several_titles() -> None:
    named = [(LINK, "A"), (LINK, "B"), (OTHER, "C"), (OTHER, "C"), ("", "D"), ("", "E")]

    assert shared_links(named) == {LINK}
    assert shared_links([]) == frozenset()
