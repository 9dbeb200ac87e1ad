"""Mastodon: profiles and hashtags on known servers. On others, profiles link to their feeds."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from feeds.sources.address_rules.rule import Address, AddressRule

_SERVERS = (
    "aus.social chaos.social fediscience.org floss.social fosstodon.org hachyderm.io"
    " indieweb.social infosec.exchange ioc.exchange mas.to mathstodon.xyz"
    " neuromatch.social piaille.fr pouet.chapril.org ruby.social scholar.social"
    " sciences.social sigmoid.social social.coop social.vivaldi.net techhub.social"
    " toot.community tech.lgbt universeodon.com vis.social"
)


def feeds(address: Address) -> Sequence[str]:
    host = urlsplit(address.url).netloc
    match address.path:
        case (profile, *_) if profile.startswith("@") and "@" not in profile[1:]:
            return [f"https://{host}/{profile}.rss"]
        case ("web", profile, *_) if profile.startswith("@") and "@" not in profile[1:]:
            return [f"https://{host}/{profile}.rss"]
        case ("users", name, *_):
            return [f"https://{host}/@{name}.rss"]
        case ("tags", tag):
            return [f"https://{host}/tags/{tag}.rss"]
    return []


RULE = AddressRule(
    name="Mastodon",
    hosts=("mastodon.*", "mstdn.*", *_SERVERS.split()),
    feeds=feeds,
    examples=(
        ("https://mastodon.social/@Gargron", "https://mastodon.social/@Gargron.rss"),
        ("https://fosstodon.org/users/django", "https://fosstodon.org/@django.rss"),
        (
            "https://mastodon.social/@Gargron/115000000000000000",
            "https://mastodon.social/@Gargron.rss",
        ),
        ("https://sigmoid.social/tags/llm", "https://sigmoid.social/tags/llm.rss"),
    ),
)
