"""What grouping decides, pure: by words, versions and sources, whatever the order."""

import random
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feeds.stories.grouping.continuity import continue_stories
from feeds.stories.grouping.layer_similarity import Layer
from feeds.stories.grouping.layers import group_layers
from feeds.stories.grouping.linkage import cluster_all, group_all
from feeds.stories.grouping.online import Grouper
from feeds.stories.grouping.similarity import MAX_DOCUMENTS
from feeds.stories.grouping.tokenizer import (
    Document,
    make_document,
    terms_of,
    title_key,
    versions_in,
)
from feeds.stories.grouping.vectors import Vectors

HOUR = 3600.0
FILLER = [
    f"{subject} {verb} {thing}"
    for subject, thing in (("Council", "budget"), ("Farmers", "harvest"), ("Museum", "paintings"))
    for verb in ("weighs", "praises", "loses", "counts", "sells")
]


def documents(*titles: str, start: int = 1) -> list[Document]:
    return [
        make_document(pk, pk * HOUR, pk, title, url=f"https://{pk}.example/")
        for pk, title in enumerate(titles, start)
    ]


def groups_of(*titles: str) -> list[list[int]]:
    """Which of these are together, among unrelated ones that make their words rare."""
    found = group_all(documents(*titles, *FILLER))
    own = [sorted(one.id for one in group if one.id <= len(titles)) for group in found]
    return sorted(group for group in own if group)


def test_tellings_in_other_words_are_one_story_and_others_are_not() -> None:
    assert groups_of(
        "Acme releases Heron, a model for ships",
        "Heron by Acme: a model made for ships",
        "Court fines a lawyer for invented cases",
    ) == [[1, 2], [3]]


def test_two_versions_of_one_name_are_two_stories() -> None:
    assert versions_in("Acme ships GPT-5 and Llama 3.1") == {
        "gpt": frozenset({"5"}),
        "llama": frozenset({"3.1"}),
    }
    assert versions_in("On March 5 the bank") == {}
    assert groups_of("Gristmill 1.0 released today", "Gristmill 2.0 released today") == [[1], [2]]


def test_the_same_title_in_two_outlets_is_a_copy() -> None:
    grouper = Grouper()
    one, two = documents(
        "Bank loses nine million to cloned voice", "Bank loses nine million to cloned voice!"
    )

    found = grouper.assign_all([one, two])

    assert found[one.id].copy_of is None
    assert (found[two.id].story, len(grouper)) == (one.id, 1)


def test_what_is_far_apart_in_time_is_not_one_story() -> None:
    grouper = Grouper()
    early = make_document(1, 0.0, 1, "Acme opens its robot factory in Lyon")
    late = make_document(2, 100 * HOUR, 2, "Acme opens its robot factory in Lyon")
    grouper.assign_all([early, late])

    assert len(grouper) == 2
    grouper.drop_before(50 * HOUR)
    assert len(grouper) == 1


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("The models are released", ["model", "releas"]),
        ("Anthropic’s GPT-4.1", ["anthropic", "gpt", "4.1"]),
        ("", []),
        ("…—!", []),
    ],
)
def test_words_that_carry_meaning_are_stemmed(text: str, terms: list[str]) -> None:
    assert terms_of(text) == terms


def test_short_titles_have_no_key_as_they_say_too_little() -> None:
    assert title_key("Weekly links") == ""
    assert title_key("Bank loses NINE million!") == title_key("Bank loses nine million")


WORDS = ["heron", "acme", "bank", "court", "model", "chip", "law", "robot", "5", "7"]
TITLES = st.lists(st.lists(st.sampled_from(WORDS), max_size=6), max_size=12)


