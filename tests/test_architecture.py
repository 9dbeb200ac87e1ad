"""The structure that docs/architecture.md describes, read off the imports."""

from collections import defaultdict
from graphlib import CycleError, TopologicalSorter

import grimp
import pytest

APPS = ("accounts", "ainews_site", "digests", "feeds")


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """{module: modules that it imports}, imports inside functions included."""
    graph = grimp.build_graph(*APPS)
    modules = [name for name in graph.modules if ".migrations" not in name]
    return {name: graph.find_modules_directly_imported_by(name) for name in modules}


def folder_graph(imports: dict[str, set[str]], depth: int) -> dict[str, set[str]]:
    """{folder: folders that it imports from}, of folders at most `depth` names deep."""
    packages = {name.rpartition(".")[0] for name in imports} | set(APPS)

    def folder_of(module: str) -> str:
        folder = module if module in packages else module.rpartition(".")[0]
        return ".".join(folder.split(".")[:depth])

    folders: defaultdict[str, set[str]] = defaultdict(set)
    for module, imported in imports.items():
        for other in imported & imports.keys():
            if folder_of(module) != folder_of(other):
                folders[folder_of(module)].add(folder_of(other))
    return folders


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_no_folders_import_each_other_in_a_circle(imports: dict[str, set[str]], depth: int) -> None:
    folders = folder_graph(imports, depth)

    try:
        order = list(TopologicalSorter(folders).static_order())
    except CycleError as error:
        pytest.fail(f"Folders import each other: {' -> '.join(error.args[1])}")

    assert order


def test_the_ground_floor_imports_no_app(imports: dict[str, set[str]]) -> None:
    ground = ("ainews_site.infra", "ainews_site.observe")
    floor = {name for name in imports if name.startswith(ground)}

    above = {other for name in floor for other in imports[name] if not other.startswith(ground)}

    assert floor
    assert above == set()


def test_accounts_know_of_nothing_but_the_ground_floor(imports: dict[str, set[str]]) -> None:
    accounts = [name for name in imports if name.startswith("accounts")]

    others = {other for name in accounts for other in imports[name]}

    assert {
        name
        for name in others
        if not name.startswith(("accounts", "ainews_site.infra", "ainews_site.observe"))
    } == set()
