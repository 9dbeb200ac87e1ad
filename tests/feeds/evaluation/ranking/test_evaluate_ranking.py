"""`evaluate ranking` ends with fixed lines, and ours beats the rules on real feeds."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from feeds.stories.ranking import terms as registry

RECORDING = Path(__file__).resolve().parents[5] / "shared" / "replay" / "ai-labs.tar.xz"
TERMS = [term.name for term in sorted(registry.TERMS, key=lambda term: term.weight is None)]
NAMES = [
    "ranking_ndcg10_recency",
    "ranking_ndcg10_popularity",
    "ranking_ndcg10_seed_rule",
    *(f"ranking_without_{term}_ndcg10" for term in TERMS),
    "ranking_shown_ndcg10",
    "ranking_auc",
    "ranking_mrr",
    "ranking_ndcg10",
]


def evaluate(*arguments: str) -> dict[str, float]:
    out = StringIO()
    call_command("evaluate", "ranking", *arguments, stdout=out)
    lines = [line.split() for line in out.getvalue().splitlines()[-len(NAMES) :]]
    assert [line[0] for line in lines] == NAMES
    return {name: float(value) for name, value in lines}


def test_in_the_sample_newsroom_ours_is_above_recency_and_popularity() -> None:
    found = evaluate("--readers", "30")

    assert found["ranking_ndcg10"] > found["ranking_ndcg10_popularity"]
    assert found["ranking_ndcg10"] > 1.3 * found["ranking_ndcg10_recency"]


@pytest.mark.slow
@pytest.mark.skipif(not RECORDING.exists(), reason="the recording is not here")
def test_on_real_feeds_ours_is_well_above_every_rule_and_no_term_is_idle() -> None:
    found = evaluate(str(RECORDING), "--readers", "60")

    assert found["ranking_ndcg10"] > 1.15 * found["ranking_ndcg10_popularity"]
    assert found["ranking_ndcg10"] > 1.08 * found["ranking_ndcg10_seed_rule"]
    assert all(found[f"ranking_without_{t}_ndcg10"] < found["ranking_ndcg10"] for t in TERMS)


def test_what_is_no_recording_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="contains no FEED"):
        evaluate(str(tmp_path))
    with pytest.raises(CommandError, match="cannot be read"):
        evaluate(str(tmp_path / "missing.tar.xz"))
    with pytest.raises(CommandError, match="must be at least 1"):
        evaluate("--readers", "0")
