"""The companies and people of the stream. The same seed gives the same cast."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import TypeVar

from feeds.demo.grammar import dice

STREAM = Path(__file__).parent / "data" / "stream"
COMPANIES = {"lab": 367, "chips": 173, "cloud": 181, "robots": 223, "tools": 317, "apps": 281}
"""Number of companies of each kind. It is so large that a name rarely returns within a week, as it
would trend. The numbers are primes, so a plot that alternates between kinds reaches all companies."""
KNOWN = 0.1
"""The share of a kind's news that is about companies with a feed."""
_WITH_SUFFIX, _UNCOMMON = 0.3, 0.08
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Company:
    """An invented company. `family` is the name of its product without a version."""

    name: str
    kind: str
    makes: str
    town: str
    boss: str
    family: str
    outlet: str = ""

    def facts(self, role: str, version: str) -> dict[str, str]:
        """Return the facts of the company in its role, `co` or `rival`."""
        product = f"{self.family} {version}"
        if role == "rival":
            return {"rival": self.name, "rival_product": product}
        known = {"co": self.name, "makes": self.makes, "town": self.town, "boss": self.boss}
        return known | {"family": self.family, "product": product}


OWN_FEED = (
    Company("Quillmark", "lab", "language models", "Oster Bay", "Ilse Varnholt", "Heron", "quillmark"),
    Company("Velloria", "lab", "language models", "Port Isolde", "Mirek Tollemache", "Saffrin", "velloria"),
    Company("Brackwater", "lab", "open models", "Calder", "Noor Underhay", "Otterling", "brackwater"),
    Company("Ferrowick", "chips", "accelerators", "Halvern", "Astrid Thole", "Kestrane", "ferrowick"),
    Company("Nimbrel", "cloud", "rented computing", "Halvern", "Joost Lomond", "Fjord", "nimbrel"),
    Company("Corvane", "robots", "warehouse robots", "Tarn", "Priya Dravic", "Ambler", "corvane"),
    Company("Gristmill Foundation", "tools", "an inference engine", "Calder", "Wanda Oakenshaw", "Gristmill", "gristmill"),
    Company("Weftwork Foundation", "tools", "an agent framework", "Vesmark", "Elio Marchbanks", "Weftwork", "weftwork"),
)  # fmt: skip
"""Companies whose announcements are a feed of the sample newsroom."""


class Cast:
    """Companies by kind, and names of people and towns."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        lists = read_cast()
        rng = dice(f"cast/{seed}")
        self._names = rng.sample(names := _company_names(), len(names))
        self._families = _combined("start", "family end", rng)
        self._newcomers = rng.sample(lists["family"], len(lists["family"]))
        self.companies = {
            kind: self._make_all(kind, number, rng) for kind, number in COMPANIES.items()
        }

    def company(self, kind: str, plot: str, turn: int) -> Company:
        """Return the company of a kind for a plot's `turn`. Each turn has the next company."""
        return deal(f"{self.seed}/{kind}/{plot}", self.companies[kind], turn)

    def rival(self, company: Company, rng: Random) -> Company:
        """Return another company of the same kind."""
        others = [other for other in self.companies[company.kind] if other.name != company.name]
        return rng.choice(others)

    def newcomer(self, kind: str, number: int) -> Company:
        """Return a company that has no other news."""
        rng = dice(f"newcomer/{self.seed}/{number}")
        name = self._names[number % len(self._names)]
        family = self._newcomers[number % len(self._newcomers)]
        return _company(name, kind, family, rng)

    def _make_all(self, kind: str, number: int, rng: Random) -> list[Company]:
        known = [company for company in OWN_FEED if company.kind == kind]
        known *= round(KNOWN * number / len(known)) if known else 0
        return known + [self._make(kind, rng) for _ in range(number - len(known))]

    def _make(self, kind: str, rng: Random) -> Company:
        name = self._names.pop()
        if rng.random() < _WITH_SUFFIX:
            name = f"{name} {rng.choice(read_cast()[f'suffix.{kind}'])}"
        return _company(name, kind, self._families.pop(), rng)


def _company(name: str, kind: str, family: str, rng: Random) -> Company:
    makes, town = rng.choice(read_cast()[f"makes.{kind}"]), rng.choice(read_cast()["town"])
    return Company(name, kind, makes, town, person(rng), family)


def _company_names() -> list[str]:
    """Coined names, and others that sound like those of villages."""
    lists = read_cast()
    return lists["coined"] + [start + end for start in lists["start"] for end in lists["end"]]


def _combined(start: str, end: str, rng: Random) -> list[str]:
    """Return all combinations of a start and an end, shuffled."""
    lists = read_cast()
    words = [first + last for first in lists[start] for last in lists[end]]
    return rng.sample(words, len(words))


def person(rng: Random) -> str:
    lists = read_cast()
    surname = rng.choice(lists["surname start"]) + rng.choice(lists["surname end"])
    if rng.random() < _UNCOMMON:
        surname = rng.choice(lists["surname"])
    return f"{rng.choice(lists['given'])} {surname}"


def deal(key: str, cards: Sequence[T], number: int) -> T:
    """Return card `number` of an endless sequence, in which each card returns after all others."""
    return cards[_order(key, len(cards))[number % len(cards)]]


def turn_of(key: str, cards: Sequence[T], number: int) -> int:
    """Return how often cards equal to card `number` were dealt before it."""
    cycle, place = divmod(number, len(cards))
    order = _order(key, len(cards))
    equal = [cards[other] is cards[order[place]] for other in order]
    return cycle * sum(equal) + sum(equal[:place])


@cache
def read_cast() -> dict[str, list[str]]:
    """Return {name: words or phrases} from data/stream/cast.txt. Bars separate phrases."""
    lists: dict[str, list[str]] = {}
    name = ""
    for line in (STREAM / "cast.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            name = line.removeprefix("== ")
            lists[name] = []
        elif name:
            parts = line.split(" | ") if _is_of_phrases(name) else line.split()
            lists[name] += [part.strip() for part in parts if part.strip()]
    return lists


def _is_of_phrases(name: str) -> bool:
    return name == "town" or name.startswith(("makes.", "suffix."))


@cache
def _order(key: str, size: int) -> list[int]:
    return dice(key).sample(range(size), size)
