"""YouTube: channels by id, playlists and users. The page of a handle (@name) links to its feed."""

from collections.abc import Sequence
from urllib.parse import quote

from feeds.sources.address_rules.rule import Address, AddressRule

FEED = "https://www.youtube.com/feeds/videos.xml"


def feeds(address: Address) -> Sequence[str]:
    match address.path:
        case ("channel", channel, *_) if channel.startswith("UC"):
            return [f"{FEED}?channel_id={channel}"]
        case ("user", user, *_):
            return [f"{FEED}?user={user}"]
        case ("playlist",) if playlist := address.query.get("list"):
            return [f"{FEED}?playlist_id={quote(playlist)}"]
    return []


RULE = AddressRule(
    name="YouTube",
    hosts=("youtube.com", "m.youtube.com"),
    feeds=feeds,
    examples=(
        (
            "https://www.youtube.com/channel/UC0RhatS1pyxInC00YKjjBqQ",
            "https://www.youtube.com/feeds/videos.xml?channel_id=UC0RhatS1pyxInC00YKjjBqQ",
        ),
        (
            "https://m.youtube.com/channel/UC0RhatS1pyxInC00YKjjBqQ/videos",
            "https://www.youtube.com/feeds/videos.xml?channel_id=UC0RhatS1pyxInC00YKjjBqQ",
        ),
        (
            "https://www.youtube.com/playlist?list=PL0TnWnPQhDj2-TOwiz_ZhY2Sdurimss2Q",
            "https://www.youtube.com/feeds/videos.xml?playlist_id=PL0TnWnPQhDj2-TOwiz_ZhY2Sdurimss2Q",
        ),
        (
            "https://www.youtube.com/user/GoogleTechTalks/videos",
            "https://www.youtube.com/feeds/videos.xml?user=GoogleTechTalks",
        ),
    ),
)
