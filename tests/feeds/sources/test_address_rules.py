"""Address rules find the feeds of pages, and do not change addresses of feeds and other pages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.ingest.clean.links import canonical_url
from feeds.sources.address_rules import RULES, feed_address, feed_addresses
from feeds.sources.address_rules.rule import AddressRule
from feeds.sources.catalogue import catalogue_entries

EXAMPLES = [(page, feed) for rule in RULES for page, feed in rule.examples]


@pytest.mark.parametrize(("page", "feed"), EXAMPLES)
def test_a_page_leads_to_its_feed_and_the_feed_to_itself(page: str, feed: str) -> None:
    assert feed_address(canonical_url(page)) == feed
    assert feed_address(feed) == feed
    assert canonical_url(feed) == feed


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_feed_that_a_rule_names_is_left_as_it_is(rule: AddressRule) -> None:
    for page, _ in rule.examples:
        for feed in feed_addresses(canonical_url(page)):
            assert feed_addresses(feed) in ((), (feed,))


@pytest.mark.parametrize(
    "page",
    [
        "https://www.youtube.com/@GoogleDeepMind",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com/playlist",
        "https://www.youtube.com/channel/nonsense",
        "https://github.com/",
        "https://github.com/explore",
        "https://github.com/settings/profile",
        "https://github.com/django/django/issues",
        "https://github.com/django/django/commits/main.atom",
        "https://gist.github.com/karpathy/8627fe009c40f57531cb18360106ce95",
        "https://gitlab.com/explore/projects",
        "https://gitlab.com/-/profile",
        "https://gitlab.com/o/p/-/issues",
        "https://gitlab.com/o/p/-/commits/main?feed_token=glft-secret&format=atom",
        "https://www.reddit.com/",
        "https://www.reddit.com/r/Python.rss",
        "https://www.reddit.com/r/Python/new.rss?feed=secret&user=me",
        "https://mastodon.social/explore",
        "https://mastodon.social/@Gargron@example.org",
        "https://social.example/@someone",
        "https://medium.com/",
        "https://medium.com/search",
        "https://medium.com/feed/@karpathy",
        "https://substack.com/@someone",
        "https://open.substack.com/pub/importai",
        "https://bsky.app/",
        "https://bsky.app/profile/jay.bsky.team/feed/whats-hot",
        "https://news.ycombinator.com/rss",
        "https://news.ycombinator.com/user",
        "https://arxiv.org/abs/1706.03762",
        "https://export.arxiv.org/rss/cs.AI",
        "https://huggingface.co/papers",
        "https://pypi.org/",
        "https://pypi.org/rss/updates.xml",
        "https://lab.example/blog",
        "https://notgithub.com/a/b",
        "https://github.com.evil.example/a/b",
    ],
)
def test_other_pages_and_feeds_stay_as_they_are(page: str) -> None:
    assert feed_address(page) == page


def test_a_repository_has_its_releases_before_its_commits() -> None:
    assert feed_addresses("https://github.com/django/django") == (
        "https://github.com/django/django/releases.atom",
        "https://github.com/django/django/commits.atom",
    )


def test_no_feed_of_the_catalogue_is_changed() -> None:
    urls = [entry["url"] for entry in catalogue_entries()]

    assert urls
    assert [feed_address(url) for url in urls] == urls


def test_names_are_given_once_and_every_rule_has_examples() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.examples for rule in RULES)


HOSTS = [
    "www.youtube.com",
    "github.com",
    "gitlab.com",
    "www.reddit.com",
    "mastodon.social",
    "medium.com",
    "x.medium.com",
    "x.substack.com",
    "bsky.app",
    "news.ycombinator.com",
    "arxiv.org",
    "huggingface.co",
    "pypi.org",
]


@given(
    st.sampled_from(HOSTS),
    st.lists(st.text("abcUC@-.?&=list/ü%2Ftagsrpuserprojectcommits", max_size=12), max_size=5),
)
def test_any_address_leads_to_a_valid_feed_address(host: str, path: list[str]) -> None:
    page = canonical_url(f"https://{host}/" + "/".join(path))

    feed = feed_address(page)

    assert feed.startswith("https://")
    assert canonical_url(feed) == feed
    assert feed_address(feed) == feed


@pytest.mark.parametrize("url", ["", "nonsense", "https://", "https://[", "mailto:x@y.example"])
def test_invalid_addresses_are_not_changed(url: str) -> None:
    assert feed_address(url) == url
