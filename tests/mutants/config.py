"""What is mutated and which tests should notice: `[tool.mutants]` in pyproject.toml."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Target:
    """A file, or the functions and classes `within` it (separated by commas)."""

    file: str
    within: str

    @property
    def path(self) -> Path:
        return ROOT / self.file

    @property
    def name(self) -> str:
        return self.file.removesuffix(".py").replace("/", ".")

    @cached_property
    def source(self) -> str:
        return self.path.read_text()


@dataclass(frozen=True)
class Module:
    name: str
    targets: tuple[Target, ...]
    tests: tuple[str, ...]
    on_postgresql: tuple[str, ...]
    """Tests that survivors are given on PostgreSQL too."""

    def tests_on(self, database: str) -> tuple[str, ...]:
        return self.on_postgresql if database == "postgresql" else self.tests


def modules() -> list[Module]:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutants"]
    return [_module(name, **entry) for name, entry in table.items()]


def _module(
    name: str, files: list[str], tests: list[str], on_postgresql: Sequence[str] = ()
) -> Module:
    targets = (entry.partition("::") for entry in files)
    parts = tuple(Target(file, within) for file, _, within in targets)
    return Module(name, parts, tuple(tests), tuple(on_postgresql))


LEAST = 0.85
"""The share of a module's mutants that tests must notice."""
