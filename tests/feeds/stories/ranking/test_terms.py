"""The terms are declared once: for arrays, for single stories and for the documentation.

`python -m tests.feeds.stories.ranking.test_terms` writes the snapshot anew, after a change of the
ranking that is wanted.
"""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from feeds.core.ids import TAIL_BITS
from feeds.core.topics import LABELS
from feeds.stories.ranking.data.batch import Facts, Learned
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.data.similarity import make_row
from feeds.stories.ranking.rank import explain, rank
from feeds.stories.ranking.scoring import score_all
from feeds.stories.ranking.terms import TERMS

SNAPSHOT = Path(__file__).parent / "snapshots" / "ranking.json"
TOPICS = sorted(LABELS)[:12]
NOW = 1_780_000_000
CASES, MAX_SHOWN = 8, 6


def a_reader(chance: random.Random, stories: list[int], sources: range) -> Reader:
    interests = {topic: chance.choice(["mute", "less", "more"]) for topic in TOPICS[:4]}
    levels = {source: chance.choice(["less", "more"]) for source in sources[::5]}
    shown = {source: chance.randint(0, 50) for source in sources}
    opened = {source: chance.randint(0, 20) for source in sources[::2]}
    acts = chance.choice([0, 5, 60])
    return Reader(interests, levels, frozenset(stories[:2]), shown, opened, acts)


def traits(items: Any) -> list[bytes]:
    rows = []
    for item in items:
        chance = random.Random(item)
        rows.append(make_row(int(chance.paretovariate(0.4)) % 3000 for _ in range(20)))
    return rows


def ranked(seed: int) -> list[dict[str, Any]]:
    """The best of some 60 articles for a reader, all of them drawn from `seed`."""
    chance = random.Random(seed)
    ids = sorted(((NOW - chance.randint(0, 400_000)) << TAIL_BITS) + n for n in range(60))
    stories, sources = [ids[chance.randrange(25)] for _ in ids], range(1, 15)
    tellers = [chance.choice(sources) for _ in ids]
    copies = [ids[0] if chance.random() < 0.2 else 0 for _ in ids]
    names = [chance.sample(TOPICS, chance.randint(0, 3)) for _ in range(20)]
    kinds = [chance.randrange(20) for _ in ids]
    reader = a_reader(chance, stories, sources)
    examples = [(n, chance.choice([1.0, 2.0, -1.0])) for n in range(reader.learned)]
    columns = tuple(np.array(c, np.int64) for c in (ids, stories, tellers, copies, kinds))
    scored = score_all(
        columns,  # type: ignore[arg-type]
        names,
        reader,
        {3: 1.5, 4: 2.0},
        float(NOW),
        learned=Learned(examples, range(40, 120), traits),
    )
    return [
        {
            "story": int(scored.table.stories[place]),
            "score": round(float(scored.scores[place]), 7),
            "terms": {name: round(float(v[place]), 7) for name, v in scored.terms.items()},
        }
        for place in scored.best(MAX_SHOWN)
    ]


def explained(seed: int) -> list[dict[str, Any]]:
    """A few single stories with their explanations, as digests rank them."""
    chance = random.Random(seed)
    sources, stories = range(1, 15), list(range(1, 9))
    reader = a_reader(chance, stories, sources)
    facts = [
        Facts(
            sources=chance.randint(1, 9),
            age=chance.random() * 10,
            topics=tuple(chance.sample(TOPICS, 2)),
            weight=chance.choice([1.0, 1.5]),
            lead_source=chance.choice(sources),
            story=story,
            lead=story,
        )
        for story in stories
    ]
    examples = [(100 + n, chance.choice([1.0, -1.0])) for n in range(reader.learned)]
    rankings = rank(facts, reader, Learned(examples, range(100, 160), traits))
    return [
        {"score": round(one.score, 6), "why": explain(fact, reader, one.terms)}
        for fact, one in zip(facts, rankings, strict=True)
    ]


def current() -> dict[str, Any]:
    seeds = [str(seed) for seed in range(CASES)]
    return {
        "ranked": {seed: ranked(int(seed)) for seed in seeds},
        "explained": {seed: explained(int(seed)) for seed in seeds},
    }


def leaves(tree: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict | list):
        return {path: tree}
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    return {k: v for key, value in pairs for k, v in leaves(value, f"{path}/{key}").items()}


def test_rankings_are_those_of_the_snapshot() -> None:
    actual, expected = leaves(current()), leaves(json.loads(SNAPSHOT.read_text()))

    assert actual.keys() == expected.keys()
    for path, value in expected.items():
        wanted = value if isinstance(value, str) else pytest.approx(value, rel=0, abs=1e-5)
        assert actual[path] == wanted, path


def test_a_story_by_itself_has_the_values_that_it_has_among_all() -> None:
    """The newest article of each story is its only one, so that both ways see the same."""
    chance = random.Random(5)
    sources = range(1, 15)
    ids = [((NOW - 3600 * n) << TAIL_BITS) + n for n in range(30)]
    tellers = [chance.choice(sources) for _ in ids]
    names = [chance.sample(TOPICS, chance.randint(0, 3)) for _ in ids]
    drawn = a_reader(chance, ids, sources)
    reader = replace(drawn, interests={TOPICS[0]: "more", TOPICS[1]: "less"})
    trust = {3: 1.5, 4: 2.0}
    examples = [(n, 1.0) for n in range(reader.learned)]
    learned = Learned(examples, range(40, 120), traits)
    columns = tuple(
        np.array(c, np.int64) for c in (ids, ids, tellers, [0] * len(ids), range(len(ids)))
    )

    scored = score_all(columns, names, reader, trust, float(NOW), learned=learned)  # type: ignore[arg-type]
    places = scored.table.stories.argsort()[::-1]
    facts = [
        Facts(1, float(n), tuple(names[n]), trust.get(tellers[n], 1.0), tellers[n], pk, pk)
        for n, pk in enumerate(ids)
    ]
    alone = rank(facts, reader, learned)

    for term in TERMS:
        expected = [one.terms[term.name] for one in alone]
        assert scored.terms[term.name][places].tolist() == pytest.approx(expected, abs=1e-6)


def test_values_stay_between_0_and_1_and_names_are_given_once() -> None:
    values = [
        value
        for rows in current()["ranked"].values()
        for one in rows
        for value in one["terms"].values()
    ]

    assert all(0 <= value <= 1 for value in values)
    assert len({term.name for term in TERMS}) == len(TERMS)


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(current(), indent=1, ensure_ascii=False) + "\n")
