"""`evaluate stories` measures the product's own grouping, and says what is wrong with a file."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from feeds.demo.edition import make_edition
from feeds.demo.labels import write_labels
from feeds.evaluation.stories import b_cubed
from tests.feeds.reading.test_front_page import NOW

HEADER = "published\tpublisher\turl\ttitle\tstory"
HEADLINES = Path(__file__).resolve().parents[4] / "shared" / "eval" / "stories.tsv"


def evaluate(path: Path, embeddings: str = "none") -> dict[str, float]:
    out = StringIO()
    call_command("evaluate", "stories", str(path), embeddings=embeddings, stdout=out)
    lines = [line.split(" ") for line in out.getvalue().splitlines()]
    assert [name for name, _ in lines[-3:]] == [
        "stories_precision",
        "stories_recall",
        "stories_f1",
    ]
    return {name.removeprefix("stories_"): float(value) for name, value in lines}


def test_perfect_single_and_lumped_clusters_have_their_known_scores() -> None:
    labels = ["a", "a", "b", "b"]

    perfect, single, lump = (
        b_cubed(labels, found) for found in ([1, 1, 2, 2], [1, 2, 3, 4], [1] * 4)
    )

    assert (perfect.precision, perfect.recall, perfect.f1) == (1, 1, 1)
    assert (single.precision, single.recall) == (1, 0.5)
    assert (lump.precision, lump.recall) == (0.5, 1)


@pytest.mark.skipif(not HEADLINES.exists(), reason="the labelled headlines are not here")
def test_real_headlines_are_grouped_well_without_any_model() -> None:
    found = evaluate(HEADLINES)

    assert found["f1"] >= 0.82
    assert found["largest_cluster"] <= 1.3 * found["largest_labelled"]


@pytest.mark.skipif(not HEADLINES.exists(), reason="the labelled headlines are not here")
def test_real_headlines_are_grouped_better_by_their_meaning() -> None:
    found = evaluate(HEADLINES, "onnx")

    assert found["f1"] >= 0.89
    assert found["largest_cluster"] <= 1.3 * found["largest_labelled"]


def test_the_sample_newsroom_is_grouped_with_few_false_merges(tmp_path: Path) -> None:
    labels = tmp_path / "labels.tsv"
    write_labels(labels, make_edition(NOW), 8765)

    found = evaluate(labels)

    assert found["f1"] >= 0.7
    assert found["precision"] >= 0.8


def test_the_order_of_the_lines_does_not_matter(tmp_path: Path) -> None:
    labels, turned = tmp_path / "labels.tsv", tmp_path / "turned.tsv"
    write_labels(labels, make_edition(NOW), 8765)
    head, *lines = labels.read_text().splitlines()
    turned.write_text("\n".join([head, *reversed(lines)]))

    one, other = evaluate(labels), evaluate(turned)

    timeless = {"seconds": 0, "encoding_seconds": 0}
    assert one | timeless == other | timeless


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "The first line must be published <tab> publisher"),
        ("title\tstory\n", "The first line must be published <tab> publisher"),
        (f"{HEADER}\n", "The file has no items"),
        (
            f"{HEADER}\n2026-05-20\tA\thttp://a.example/\tTitle\n",
            "Line 2 has 4 columns instead of 5",
        ),
        (
            f"{HEADER}\nyesterday\tA\thttp://a.example/\tTitle\ts\n",
            "Line 2: 'yesterday' is not a date",
        ),
    ],
)
def test_a_bad_file_is_told_in_words(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bad.tsv"
    path.write_text(text)

    with pytest.raises(CommandError, match=words):
        call_command("evaluate", "stories", str(path))


def test_a_file_that_is_missing_or_no_text_is_told_in_words(tmp_path: Path) -> None:
    binary = tmp_path / "binary.tsv"
    binary.write_bytes(b"\xff\xfe\x00\x01")

    for path in (tmp_path / "missing.tsv", tmp_path, binary):
        with pytest.raises(CommandError, match="cannot be read"):
            call_command("evaluate", "stories", str(path))
