"""The invented outlets of the sample newsroom: who they are, how they publish, what is odd."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

Format = Literal["rss", "atom", "json"]
Oddity = Literal["", "broken", "slow", "dead", "moved", "page"]
Style = Literal["", "wire", "daily", "business", "tech", "essay", "forum", "own", "de"]

SAMPLE_NOTICE = "Sample newsroom: invented for demonstration"


@dataclass(frozen=True, slots=True)
class Outlet:
    """One invented publisher. `oddity` names what its feed does wrong on purpose.

    `style` is how it writes of the events of the stream, and `beats` are those that it covers; none
    means all. Without a style it takes no part in the stream.
    """

    slug: str
    name: str
    pack: str
    voice: str
    topics: tuple[str, ...] = ()
    format: Format = "rss"
    weight: float = 1.0
    oddity: Oddity = ""
    language: str = "en"
    style: Style = "daily"
    beats: tuple[str, ...] = ()
    site_path: ClassVar[str] = "/"

    @property
    def host(self) -> str:
        """A name of the outlet's own that leads to this machine, as all below localhost do."""
        return f"{self.slug}.localhost"

    def site(self, port: int) -> str:
        """The address of its site on a newsroom's port."""
        return f"http://{self.host}:{port}"

    @property
    def takes_wire(self) -> bool:
        """Whether it prints texts of the wire as they are."""
        return self.slug in ("courier", "saltmarsh")

    @property
    def feed_path(self) -> str:
        """Where the feed really is."""
        return "/feed.json" if self.format == "json" else "/feed.xml"

    @property
    def listed_path(self) -> str:
        """The address a reader would have on their list, however outdated it is."""
        listed = {"moved": "/old-feed.xml", "page": self.site_path}
        return listed.get(self.oddity, self.feed_path)


def outlets() -> tuple[Outlet, ...]:
    """All outlets, in the order of their packs."""
    return OUTLETS


def _read() -> Iterator[Outlet]:
    with (Path(__file__).parent / "data" / "outlets.toml").open("rb") as file:
        tables = tomllib.load(file)["outlet"]
    for table in tables:
        lists = {key: tuple(value) for key, value in table.items() if isinstance(value, list)}
        yield Outlet(**(table | lists))


OUTLETS = tuple(_read())
