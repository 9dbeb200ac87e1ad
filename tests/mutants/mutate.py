"""Small faults that a test should notice, made in the syntax tree of a module. Pure.

Each mutant changes one place. Annotations, docstrings, log lines and the arguments of caches are
left alone: to change those changes nothing that a caller can see.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any

_LONG, _AROUND = 160, 50
Change = tuple[str, ast.AST | list[ast.stmt] | None]
"""What is done, and what takes the place of the node; None removes it."""

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitAnd,
}
_FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
_METHODS = {
    "lower": "upper",
    "find": "rfind",
    "search": "match",
    "findall": "split",
    "first": "last",
    "match": "search",
    "union": "intersection",
    "partition": "rpartition",
}
_REMOVABLE = frozenset(
    """
    filter exclude order_by distinct strip lower select_for_update replace removeprefix casefold
    reverse newest_first annotate alias
    """.split()  # noqa: SIM905 - a list in words is easier to change
)
"""Methods that return what they were called on, changed."""
_LOOKUPS = {"lt": "lte", "lte": "lt", "gt": "gte", "gte": "gt"}
_CACHES = frozenset(["lru_cache", "cache", "cached_property"])
_NOT_SEEN = frozenset(["dataclass", "field", *_CACHES])
"""Calls whose arguments change no result."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: in the line `line` of the function or class `scope` ("" for the module)."""

    number: int
    scope: str
    line: int
    end: int
    what: str
    diff: str
    is_global: bool
    """Whether it takes effect when the module is imported, so that every test may notice."""

    @property
    def key(self) -> str:
        """Names the mutant for as long as its line stays as it is: `scope: before => after`."""
        before, after = (
            " ".join(line[1:].strip() for line in self.diff.splitlines() if line[0] == sign)
            for sign in "-+"
        )
        return f"{self.scope}: {before} => {after}"


def mutants_of(source: str, within: str = "") -> list[Mutant]:
    """All mutants of a module, or of its classes and functions whose names are in `within`."""
    tree = ast.parse(source)
    mutants = []
    for number, (place, what, mutated) in enumerate(_mutated(tree)):
        if within and place.scope.split(".")[0] not in within.split(","):
            continue
        mutants.append(
            Mutant(
                number, place.scope, place.line, place.end, what, mutated.diff(), place.is_global
            )
        )
    return mutants


def mutated_tree(source: str, number: int) -> ast.Module:
    """The tree of the module with this mutant in it."""
    for index, (_, _, mutated) in enumerate(_mutated(ast.parse(source))):
        if index == number:
            return mutated.tree()
    raise LookupError(f"There is no mutant {number}.")


@dataclass(slots=True)
class _Place:
    """A node and where it stands."""

    path: tuple[tuple[str, int | None], ...]
    node: ast.AST
    scope: str
    line: int
    end: int
    is_global: bool


class _Mutated:
    """A tree with one node exchanged."""

    def __init__(self, tree: ast.Module, before: list[str], place: _Place, change: Any) -> None:
        self._tree, self._before, self._place, self._change = tree, before, place, change

    def tree(self) -> ast.Module:
        tree = copy.deepcopy(self._tree)
        parent: Any = tree
        for name, index in self._place.path[:-1]:
            parent = getattr(parent, name) if index is None else getattr(parent, name)[index]
        name, index = self._place.path[-1]
        if index is None:
            setattr(parent, name, self._change)
        else:
            new = [self._change] if isinstance(self._change, ast.AST) else self._change or []
            getattr(parent, name)[index : index + 1] = new
        return ast.fix_missing_locations(tree)

    def diff(self) -> str:
        after = ast.unparse(self.tree()).splitlines()
        lines = list(unified_diff(self._before, after, n=0, lineterm=""))[2:]
        lines = [line for line in lines if not line.startswith("@@")]
        if len(lines) == 2 and max(map(len, lines)) > _LONG:
            lines = _shortened(*lines)
        return "\n".join(lines)


def _shortened(before: str, after: str) -> list[str]:
    """Two long lines, cut to where they differ."""
    start = _common(before[1:], after[1:])
    end = _common(before[:start:-1], after[:start:-1])
    start = max(0, start - _AROUND)
    end = max(0, end - _AROUND)
    return [f"{line[0]}{line[1 + start : len(line) - end]}" for line in (before, after)]


