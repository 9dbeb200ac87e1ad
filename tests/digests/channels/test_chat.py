"""Messages keep to each service's limits, and titles of feeds stay text in them."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digests.channels import discord, mattermost, slack
from digests.channels.chat_text import markdown_escape
from digests.channels.message import EditionFacts, StoryFacts

PAGE = "https://news.example/digest/2026-05-20/"


def edition(*headlines: str, text: str = "It was said.", url: str = "https://a.example/1") -> Any:
    stories = tuple(StoryFacts(one, text, url, ("Outlet",), False) for one in headlines)
    return EditionFacts("Digest of a day", PAGE, stories, ((headlines[0], url),) * 12, "")


HOSTILE = [
    "@everyone look",
    "<!channel> look",
    "<!here|x>",
    "<@U123> and @here",
    "@all @channel",
    "[click](https://evil.example)",
    "<https://evil.example|click>",
    "see https://evil.example now",
    "www.evil.example",
    "mailto:a@b.example",
    "a](https://evil.example) [b",
    "a|b>c<d&e",
    "# heading\n> quote\n```code```",
    "line\n@everyone",
    "~town-square #channel <#C123>",
    "‮gnp.exe\x07",
]


@pytest.mark.parametrize("title", HOSTILE)
def test_a_title_makes_no_mention_and_no_link_of_its_own(title: str) -> None:
    made = edition(title, text=title)

    in_slack = json.dumps([b["text"]["text"] for b in slack.message_of(made)["blocks"][1:]])
    links = re.findall(r"<([^|>]*)[|>]", in_slack)
    assert set(links) <= {"https://a.example/1", PAGE}
    assert not re.search(r"<[!@#]", in_slack)

    in_mattermost = mattermost.message_of(made)["text"]
    links = re.findall(r"(?<!\\)\]\(([^)]*)\)", in_mattermost)
    assert set(links) <= {"https://a.example/1", PAGE}

    in_discord = discord.message_of(made)
    assert in_discord["allowed_mentions"] == {"parse": []}
    shown = [in_discord["content"].replace(PAGE, "")]
    shown += [part for one in in_discord["embeds"] for part in (one["title"], one["description"])]
    bare = in_mattermost.replace("](https://a.example/1)", "").replace(f"]({PAGE})", "")
    for text in [*shown, bare, in_slack.replace("<https://a", "").replace(f"<{PAGE}", "")]:
        assert not re.search(r"@(everyone|here|channel|all)", text)
        assert "://" not in text and "www." not in text and "mailto:" not in text


@given(st.text(max_size=300))
def test_no_text_leaves_anything_of_mrkdwn_s_own(text: str) -> None:
    escaped = slack.escape(text)

    assert not set("<>\n") & set(escaped)
    assert not re.search(r"&(?!amp;|lt;|gt;)", escaped)


@given(st.text(alphabet="a\\*_`[]()<>@:/#~|!\n ", max_size=60))
def test_every_special_character_of_markdown_is_escaped(text: str) -> None:
    assert not re.search(r"(?<!\\)(?:\\\\)*[*_`\[\]()<>#~|!]", markdown_escape(text))


@pytest.mark.parametrize("title", ["W" * 500, "&<>" * 170, "*" * 500, "漢" * 500, "\\" * 500])
def test_long_titles_stay_within_each_service_s_limits(title: str) -> None:
    made = edition(*[title] * 9, text=title * 3, url="https://a.example/" + "x" * 1900)

    in_slack = slack.message_of(made)
    assert len(in_slack["blocks"]) <= slack.MAX_BLOCKS
    assert all(len(block["text"]["text"]) <= slack.LONGEST_TEXT for block in in_slack["blocks"])
    assert len(in_slack["blocks"][0]["text"]["text"]) <= 150
    assert len(in_slack["text"]) <= slack.LONGEST_TEXT

    in_discord = discord.message_of(made)
    sizes = [len(one["title"]) + len(one["description"]) for one in in_discord["embeds"]]
    assert 1 <= len(sizes) <= 10 and sum(sizes) <= discord.MAX_TOTAL
    assert all(len(one["title"]) <= 256 for one in in_discord["embeds"])
    assert len(in_discord["content"]) <= 2000

    assert len(mattermost.message_of(made)["text"]) <= mattermost.LONGEST_TEXT


def test_a_message_tells_headlines_texts_and_sources() -> None:
    made = edition("A lab publishes a model", "Another one")

    for message in (slack.message_of(made), discord.message_of(made), mattermost.message_of(made)):
        text = json.dumps(message)
        for part in ("A lab publishes a model", "Another one", "It was said", "Outlet", PAGE):
            assert part in text, (part, text)


def test_a_quiet_day_is_said() -> None:
    made = EditionFacts("Digest of a day", "", (), (), "A quiet day: nothing new in your sources.")

    for message in (slack.message_of(made), discord.message_of(made), mattermost.message_of(made)):
        assert "A quiet day" in json.dumps(message)
