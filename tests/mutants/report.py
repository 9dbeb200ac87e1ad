"""Print which mutants no test noticed, and how many tests did notice."""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Judged = Mapping[tuple[str, str], str]
JUDGED = Path(__file__).parent / "judged.toml"


def judged() -> Judged:
    """Mutants that change nothing that matters, and why: {(file, key): reason}."""
    if not JUDGED.exists():
        return {}
    table = tomllib.loads(JUDGED.read_text())
    return {
        (file, key): group["reason"]
        for file, groups in table.items()
        for group in groups
        for key in group["mutants"]
    }


def report(rows: Sequence[Row]) -> list[float]:
    """Print survivors and figures. Returns the share of each module that tests noticed."""
    known = judged()
    rows = sorted(rows, key=lambda row: (row["module"], row["file"], row["line"], row["number"]))
    for row in rows:
        if row["outcome"] == "survived" and (row["file"], row["key"]) not in known:
            print(f"\n{row['file']}:{row['line']} {row['key']} {row['test']}\n{row['diff']}")
    _print_stale(known, rows)
    columns = ("mutants", "killed", "timeout", "judged", "open", "share")
    print(f"\n{'module':10}", *(f"{column:>8}" for column in columns), sep="")
    shares = []
    for module in dict.fromkeys(row["module"] for row in rows):
        shares.append(_print_line(module, [row for row in rows if row["module"] == module], known))
    _print_line("all", rows, known)
    return shares


def _print_stale(known: Judged, rows: Sequence[Row]) -> None:
    """Judged mutants of these files that were killed or are not made any more."""
    survivors = {(row["file"], row["key"]) for row in rows if row["outcome"] == "survived"}
    files = {row["file"] for row in rows}
    for file, key in known:
        if file in files and (file, key) not in survivors:
            print(f"\n{file}: judged.toml need not have: {key}")


def _print_line(name: str, rows: Sequence[Row], known: Judged) -> float:
    counts = Counter(row["outcome"] for row in rows)
    survivors = [row for row in rows if row["outcome"] == "survived"]
    judged_ones = sum((row["file"], row["key"]) in known for row in survivors)
    share = 1 - len(survivors) / max(len(rows), 1)
    figures = (len(rows), counts["killed"], counts["timeout"], judged_ones)
    open_ones = len(survivors) - judged_ones
    print(
        f"{name:10}", *(f"{figure:8}" for figure in (*figures, open_ones)), f"{share:8.1%}", sep=""
    )
    return share
