"""The invented outlets of the sample newsroom: who they are, how they publish, what is odd."""

from dataclasses import dataclass
from typing import Literal

Format = Literal["rss", "atom", "json"]
Oddity = Literal["", "broken", "slow", "dead", "moved", "page"]

SAMPLE_NOTICE = "Sample newsroom: invented for demonstration"


@dataclass(frozen=True, slots=True)
class Outlet:
    """One invented publisher. `oddity` names what its feed does wrong on purpose."""

    slug: str
    name: str
    pack: str
    voice: str
    topics: tuple[str, ...] = ()
    format: Format = "rss"
    weight: float = 1.0
    oddity: Oddity = ""
    language: str = "en"

    @property
    def site_path(self) -> str:
        return f"/{self.slug}/"

    @property
    def feed_path(self) -> str:
        """Where the feed really is."""
        return f"/{self.slug}/{'feed.json' if self.format == 'json' else 'feed.xml'}"

    @property
    def listed_path(self) -> str:
        """The address a reader would have on their list, however outdated it is."""
        listed = {"moved": f"/{self.slug}/old-feed.xml", "page": self.site_path}
        return listed.get(self.oddity, self.feed_path)


def outlets() -> tuple[Outlet, ...]:
    """All outlets, in the order of their packs."""
    return OUTLETS


OUTLETS = (
    Outlet(
        "harbor-wire",
        "Harbor Wire",
        "News",
        "Terse wire copy, first with the facts.",
        (),
        weight=1.4,
    ),
    Outlet(
        "lantern",
        "The Vesmark Lantern",
        "News",
        "A national daily with a technology desk.",
        (),
        weight=1.2,
    ),
    Outlet(
        "copper-ledger",
        "Copper Ledger",
        "News",
        "Business news counted in coin.",
        ("business",),
        "atom",
        1.2,
    ),
    Outlet(
        "pylon",
        "The Pylon",
        "News",
        "Technology news, quickly and cheerfully.",
        (),
        "atom",
        1.1,
    ),
    Outlet(
        "courier",
        "Calderra Courier",
        "News",
        "A regional paper that takes the wire.",
        (),
        weight=0.8,
    ),
    Outlet(
        "saltmarsh",
        "Saltmarsh Gazette",
        "News",
        "Small town, large opinions, wire copy.",
        (),
        weight=0.7,
    ),
    Outlet(
        "quillmark",
        "Quillmark",
        "Labs",
        "Announcements of the Quillmark lab.",
        ("llm",),
        "atom",
        1.3,
    ),
    Outlet(
        "velloria",
        "Velloria Labs",
        "Labs",
        "Research and releases from Velloria.",
        ("llm",),
        weight=1.3,
    ),
    Outlet(
        "brackwater",
        "Brackwater AI",
        "Labs",
        "Open weights from a converted mill.",
        ("open-models",),
        "json",
        1.2,
    ),
    Outlet(
        "ferrowick",
        "Ferrowick Newsroom",
        "Labs",
        "News of the chip maker Ferrowick.",
        ("chips",),
        weight=1.1,
    ),
    Outlet(
        "nimbrel",
        "Nimbrel Cloud Blog",
        "Labs",
        "What is new at the cloud Nimbrel.",
        ("data-centers",),
    ),
    Outlet(
        "corvane",
        "Corvane Field Notes",
        "Labs",
        "Robots and the people they bump into.",
        ("robotics",),
        "atom",
    ),
    Outlet(
        "lumenvale",
        "Lumenvale AI Group",
        "Research",
        "A university group explains its papers.",
        ("research",),
        "atom",
        1.2,
    ),
    Outlet(
        "preprint-heap",
        "The Preprint Heap",
        "Research",
        "New papers, one paragraph each.",
        ("research",),
    ),
    Outlet(
        "ruler-thumb",
        "Ruler & Thumb",
        "Research",
        "Measurements, and what is wrong with them.",
        ("evaluation",),
        weight=1.2,
    ),
    Outlet(
        "gristmill",
        "Gristmill Releases",
        "Engineering",
        "Release notes of an inference engine.",
        ("inference",),
        "atom",
    ),
    Outlet(
        "weftwork",
        "Weftwork Changelog",
        "Engineering",
        "Release notes of an agent framework.",
        ("agents",),
        "atom",
    ),
    Outlet(
        "kiln",
        "Kiln & Kernel",
        "Engineering",
        "A newsletter for those who ship.",
        ("mlops",),
        weight=1.1,
    ),
    Outlet(
        "backpressure",
        "Backpressure",
        "Engineering",
        "Infrastructure, seen from three in the morning.",
        ("data-centers",),
    ),
    Outlet(
        "slow-gradient",
        "Slow Gradient",
        "Newsletters",
        "One calm letter about machine learning.",
        ("llm",),
        weight=1.2,
    ),
    Outlet(
        "thorne",
        "Doubting Thorne",
        "Newsletters",
        "A sceptic with a spreadsheet.",
        (),
        weight=1.1,
    ),
    Outlet(
        "statute",
        "The Statute Book",
        "Newsletters",
        "Law and policy, without adjectives.",
        ("policy",),
        "atom",
        1.1,
    ),
    Outlet("moat-watch", "Moat Watch", "Newsletters", "Competition and capital.", ("business",)),
    Outlet(
        "tinkerers",
        "Tinkerers' Bench",
        "Communities",
        "A forum of people with too many fans.",
        ("chips",),
        "atom",
        0.8,
    ),
    Outlet(
        "shed",
        "The Shed",
        "Communities",
        "Links, tried out before they are praised.",
        (),
        weight=0.8,
    ),
    Outlet(
        "back-page", "The Back Page", "Communities", "Looks back at what was said.", (), weight=0.5
    ),
    Outlet(
        "rechenstube",
        "Die Rechenstube",
        "Newsletters",
        "Ein Brief aus der Werkstatt.",
        (),
        weight=0.7,
        language="de",
    ),
    Outlet(
        "cracked-bell",
        "The Cracked Bell",
        "Odd feeds",
        "Its XML breaks off in the middle.",
        oddity="broken",
        weight=0.5,
    ),
    Outlet(
        "tortoise",
        "Tortoise Review",
        "Odd feeds",
        "Takes three seconds over everything.",
        oddity="slow",
        weight=0.7,
    ),
    Outlet(
        "silent-quay",
        "Silent Quay",
        "Odd feeds",
        "Its server only answers with errors.",
        oddity="dead",
        weight=0.5,
    ),
    Outlet(
        "moved-house",
        "Moved House",
        "Odd feeds",
        "Forwards its old address for good.",
        oddity="moved",
        weight=0.7,
    ),
    Outlet(
        "front-door",
        "Front Door Press",
        "Odd feeds",
        "Listed by its web page, not its feed.",
        oddity="page",
        format="atom",
        weight=0.7,
    ),
)
