"""Writes text from patterns: `{name}` is a fact of the event, `[this|that]` a choice of words."""

import re
from collections.abc import Callable, Iterator, Mapping
from random import Random
from zlib import crc32

_CHOICE = re.compile(r"\[([^\[\]]+)\]")
_SLOT = re.compile(r"\{([^{}]+)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)(?:/(\d+))?")
_DECIMAL_RANGE = re.compile(r"(\d+\.\d)\.\.(\d+\.\d)")
_SENTENCE = re.compile(r"(?:^|(?<=[.!?] )|(?<=[A-Z] - )|(?<=: \"))\W?[a-z]")
_AN = re.compile(r"(?:[aeio]|u(?!ni|se)|8|11\b|18\b)", re.IGNORECASE)


def dice(key: str) -> Random:
    """Return a generator whose numbers follow from the key.

    It is seeded with a checksum, as seeding with a text takes seven times as long.
    """
    return Random(crc32(key.encode()))


class Facts(Mapping[str, str]):
    """The facts of an event, each of which is drawn on its first use.

    The same `key` gives the same facts, in whatever order they are used. `given` are facts that are
    not drawn. `definitions` are the alternatives of other facts. `people` draws a person for any
    other name. `NAME` is `name` in capitals, `name_last` a person's surname.
    """

    def __init__(
        self,
        key: str,
        given: Mapping[str, str],
        definitions: Mapping[str, str],
        people: Callable[[Random], str],
    ) -> None:
        self.key = key
        self._known = dict(given)
        self._definitions = definitions
        self._people = people

    def __getitem__(self, name: str) -> str:
        if name not in self._known:
            self._known[name] = self._draw(name)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def _draw(self, name: str) -> str:
        if name.isupper():
            return self[name.lower()].upper()
        rng = dice(f"{self.key}/{name}")
        if name in self._definitions:
            choice = rng.choice(self._definitions[name].split(" | "))
            return expand(_number(choice.strip(), rng), self, rng)
        if name.endswith("_last"):
            return self[name.removesuffix("_last")].partition(" ")[2]
        return self._people(rng)

    def but(self, **known: str) -> "Facts":
        """Return the same facts with some of them replaced."""
        return Facts(self.key, self._known | known, self._definitions, self._people)

    def other(self, name: str) -> str:
        """Return another possible value of a fact."""
        for number in range(20):
            facts = Facts(f"{self.key}/{number}", {}, self._definitions, self._people)
            if facts[name] != self[name]:
                break
        return facts[name]


def expand(pattern: str, facts: Mapping[str, str], rng: Random) -> str:
    """Return the text of a pattern."""
    chosen = _CHOICE.sub(lambda match: rng.choice(match[1].split("|")), pattern)
    return _SLOT.sub(lambda match: _fill(match[1], facts), chosen)


def _fill(name: str, facts: Mapping[str, str]) -> str:
    if name.startswith("a "):
        return with_article(facts[name.removeprefix("a ")])
    return facts[name]


def sentences(pattern: str, facts: Mapping[str, str], rng: Random) -> str:
    """Return the text of a pattern, with a capital at the start of each sentence."""
    text = expand(pattern, facts, rng).replace("s's ", "s' ")
    return _SENTENCE.sub(lambda match: match[0].upper(), text)


def slots(pattern: str) -> set[str]:
    """Return the names of the facts in a pattern."""
    return set(_SLOT.findall(pattern))


def with_article(noun: str) -> str:
    return f"{'an' if _AN.match(noun) else 'a'} {noun}"


def _number(choice: str, rng: Random) -> str:
    """Draw a number from a range such as `20..480/10`, in steps of ten. Return other text as it is."""
    if match := _RANGE.fullmatch(choice):
        low, high, step = int(match[1]), int(match[2]), int(match[3] or 1)
        return f"{rng.randrange(low, high + 1, step):,}"
    if match := _DECIMAL_RANGE.fullmatch(choice):
        return f"{rng.uniform(float(match[1]), float(match[2])):.1f}"
    return choice
