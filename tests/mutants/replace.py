"""Put a mutated module in the place of the one that has been imported, in this process alone."""

import ast
import importlib
import sys
from types import ModuleType
from typing import Any

from tests.mutants.config import Target
from tests.mutants.mutate import mutated_tree

OURS = ("accounts", "feeds", "digests", "ainews_site", "tests", "benchmarks")
_SHARED = (int, str, bytes, float, type(None))
"""Types of which equal values may be one object."""


def replace(target: Target, number: int) -> None:
    """Run the mutated code in the module, and give it to all who imported from the module."""
    module = importlib.import_module(target.name)
    tree = mutated_tree(target.source, number)
    if target.within:
        _replace_members(module, target, tree)
        return
    before = dict(vars(module))
    exec(compile(tree, str(target.path), "exec"), vars(module))
    _rebind(before, vars(module))


def _replace_members(module: ModuleType, target: Target, tree: ast.Module) -> None:
    """Models cannot be made twice: their querysets get other methods."""
    names = target.within.split(",")
    tree.body = [node for node in tree.body if getattr(node, "name", "") in names]
    new = dict(vars(module))
    exec(compile(tree, str(target.path), "exec"), new)
    for name in names:
        old = getattr(module, name)
        for key, value in vars(new[name]).items():
            if callable(value):
                setattr(old, key, value)


def _rebind(before: dict[str, Any], after: dict[str, Any]) -> None:
    olds = {id(old): name for name, old in before.items() if not name.startswith("__")}
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").split(".")[0] not in OURS:
            continue
        namespace = vars(module)
        if namespace is after:
            continue
        for key, value in list(namespace.items()):
            name = olds.get(id(value))
            if name is None or (isinstance(value, _SHARED) and key not in before):
                continue
            name = key if isinstance(value, _SHARED) else name
            if before.get(name) is value and name in after and after[name] is not value:
                namespace[key] = after[name]