def _common(one: str, other: str) -> int:
    """The length of the beginning that both have."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def _mutated(tree: ast.Module) -> Iterator[tuple[_Place, str, _Mutated]]:
    before = ast.unparse(tree).splitlines()
    for place in _places(tree):
        for what, change in _changes(place.node):
            yield place, what, _Mutated(tree, before, place, change)


def _places(tree: ast.Module) -> Iterator[_Place]:
    """Every node that may be changed, from the outside in."""
    yield from _below(tree, _Place((), tree, "", 1, 1, True))


def _below(node: ast.AST, at: _Place) -> Iterator[_Place]:
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "ctx", "ops", "op"):
            continue
        many = value if isinstance(value, list) else [value]
        for index, child in enumerate(many):
            if isinstance(child, ast.AST) and not _is_left_alone(node, name, index, child):
                path = (*at.path, (name, index if isinstance(value, list) else None))
                place = _place(child, path, at, name)
                yield place
                yield from _below(child, place)


def _place(node: ast.AST, path: Any, at: _Place, field: str) -> _Place:
    line, end = getattr(node, "lineno", at.line), getattr(node, "end_lineno", at.end)
    scope, is_global = at.scope, at.is_global
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        scope = f"{scope}.{node.name}".strip(".")
    if isinstance(at.node, ast.FunctionDef | ast.AsyncFunctionDef) and field == "body":
        is_global = any(_called_name(one) in _CACHES for one in at.node.decorator_list)
    return _Place(path, node, scope, line, end, is_global)


def _is_left_alone(parent: ast.AST, field: str, index: int, node: ast.AST) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal):
        return True
    if isinstance(node, ast.Expr):
        call = node.value
        return isinstance(call, ast.Constant) or (
            isinstance(call, ast.Call) and ast.unparse(call.func).startswith("logger.")
        )
    if isinstance(parent, ast.Call) and field in ("args", "keywords"):
        return _called_name(parent) in _NOT_SEEN
    if isinstance(parent, ast.ClassDef) and field == "bases":
        return True
    if isinstance(parent, ast.JoinedStr) or field == "format_spec":
        return isinstance(node, ast.Constant | ast.JoinedStr)
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "logger":
        return True
    return field == "decorator_list" and _called_name(node) in _CACHES


def _called_name(node: ast.AST) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return ast.unparse(node).rpartition(".")[2]


def _changes(node: ast.AST) -> Iterator[Change]:
    for kind, changes in _BY_KIND.items():
        if isinstance(node, kind):
            yield from changes(node)


def _with(node: ast.AST, **fields: Any) -> Any:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _without(items: list[Any], index: int) -> list[Any]:
    return items[:index] + items[index + 1 :]


def _compare(node: ast.Compare) -> Iterator[Change]:
    for index, operator in enumerate(node.ops):
        for new in _COMPARISONS[type(operator)]:
            ops = [*node.ops[:index], new(), *node.ops[index + 1 :]]
            yield "comparison", _with(node, ops=ops)


def _boolean(node: ast.BoolOp) -> Iterator[Change]:
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield "and/or", _with(node, op=other)
    for index in range(len(node.values)):
        rest = _without(node.values, index)
        yield "operand removed", rest[0] if len(rest) == 1 else _with(node, values=rest)


def _unary(node: ast.UnaryOp) -> Iterator[Change]:
    yield "operator removed", node.operand


def _arithmetic(node: ast.BinOp) -> Iterator[Change]:
    yield "arithmetic", _with(node, op=_OPERATORS[type(node.op)]())


def _augmented(node: ast.AugAssign) -> Iterator[Change]:
    yield "arithmetic", _with(node, op=_OPERATORS[type(node.op)]())
    yield "plain assignment", ast.Assign(targets=[node.target], value=node.value)
    yield "statement removed", ast.Pass()


def _constant(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool):
        yield "constant", ast.Constant(not value)
    elif isinstance(value, int):
        yield "constant", ast.Constant(value + 1)
        yield "constant", ast.Constant(value - 1)
    elif isinstance(value, float):
        yield "constant", ast.Constant(value * 1.5)
    elif isinstance(value, str):
        yield "string", ast.Constant(f"XX{value}XX" if value else "XX")


def _template(node: ast.JoinedStr) -> Iterator[Change]:
    yield "string", ast.JoinedStr(values=[ast.Constant("XX"), *node.values])


def _condition(node: ast.If | ast.While | ast.IfExp) -> Iterator[Change]:
    test = node.test
    is_plain = isinstance(test, ast.Compare) and len(test.ops) == 1
    if not is_plain and not isinstance(test, ast.UnaryOp):
        yield "condition negated", _with(node, test=ast.UnaryOp(op=ast.Not(), operand=test))


def _comprehension(node: ast.comprehension) -> Iterator[Change]:
    for index in range(len(node.ifs)):
        yield "condition removed", _with(node, ifs=_without(node.ifs, index))


def _loop(node: ast.For) -> Iterator[Change]:
    yield "no iteration", _with(node, iter=ast.List(elts=[], ctx=ast.Load()))


def _returned(node: ast.Return) -> Iterator[Change]:
    if node.value is not None and not _is_none(node.value):
        yield "return None", _with(node, value=ast.Constant(None))


def _yielded(node: ast.Yield) -> Iterator[Change]:
    if node.value is not None and not _is_none(node.value):
        yield "yield None", _with(node, value=ast.Constant(None))


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _assigned(node: ast.Assign) -> Iterator[Change]:
    if isinstance(node.targets[0], ast.Name) and not _is_none(node.value):
        yield "None assigned", _with(node, value=ast.Constant(None))
    elif not isinstance(node.targets[0], ast.Tuple):
        yield "statement removed", ast.Pass()


def _statement(node: ast.stmt) -> Iterator[Change]:
    yield "statement removed", ast.Pass()


def _bare_return(node: ast.Return) -> Iterator[Change]:
    if node.value is None or _is_none(node.value):
        yield "statement removed", ast.Pass()


def _break(node: ast.Break) -> Iterator[Change]:
    yield "continue for break", ast.Continue()


def _continue(node: ast.Continue) -> Iterator[Change]:
    yield "break for continue", ast.Break()


def _handler(node: ast.ExceptHandler) -> Iterator[Change]:
    if not (len(node.body) == 1 and isinstance(node.body[0], ast.Raise) and not node.body[0].exc):
        yield "exception passed on", _with(node, body=[ast.Raise()])


def _decorated(node: Any) -> Iterator[Change]:
    for index, decorator in enumerate(node.decorator_list):
        if _called_name(decorator) not in _CACHES:
            rest = _without(node.decorator_list, index)
            yield "decorator removed", _with(node, decorator_list=rest)


def _slice(node: ast.Slice) -> Iterator[Change]:
    for name in ("lower", "upper", "step"):
        if getattr(node, name) is not None:
            yield "bound removed", _with(node, **{name: None})


def _call(node: ast.Call) -> Iterator[Change]:
    if _called_name(node) in _NOT_SEEN:
        return
    name = node.func
    is_function = isinstance(name, ast.Name) and name.id in _FUNCTIONS
    if is_function and not (name.id == "sorted" and node.keywords):
        yield "function", _with(node, func=ast.Name(_FUNCTIONS[name.id], ast.Load()))
    if isinstance(name, ast.Attribute) and name.attr in _METHODS:
        yield "function", _with(node, func=_with(name, attr=_METHODS[name.attr]))
    clears_order = isinstance(name, ast.Attribute) and name.attr == "order_by" and not node.args
    if isinstance(name, ast.Attribute) and name.attr in _REMOVABLE and not clears_order:
        yield "call removed", name.value
    is_symmetric = isinstance(name, ast.Name) and name.id in ("min", "max")
    for index in range(0 if is_symmetric else len(node.args) - 1):
        pair = node.args[index : index + 2]
        if not any(isinstance(arg, ast.Starred) for arg in pair):
            args = [*node.args[:index], *reversed(pair), *node.args[index + 2 :]]
            yield "arguments swapped", _with(node, args=args)
    is_alone = isinstance(name, ast.Attribute) and name.attr in _REMOVABLE and _is_single(node)
    for index, keyword in enumerate(node.keywords):
        if not is_alone:  # that is to remove the call
            yield "argument removed", _with(node, keywords=_without(node.keywords, index))
        yield from _lookup(node, index, keyword)
    if isinstance(name, ast.Name) and name.id in ("Q", "Exists") and len(node.args) > 1:
        for index in range(len(node.args)):
            yield "argument removed", _with(node, args=_without(node.args, index))


def _is_single(node: ast.Call) -> bool:
    return len(node.args) + len(node.keywords) == 1


def _lookup(node: ast.Call, index: int, keyword: ast.keyword) -> Iterator[Change]:
    column, _, lookup = (keyword.arg or "").rpartition("__")
    if column and lookup in _LOOKUPS:
        new = ast.keyword(arg=f"{column}__{_LOOKUPS[lookup]}", value=keyword.value)
        keywords = [*node.keywords[:index], new, *node.keywords[index + 1 :]]
        yield "comparison", _with(node, keywords=keywords)


_BY_KIND: dict[Any, Any] = {
    ast.Compare: _compare,
    ast.BoolOp: _boolean,
    ast.UnaryOp: _unary,
    ast.BinOp: _arithmetic,
    ast.AugAssign: _augmented,
    ast.Constant: _constant,
    ast.JoinedStr: _template,
    (ast.If, ast.While, ast.IfExp): _condition,
    ast.comprehension: _comprehension,
    ast.For: _loop,
    ast.Return: _returned,
    ast.Yield: _yielded,
    ast.Assign: _assigned,
    (ast.Expr, ast.Raise, ast.Delete): _statement,
    (ast.Return,): _bare_return,
    ast.Break: _break,
    ast.Continue: _continue,
    ast.ExceptHandler: _handler,
    (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef): _decorated,
    ast.Slice: _slice,
    ast.Call: _call,
}
