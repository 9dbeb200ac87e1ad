"""What a worker is asked to do, as a file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from tests.mutants.config import Target
from tests.mutants.mutate import Mutant, mutants_of


@dataclass(frozen=True)
class Job:
    """Every `shards`th mutant of a module from number `shard` on."""

    module: str
    database: str
    """sqlite or postgresql."""
    shard: int
    shards: int
    results: str
    """The file to which results are added, a line of JSON each."""
    only: str = ""
    """Mutants whose file or change holds this."""
    numbers: dict[str, list[int]] | None = None
    """By file, if not all of them."""

    def mutants(self, target: Target) -> list[Mutant]:
        mutants = mutants_of(target.source, target.within)
        chosen = [one for one in mutants if self.only in f"{target.file} {one.key}"]
        if self.numbers is not None:
            chosen = [one for one in chosen if one.number in self.numbers.get(target.file, [])]
        return chosen[self.shard :: self.shards]

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, path: Path) -> Self:
        return cls(**json.loads(path.read_text()))
