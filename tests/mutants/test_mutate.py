"""Mutants are small, all of the usual kinds, and stay in memory."""

import ast
import sys
from pathlib import Path

import pytest

from tests.mutants import replace as replacing
from tests.mutants.config import ROOT, Target, modules
from tests.mutants.mutate import mutants_of, mutated_tree

SAMPLE = '''
"""A docstring."""
LIMIT = 3


@decorated
def work(items: list[int], most: int = LIMIT) -> int | None:
    """Another."""
    logger.info("started %s", items)
    total = 0
    for item in sorted(items):
        if item < 0 or item == 7:
            continue
        if not item:
            break
        total += item * 2
    try:
        check(total, most, strict=True)
    except ValueError:
        return None
    return total if total else find(rows.filter(time__lt=total).order_by("pk"))[:5]
'''


def changes(source: str) -> set[str]:
    """What each mutant has in place of what."""
    found = set()
    for mutant in mutants_of(source):
        _, _, change = mutant.key.partition(": ")
        found.add(change)
    return found


@pytest.mark.parametrize(
    "change",
    [
        "LIMIT = 3 => LIMIT = 4",
        "LIMIT = 3 => LIMIT = None",
        "@decorated => ",
        "for item in sorted(items): => for item in list(items):",
        "for item in sorted(items): => for item in []:",
        "if item < 0 or item == 7: => if item <= 0 or item == 7:",
        "if item < 0 or item == 7: => if item < 0 and item == 7:",
        "if item < 0 or item == 7: => if item < 0:",
        "if item < 0 or item == 7: => if item < 0 or item != 7:",
        "if item < 0 or item == 7: => if not (item < 0 or item == 7):",
        "continue => break",
        "break => continue",
        "if not item: => if item:",
        "total += item * 2 => total -= item * 2",
        "total += item * 2 => total = item * 2",
        "total += item * 2 => total += item // 2",
        "check(total, most, strict=True) => pass",
        "check(total, most, strict=True) => check(most, total, strict=True)",
        "check(total, most, strict=True) => check(total, most)",
        "return None => raise",
        "return None => pass",
    ],
)
def test_the_usual_faults_are_made(change: str) -> None:
    assert change in changes(SAMPLE)


@pytest.mark.parametrize("part", ["time__lte=total", "order_by('XXpkXX')", "[:6]", "[:]"])
def test_faults_of_queries_and_slices_are_made(part: str) -> None:
    assert any(part in change for change in changes(SAMPLE))


def test_what_changes_nothing_is_left_alone() -> None:
    told = " ".join(changes(SAMPLE))

    assert "docstring" not in told and "Another" not in told
    assert "logger" not in told and "list[" not in told


def test_each_mutant_is_a_module_that_differs_in_one_place() -> None:
    before = ast.unparse(ast.parse(SAMPLE))
    for mutant in mutants_of(SAMPLE):
        after = ast.unparse(mutated_tree(SAMPLE, mutant.number))
        compile(after, "sample", "exec")
        assert after != before
        assert len(after.splitlines()) >= len(before.splitlines()) - 1


def test_a_mutant_reaches_all_who_imported_it_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mutated_sample.py").write_text("MOST = 1000\n\ndef most():\n    return MOST\n")
    user = "from mutated_sample import MOST, most\nfrom mutated_sample import most as limit\n"
    (tmp_path / "mutated_user.py").write_text(user)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(replacing, "OURS", ("mutated_user",))
    target = Target("mutated_sample.py", "")
    monkeypatch.setattr(Target, "path", tmp_path / "mutated_sample.py")
    import mutated_user  # type: ignore[import-not-found]

    number = next(
        mutant.number for mutant in mutants_of(target.source) if "MOST = 1001" in mutant.diff
    )
    replacing.replace(target, number)

    assert (mutated_user.MOST, mutated_user.most(), mutated_user.limit()) == (1001, 1001, 1001)
    assert "1001" not in target.path.read_text()
    for name in ("mutated_user", "mutated_sample"):
        del sys.modules[name]


def test_the_files_and_tests_of_each_module_exist() -> None:
    for module in modules():
        for test in (*module.tests, *module.on_postgresql):
            assert (ROOT / test).exists(), test
        for target in module.targets:
            names = {getattr(node, "name", "") for node in ast.parse(target.source).body}
            assert {name for name in target.within.split(",") if name} <= names
