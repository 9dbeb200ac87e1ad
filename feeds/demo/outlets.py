"""The invented outlets of the sample newsroom."""

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
    """An invented publisher. `oddity` is the fault that its feed has on purpose.

    `style` selects its reports about the events of the stream. An outlet without a style does not
    take part in the stream. `beats` are the subjects that it covers, and empty for all.
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
        """The host name of the outlet. All names below localhost resolve to this machine."""
        return f"{self.slug}.localhost"

    def site(self, port: int) -> str:
        """Return the URL of its site, without a final slash."""
        return f"http://{self.host}:{port}"

    @property
    def takes_wire(self) -> bool:
        """True if it publishes copies of the wire's articles."""
        return self.slug in ("courier", "saltmarsh")

    @property
    def feed_path(self) -> str:
        """The path of the feed."""
        return "/feed.json" if self.format == "json" else "/feed.xml"

    @property
    def listed_path(self) -> str:
        """The path of the feed in the catalogue, which may be outdated."""
        listed = {"moved": "/old-feed.xml", "page": self.site_path}
        return listed.get(self.oddity, self.feed_path)


def outlets() -> tuple[Outlet, ...]:
    """Return all outlets, in the order of their packs."""
    return OUTLETS


def _read() -> Iterator[Outlet]:
    with (Path(__file__).parent / "data" / "outlets.toml").open("rb") as file:
        tables = tomllib.load(file)["outlet"]
    for table in tables:
        lists = {key: tuple(value) for key, value in table.items() if isinstance(value, list)}
        yield Outlet(**(table | lists))


OUTLETS = tuple(_read())