@given(TITLES, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_groups_are_a_function_of_the_set_whatever_the_order(
    titles: list[list[str]], rng: random.Random
) -> None:
    made = documents(*[" ".join(words) for words in titles])
    turned = rng.sample(made, len(made))

    assert _ids(group_all(made)) == _ids(group_all(turned))
    assert sorted(pk for group in _ids(group_all(made)) for pk in group) == [one.id for one in made]


def _ids(groups: list[list[Document]]) -> list[list[int]]:
    return sorted([document.id for document in group] for group in groups)


@given(
    st.dictionaries(st.integers(1, 20), st.integers(1, 6), min_size=1),
    st.sets(st.integers(1, 20)),
    st.randoms(use_true_random=False),
)
@settings(max_examples=100, deadline=None)
def test_repaired_groups_have_one_story_each_and_pinned_items_stay(
    current: dict[int, int], pinned: set[int], rng: random.Random
) -> None:
    groups: dict[int, list[int]] = {}
    for item in current:
        groups.setdefault(rng.randrange(4), []).append(item)

    found = continue_stories(list(groups.values()), current, pinned)

    assert not pinned & found.keys()
    named = [{found[item] for item in group if item in found} for group in groups.values()]
    free = [any(item not in pinned for item in group) for group in groups.values()]
    assert [len(names) for names in named] == free
    assert len({story for names in named for story in names}) == sum(map(len, named))


def test_stories_are_read_into_memory_without_comparing_all_with_all() -> None:
    count, grouper = 4_000, Grouper()
    known = [(make_document(pk, pk * 60.0, pk, f"word{pk}"), pk) for pk in range(1, count)]
    rows = np.eye(8, dtype=np.float32)
    grouper.add_known(known, {pk: rows[pk % 8] for _, pk in known})

    tracemalloc.start()
    grouper.add_known(known, {pk: rows[pk % 8] for _, pk in known})
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert most < count * count


def test_ten_thousand_items_in_an_hour_are_grouped_online_and_anew() -> None:
    rng = random.Random(7)
    words = ["".join(rng.choices("bdfgklmnprstvz", k=7)) for _ in range(12_000)]
    events = [rng.sample(words, 8) for _ in range(2_500)]
    made = [
        make_document(pk, pk * 0.36, pk % 400, " ".join(rng.sample(events[pk % 2_500], 6)))
        for pk in range(1, 10_001)
    ]

    grouper = Grouper()
    online = {one.story for one in grouper.assign_all(made).values()}
    anew = group_all(made)

    assert 2_000 < len(online) < 4_000
    assert 1_000 < len(anew) < 2_600  # a rare word that all tellings of two events share joins them
    assert max(len({one.id % 2_500 for one in group}) for group in anew) < 50


def of_few_words(count: int) -> list[Document]:
    """Documents of as many sources within two days, whose titles are made of twelve words."""
    words = [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "theta",
        "kappa",
        "lambda",
        "omega",
        "sigma",
        "omikron",
    ]
    chance = random.Random(5)
    return [
        make_document(pk, pk * 100.0, pk, " ".join(chance.sample(words, 6)), url=f"https://{pk}/")
        for pk in range(1, count + 1)
    ]


def test_titles_of_few_words_do_not_make_a_story_of_more_documents_than_an_event_has() -> None:
    many = of_few_words(MAX_DOCUMENTS + 300)
    assert max(map(len, group_all(many))) <= MAX_DOCUMENTS

    grouper = Grouper()
    stories = [assigned.story for assigned in grouper.assign_all(many).values()]
    assert MAX_DOCUMENTS // 2 < max(Counter(stories).values()) <= MAX_DOCUMENTS
    known = Grouper()
    known.add_known([(document, 1) for document in many[:MAX_DOCUMENTS]], {})
    assert 1 not in {assigned.story for assigned in known.assign_all(many[MAX_DOCUMENTS:]).values()}


def test_a_layer_does_not_fill_a_story_beyond_the_limit() -> None:
    many = of_few_words(MAX_DOCUMENTS + 40)
    public = cluster_all(many[:MAX_DOCUMENTS], Vectors({}))
    [layer] = group_layers(public, [Layer(many[MAX_DOCUMENTS:], [])], {})
    sizes = Counter[int]()
    for number, cluster in enumerate(public):
        sizes[number] += len(cluster.documents)
    for group in layer:
        sizes[group.group] += len(group.documents)
    assert max(sizes.values()) <= MAX_DOCUMENTS


def test_a_group_does_not_continue_a_story_that_has_too_many_other_items() -> None:
    current = {1: 7, 2: 7, 3: 7}
    assert continue_stories([[1, 2, 3]], current, outside={7: MAX_DOCUMENTS - 3}) == current
    renewed = continue_stories([[1, 2, 3]], current, outside={7: MAX_DOCUMENTS - 2})
    assert renewed == {1: 1, 2: 1, 3: 1}
