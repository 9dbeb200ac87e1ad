"""The parts of the documentation that are generated from code.

A document marks such a part with `<!-- generated: NAME -->` and `<!-- end -->`.
`python -m tests.docs.generate` writes them, and a test fails while one is out of date.
"""

import argparse
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.core.management.base import DjangoHelpFormatter

from ainews_site.infra.metric_kinds import Metric
from ainews_site.metrics.exposition import all_metrics
from feeds.sources.address_rules import RULES
from feeds.sources.address_rules.rule import AddressRule
from feeds.stories.ranking.terms import TERMS
from feeds.stories.ranking.terms.term import Term
from tests.docs.env_example import Setting, read_settings
from tests.openapi import described

ROOT = Path(__file__).parents[2]
OUR_APPS = ("accounts", "ainews_site", "digests", "feeds")
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def documents() -> list[Path]:
    """All Markdown files of the repository, but those of vendored packages."""
    folders = ("docs", "deploy")
    inside = [path for folder in folders for path in (ROOT / folder).rglob("*.md")]
    return sorted([*ROOT.glob("*.md"), *inside])


def regenerated(text: str) -> str:
    """`text` with its generated parts as they should be. Raises KeyError for an unknown name."""
    return _BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found[2]]()}\n{found[3]}", text)


def settings_reference() -> str:
    """A table for each group of settings in `.env.example`."""
    lines: list[str] = []
    group = ""
    for setting in read_settings():
        if setting.group != group:
            group = setting.group
            lines += [
                "",
                f"## {group}",
                "",
                "| Setting | Default | Meaning |",
                "| --- | --- | --- |",
            ]
        default = f"`{setting.default}`" if setting.default else "empty"
        meaning = _cell(_as_code(setting))
        lines.append(
            f'| <a id="{setting.name.lower()}"></a>`{setting.name}` | {default} | {meaning} |'
        )
    return "\n".join(lines).strip("\n")


def _as_code(setting: Setting) -> str:
    """The description; names of settings and addresses are set as code."""
    known = "|".join(sorted((one.name for one in read_settings()), key=len, reverse=True))
    pattern = rf"(?<![\w`/])(?:(?:{known})(?:/\w+)?|[\w+]+://[^\s`]*?)(?=[.,:;]?(?:\s|$))"
    parts = setting.description.split("`")
    parts[::2] = [re.sub(pattern, lambda found: f"`{found[0]}`", part) for part in parts[::2]]
    return "`".join(parts)


def command_reference() -> str:
    """Each management command with its arguments."""
    return "\n\n".join(_command(name) for name in our_commands())


def our_commands() -> list[str]:
    return sorted(name for name, app in get_commands().items() if str(app) in OUR_APPS)


@cache
def parser_of(name: str) -> argparse.ArgumentParser:
    return load_command_class(get_commands()[name], name).create_parser("manage.py", name)


def own_actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """What the command itself accepts, without the options of every Django command."""
    for action in parser._actions:
        is_common = set(action.option_strings) & DjangoHelpFormatter.show_last
        if not is_common and not isinstance(action, argparse._HelpAction):
            yield action


def _command(name: str) -> str:
    parser = parser_of(name)
    lines = [f"## {name}", "", str(parser.description), ""]
    subcommands = [one for one in own_actions(parser) if isinstance(one.choices, dict)]
    for choice in subcommands:
        for each in choice._choices_actions:  # type: ignore[attr-defined]
            inner = choice.choices[each.dest]  # type: ignore[index,call-overload]
            lines += _usage(f"{name} {each.dest}", inner, f" ({each.help})")
    return "\n".join(lines if subcommands else lines + _usage(name, parser)).rstrip()


def _usage(name: str, parser: argparse.ArgumentParser, purpose: str = "") -> list[str]:
    actions = list(own_actions(parser))
    shown = " ".join([name, *map(_synopsis, actions)])
    lines = [f"`manage.py {shown}`{purpose}", ""]
    if actions:
        lines += [f"- `{_name_of(action)}`: {_explained(action)}" for action in actions] + [""]
    return lines


def _metavar(action: argparse.Action) -> str:
    if action.choices:
        return "|".join(map(str, action.choices))
    return str(action.metavar or action.dest).upper()


def _name_of(action: argparse.Action) -> str:
    if not action.option_strings:
        return _metavar(action)
    return action.option_strings[0] if action.nargs == 0 else _valued(action)


def _valued(action: argparse.Action) -> str:
    return f"{action.option_strings[0]} {_metavar(action)}"


def _synopsis(action: argparse.Action) -> str:
    name = _name_of(action)
    if action.nargs in ("*", "+"):
        name += " …"
    return name if action.required and action.nargs != "*" else f"[{name}]"


def _explained(action: argparse.Action) -> str:
    """The help text, the same on every machine."""
    said = (action.help or "").replace(", here %(default)s", "")
    default = action.default
    if isinstance(default, Path):
        default = f"`DATA/{default.name}`"
    return said.replace("%(default)s", str(default)).replace("|", "\\|") + "."


def endpoint_reference() -> str:
    """Each endpoint of the OpenAPI description: method, path, summary."""
    rows = ["| Endpoint | What it does |", "| --- | --- |"]
    for path, methods in sorted(described(settings.ROOT_URLCONF)["paths"].items()):
        short = path.removeprefix("/api/v1/")
        for method, operation in methods.items():
            rows.append(f"| `{method.upper()} {short}` | {_endpoint(operation)} |")
    return "\n".join(rows)


def _endpoint(operation: dict[str, Any]) -> str:
    said = operation.get("summary", "").rstrip(".")
    if more := operation.get("description", ""):
        said = f"{said}. {' '.join(more.split()).rstrip('.')}"
    names = [f"`{one['name']}`" for one in operation.get("parameters", []) if one["in"] == "query"]
    return _cell(f"{said}. Parameters: {', '.join(names)}" if names else said)


def ranking_terms(terms: Sequence[Term] = TERMS) -> str:
    rows = [
        f"| {term.name} | {'times' if term.weight is None else term.weight} | {term.description} |"
        for term in terms
    ]
    return "\n".join(["| term | weight | what it is |", "| --- | --- | --- |", *rows])


def address_rules(rules: Sequence[AddressRule] = RULES) -> str:
    rows = [f"| {rule.name} | {rule.examples[0][0]} | {rule.examples[0][1]} |" for rule in rules]
    return "\n".join(["| Site | Page, for example | Feed |", "| --- | --- | --- |", *rows])


def metric_reference() -> str:
    """Tables of the metrics that are recorded, and of those that are measured."""
    recorded = [metric for metric in all_metrics() if metric.kind != "gauge"]
    gauges = [metric for metric in all_metrics() if metric.kind == "gauge"]
    return "\n".join([*_metrics("Counts", recorded), "", *_metrics("Values", gauges)])


def _metrics(title: str, metrics: Sequence[Metric]) -> list[str]:
    rows = [
        f"| `{metric.exposed}` | {metric.kind} | {', '.join(f'`{n}`' for n in metric.labels)}"
        f" | {_cell(metric.help)} |"
        for metric in metrics
    ]
    head = ["| Metric | Kind | Labels | Meaning |", "| --- | --- | --- | --- |"]
    return [f"## {title}", "", *head, *rows]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


BLOCKS: dict[str, Callable[[], str]] = {
    "address_rules": address_rules,
    "commands": command_reference,
    "endpoints": endpoint_reference,
    "metrics": metric_reference,
    "ranking_terms": ranking_terms,
    "settings": settings_reference,
}
